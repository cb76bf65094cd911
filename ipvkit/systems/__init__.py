"""Real systems in a lab: daemons as they come from the distribution, started, watched and ended.

Law: nothing runs outside the lab. What is not installed is named with the one line that gets it.
"""
