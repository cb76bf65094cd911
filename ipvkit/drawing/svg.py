"""A scene as SVG: text alone, no dependency, the same bytes each time.

The light look is in attributes, which every SVG reader understands; the dark one in a style sheet for browsers on a
dark screen. Class names are the same in every drawing and mean the same; ids carry a digest of the drawing, so that
several live on one page. Imports nothing of ours but scene and palette.
"""

from __future__ import annotations

from hashlib import sha256
from xml.sax.saxutils import escape, quoteattr

from ipvkit.drawing.palette import LOOKS, Look
from ipvkit.drawing.scene import Box, Element, Label, Point, Scene, Wire

ARROW = 9.0  # pixels from an arrow's tip to its base


def to_svg(scene: Scene) -> str:
    """Return the scene as an SVG document without prologue, ready for a file or for the middle of a page.

    It names no width: JupyterLab shows it as an image, and cuts off what is wider than the page.
    """
    body = "\n".join(_element(element) for element in scene.elements)
    ident = "ipvkit-" + sha256((scene.title + scene.description + body).encode()).hexdigest()[:10]
    width, height = _number(scene.width), _number(scene.height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{ident}" class="ipvkit" '
        f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="{ident}-title {ident}-desc" '
        f'style="width:100%;max-width:{width}px;height:auto">\n'
        f'<title id="{ident}-title">{escape(scene.title)}</title>\n'
        f'<desc id="{ident}-desc">{escape(scene.description)}</desc>\n'
        f"<style>{_dark_theme(scene)}</style>\n{body}\n</svg>\n")


def _dark_theme(scene: Scene) -> str:
    """Return the rules for the roles in use; JupyterLab's own theme wins over the system's."""
    rules = []
    for role in sorted({element.role for element in scene.elements}):
        fill, stroke = LOOKS[role][1].fill, LOOKS[role][1].stroke
        declarations = (f"fill:{fill};" if fill else "") + (f"stroke:{stroke};" if stroke else "")
        rules.append((f".{_class(role)}", declarations))
        if any(isinstance(element, Wire) and element.arrow and element.role == role for element in scene.elements):
            rules.append((f"polygon.{_class(role)}", f"fill:{stroke};"))
    system = "".join(f":root:not(:has([data-jp-theme-light=true])) {where}{{{what}}}" for where, what in rules)
    jupyter = "".join(f"[data-jp-theme-light=false] {where}{{{what}}}" for where, what in rules)
    return f"@media screen and (prefers-color-scheme:dark){{{system}}}@media screen{{{jupyter}}}"


def _class(role: str) -> str:
    return f"ipvkit-{role}"


def _element(element: Element) -> str:
    if isinstance(element, Box):
        return _box(element)
    return _label(element) if isinstance(element, Label) else _wire(element)


def _box(box: Box) -> str:
    look = LOOKS[box.role][0]
    shape = (f'x="{_number(box.x)}" y="{_number(box.y)}" width="{_number(box.width)}" '
             f'height="{_number(box.height)}" rx="{_number(box.radius)}"')
    return _tagged("rect", f"{_marks(box)} {shape} {_paint(look, look.line)}{_dash(box.dashed)}", box.title)


def _label(label: Label) -> str:
    font = label.font
    face = f'font-family="{"monospace" if font.mono else "sans-serif"}" font-size="{_number(font.size)}"'
    face += ' font-weight="bold"' if font.bold else ""
    face += ' font-style="italic"' if font.italic else ""
    place = f'x="{_number(label.x)}" y="{_number(label.baseline)}" text-anchor="{label.anchor}"'
    quiet = "" if label.title else ' pointer-events="none"'
    title = f"<title>{escape(label.title)}</title>" if label.title else ""
    return (f'<text class="{_class(label.role)}" {place} {face} fill="{LOOKS[label.role][0].fill}"{quiet}>'
            f"{title}{escape(label.text)}</text>")


def _wire(wire: Wire) -> str:
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in wire.points)
    look = LOOKS[wire.role][0]
    line = _tagged("polyline", f'{_marks(wire)} points="{points}" {_paint(look, wire.width)} '
                               f'stroke-linejoin="round"{_dash(wire.dashed)}', wire.title)
    if not wire.arrow:
        return line
    head = " ".join(f"{_number(x)},{_number(y)}" for x, y in arrow_head(wire.points))
    return f'{line}\n<polygon class="{_class(wire.role)}" points="{head}" fill="{look.stroke}"/>'


def arrow_head(points: tuple[Point, ...]) -> tuple[Point, Point, Point]:
    """Return the three corners of the head at the end of a line."""
    (x0, y0), (x1, y1) = points[-2:]
    length = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 1e-9)
    dx, dy = (x1 - x0) / length * ARROW, (y1 - y0) / length * ARROW
    return (x1, y1), (x1 - dx - dy / 2, y1 - dy + dx / 2), (x1 - dx + dy / 2, y1 - dy - dx / 2)


def _tagged(tag: str, attributes: str, title: str) -> str:
    return f"<{tag} {attributes}><title>{escape(title)}</title></{tag}>" if title else f"<{tag} {attributes}/>"


def _marks(element: Box | Wire) -> str:
    name = f" data-of={quoteattr(element.of)}" if element.of else ""
    return f'class="{_class(element.role)}"{name}'


def _paint(look: Look, width: float) -> str:
    stroke = f' stroke="{look.stroke}" stroke-width="{_number(width)}"' if look.stroke else ""
    return f'fill="{look.fill or "none"}"{stroke}'


def _dash(dashed: bool) -> str:
    return ' stroke-dasharray="6 4"' if dashed else ""


def _number(value: float) -> str:
    """Return a number with at most two decimals, the same on every platform."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
