"""How wide a text is, without asking a browser: so that a scene can be laid out, and tested, in plain Python.

The law: an extent is never too small. The widths are those of DejaVu Sans, which matplotlib brings and which is
about the widest of what browsers take for ``sans-serif``; characters that are not in the table count a full em.
Imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

ELLIPSIS = "…"
ROUNDING = 0.01  # pixels: a text laid out at its own width must not lose a letter to arithmetic
MONO_EM = 0.61  # DejaVu Sans Mono 0.602, Courier New 0.600, Menlo 0.602

# Advance widths of the characters 32 to 126, in thousandths of the font size.
_REGULAR = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863,
    748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635,
    615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
    337, 636, 838)
_BOLD = (
    348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696, 696, 696,
    696, 696, 696, 400, 400, 838, 838, 838, 580, 1000, 774, 762, 734, 830, 683, 683, 821, 837, 372, 372, 775, 637, 995,
    837, 850, 733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838, 500, 500, 675, 716, 593, 716,
    678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687, 716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712,
    365, 712, 838)


@dataclass(frozen=True)
class Font:
    """A size in pixels and a face; the family is always a generic one."""

    size: float
    mono: bool = False
    bold: bool = False
    italic: bool = False


def extent(text: str, font: Font) -> float:
    """Return the width of ``text`` in pixels: an upper bound."""
    if font.mono:
        return len(text) * MONO_EM * font.size
    table = _BOLD if font.bold else _REGULAR
    return sum(table[ord(c) - 32] if 32 <= ord(c) < 127 else 1000 for c in text) * font.size / 1000


def shorten(text: str, width: float, font: Font) -> str:
    """Return ``text``, or as much of its head and tail, with an ellipsis between, as fits in ``width`` pixels.

    The middle goes, because names and addresses of one lab mostly differ at the end.
    """
    width += ROUNDING
    if extent(text, font) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        tail = kept // 2
        short = text[:kept - tail] + ELLIPSIS + (text[-tail:] if tail else "")
        if extent(short, font) <= width:
            return short
    return ELLIPSIS


def wrap(text: str, width: float, font: Font) -> list[str]:
    """Return ``text`` as lines of at most ``width`` pixels, broken at spaces; a longer word is shortened."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and extent(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(shorten(word, width, font))
    return lines


def flow(items: list[str], width: float, font: Font, gap: float) -> list[list[str]]:
    """Return ``items`` in rows of at most ``width`` pixels, ``gap`` between neighbours."""
    rows: list[list[str]] = []
    used = 0.0
    for item in items:
        wide = extent(item, font)
        if rows and used + gap + wide <= width:
            rows[-1].append(item)
            used += gap + wide
        else:
            rows.append([item])
            used = wide
    return rows
