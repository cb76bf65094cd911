"""The picture of a topology, tested by what is in the scene: no pixels, no browser."""

from __future__ import annotations

import pytest

from ipvkit.drawing import draw
from ipvkit.drawing.scene import Box, Scene
from ipvkit.topology import AddEndpoint, Driver, Endpoint, Topology, ipvlan, macvlan
from tests.drawing.worlds import (
    CHANGED,
    CLASSIC,
    DELETED,
    LONG,
    NESTED,
    WORLDS,
    crowd,
    leaking_labels,
    outside,
    overlapping_labels,
)

CROWDS = [(driver, number) for driver in (ipvlan("l2"), macvlan("private")) for number in range(1, 51)]


def texts(topology: Topology) -> list[str]:
    return [label.text for label in draw(topology).scene.labels]


def box(scene: Scene, name: str) -> Box:
    return next(one for one in scene.boxes if one.of == name)


def sound(scene: Scene) -> None:
    assert overlapping_labels(scene) == []
    assert outside(scene) == []
    assert leaking_labels(scene) == []


def test_a_child_called_like_its_parent_is_refused_and_not_drawn() -> None:
    taken = AddEndpoint("host", Endpoint("net3", ipvlan("l2"), netns="host", child="eth0"))
    sound(draw(CLASSIC.after(taken)).scene)


@pytest.mark.parametrize("name", WORLDS)
def test_nothing_overlaps_leaks_or_leaves_the_canvas(name: str) -> None:
    sound(draw(WORLDS[name]).scene)


@pytest.mark.parametrize(("driver", "number"), CROWDS, ids=str)
def test_one_to_fifty_children(driver: Driver, number: int) -> None:
    topology = crowd(driver, number)
    scene = draw(topology).scene
    sound(scene)
    shown = {label.text for label in scene.labels}
    assert {endpoint.name for endpoint in topology.endpoints} <= shown
    assert {endpoint.child for endpoint in topology.endpoints} <= shown
    assert {address for endpoint in topology.endpoints for address in endpoint.addresses} <= shown


def test_every_text_is_large_enough_for_a_projector() -> None:
    for number, least in ((2, 11.5), (20, 11), (50, 10.5)):
        assert min(label.font.size for label in draw(crowd(macvlan("bridge"), number)).scene.labels) >= least - 0.5


def test_a_child_stands_on_its_parent_and_inside_the_host() -> None:
    scene = draw(CLASSIC).scene
    host, parent = box(scene, "host").bounds, box(scene, "host/eth0").bounds
    for child in (box(scene, "net1/ipv1").bounds, box(scene, "net2/ipv2").bounds):
        assert host[0] < child[0]
        assert child[2] < host[2]
        assert host[1] < child[1] < child[3] <= parent[1] < parent[3] < host[3]
        assert parent[0] <= child[0] < child[2] <= parent[2]
    ext = box(scene, "ext").bounds
    assert ext[0] > host[2]


def test_an_ipvlan_child_says_whose_mac_it_has_and_a_macvlan_child_its_own() -> None:
    assert texts(CLASSIC).count("MAC of eth0") == 2
    own = texts(crowd(macvlan("bridge"), 2))
    assert "MAC of eth0" not in own
    assert {"MAC 02:00:00:01:00:01", "MAC 02:00:00:01:00:02"} <= set(own)


@pytest.mark.parametrize(("driver", "words"), [(ipvlan("l3"), "1 MAC"), (macvlan("bridge"), "4 MACs")])
def test_the_wire_says_how_many_macs_use_it(driver: Driver, words: str) -> None:
    assert words in texts(crowd(driver, 3))


@pytest.mark.parametrize("number", [1, 9, 50])
def test_what_stands_on_a_wire_has_room_between_host_and_switch(number: int) -> None:
    scene = draw(crowd(macvlan("bridge"), number)).scene
    pill = next(one for one in scene.boxes if one.role == "pill")
    assert box(scene, "host").bounds[2] < pill.bounds[0]
    assert pill.bounds[2] < box(scene, "switch/p1").bounds[0]


def test_every_wire_is_there_and_straight_to_its_port() -> None:
    scene = draw(CLASSIC).scene
    assert {wire.of for wire in scene.wires} == {"host/eth0", "ext/eth0", "router/eth0", "router/eth1"}
    for nic, port in (("host", "p1"), ("ext", "p2"), ("router", "p3")):
        wire = next(one for one in scene.wires if one.of == f"{nic}/eth0")
        assert wire.points[-1] == scene.anchors["switch", port]
        assert len({y for _, y in wire.points}) == 1


def test_a_long_name_is_shortened_and_whole_in_the_title() -> None:
    scene = draw(LONG).scene
    for endpoint in LONG.endpoints:
        label = next(one for one in scene.labels if one.title == endpoint.name)
        assert "…" in label.text
        assert label.text.endswith("1")
    assert all(endpoint.name in scene.description for endpoint in LONG.endpoints)


def test_changes_are_marked_and_listed() -> None:
    shown = texts(CHANGED)
    assert {"✗ down", "✗ unplugged", "→ ipvlan l2", "→ ext", "10.0.7.1/24", "net3"} <= set(shown)
    assert "ip -n net1 link set ipv1 down" in shown
    dashed = {wire.of for wire in draw(CHANGED).scene.wires if wire.dashed}
    assert dashed == {"ext/eth0", "router/eth1"}
    assert box(draw(CHANGED).scene, "net1/ipv1").dashed
    assert not box(draw(CLASSIC).scene, "net1/ipv1").dashed


def test_with_a_deleted_parent_nothing_stands_on_it() -> None:
    shown = texts(DELETED)
    assert shown.count("✗ deleted") == 2
    assert "1 MAC" not in shown


def test_nested_children_vlans_dummies_and_port_options() -> None:
    scene = draw(NESTED).scene
    shown = " ".join(label.text for label in scene.labels)
    for words in ("VLAN 10", "in outer", "in beta", "no wire", "hairpin", "no learning", "locked", "tagged 10,20",
                  "✗ down", "no address"):
        assert words in shown
    inner, outer, ground = (box(scene, name).bounds for name in ("inner1/macv4", "outer/macv3", "beta/eth0"))
    assert inner[3] <= outer[1]
    assert outer[3] <= ground[1]


def test_the_words_for_a_screen_reader_say_everything() -> None:
    scene = draw(CLASSIC).scene
    assert scene.title == repr(CLASSIC)
    for fact in ("ipvlan l3 child of eth0", "10.0.1.10/24", "MAC of eth0", "MAC 02:00:00:00:00:01",
                 "Router router", "p1 to host eth0", "default dev ipv1", "Cable between router.eth1 and far.eth0"):
        assert fact in scene.description
