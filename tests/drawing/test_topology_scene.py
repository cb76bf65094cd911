"""The picture of a topology, tested by what is in the scene: no pixels, no browser."""

from __future__ import annotations

import re

import pytest

from ipvkit.drawing import draw
from ipvkit.drawing.scene import Box, Scene
from ipvkit.topology import (
    AddEndpoint,
    Driver,
    Endpoint,
    Host,
    Interface,
    Port,
    RemoveLink,
    SetForwarding,
    SetMac,
    Switch,
    Topology,
    Vlan,
    ipvlan,
    macvlan,
)
from tests.drawing.worlds import (
    CHANGED,
    CLASSIC,
    DELETED,
    LONG,
    NESTED,
    SWITCHED,
    TRUNK,
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


ON_A_VLAN = Topology(  # one child on the NIC, one on a VLAN of it, an ipvlan child on that one
    hosts=(Host("h", (Interface("eth0"),), vlans=(Vlan("eth0.5", "eth0", 5),)), Host("x", (Interface("eth0"),))),
    switches=(Switch("s", (Port("h", "eth0"), Port("x", "eth0"))),),
    endpoints=(Endpoint("a", macvlan("bridge"), host="h"), Endpoint("b", macvlan("vepa"), host="h", parent="eth0.5"),
               Endpoint("c", ipvlan("l2"), host="b", parent="macv2")))
ONE = {driver: Topology.of(driver, net1="10.0.1.11/24")
       for driver in (ipvlan("l2"), macvlan("bridge"), macvlan("passthru"))}
BRIDGE, PASSTHRU = ONE[macvlan("bridge")], ONE[macvlan("passthru")]
NEW_MAC = SetMac("net1", "02:00:00:00:00:77")


@pytest.mark.parametrize(("topology", "words"), [
    (ON_A_VLAN, "3 MACs"), (PASSTHRU, "1 MAC"), (PASSTHRU.after(NEW_MAC), "1 MAC"),
    (ONE[ipvlan("l2")].after(NEW_MAC), "1 MAC"), (BRIDGE.after(NEW_MAC), "2 MACs"),
    (BRIDGE.after(RemoveLink("net1"), AddEndpoint("host", Endpoint("n", macvlan("vepa")))), "2 MACs"),
    (BRIDGE.after(AddEndpoint("host", Endpoint("n", macvlan("vepa"), netns="host", child="eth0"))), "2 MACs"),
], ids=["on a VLAN", "passthru", "passthru, MAC set", "ipvlan, MAC refused", "macvlan, MAC set", "removed", "refused"])
def test_the_caption_counts_the_macs_that_the_wire_counts(topology: Topology, words: str) -> None:
    assert [text for text in texts(topology) if re.fullmatch(r"\d+ MACs?", text)] == [words]
    assert re.findall(r"\d+ MACs?", repr(draw(topology))) == [words]


def test_the_caption_names_each_parent_and_says_uplink_of_a_wire_only() -> None:
    assert repr(ON_A_VLAN) == ("Topology: h eth0, macvlan bridge, 1 child, and eth0.5, macvlan vepa, 1 child, "
                               "and b macv2, ipvlan l2, 1 child, 3 MACs on the uplink")
    assert repr(NESTED).endswith("; lone dummy0, ipvlan l2, 1 child, no wire")
    assert repr(DELETED) == "Topology: 4 hosts, no children; 1 change"


def test_the_mac_of_a_passthru_child_is_set_on_its_parent_and_an_ipvlan_child_keeps_none() -> None:
    shown = texts(PASSTHRU.after(NEW_MAC))
    assert {"MAC of eth0", "→ MAC set"} <= set(shown)
    assert [text for text in shown if "00:77" in text] == ["MAC 02:00:00:00:00:77",
                                                           "ip -n net1 link set macv1 address 02:00:00:00:00:77"]
    assert {"MAC of eth0", "✗ MAC refused"} <= set(texts(ONE[ipvlan("l2")].after(NEW_MAC)))
    assert {"MAC 02:00:00:00:00:77", "→ MAC set"} <= set(texts(BRIDGE.after(NEW_MAC)))


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


def test_vlans_have_room_for_their_names_in_a_picture_that_fits_a_page() -> None:
    scene = draw(TRUNK).scene
    shown = [label.text for label in scene.labels]
    assert [shown.count(name) for name in ("eth0.10", "eth0.20", "VLAN 10", "VLAN 20")] == [2, 2, 2, 2]
    assert not [text for text in shown if "…" in text]
    assert scene.width < 1200


def test_two_vlans_side_by_side_that_fit_stay_side_by_side() -> None:
    scene = draw(NESTED).scene
    assert box(scene, "alpha/eth0.10").bounds[3] == box(scene, "alpha/eth0.20").bounds[3]


def test_changes_are_marked_and_listed() -> None:
    shown = texts(CHANGED)
    assert {"✗ down", "✗ unplugged", "→ ipvlan l2", "→ ext", "10.0.7.1/24", "net3"} <= set(shown)
    assert "ip -n net1 link set ipv1 down" in shown
    dashed = {wire.of for wire in draw(CHANGED).scene.wires if wire.dashed}
    assert dashed == {"ext/eth0", "router/eth1"}
    assert box(draw(CHANGED).scene, "net1/ipv1").dashed
    assert not box(draw(CLASSIC).scene, "net1/ipv1").dashed


def test_what_was_done_to_a_switch_is_marked_on_it_and_on_its_wires() -> None:
    scene = draw(SWITCHED).scene
    shown = {label.text for label in scene.labels}
    assert {"✗ unplugged", "✗ down, → MTU 1400", "default via 10.0.1.1", "→ forwards", "→ MTU 1300"} <= shown
    assert {name: box(scene, name).dashed for name in ("switch", "second", "third")} == {
        "switch": False, "second": True, "third": True}
    assert [box(scene, f"switch/p{n}").dashed for n in (1, 2, 3)] == [True, False, True]
    assert {wire.of: wire.title.partition(" ✗ ")[2] for wire in scene.wires} == {
        "alpha/eth0": "down", "beta/eth0": "unplugged", "ext/eth0": "deleted", "alpha/eth1": ""}
    assert "Switch second (✗ deleted): p1 (→ MTU 1280) to alpha eth1." in scene.description


def test_a_healthy_switch_has_no_marks() -> None:
    said = draw(CLASSIC).scene.description
    assert "Switch switch: p1 to host eth0, p2 to ext eth0, p3 to router eth0." in said


def test_what_was_done_to_a_namespace_is_on_its_first_device_or_on_its_host() -> None:
    shown = texts(SWITCHED)
    assert {"lo ✗ down, 10.8.0.1/32", "lo 10.8.0.2/32", "router: forwards"} <= set(shown)
    assert shown.count("→ forwards") == 3  # the switch; web, which is a card; outer, which carries children
    assert "→ forwards no more" in texts(CLASSIC.after(SetForwarding("router", False)))


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
