"""Everything that can go wrong, as one tree.

    IpvkitError
    ├── TopologyError          what was written down is not a topology (names the field and the fix)
    ├── MachineError           the kernel a lab needs cannot be had, or is gone
    │   ├── NoMachine          nothing here covers what the topology needs (says how to get it)
    │   └── MachineGone        the machine ended; carries the tail of its console
    └── LabError               the machine is there, the question failed
        ├── LabClosed          the lab was closed, or its notebook kernel restarted
        ├── DeadlineExceeded   no answer in time; the request was ended
        ├── Refused            the kernel said no: errno, the ``ip`` command that does the same, the reason
        ├── NotAsDeclared      the kernel accepted everything, and reports something else than was declared
        └── BadQuestion        a name, address or option the lab does not know (names the field and the fix)

Catching ``IpvkitError`` catches all of them; nothing else is raised on purpose.
Imports nothing of ours.
"""

from __future__ import annotations

import errno as errno_names
from collections.abc import Iterator
from textwrap import wrap

PAGE = 88
"""Characters in a line of a notebook's red box: JupyterLab breaks longer ones in the middle of a word."""


class IpvkitError(Exception):
    """Any failure this package raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """Show a notebook the words, not the way through our files: IPython asks for this (custom tracebacks)."""
        return list(on_a_page(f"{type(self).__name__}: {self}"))


def on_a_page(text: str) -> Iterator[str]:
    """Give the lines of a message, sentences broken at blanks; commands and JSON, which end with no stop, as they are.

    ``str(error)`` stays in one piece: programs and tests read it.
    """
    for line in text.splitlines():
        yield from wrap(line, PAGE, break_long_words=False, break_on_hyphens=False) if line.endswith(".") else [line]


class TopologyError(IpvkitError, ValueError):
    """Say which field is not a topology, why, and what would be.

    ``field`` is a dotted path (``endpoints.net1.mode``), ``problem`` what is wrong with its value,
    ``fix`` what to write instead.
    """

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field}: {problem}. {fix}")
        self.field, self.problem, self.fix = field, problem, fix


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or the square button of a notebook, while a machine was being asked; the question has been ended."""

    def _render_traceback_(self) -> list[str]:
        return [f"KeyboardInterrupt: {self}"]


class MachineError(IpvkitError):
    """A machine cannot be had, or is gone."""


class NoMachine(MachineError):
    """No machine covers what the topology needs; the text has one line with a fix for each."""


class MachineGone(MachineError):
    """The machine ended while the lab was using it; ``console`` is the tail of what it printed."""

    def __init__(self, message: str, console: str = "") -> None:
        tail = f"\nconsole:\n{console}" if console else ""
        super().__init__(message + tail)
        self.console = console


class LabError(IpvkitError):
    """The lab could not answer."""


class LabClosed(LabError):
    """The lab was closed before the question."""


class DeadlineExceeded(LabError):
    """No answer within the deadline; the request was ended and a late answer will be dropped."""


class BadQuestion(LabError, ValueError):
    """The question names something this lab does not have, in the form of a ``TopologyError``."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field}: {problem}. {fix}")
        self.field, self.problem, self.fix = field, problem, fix


class NotAsDeclared(LabError):
    """The kernel accepted the plan, but what it reports differs from what was declared."""


class Refused(LabError):
    """The kernel refused one step.

    ``errno`` is the kernel's number, ``extack`` its own sentence where it gave one, ``command`` the
    ``ip`` line that asks for the same, ``identifier`` a key of :mod:`ipvkit.refusals`, ``reason`` its words.
    """

    def __init__(self, errno: int, command: str, identifier: str, reason: str, extack: str = "") -> None:
        name = errno_names.errorcode.get(errno, str(errno))
        said = f"the kernel refused ({name}{': ' + extack if extack else ''})"
        super().__init__(f"{command}\n{said}\n{reason}")
        self.errno, self.command, self.extack = errno, command, extack
        self.identifier, self.reason = identifier, reason
