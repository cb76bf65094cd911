"""The command line: the same labs without a notebook.

The law: what was asked for goes to standard output, everything else to standard error. Exit status 0: good;
1: the lab disagrees with the theory, or something failed; 2: bad input; 130: Ctrl-C. Never a traceback: what we did
not foresee is one line, and the log has the rest.
"""

from ipvkit.cli.main import main

__all__ = ["main"]
