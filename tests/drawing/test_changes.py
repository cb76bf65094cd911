"""What changed in the kernel, as a picture: every change is there by sign and word, and fits."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ipvkit.drawing import draw_changes
from ipvkit.findings import StateChanges
from ipvkit.lab import Lab
from ipvkit.topology import AddAddress, SetMode, Topology, ipvlan
from tests.conftest import BuildLab
from tests.drawing.worlds import leaking_labels, outside, overlapping_labels

COLUMNS = ["what", "where", "before", "now"]
ROWS = [("link mode", "net1 ipv1", "l3", "l2"), ("address", "net2 ipv2 10.0.7.1/24", "", "there"),
        ("route", "net2 default 10.0.1.1 ipv2", "unicast boot", "")]


def changes(rows: list[tuple[str, str, str, str]]) -> StateChanges:
    return StateChanges("what changed", COLUMNS, rows)


@dataclass(frozen=True)
class Long:
    """Names and values of any length."""

    rows: tuple[tuple[str, ...], ...] = (("neighbour", f"{'n' * 60} {'d' * 15} {'f' * 39}", "x" * 90, "y" * 90),) * 40


@pytest.mark.parametrize("case", [changes([]), changes(ROWS), changes(ROWS * 20), Long()],
                         ids=["nothing", "three", "sixty", "long"])
def test_nothing_overlaps_leaks_or_leaves_the_canvas(case: StateChanges) -> None:
    scene = draw_changes(case).scene
    assert overlapping_labels(scene) == []
    assert leaking_labels(scene) == []
    assert outside(scene) == []


def test_each_change_has_a_sign_and_a_sentence() -> None:
    drawing = draw_changes(changes(ROWS))
    assert repr(drawing) == "State, measured, 3 changes: 1 new, 1 gone, 1 changed"
    assert {"+", "−", "~"} <= {label.text for label in drawing.scene.labels}
    assert "net1: link mode ipv1 changed: l3 became l2." in drawing.scene.description
    assert "net2: route default 10.0.1.1 ipv2 gone: unicast boot." in drawing.scene.description
    assert repr(draw_changes(changes([]))) == "State, measured, nothing changed"


@pytest.mark.kernel
def test_what_a_real_kernel_changed(build_lab: BuildLab) -> None:
    lab: Lab = build_lab(Topology.of(ipvlan("l3"), net1="10.0.1.11/24", net2="10.0.1.12/24"))
    lab.state()
    lab.apply(SetMode("net2", ipvlan("l2")))
    lab.apply(AddAddress("net2", "10.0.7.9/24"))
    said = draw_changes(lab.diff()).scene.description
    assert "net1: link mode ipv1 changed: l3 became l2." in said
    assert "net2: address ipv2 10.0.7.9/24 new: there." in said
