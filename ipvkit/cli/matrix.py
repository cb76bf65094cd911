"""A verdict for each ordered pair, as a table that fits the terminal: words, else shorter words, else signs.

Shortened words and signs are spelled out below the table. Colour repeats what the words say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ipvkit.cli.terminal import Terminal, length

#: Verdict to a short word and a sign.
_SHORT = {
    "reply": ("reply", "✓"), "timeout": ("timeout", "…"), "network unreachable": ("no net", "N"),
    "host unreachable": ("no host", "H"), "no buffers": ("no buf", "B"), "ttl exceeded": ("ttl", "L"),
    "message too long": ("too long", "M"), "prohibited": ("prohib", "P"), "not modelled": ("?", "?"),
}
_NOBODY = "·"
Pair = tuple[str, str]


def matrix(
    terminal: Terminal, names: Collection[str], verdicts: Mapping[Pair, str], marked: Collection[Pair] = ()
) -> str:
    """Return the table, a row for each sender; ``marked`` pairs get a ``≠``. Without names a sentence that says so."""
    if not names:
        return "nobody has such an address"
    forms = [_Form(terminal, tuple(names), verdicts, marked, form).text() for form in range(3)]
    return next((form for form in forms if max(map(length, form.splitlines())) <= terminal.width), forms[-1])


@dataclass(frozen=True)
class _Form:
    """The table with words (``form`` 0), short words (1) or signs and numbered columns (2)."""

    terminal: Terminal
    names: tuple[str, ...]
    verdicts: Mapping[Pair, str]
    marked: Collection[Pair]
    form: int

    def text(self) -> str:
        numbers = {name: f"{number} " if self.form == 2 else "" for number, name in enumerate(self.names, start=1)}
        side = max(len("from / to"), *(len(numbers[name] + name) for name in self.names))
        heads = {name: numbers[name].strip() or name for name in self.names}
        widths = {to: max(len(heads[to]), *(len(self.cell((source, to))) for source in self.names))
                  for to in self.names}
        lines = ["  ".join(["from / to".ljust(side), *(heads[to].ljust(widths[to]) for to in self.names)])]
        for source in self.names:
            cells = [self.styled((source, to), self.cell((source, to)).ljust(widths[to])) for to in self.names]
            lines.append("  ".join([(numbers[source] + source).ljust(side), *cells]))
        return "\n".join([*(line.rstrip() for line in lines), *self.legend()])

    def short(self, verdict: str) -> str:
        return verdict if self.form == 0 else _SHORT.get(verdict, (verdict, verdict[:1].upper()))[self.form - 1]

    def cell(self, pair: Pair) -> str:
        word = self.short(self.verdicts[pair]) if pair in self.verdicts else _NOBODY
        return word + "≠" * (pair in self.marked)

    def legend(self) -> list[str]:
        """What was shortened, spelled out."""
        used = [verdict for verdict in dict.fromkeys(self.verdicts.values()) if self.short(verdict) != verdict]
        text = "; ".join(f"{self.short(verdict)} = {verdict}" for verdict in used)
        return [self.terminal.wrapped(text)] if used else []

    def styled(self, pair: Pair, text: str) -> str:
        style = "bad" if pair in self.marked else {"reply": "good", "": "dim"}.get(self.verdicts.get(pair, ""))
        return self.terminal.styled(style, text) if style else text
