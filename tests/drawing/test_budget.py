"""The MAC budget is counted as the topology counts it, and measurements stand where they were made."""

from __future__ import annotations

import re

import pytest

from ipvkit.drawing import draw_mac_budget
from ipvkit.drawing.budget import macs
from ipvkit.errors import BadQuestion
from ipvkit.topology import ipvlan, macvlan
from tests.drawing.worlds import crowd, outside, overlapping_labels


@pytest.mark.parametrize("number", [1, 2, 50])
def test_counted_as_the_topology_counts(number: int) -> None:
    for driver in (ipvlan("l2"), macvlan("bridge")):
        said = re.search(r"(\d+) MACs? on the uplink", repr(crowd(driver, number)))
        assert said is not None
        assert int(said[1]) == macs(driver.kind, number)


@pytest.mark.parametrize("limit", [None, 1, 5, 25, 51])
@pytest.mark.parametrize("most", [50, 60, 1000])
def test_nothing_overlaps_or_leaves_the_canvas(most: int, limit: int | None) -> None:
    scene = draw_mac_budget(most, limit, {"macvlan": {1: 2, most: most + 1}, "ipvlan": {most: 1}}).scene
    assert overlapping_labels(scene) == []
    assert outside(scene) == []


def test_a_measured_point_lies_on_its_line_only_if_it_agrees() -> None:
    scene = draw_mac_budget(50, measured={"macvlan": {50: 51}, "ipvlan": {50: 3}}).scene
    ends = {wire.of: wire.points[-1] for wire in scene.wires if wire.of in ("ipvlan", "macvlan")}
    dots = {box.of: (box.x + box.width / 2, box.y + box.height / 2) for box in scene.boxes if box.of}
    assert dots["macvlan 50"] == pytest.approx(ends["macvlan"])
    assert dots["ipvlan 50"][1] < ends["ipvlan"][1]


def test_lines_differ_without_colour() -> None:
    scene = draw_mac_budget().scene
    assert {wire.of: wire.dashed for wire in scene.wires if wire.of} == {"ipvlan": True, "macvlan": False}
    assert {"ipvlan", "macvlan", "51 MACs", "1 MAC"} <= {label.text for label in scene.labels}


def test_bad_questions() -> None:
    for bad in ({"most": 1}, {"limit": 0}, {"limit": 99}, {"measured": {"bridge": {1: 1}}}):
        with pytest.raises(BadQuestion):
            draw_mac_budget(**bad)  # type: ignore[arg-type]
