"""Who reaches whom, as a picture: predicted, measured, or both with what differs.

    draw_matrix(predicted=predict(lan))          one side: a sign and a word for each ordered pair
    draw_matrix(predicted=predict(lan), measured=lab.ping_matrix())
                                                 both: the kernel's word, and where theory said another

The law: a cell says its verdict by sign, word and colour; a disagreement has a thick frame and ``≠`` besides. With
many names the words go to the legend and to where the pointer rests. Imports nothing of ours but the scene and the
signs that tables use too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ipvkit.drawing.picture import Drawing
from ipvkit.drawing.scene import Scene, Sketch
from ipvkit.drawing.text import Font, extent
from ipvkit.drawing.words import count
from ipvkit.errors import BadQuestion
from ipvkit.html import sign

NOT_MODELLED = "not modelled"
MARGIN = 20.0
WORD, WORD_BOLD, COMPARED, COMPARED_BOLD = Font(12.5), Font(12.5, bold=True), Font(11), Font(11, bold=True)
CAPTION, CAPTION_BOLD, SMALL = Font(13), Font(13, bold=True), Font(11.5)
ROLES = {"✓": "verdict-reply", "…": "verdict-silence", "✗": "verdict-refusal", "?": "verdict-unknown"}
LEGEND = {"✓": "reply", "…": "timeout: silence", "✗": "somebody said no", "?": NOT_MODELLED}


class Verdicts(Protocol):
    """What a prediction and a measurement have in common."""

    @property
    def pairs(self) -> Mapping[tuple[str, str], Any]:
        """A verdict by (from, to); each has the word ``verdict``, and ``why`` or ``detail``."""


@dataclass(frozen=True)
class Cell:
    """One ordered pair: the word to show, the word it was compared with (or empty), and the reason."""

    word: str
    other: str = ""
    why: str = ""

    @property
    def differs(self) -> bool:
        """True if two words were given, theory spoke, and they are not the same."""
        return bool(self.other) and NOT_MODELLED != self.other != self.word

    @property
    def lines(self) -> list[tuple[str, Font]]:
        """What stands in a cell that has room for words."""
        found = [(f"{sign(self.word)} {self.word}", WORD_BOLD if self.differs else WORD)]
        if self.other:
            second = f"≠ predicted {self.other}" if self.differs else "= predicted"
            second = "? not modelled" if self.other == NOT_MODELLED else second
            found.append((second, COMPARED_BOLD if self.differs else COMPARED))
        return found

    @property
    def sentence(self) -> str:
        """What is shown where the pointer rests."""
        compared = f", {'≠' if self.differs else '='} predicted {self.other}" if self.other else ""
        return f"{self.word}{compared}" + (f". {self.why}" if self.why else "")


@dataclass(frozen=True)
class Size:
    """The measures of a matrix: words in the cells or signs only."""

    width: float
    height: float
    font: Font
    words: bool


def draw_matrix(predicted: Verdicts | None = None, measured: Verdicts | None = None) -> Drawing:
    """Return the matrix of ordered pairs. BadQuestion if neither side is given, or if there are no pairs."""
    cells = _cells(predicted, measured)
    if not cells:
        raise BadQuestion("matrix", "there is no pair to show", "Give predicted=predict(...) or measured=....")
    what = " and ".join(word for word, side in (("predicted", predicted), ("measured", measured)) if side is not None)
    fact = _fact(what, cells)
    return Drawing(_scene(what, fact, cells), f"Matrix: {fact}")


def _cells(predicted: Verdicts | None, measured: Verdicts | None) -> dict[tuple[str, str], Cell]:
    said = predicted.pairs if predicted is not None else {}
    if measured is None:
        return {pair: Cell(one.verdict, why=_reason(one)) for pair, one in said.items()}
    found = {}
    for pair, seen in measured.pairs.items():
        theory = said.get(pair)
        other = (theory.verdict if theory else NOT_MODELLED) if predicted is not None else ""
        found[pair] = Cell(seen.verdict, other, _reason(theory) or _reason(seen))
    return found


def _reason(verdict: Any) -> str:
    return str(getattr(verdict, "why", "") or getattr(verdict, "detail", "") or "")


def _fact(what: str, cells: Mapping[tuple[str, str], Cell]) -> str:
    """Return the line of fact: how many of each word, and how many differ."""
    words = Counter(cell.word for cell in cells.values())
    fact = f"{what}, {count(len(cells), 'pair')}: " + ", ".join(f"{n} {word}" for word, n in words.most_common())
    if any(cell.other for cell in cells.values()):
        fact += f"; {count(sum(cell.differs for cell in cells.values()), 'disagreement')}"
        unknown = sum(cell.other == NOT_MODELLED for cell in cells.values())
        fact += f", {unknown} not modelled" if unknown else ""
    return fact


def _names(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for pair in pairs for name in pair))


def _size(names: int, cells: Mapping[tuple[str, str], Cell]) -> Size:
    if names <= 8:
        widest = max(extent(text, font) for cell in cells.values() for text, font in cell.lines) + 14
        return Size(min(max(widest, 104), 196), 46, WORD, words=True)
    return Size(34, 28, Font(15, bold=True), words=False) if names <= 24 else Size(22, 20, Font(12, bold=True), False)


def _scene(what: str, fact: str, cells: Mapping[tuple[str, str], Cell]) -> Scene:
    sketch, names = Sketch(), _names(cells)
    size = _size(len(names), cells)
    heads = names if size.words else [f"{number} {name}" for number, name in enumerate(names, start=1)]
    head_font = Font(13, bold=True) if size.words else Font(12)
    side = min(max(extent(head, head_font) for head in [*heads, "from ↓ to →"]) + 16, 190)
    left, top = MARGIN + side, MARGIN + 52
    width = max(left + size.width * len(names) + MARGIN, 460)
    used = sketch.label(MARGIN, MARGIN + 4, what, CAPTION_BOLD)
    sketch.label(MARGIN + used + 10, MARGIN + 4, fact.removeprefix(f"{what}, "), CAPTION, role="muted",
                 room=width - 2 * MARGIN - used - 10)
    sketch.label(MARGIN, top - 14, "from ↓ to →", SMALL, role="muted", room=side - 8)
    for number, name in enumerate(names):
        x, y = left + size.width * number, top + size.height * number
        shown = name if size.words else str(number + 1)
        sketch.label(x + size.width / 2, top - 14, shown, head_font, room=size.width - 4, anchor="middle", title=name)
        sketch.label(left - 10, y + size.height / 2, heads[number], head_font, room=side - 12, anchor="end")
    loud = [(row, column) for row, source in enumerate(names) for column, target in enumerate(names)
            if _cell(sketch, left + size.width * column, top + size.height * row, size, cells.get((source, target)),
                     source, target)]
    for row, column in loud:
        sketch.box(left + size.width * column + 1, top + size.height * row + 1, size.width - 2, size.height - 2,
                   "loud", radius=3, of="disagreement")
    bottom = top + size.height * len(names)
    _legend(sketch, bottom + 24, width, cells)
    return sketch.finish(width, bottom + 24 + MARGIN, f"Reachability, {fact}", _description(cells))


def _cell(sketch: Sketch, x: float, y: float, size: Size, cell: Cell | None, source: str, target: str) -> bool:
    """Draw one cell; return whether it must stand out."""
    middle_x, middle_y = x + size.width / 2, y + size.height / 2
    if cell is None:
        sketch.box(x + 1, y + 1, size.width - 2, size.height - 2, "verdict-none", radius=3)
        return False
    mark = sign(cell.word)
    title = f"{source} → {target}: {cell.sentence}"
    sketch.box(x + 1, y + 1, size.width - 2, size.height - 2, ROLES.get(mark, "verdict-none"), radius=3, title=title,
               of=f"{source}→{target}", dashed=mark == "?")
    if not size.words:
        sketch.label(middle_x, middle_y, "≠" if cell.differs else mark, size.font, anchor="middle", title=title)
        return cell.differs
    for row, (text, font) in enumerate(cell.lines):
        y_text = middle_y + (19 * row - 9 if cell.other else 0)
        sketch.label(middle_x, y_text, text, font, room=size.width - 12, anchor="middle", title=title)
    return cell.differs


def _legend(sketch: Sketch, y: float, width: float, cells: Mapping[tuple[str, str], Cell]) -> None:
    used = {sign(cell.word) for cell in cells.values()}
    words = [f"{mark} {word}" for mark, word in LEGEND.items() if mark in used]
    words += ["≠ theory said another word"] if any(cell.differs for cell in cells.values()) else []
    sketch.label(MARGIN, y, " · ".join(words), SMALL, role="muted", room=width - 2 * MARGIN)


def _description(cells: Mapping[tuple[str, str], Cell]) -> str:
    return " ".join(f"{source} to {target}: {cell.sentence.rstrip('.')}." for (source, target), cell in cells.items())
