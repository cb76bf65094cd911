"""``extras``: the heavy programs a few lessons use, Docker and the CNI plugins; what is here, and get the rest."""

from __future__ import annotations

from argparse import Namespace

from ipvkit.cli.main import GOOD
from ipvkit.cli.report import print_json
from ipvkit.cli.terminal import Terminal
from ipvkit.errors import BadQuestion
from ipvkit.systems import extras as found


def extras(options: Namespace, terminal: Terminal) -> int:
    """Download and unpack the extras that are named and not here yet; then list them all.

    Raises ``BadQuestion`` for another name, ``MachineError`` with what is missing or what apt says.
    """
    for name in options.names:
        if name not in found.EXTRAS:
            raise BadQuestion("NAME", f"{name!r} is no extra", f"There are: {', '.join(found.EXTRAS)}.")
    for name in options.names:
        if found.EXTRAS[name].missing():
            found.fetch(name)
    if options.json:
        print_json(terminal, {name: not extra.missing() for name, extra in found.EXTRAS.items()})
    else:
        for line in found.lines():
            terminal.say(line)
    return GOOD
