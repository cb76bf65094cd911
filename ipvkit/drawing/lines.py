"""Lines of text in a box: a text on the left, and perhaps a note at the right end. Imports only the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipvkit.drawing.scene import Sketch
from ipvkit.drawing.text import Font, extent

LINE_HEIGHT = 1.42  # of the font size
BETWEEN = 14.0  # pixels between the text and the note
SMALL = Font(11)
NOTE_SHARE = 0.62  # of the width: what a note may take at most


@dataclass(frozen=True)
class Line:
    """One line: ``left``, and ``right`` if there is one, each with its font and role."""

    left: str
    font: Font
    role: str
    right: str = ""
    right_font: Font = SMALL
    right_role: str = "muted"

    @property
    def natural(self) -> float:
        """The width at which nothing is shortened."""
        return extent(self.left, self.font) + (BETWEEN + extent(self.right, self.right_font) if self.right else 0)

    @property
    def height(self) -> float:
        """The distance to the next line."""
        return self.font.size * LINE_HEIGHT


def natural_width(lines: Sequence[Line]) -> float:
    """Return the width at which no line is shortened."""
    return max(line.natural for line in lines)


def height_of(lines: Sequence[Line]) -> float:
    """Return the height of the lines."""
    return sum(line.height for line in lines)


def draw_lines(sketch: Sketch, x: float, y: float, width: float, lines: Sequence[Line]) -> None:
    """Draw the lines from the top left corner ``x``, ``y``; what is wider than ``width`` is shortened."""
    for line in lines:
        middle, room = y + line.height / 2, width
        if line.right:
            share = max(width * NOTE_SHARE, width - BETWEEN - extent(line.left, line.font))
            used = sketch.label(x + width, middle, line.right, line.right_font, room=share, role=line.right_role,
                                anchor="end")
            room = width - used - BETWEEN
        sketch.label(x, middle, line.left, line.font, room=room, role=line.role)
        y += line.height
