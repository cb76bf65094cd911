"""The hooks a datagram passed, as a picture."""

from __future__ import annotations

import pytest

from ipvkit.drawing import draw_hooks
from ipvkit.drawing.hooks import HOOKS, PLACES
from ipvkit.errors import BadQuestion
from ipvkit.instruments.delivery import Delivery
from ipvkit.instruments.hooks import HooksPassed
from ipvkit.topology import Topology, ipvlan
from tests.conftest import BuildLab
from tests.drawing.worlds import leaking_labels, outside, overlapping_labels

ARRIVED = Delivery("arrived", src="net1", dst="ext", address="10.0.1.3", caches="cold")
OUT, IN, NONE = (0, 0, 0, 1, 1), (1, 1, 0, 0, 0), (0,) * 5


def passed(**counted: tuple[int, ...]) -> HooksPassed:
    return HooksPassed(counted, ARRIVED, "nftables")


@pytest.mark.parametrize("case", [
    passed(net1=OUT, ext=IN, router=NONE), passed(net1=NONE), passed(**{"n" * 60: (1000,) * 5, "b": OUT, "c": IN}),
    passed(**{f"net{number}": OUT for number in range(20)}), passed(**{f"net{number}": NONE for number in range(50)}),
], ids=["usual", "none", "long", "twenty", "fifty idle"])
def test_nothing_overlaps_leaks_or_leaves_the_canvas(case: HooksPassed) -> None:
    scene = draw_hooks(case).scene
    assert overlapping_labels(scene) == []
    assert leaking_labels(scene) == []
    assert outside(scene) == []


def test_passed_and_not_passed_differ_by_word_sign_and_line() -> None:
    drawing = draw_hooks(passed(net1=OUT, ext=IN, router=NONE))
    boxes = {box.of: box for box in drawing.scene.boxes}
    assert [hook for hook in HOOKS if not boxes[f"net1 {hook}"].dashed] == ["output", "postrouting"]
    texts = [label.text for label in drawing.scene.labels]
    assert texts.count("✓ output 1") == 1
    assert texts.count("· output") == 1
    assert "no hook of: router" in texts
    assert repr(drawing) == ("Hooks, measured, net1 → ext (10.0.1.3), one way: arrived; hooks passed: "
                             "net1 output, postrouting; ext prerouting, input")


def test_every_hook_has_its_place() -> None:
    assert set(PLACES) == set(HOOKS)


def test_without_a_namespace_there_is_no_picture() -> None:
    with pytest.raises(BadQuestion):
        draw_hooks(passed())


@pytest.mark.kernel
def test_an_l3_child_leaves_through_its_hosts_hooks_and_an_l2_child_does_not(build_lab: BuildLab) -> None:
    said = {}
    for mode in ("l2", "l3"):
        lab = build_lab(Topology.of(ipvlan(mode), net1="10.0.1.11/24", net2="10.0.1.12/24"))
        said[mode] = draw_hooks(lab.hooks("net1", "ext")).scene.description
    assert "host: prerouting 0, input 0, forward 0, output 0, postrouting 0." in said["l2"]
    assert "host: prerouting 0, input 0, forward 0, output 1, postrouting 1." in said["l3"]
