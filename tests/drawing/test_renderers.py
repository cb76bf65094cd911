"""What the renderers make of a scene: well-formed, the same each time, legible without a browser's help."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ipvkit.drawing import Drawing, draw, draw_path
from ipvkit.drawing.palette import LOOKS
from ipvkit.drawing.scene import Sketch
from ipvkit.drawing.text import Font
from ipvkit.errors import BadQuestion
from ipvkit.theory import explain
from ipvkit.topology import Topology, ipvlan
from tests.drawing.worlds import CHANGED, CLASSIC, NESTED, WORLDS

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", WORLDS)
def test_svg_is_well_formed_and_names_itself(name: str) -> None:
    root = ElementTree.fromstring(draw(WORLDS[name]).svg)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids)) == 3
    assert all(one.startswith("ipvkit-") for one in ids)
    assert root.attrib["aria-labelledby"].split() == ids[1:]
    assert root.find(f"{SVG}title").text == repr(WORLDS[name])  # type: ignore[union-attr]
    assert root.find(f"{SVG}desc") is not None


def test_svg_asks_nothing_of_the_network_and_names_generic_fonts_only() -> None:
    root = ElementTree.fromstring(draw(CHANGED).svg)
    assert "url(" not in draw(CHANGED).svg
    assert {text.attrib["font-family"] for text in root.iter(f"{SVG}text")} == {"sans-serif", "monospace"}


def test_the_picture_of_the_readme_is_up_to_date() -> None:
    picture = Path(__file__).parents[2] / "docs" / "picture.svg"
    assert picture.read_text(encoding="utf-8") == draw(CLASSIC).svg, "remake it: docs/drawings.md"


def test_two_drawings_on_a_page_do_not_share_ids() -> None:
    one, other = (ElementTree.fromstring(draw(topology).svg).attrib["id"] for topology in (CLASSIC, CHANGED))
    assert one != other


def test_the_same_bytes_in_another_process_with_another_hash_seed() -> None:
    code = ("from ipvkit import *; import sys; sys.stdout.write(draw(Topology.of(ipvlan('l3'), "
            "net1='10.0.1.10/24', net2='192.168.1.10/24')).svg)")
    for seed in ("1", "2"):
        made = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True,
                              cwd=Path(__file__).parents[2], env={"PYTHONHASHSEED": seed, "PYTHONUTF8": "1"})
        assert made.stdout.decode() == draw(CLASSIC).svg


def test_markup_in_a_text_stays_text() -> None:
    sketch = Sketch()
    sketch.label(10, 10, '<b> & "$x$"', Font(12), title="<i>")
    scene = sketch.finish(200, 20, "<t>", "a & b")
    text = ElementTree.fromstring(Drawing(scene, "").svg).find(f"{SVG}text")
    assert text is not None
    assert "".join(text.itertext()) == '<i><b> & "$x$"'
    assert Drawing(scene, "").png().startswith(b"\x89PNG")


def test_svg_does_not_need_matplotlib() -> None:
    code = "import sys; sys.modules['matplotlib'] = None; from ipvkit import *; draw(Topology.of(ipvlan('l2'))).svg"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize(("ending", "head"), [("svg", b"<svg "), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_saved_files_are_the_same_each_time(tmp_path: Path, ending: str, head: bytes) -> None:
    first = draw(NESTED).save(tmp_path / f"one.{ending}").read_bytes()
    assert first.startswith(head)
    assert draw(NESTED).save(tmp_path / f"two.{ending}").read_bytes() == first


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadQuestion, match=r"x\.gif.*svg.*png.*pdf"):
        draw(CLASSIC).save(tmp_path / "x.gif")
    assert not list(tmp_path.iterdir())


def test_a_notebook_gets_three_forms() -> None:
    forms, about = draw(CLASSIC)._repr_mimebundle_()
    assert forms["text/plain"] == repr(CLASSIC) == repr(draw(CLASSIC))
    assert forms["image/svg+xml"] == draw(CLASSIC).svg
    assert b64decode(forms["image/png"]).startswith(b"\x89PNG")
    assert about["image/png"]["width"] == draw(CLASSIC).scene.width


def test_pyplot_is_never_loaded() -> None:
    code = ("import sys; from ipvkit import *; draw(Topology.of(ipvlan('l2'), a='10.0.1.9/24')).png(); "
            "sys.exit('matplotlib.pyplot' in sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def brightness(color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((brightness(one), brightness(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", [*WORLDS])
def test_every_text_is_readable_on_what_it_stands_on(name: str, theme: int) -> None:
    scene = draw(WORLDS[name]).scene
    for label in scene.labels:
        middle = ((label.bounds[0] + label.bounds[2]) / 2, label.y)
        ground = [box for box in scene.boxes if box.bounds[0] <= middle[0] <= box.bounds[2]
                  and box.bounds[1] <= middle[1] <= box.bounds[3]][-1]
        ratio = contrast(LOOKS[label.role][theme].fill, LOOKS[ground.role][theme].fill)
        assert ratio >= 4.5, (label.text, label.role, ground.role, ratio)


def test_an_empty_default_world_can_be_drawn() -> None:
    assert "no children" in repr(draw(Topology.of(ipvlan("l2"))))


def test_a_line_is_never_filled_in_either_theme() -> None:
    svg = draw_path(CLASSIC, explain(CLASSIC, "net1", "far")).svg
    lines = list(ElementTree.fromstring(svg).iter(f"{SVG}polyline"))
    assert {line.attrib["fill"] for line in lines} == {"none"}
    for name in {line.attrib["class"] for line in lines}:
        for selector, rule in re.findall(r"([^{}]*)\{([^{}]*)\}", svg.partition("</style>")[0]):
            if selector.endswith(f" .{name}"):
                assert rule.startswith("stroke:"), (selector, rule)


def test_an_arrow_has_its_lines_colour_in_both_themes() -> None:
    drawing = draw_path(CLASSIC, explain(CLASSIC, "net1", "net2"))
    heads = list(ElementTree.fromstring(drawing.svg).iter(f"{SVG}polygon"))
    assert {head.attrib["fill"] for head in heads} == {LOOKS[role][0].stroke for role in ("path-request", "path-reply")}
    for role in ("path-request", "path-reply"):
        assert f"polygon.ipvkit-{role}{{fill:{LOOKS[role][1].stroke};}}" in drawing.svg
