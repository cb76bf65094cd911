"""What changed in the kernel's state, namespace by namespace: ``+`` new, ``−`` gone, ``~`` another value.

    before = lab.state(); …; draw_changes(lab.diff())

Imports nothing of ours but the scene.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ipvkit.drawing.picture import Drawing
from ipvkit.drawing.scene import Scene, Sketch
from ipvkit.drawing.text import Font, extent
from ipvkit.drawing.words import count

MARGIN, PAD, ROW, HEAD = 20.0, 12.0, 25.0, 32.0
WIDEST = {"what": 150.0, "where": 300.0, "before": 240.0, "now": 240.0}
CAPTION, CAPTION_BOLD = Font(13), Font(13, bold=True)
NAME, WORD, VALUE, SIGN = Font(14, bold=True), Font(12), Font(12, mono=True), Font(14, bold=True)
SIGNS = {"+": ("verdict-reply", "new"), "−": ("verdict-refusal", "gone"), "~": ("verdict-silence", "changed")}


class Changes(Protocol):
    """What ``lab.diff()`` returns: rows of what, where (the namespace first), before, now."""

    @property
    def rows(self) -> Sequence[Sequence[Any]]:
        """The changes."""


@dataclass(frozen=True)
class Change:
    """One thing: ``before`` is empty where it is new, ``now`` where it is gone."""

    what: str
    netns: str
    where: str
    before: str
    now: str

    @property
    def sign(self) -> str:
        """``+``, ``−`` or ``~``."""
        return "+" if not self.before else "−" if not self.now else "~"

    @property
    def sentence(self) -> str:
        """The change in words."""
        value = f"{self.before} became {self.now}" if self.sign == "~" else self.before or self.now
        return f"{self.netns}: {self.what} {self.where} {SIGNS[self.sign][1]}: {value}"


def draw_changes(changes: Changes) -> Drawing:
    """Return the picture of what changed between two looks; that nothing did is a picture too."""
    found = [_change(*map(str, row)) for row in changes.rows]
    signs = Counter(change.sign for change in found)
    said = ", ".join(f"{signs[sign]} {word}" for sign, (_, word) in SIGNS.items() if signs[sign])
    fact = f"{count(len(found), 'change')}: {said}" if found else "nothing changed"
    return Drawing(_scene(found, fact), f"State, measured, {fact}")


def _change(what: str, where: str, before: str, now: str) -> Change:
    netns, _, rest = where.partition(" ")
    return Change(what, netns, rest, before, now)


def _scene(changes: list[Change], fact: str) -> Scene:
    sketch, y = Sketch(), MARGIN + 34
    widths = _widths(changes)
    width = max(2 * MARGIN + 2 * PAD + 34 + sum(widths.values()) + 3 * 16 + 24, 460)
    used = sketch.label(MARGIN, MARGIN + 4, "measured", CAPTION_BOLD)
    sketch.label(MARGIN + used + 10, MARGIN + 4, f"what changed in the kernel: {fact}", CAPTION, role="muted",
                 room=width - 2 * MARGIN - used - 10)
    for netns in dict.fromkeys(change.netns for change in changes):
        rows = [change for change in changes if change.netns == netns]
        height = HEAD + ROW * len(rows) + PAD / 2
        sketch.box(MARGIN, y, width - 2 * MARGIN, height, "netns", of=netns)
        sketch.label(MARGIN + PAD, y + HEAD / 2 + 2, netns, NAME, room=width - 2 * (MARGIN + PAD))
        for number, change in enumerate(rows):
            _row(sketch, MARGIN + PAD, y + HEAD + ROW * number, change, widths)
        y += height + 12
    used_signs = dict.fromkeys(change.sign for change in changes)
    legend = " · ".join(f"{sign} {SIGNS[sign][1]}" for sign in SIGNS if sign in used_signs)
    same = "Between the two looks the kernel's state stayed as it was."
    sketch.label(MARGIN, y + 6, legend or same, WORD, role="muted")
    return sketch.finish(width, y + 6 + MARGIN, f"What changed: {fact}",
                         " ".join(f"{change.sentence}." for change in changes) or "Nothing changed.")


def _widths(changes: list[Change]) -> dict[str, float]:
    fonts = {"what": WORD, "where": VALUE, "before": VALUE, "now": VALUE}
    return {part: min(max([extent(getattr(change, part), font) for change in changes], default=0), WIDEST[part])
            for part, font in fonts.items()}


def _row(sketch: Sketch, x: float, y: float, change: Change, widths: dict[str, float]) -> None:
    middle, title = y + ROW / 2, change.sentence
    sketch.box(x, middle - 9, 18, 18, SIGNS[change.sign][0], radius=4, title=title, of=title)
    sketch.label(x + 9, middle, change.sign, SIGN, anchor="middle", title=title)
    x += 34
    sketch.label(x, middle, change.what, WORD, role="muted", room=widths["what"])
    x += widths["what"] + 16
    sketch.label(x, middle, change.where, VALUE, room=widths["where"])
    x += widths["where"] + 16
    sketch.label(x, middle, change.before, VALUE, room=widths["before"])
    x += widths["before"] + 16
    if change.now:
        sketch.label(x, middle, "→", WORD, role="changed")
        sketch.label(x + 24, middle, change.now, VALUE, role="changed", room=widths["now"])
