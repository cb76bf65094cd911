"""What a student cannot see otherwise: frames on their way, who receives what, hooks, MACs learned, running programs.

The law of this package: an instrument asks the lab's agent, orders what it answers, and puts it into words. It knows
the topology (what was declared), never the theory (what is predicted). Each function takes a lab as its first argument;
``Lab`` has methods of the same names.
"""
