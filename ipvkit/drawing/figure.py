"""A scene as a matplotlib figure, for PNG and PDF files and for the PNG beside each SVG in a notebook.

JupyterLab shows no SVG of a notebook that is not trusted, and every fresh clone is one: the PNG is shown there.
``Figure`` and never pyplot: no global state, no front end, safe in a widget's callback. matplotlib is loaded late.
Imports nothing of ours but scene, palette and the arrow of ``svg``.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from ipvkit.drawing.palette import LOOKS
from ipvkit.drawing.scene import Box, Label, Scene, Wire
from ipvkit.drawing.svg import arrow_head

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PIXELS_PER_INCH = 72  # so that a pixel of the scene is a point of the figure, and font sizes are right as they are
CORNER = 0.5523  # a quarter circle as a Bézier curve


def to_figure(scene: Scene) -> Figure:
    """Return the scene as a figure of its own size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(scene.width / PIXELS_PER_INCH, scene.height / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.axis("off")
    for order, element in enumerate(scene.elements):
        if isinstance(element, Box):
            _box(axes, element, order)
        elif isinstance(element, Label):
            _label(axes, element, order)
        else:
            _wire(axes, element, order)
    return figure


def to_bytes(scene: Scene, kind: str, scale: float = 2.0) -> bytes:
    """Return the scene as a ``png`` (``scale`` pixels of it for one of the scene) or ``pdf`` file, dated never."""
    undated = {"Software": None} if kind == "png" else {"CreationDate": None}
    stream = BytesIO()
    to_figure(scene).savefig(stream, format=kind, dpi=PIXELS_PER_INCH * scale, metadata=undated, transparent=True)
    return stream.getvalue()


def _box(axes: Axes, box: Box, order: int) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    left, top, right, bottom = box.bounds
    radius = min(box.radius, box.width / 2, box.height / 2)
    bend = radius * (1 - CORNER)
    corners = [
        (left + radius, top), (right - radius, top), (right - bend, top), (right, top + bend), (right, top + radius),
        (right, bottom - radius), (right, bottom - bend), (right - bend, bottom), (right - radius, bottom),
        (left + radius, bottom), (left + bend, bottom), (left, bottom - bend), (left, bottom - radius),
        (left, top + radius), (left, top + bend), (left + bend, top), (left + radius, top)]
    codes = [Path.MOVETO, *[Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4] * 4]
    look = LOOKS[box.role][0]
    axes.add_patch(PathPatch(
        Path(corners, codes), facecolor=look.fill or "none", edgecolor=look.stroke or "none", zorder=order,
        linewidth=look.line if look.stroke else 0, linestyle=(0, (4, 2.7)) if box.dashed else "solid"))


def _label(axes: Axes, label: Label, order: int) -> None:
    font = label.font
    axes.text(
        label.x, label.baseline, label.text.replace("$", r"\$"), fontsize=font.size, color=LOOKS[label.role][0].fill,
        family="DejaVu Sans Mono" if font.mono else "DejaVu Sans", weight="bold" if font.bold else "normal",
        style="italic" if font.italic else "normal", va="baseline", zorder=order,
        ha={"start": "left", "middle": "center", "end": "right"}[label.anchor])


def _wire(axes: Axes, wire: Wire, order: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon

    color = LOOKS[wire.role][0].stroke
    xs, ys = [x for x, _ in wire.points], [y for _, y in wire.points]
    line = Line2D(xs, ys, color=color, linewidth=wire.width, zorder=order, solid_joinstyle="round",
                  solid_capstyle="butt")
    if wire.dashed:
        line.set_linestyle((0, (6 / wire.width, 4 / wire.width)))
    axes.add_line(line)
    if wire.arrow:
        axes.add_patch(Polygon(arrow_head(wire.points), closed=True, facecolor=color, edgecolor=color, zorder=order))
