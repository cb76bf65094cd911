"""What belongs to teaching: the student's working copy of the notebooks, and JupyterLab's defaults for it."""
