"""Answers to questions about reachability, and what a command said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ipvkit import html
from ipvkit.findings.table import Table


@dataclass(frozen=True)
class Answer:
    """What became of one question from ``src`` to ``dst``, asked of ``address``.

    ``verdict`` is ``reply``, ``timeout``, ``network unreachable``, ``host unreachable``, ``no buffers``,
    ``message too long``, ``ttl exceeded``, ``prohibited``, … ; ``ttl`` is that of the reply where it arrived, ``errno``
    the name of the kernel's number, ``from_`` who sent the ICMP error (a name where the address is known).
    """

    verdict: str
    detail: str = ""
    ttl: int | None = None
    errno: str = ""
    from_: str = ""
    src: str = field(default="", compare=False)
    dst: str = field(default="", compare=False)
    address: str = field(default="", compare=False)

    def __bool__(self) -> bool:
        """True for a reply."""
        return self.verdict == "reply"

    def __str__(self) -> str:
        """Return ``reply, ttl 64`` or ``host unreachable, says router``."""
        return self.verdict + (f", {self.detail}" if self.detail else "")

    def __repr__(self) -> str:
        """Return one line: who asked whom, and what became of it."""
        asked = self.dst if self.dst == self.address else f"{self.dst} ({self.address})"
        return f"{self.src} → {asked}: {self}"


class ReachabilityTable(Table):
    """Who reached whom: ``pairs[src, dst]`` is an :class:`Answer`; ``names`` in the topology's order.

    ``family`` is 4 or 6; ``caches`` is ``cold`` (neighbour tables and FDB were emptied first) or ``as they were``;
    ``link_local``: the addresses that devices give themselves were asked.
    """

    def __init__(self, pairs: dict[tuple[str, str], Answer], names: Sequence[str], family: int, caches: str,
                 link_local: bool = False) -> None:
        self.pairs, self.names, self.family, self.caches = dict(pairs), tuple(names), family, caches
        self.link_local = link_local
        rows = [[src, *(self._cell(src, dst) for dst in self.names)] for src in self.names]
        title = f"ping, IPv{family}{' link-local' * link_local}, caches {caches}, measured"
        super().__init__(title, ["from ↓ to →", *self.names], rows)

    def _cell(self, src: str, dst: str) -> str:
        return "·" if src == dst else self.pairs[src, dst].verdict if (src, dst) in self.pairs else "not asked"

    def _repr_html_(self) -> str:
        """Return the table as HTML: each verdict with its sign, the detail where one hovers."""
        return html.matrix(self.title, self.names, self._look)

    def _look(self, src: str, dst: str) -> tuple[str, str, bool]:
        answer = self.pairs.get((src, dst))
        return (answer.verdict, answer.detail, False) if answer is not None else ("not asked", "", False)

    def to_dataframe(self) -> Any:
        """Return one row a pair. ImportError where pandas is not installed."""
        rows = [(src, dst, a.verdict, a.detail, a.ttl, a.errno, a.from_) for (src, dst), a in self.pairs.items()]
        return Table("", ["src", "dst", "verdict", "detail", "ttl", "errno", "from"], rows).to_dataframe()


@dataclass(frozen=True)
class Difference:
    """The kernel accepted every step, and yet says something else of a child than was declared for it."""

    endpoint: str
    declared: str
    kernel: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.endpoint}: declared {self.declared}, the kernel says {self.kernel}"


@dataclass(frozen=True)
class CommandResult:
    """What a command printed (``output``, both streams in order) and its exit ``status``, negative for a signal.

    ``cut`` counts the bytes beyond the size limit that were not kept.
    """

    output: str
    status: int
    cut: int = 0

    def __repr__(self) -> str:
        """Return the exit status; the output has been shown while it came."""
        said = f"exit status {self.status}"
        return said + (f", output cut: {self.cut} bytes more" if self.cut else "")
