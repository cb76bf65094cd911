"""How the box of ``vagrant up`` is built; ``build.py`` is the command."""
