"""``python -m ipvkit``: the command line."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (said here, for `python3 -m ipvkit` without an installation)
    sys.exit(f"ipvkit needs Python 3.11 or newer; this is {sys.version_info[0]}.{sys.version_info[1]}")

if __name__ == "__main__":
    try:
        from ipvkit.cli import main

        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # before the command has begun: from then on it answers Ctrl-C itself
        sys.stderr.write("interrupted; nothing is left\n")
        sys.exit(130)
