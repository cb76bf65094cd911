"""How fast it is beside the other ways, measured in one run: ``python -m bench``, written up in docs/performance.md."""
