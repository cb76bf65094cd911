"""The scene: what is drawn and where, in pixels, top left is 0, 0. Computed once, painted by either renderer.

The law: a scene knows meaning (roles, names, full texts), not colours; ``palette`` knows colours, not meaning.
Elements are painted in their order. Imports nothing of ours but the text extents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from ipvkit.drawing.text import Font, extent, shorten

Point = tuple[float, float]
Bounds = tuple[float, float, float, float]
HALF_LINE = 0.58  # of the font size, up and down from a text's middle: ascenders and descenders are inside


@dataclass(frozen=True)
class Box:
    """A rectangle; ``of`` names what it stands for, ``title`` is shown when the pointer rests on it."""

    x: float
    y: float
    width: float
    height: float
    role: str
    radius: float = 6.0
    dashed: bool = False
    title: str = ""
    of: str = ""

    @property
    def bounds(self) -> Bounds:
        """Left, top, right, bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True)
class Label:
    """One line of text; ``y`` is its middle, ``anchor`` says what ``x`` is: start, middle or end."""

    x: float
    y: float
    text: str
    font: Font
    role: str = "text"
    anchor: str = "start"
    title: str = ""

    @property
    def bounds(self) -> Bounds:
        """Left, top, right, bottom."""
        wide = extent(self.text, self.font)
        left = self.x - {"start": 0.0, "middle": wide / 2, "end": wide}[self.anchor]
        half = HALF_LINE * self.font.size
        return left, self.y - half, left + wide, self.y + half

    @property
    def baseline(self) -> float:
        """The y on which the letters stand."""
        return self.y + 0.36 * self.font.size


@dataclass(frozen=True)
class Wire:
    """A line through ``points``; with ``arrow`` it ends in a head."""

    points: tuple[Point, ...]
    role: str
    width: float = 2.5
    dashed: bool = False
    arrow: bool = False
    title: str = ""
    of: str = ""

    @property
    def bounds(self) -> Bounds:
        """Left, top, right, bottom of the points."""
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        return min(xs), min(ys), max(xs), max(ys)


Element = Box | Label | Wire


@dataclass(frozen=True)
class Scene:
    """A finished picture: ``title`` and ``description`` are its words for a screen reader.

    ``anchors`` gives the middle of each device by (namespace or switch, device), for what is drawn on top later.
    """

    width: float
    height: float
    title: str
    description: str
    elements: tuple[Element, ...]
    anchors: Mapping[tuple[str, str], Point] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[Label, ...]:
        """The texts."""
        return tuple(element for element in self.elements if isinstance(element, Label))

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The rectangles."""
        return tuple(element for element in self.elements if isinstance(element, Box))

    @property
    def wires(self) -> tuple[Wire, ...]:
        """The lines."""
        return tuple(element for element in self.elements if isinstance(element, Wire))


class Sketch:
    """A scene in the making: elements are added in painting order."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.anchors: dict[tuple[str, str], Point] = {}
        self.risers: dict[tuple[str, str], Point] = {}  # the spine's x and the shelf's y of who stands on a shelf

    def box(self, x: float, y: float, width: float, height: float, role: str, *, radius: float = 6.0,
            dashed: bool = False, title: str = "", of: str = "") -> None:
        """Add a rectangle."""
        self.elements.append(Box(x, y, width, height, role, radius, dashed, title, of))

    def label(self, x: float, y: float, text: str, font: Font, *, room: float = float("inf"), role: str = "text",
              anchor: str = "start", title: str = "") -> float:
        """Add a text, shortened to ``room`` pixels (the full text is then its title); return its width."""
        shown = shorten(text, room, font)
        self.elements.append(Label(x, y, shown, font, role, anchor, title or (text if shown != text else "")))
        return extent(shown, font)

    def pill(self, x: float, y: float, text: str, font: Font, *, title: str = "") -> None:
        """Add a short text on a round plate, around the middle ``x``, ``y``."""
        width, height = extent(text, font) + font.size, font.size * 1.7
        self.box(x - width / 2, y - height / 2, width, height, "pill", radius=height / 2, title=title or text)
        self.label(x, y, text, font, role="pill-text", anchor="middle")

    def wire(self, points: list[Point], role: str = "wire", *, width: float = 2.5, dashed: bool = False,
             arrow: bool = False, title: str = "", of: str = "") -> None:
        """Add a line."""
        self.elements.append(Wire(tuple(points), role, width, dashed, arrow, title, of))

    @property
    def labels(self) -> list[Label]:
        """The texts so far."""
        return [element for element in self.elements if isinstance(element, Label)]

    @property
    def boxes(self) -> list[Box]:
        """The rectangles so far."""
        return [element for element in self.elements if isinstance(element, Box)]

    def finish(self, width: float, height: float, title: str, description: str) -> Scene:
        """Return the scene, on a card of its own so that it is legible on a page of any colour."""
        width, height = ceil(width), ceil(height)
        card = Box(0, 0, width, height, "card", radius=10)
        return Scene(width, height, title, description, (card, *self.elements), self.anchors)
