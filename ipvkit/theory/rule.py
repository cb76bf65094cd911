"""What a rule is: one sentence about the kernel, where that is written, and the versions it was read in.

Law of the theory: every step of a walk and every verdict names a rule, and a rule that does not hold for the kernel
asked about makes the answer "not modelled". Rules are rows of tables (``link_rules``, ``network_rules``,
``control_rules``): they can be listed, counted and tested without running anything.
Imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The newest kernel whose source the rules were read in; beyond it a rule claims nothing.
NEWEST_READ = (6, 18)


@dataclass(frozen=True)
class Rule:
    """One thing the kernel does.

    ``says`` is a full sentence, ``source`` a file and function of the kernel or a document; it holds from ``since`` to
    ``until`` (kernel versions, both included; no ``until``: up to ``NEWEST_READ``).
    ``sender_sees`` is the error a sending program gets at once, where there is one.
    """

    id: str
    says: str
    source: str
    since: str = "2.6"
    until: str = ""
    sender_sees: str = ""

    def holds_for(self, kernel: str) -> bool:
        """Tell whether this rule was read for ``kernel`` ("6.1", "6.1.0-13-um")."""
        version = version_of(kernel)
        newest = version_of(self.until) if self.until else NEWEST_READ
        return version_of(self.since) <= version <= newest


def version_of(kernel: str) -> tuple[int, int]:
    """Return (major, minor) of a kernel release. ValueError if it does not begin with two numbers."""
    parts = kernel.split("-")[0].split(".") if isinstance(kernel, str) else []
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        raise ValueError(f"{kernel!r} is not a kernel version: write '6.1' or '6.1.0-13-amd64'")
    return int(parts[0]), int(parts[1])


def table(*rules: Rule) -> dict[str, Rule]:
    """Return the rules by id. ValueError if an id occurs twice."""
    found: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in found:
            raise ValueError(f"two rules are called {rule.id}")
        found[rule.id] = rule
    return found
