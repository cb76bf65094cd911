"""The path of a packet on the map: lines go where the walk goes, and hide no text."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ipvkit import Lab
from ipvkit.drawing import draw_path
from ipvkit.drawing.legs import legs_of_walk
from ipvkit.drawing.scene import Scene
from ipvkit.errors import BadQuestion
from ipvkit.theory import explain
from ipvkit.topology import Topology, ipvlan, macvlan
from tests.drawing.worlds import CLASSIC, TRUNK, TWO_SWITCHES, crowd, outside, overlapping_labels

GATEWAY = Topology.of(macvlan("bridge"), net1="10.0.1.10/24", net2="10.0.1.11/24", routes="gateway")
UNROUTED = Topology.of(ipvlan("l2"), routes="none", net1="10.0.1.11/24")
QUESTIONS = [(CLASSIC, "net1", "net2"), (CLASSIC, "net1", "far"), (CLASSIC, "ext", "net1"), (GATEWAY, "net1", "far"),
             (GATEWAY, "net1", "host"), (crowd(ipvlan("l2"), 20), "net3", "ext"),
             (crowd(macvlan("vepa"), 20), "net3", "net18"), (crowd(ipvlan("l3s"), 50), "net1", "net50"),
             (UNROUTED, "net1", "far"), (TWO_SWITCHES, "h1", "h9"), (TWO_SWITCHES, "net1", "last"),
             (TWO_SWITCHES, "h1", "end")]


def struck_texts(scene: Scene) -> list[str]:
    """The texts of devices and namespaces that a packet's line runs through."""
    found = []
    for label in (label for label in scene.labels if label.role != "badge-text"):
        left, top, right, bottom = label.bounds
        for wire in scene.wires:
            if wire.role.startswith("path-") and any(
                    max(a[0], b[0]) > left and min(a[0], b[0]) < right
                    and max(a[1], b[1]) > top + 1 and min(a[1], b[1]) < bottom - 1
                    for a, b in pairwise(wire.points)):
                found.append(label.text)
    return found


@pytest.mark.parametrize(("topology", "source", "destination"), QUESTIONS, ids=str)
def test_sound(topology: Topology, source: str, destination: str) -> None:
    scene = draw_path(topology, explain(topology, source, destination)).scene
    assert overlapping_labels(scene) == []
    assert outside(scene) == []
    assert struck_texts(scene) == []


@pytest.mark.parametrize(("topology", "source", "destination"), QUESTIONS, ids=str)
def test_every_leg_is_listed_and_numbered(topology: Topology, source: str, destination: str) -> None:
    walk = explain(topology, source, destination)
    legs, scene = legs_of_walk(walk), draw_path(topology, walk).scene
    texts = [label.text for label in scene.labels]
    for number, leg in enumerate(legs, start=1):
        assert texts.count(str(number)) == 2  # on the map and in the list
        assert leg.words in texts
        assert leg.route in texts
    assert walk.verdict.why in scene.description + " ".join(texts)


@pytest.mark.parametrize(("source", "destination"), [("net10a", "ext20"), ("ext20", "net10a"), ("net20b", "router")])
def test_lines_through_stacked_parents_are_level_or_upright(source: str, destination: str) -> None:
    scene = draw_path(TRUNK, explain(TRUNK, source, destination)).scene
    lines = [wire.points for wire in scene.wires if wire.role.startswith("path-")]
    assert lines
    assert all(a[0] == pytest.approx(b[0]) or a[1] == pytest.approx(b[1]) for line in lines for a, b in pairwise(line))


def test_a_line_ends_in_the_device_where_the_walk_ends() -> None:
    scene = draw_path(GATEWAY, explain(GATEWAY, "net1", "far")).scene
    request = next(wire for wire in scene.wires if wire.of == "echo request")
    for end, name in ((0, "net1/macv1"), (-1, "far/eth0")):
        left, top, right, bottom = next(box for box in scene.boxes if box.of == name).bounds
        assert left < request.points[end][0] < right
        assert top < request.points[end][1] < bottom


@pytest.mark.parametrize(("source", "destination", "passed"), [
    ("h1", "h9", ["sw-a"]), ("net1", "last", ["sw-b"]), ("h1", "end", [])])
def test_a_line_goes_through_its_own_switch_and_behind_the_others(source: str, destination: str,
                                                                  passed: list[str]) -> None:
    scene = draw_path(TWO_SWITCHES, explain(TWO_SWITCHES, source, destination)).scene
    lines = [wire for wire in scene.wires if wire.role.startswith("path-")]
    crossed = []
    for name in ("sw-a", "sw-b"):
        left, top, right, bottom = next(box for box in scene.boxes if box.of == name).bounds
        if any(max(a[0], b[0]) > left and min(a[0], b[0]) < right and max(a[1], b[1]) > top and min(a[1], b[1]) < bottom
               for wire in lines for a, b in pairwise(wire.points)):
            crossed.append(name)
    assert crossed == passed
    assert sum(wire.arrow for wire in lines) == len(legs_of_walk(explain(TWO_SWITCHES, source, destination)))


def test_what_never_leaves_its_namespace_is_marked_on_its_first_device() -> None:
    scene = draw_path(UNROUTED, explain(UNROUTED, "net1", "far"), step=1).scene
    left, top, right, bottom = next(box for box in scene.boxes if box.of == "net1/ipv1").bounds
    marks = {label.text: label for label in scene.labels if label.role == "badge-text" and label.y < bottom}
    assert set(marks) == {"1", "✗"}
    assert all(left < mark.x < right and top < mark.y for mark in marks.values())
    assert [box.bounds for box in scene.boxes if box.of == "now"] == [(left - 4, top - 4, right + 4, bottom + 4)]


def test_a_question_reaches_who_answers() -> None:
    legs = legs_of_walk(explain(GATEWAY, "net1", "far"))
    assert [leg.route for leg in legs[:2]] == ["net1/macv1 → router/eth0", "router/eth0 → net1/macv1"]


def test_the_line_of_what_is_lost_has_a_cross_and_no_arrow() -> None:
    """The router asks for the child and hears nothing; so the reply it has ends there, too."""
    walk = explain(CLASSIC, "net1", "far")
    lost, legs = draw_path(CLASSIC, walk).scene, [leg.words for leg in legs_of_walk(walk) if leg.lost]
    assert legs == ["who has?", "echo reply"]
    assert [label.text for label in lost.labels if label.role == "badge-text"].count("✗") == 2
    found = draw_path(CLASSIC, explain(CLASSIC, "net1", "net2")).scene
    assert "✗" not in [label.text for label in found.labels]
    assert all(wire.arrow for wire in found.wires if wire.role.startswith("path-"))


def test_an_answer_that_is_lost_starts_where_its_question_arrives() -> None:
    """A child in source mode hears nobody: ext answers, and the host has no one for that MAC."""
    topology = Topology.of(macvlan("source"), net1="10.0.1.11/24")
    legs = legs_of_walk(explain(topology, "net1", "ext"))
    assert [(leg.words, leg.route, leg.lost) for leg in legs[:2]] == [
        ("who has?", "net1/macv1 → ext/eth0", False), ("here it is", "ext/eth0 → host/eth0", True)]


def test_every_step_can_be_played_on_one_canvas() -> None:
    walk = explain(GATEWAY, "net1", "far")
    scenes = [draw_path(GATEWAY, walk, step=number).scene for number in range(1, len(walk.steps) + 1)]
    assert len({(scene.width, scene.height) for scene in scenes}) == 1
    for number, (scene, step) in enumerate(zip(scenes, walk.steps, strict=True), start=1):
        assert [box.of for box in scene.boxes].count("now") == 1
        said = " ".join(label.text for label in scene.labels)
        assert f"step {number} of {len(walk.steps)}, {step.netns}/{step.device}: " in said


def test_a_question_nobody_could_be_asked_has_a_picture_without_a_path() -> None:
    """net1 has no IPv6 address: the walk has no step, and the picture says why."""
    topology = Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24 fd00:1::12/64")
    walk = explain(topology, "net2", "net1", family=6)
    assert not walk.steps
    drawing = draw_path(topology, walk)
    assert repr(drawing).endswith("0 messages")
    assert not [wire for wire in drawing.scene.wires if wire.role.startswith("path-")]
    assert walk.verdict.why in " ".join(label.text for label in drawing.scene.labels)


def test_bad_questions() -> None:
    with pytest.raises(BadQuestion, match="nothing to draw"):
        draw_path(CLASSIC)
    with pytest.raises(BadQuestion, match="0 is not a step"):
        draw_path(CLASSIC, explain(CLASSIC, "net1", "net2"), step=0)


@pytest.mark.kernel
def test_a_measured_path_beside_the_predicted_one() -> None:
    with Lab(GATEWAY) as lab:
        trace = lab.trace("net1", "far")
    alone = draw_path(GATEWAY, trace=trace)
    assert repr(alone) == "Path, measured: net1 → far: reply, 8 messages"
    assert outside(alone.scene) == overlapping_labels(alone.scene) == struck_texts(alone.scene) == []
    both = draw_path(GATEWAY, explain(GATEWAY, "net1", "far"), trace)
    assert "predicted reply = measured reply" in repr(both)
    seen = {box.of for box in both.scene.boxes if box.role == "seen"}
    assert {"seen net1/macv1", "seen host/eth0", "seen router/eth0", "seen far/eth0"} <= seen
