"""The one seam between a lab and the kernel it runs in: ask for capabilities, get a machine with an agent in it.

Law: a machine is a throw-away kernel (``uml``) or set of namespaces (``native``); nothing of it touches this computer's
network or files, and nothing of it is left when it is closed or when any process of it dies.
"""

from __future__ import annotations

import os

from ipvkit.errors import NoMachine
from ipvkit.machine.doctor import OPENERS, Examined, examine_machine
from ipvkit.machine.process import Machine
from ipvkit.machine.uml import memory_for, open_uml
from ipvkit.machine.wire import Wire

__all__ = ["Machine", "Wire", "open_machine"]


def open_machine(
    needs: frozenset[str], *, force: str | None = None, endpoints: int = 0, memory: int = 0
) -> Machine:
    """Start the first machine that covers ``needs`` (words of :data:`ipvkit.machine.doctor.WORDS`).

    It gets memory for so many ``endpoints``, and ``memory`` MB at least, if it has a kernel of its own.

    ``force``, or the environment's ``IPVKIT_MACHINE``, names the one to take. Raises ``NoMachine`` with one line and
    one fix for each machine that would not do, ``MachineError`` when the chosen one does not start.
    """
    chosen = force or os.environ.get("IPVKIT_MACHINE")
    if chosen and chosen not in OPENERS:
        raise NoMachine(f"IPVKIT_MACHINE: there is no machine {chosen!r}. It is one of: {', '.join(OPENERS)}")
    lines = []
    for name in [chosen] if chosen else list(OPENERS):
        examined = examine_machine(name)
        lacking = examined.lacks(needs)
        if not examined.problem and not lacking:
            return open_uml(memory=max(memory, memory_for(endpoints))) if name == "uml" else OPENERS[name]()
        lines.append(_explain(examined, lacking))
    wanted = ", ".join(sorted(needs)) or "any kernel"
    raise NoMachine("\n".join([f"no machine here covers {wanted}:", *lines]))


def _explain(examined: Examined, lacking: dict[str, str]) -> str:
    if examined.problem:
        reason = examined.problem.splitlines()[0]
    else:
        reason = f"kernel {examined.kernel} refuses " + ", ".join(f"{word} ({why})" for word, why in lacking.items())
    return f"  {examined.name}: {reason}\n    fix: {examined.fix(frozenset(lacking))}"
