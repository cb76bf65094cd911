"""How much is said about each child: much at two, legible at twenty, one line at fifty. Imports only the fonts."""

from __future__ import annotations

from dataclasses import dataclass

from ipvkit.drawing.text import Font


@dataclass(frozen=True)
class Density:
    """The measures of a card: ``columns`` a row, ``narrow`` to ``wide`` pixels, and what is on it.

    ``row`` is how wide a row of parents side by side may be: a wider picture is small print on a page.
    """

    columns: int
    narrow: float
    wide: float
    gap: float
    pad: float
    title: Font
    address: Font
    route: Font
    chip: Font
    mac: Font
    small: Font
    mark: Font
    addresses: int
    routes: int
    words: bool
    one_line: bool
    row: float = 800.0
    lane: float = 0.0  # a strip on every device that is kept free of text, for the path of a packet


def density_for(children: int) -> Density:
    """Return the density for a host with so many children."""
    if children <= 6:
        return Density(
            columns={4: 2}.get(children, 3), narrow=190, wide=250, gap=14, pad=12,
            title=Font(14.5, bold=True), address=Font(13.5, mono=True), route=Font(11.5, mono=True),
            chip=Font(13, mono=True, bold=True), mac=Font(12, mono=True), small=Font(11.5), mark=Font(11.5, bold=True),
            addresses=3, routes=2, words=True, one_line=False)
    if children <= 24:
        return Density(
            columns=4 if children <= 16 else 5, narrow=136, wide=176, gap=10, pad=9,
            title=Font(13, bold=True), address=Font(12, mono=True), route=Font(11, mono=True),
            chip=Font(12, mono=True, bold=True), mac=Font(11.5, mono=True), small=Font(11), mark=Font(11, bold=True),
            addresses=2, routes=0, words=False, one_line=False)
    return Density(
        columns=7, narrow=124, wide=142, gap=8, pad=7,
        title=Font(12, bold=True), address=Font(11.5, mono=True), route=Font(11, mono=True),
        chip=Font(11.5, mono=True, bold=True), mac=Font(11, mono=True), small=Font(10.5), mark=Font(10.5, bold=True),
        addresses=1, routes=0, words=False, one_line=True)
