"""The drawing: a scene that shows itself in a notebook and saves itself to a file.

In a notebook it gives three forms at once: SVG, a PNG beside it (shown where SVG is not), and a line of fact, which
is what nbval and a screen reader compare. Imports nothing of ours but the renderers and errors.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cached_property
from pathlib import Path
from typing import Any

from ipvkit.drawing.figure import to_bytes
from ipvkit.drawing.scene import Scene
from ipvkit.drawing.svg import to_svg
from ipvkit.errors import BadQuestion

KINDS = ("svg", "png", "pdf")


class Drawing:
    """A finished drawing; ``repr`` is ``fact``, one line that says what is on it."""

    def __init__(self, scene: Scene, fact: str) -> None:
        self.scene, self.fact = scene, fact

    def __repr__(self) -> str:
        """Return the line of fact."""
        return self.fact

    @cached_property
    def svg(self) -> str:
        """The drawing as SVG; the same bytes each time."""
        return to_svg(self.scene)

    def png(self, scale: float = 2.0) -> bytes:
        """Return the drawing as PNG, ``scale`` pixels for each of the scene's. Needs matplotlib."""
        return to_bytes(self.scene, "png", scale)

    def save(self, path: str | Path) -> Path:
        """Write the drawing to ``path`` and return it; the ending says how: .svg, .png or .pdf.

        Raises ``BadQuestion`` for another ending, ``OSError`` where the file cannot be written.
        """
        target = Path(path)
        kind = target.suffix.lower().lstrip(".")
        if kind not in KINDS:
            raise BadQuestion("path", f"{target.name!r} does not end in .svg, .png or .pdf", "Choose one of these.")
        target.write_bytes(self.svg.encode() if kind == "svg" else to_bytes(self.scene, kind))
        return target

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return all three forms for a notebook, with the PNG's size on the page."""
        size = {"width": round(self.scene.width), "height": round(self.scene.height)}
        forms = {"text/plain": self.fact, "image/svg+xml": self.svg, "image/png": b64encode(self.png()).decode()}
        return forms, {"image/png": size}
