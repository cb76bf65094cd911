"""What is declared is what the kernel reports, for every driver, mode and flag; what it refuses is explained."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest

from ipvkit import plan
from ipvkit.errors import NotAsDeclared, Refused
from ipvkit.lab import Lab
from ipvkit.steps import AddChild
from ipvkit.topology import (
    AddAddress,
    AddEndpoint,
    AddRoute,
    Change,
    Driver,
    Endpoint,
    LinkDown,
    Move,
    RemoveLink,
    Route,
    SetMac,
    SetMode,
    SetMtu,
    Topology,
    Unplug,
    ipvlan,
    macvlan,
)

pytestmark = pytest.mark.kernel
BuildLab = Callable[[Topology], Lab]

IPVLAN = [ipvlan(mode, flag) for mode in ("l2", "l3", "l3s") for flag in ("bridge", "private", "vepa")]
MACVLAN = [macvlan(mode) for mode in ("bridge", "private", "vepa", "source")]


def two(driver: Driver, **more: str) -> Topology:
    return Topology.of(driver, net1="10.0.1.11/24", net2="10.0.1.12/24", **more)


@pytest.mark.parametrize("driver", [*IPVLAN, *MACVLAN], ids=str)
def test_mode_and_flag_are_what_was_declared(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(two(driver))
    assert (lab.refusals, lab.differences) == ([], [])
    link = lab.state().link("net1", lab.topology.endpoint("net1").child)
    assert (link.kind, link.mode, link.flag, link.on) == (driver.kind, driver.mode, driver.flag, "host.eth0")


def test_passthru_takes_the_whole_parent(build_lab: BuildLab) -> None:
    lab = build_lab(two(macvlan("passthru")))
    assert [(refused.identifier, refused.errno) for refused in lab.refusals] == [("passthru-alone", errno.EINVAL)]
    assert lab.state().link("net1", "macv1").mode == "passthru"


def test_at_the_limit_of_namespaces_the_kernel_is_quoted() -> None:
    """In a kernel of its own: elsewhere the limit may be this computer's."""
    with Lab(two(ipvlan("l2")), machine="uml", on_refusal="record") as lab:
        assert lab.run("host", "echo 1 >/proc/sys/user/max_net_namespaces", show=lambda _: None).status == 0
        lab.apply(AddEndpoint("host", Endpoint("net3", ipvlan("l2"), "10.0.1.13/24")))
        assert [(refused.identifier, refused.errno) for refused in lab.refusals] == [
            ("namespaces-used-up", errno.ENOSPC)]
        assert lab.ping("net1", "net2")


@pytest.mark.parametrize("driver", [macvlan("bridge"), ipvlan("l2")], ids=str)
def test_two_endpoints_added_into_one_new_namespace(build_lab: BuildLab, driver: Driver) -> None:
    added = [AddEndpoint("host", Endpoint(f"net{n}", driver, f"10.0.1.{n}/24", netns="shared")) for n in (21, 22)]
    lab = build_lab(two(driver).after(*added))
    assert lab.refusals == []
    assert lab.ping("net1", "net22")
    lab.rebuild(two(driver))
    for change in added:
        lab.apply(change)
    assert lab.refusals == []
    assert lab.ping("net1", "net22")


def test_everything_declared_is_there(build_lab: BuildLab) -> None:
    topology = Topology.of(ipvlan("l2"), net1="10.0.1.11/24 fd00:1::11/64", net2="192.168.1.10/24")
    state = build_lab(topology).state()
    held = {(address.netns, address.device, address.address) for address in state.addresses}
    for name in topology.names:
        for address in topology.addresses(name):
            assert any(place == topology.netns(name) and value == address for place, _, value in held), (name, address)
    macs = {(link.netns, link.device): link.mac for link in state.links}
    assert macs["host", "eth0"] == macs["net1", "ipv1"] == "02:00:00:00:00:01"
    assert {link.state for link in state.links} == {"up"}
    assert ("net1", "default", "ipv1") in {(route.netns, route.to, route.dev) for route in state.routes}


def test_children_of_one_parent_share_the_last_mode_and_that_is_recorded(build_lab: BuildLab) -> None:
    mixed = two(ipvlan("l2")).after()
    first, second = mixed.endpoints
    mixed = Topology(mixed.hosts, (first, Endpoint("net2", ipvlan("l3s"), second.addresses)), mixed.switches,
                     mixed.cables)
    lab = build_lab(mixed)
    (difference,) = lab.differences
    assert str(difference) == "net1: declared ipvlan l2, the kernel says ipvlan l3s"


def test_a_kernel_that_did_otherwise_is_found_out(build_lab: BuildLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that drops a flag would go unnoticed; here a child nobody declared gives its sibling another one."""
    topology = two(ipvlan("l3", "private"))
    lab = build_lab(topology)
    steps = plan.plan(topology)
    (child, *_) = (step for step in steps if isinstance(step, AddChild))
    steps = (*steps, replace(child, device="extra", flag="vepa"))
    monkeypatch.setattr(plan, "plan", lambda _: steps)
    with pytest.raises(NotAsDeclared, match="net1: declared ipvlan l3 private, the kernel says ipvlan l3 vepa"):
        lab.rebuild(topology)


CHANGES = [
    (ipvlan("l2"), AddAddress("net1", "10.0.1.12/24"), "address-on-sibling", errno.EADDRINUSE),
    (ipvlan("l2"), AddAddress("net1", "10.0.1.11/24"), "address-exists", errno.EEXIST),
    (ipvlan("l2"), AddEndpoint("host", Endpoint("net3", macvlan("bridge"))), "parent-busy", errno.EBUSY),
    (ipvlan("l2"), SetMac("net1", "02:00:00:00:00:77"), "mac-of-parent", errno.EOPNOTSUPP),
    (macvlan("bridge"), AddRoute("host", Route("10.8.0.0/16", via="172.16.0.1")), "gateway-unreachable",
     errno.ENETUNREACH),
    (macvlan("bridge"), AddRoute("host", Route("10.0.1.0/24", dev="eth0")), "route-exists", errno.EEXIST),
    (macvlan("bridge"), AddRoute("host", Route("10.9.0.0/24", dev="eth7")), "device-missing", errno.ENODEV),
    (macvlan("bridge"), SetMode("net1", macvlan("passthru")), "passthru-fixed", errno.EINVAL),
    (macvlan("bridge"), SetMtu("net1", 9000), "mtu-above-parent", errno.EINVAL),
    (macvlan("bridge"), SetMtu("net1", 40), "mtu-out-of-range", errno.EINVAL),
    (macvlan("bridge"), AddEndpoint("host", Endpoint("net3", macvlan("bridge"), parent="eth0", child="eth0",
                                                     netns="host")), "name-taken", errno.EEXIST),
]


@pytest.mark.parametrize(("driver", "change", "identifier", "number"), CHANGES,
                         ids=[f"{entry[2]}-{entry[0].kind}" for entry in CHANGES])
def test_a_refusal_keeps_errno_command_and_reason(
    build_lab: BuildLab, driver: Driver, change: Change, identifier: str, number: int
) -> None:
    lab = build_lab(two(driver))
    lab.apply(change)
    (refused,) = lab.refusals
    assert (refused.identifier, errno.errorcode[refused.errno]) == (identifier, errno.errorcode[number])
    assert refused.command.startswith("ip ")
    assert refused.reason
    assert lab.ping("net1", "net2"), "the lab is still usable"


def test_a_refused_build_raises_and_leaves_nothing() -> None:
    with pytest.raises(Refused) as caught:
        Lab(two(macvlan("passthru")))
    assert caught.value.identifier == "passthru-alone"
    assert "type macvlan mode passthru" in caught.value.command


def test_a_refused_change_leaves_topology_and_kernel_as_they_were() -> None:
    with Lab(two(macvlan("bridge"))) as lab:
        before = lab.state()
        with pytest.raises(Refused):
            lab.apply(AddEndpoint("host", Endpoint("net3", macvlan("passthru"))))
        assert lab.topology == two(macvlan("bridge"))
        assert not lab.state().changes_since(before)
        lab.apply(AddEndpoint("host", Endpoint("net3", macvlan("bridge"), ("10.0.1.13/24",))))
        assert lab.ping("net3", "net1")


def test_changes_are_made_and_seen(build_lab: BuildLab) -> None:
    lab = build_lab(two(ipvlan("l2")))
    lab.state()
    lab.apply(SetMode("net2", ipvlan("l3", "private")))
    assert [row[:2] for row in lab.diff().rows] == [
        ("link mode", "net1 ipv1"), ("link flag", "net1 ipv1"), ("link mode", "net2 ipv2"), ("link flag", "net2 ipv2")]
    assert not lab.diff()
    lab.apply(Unplug("host"))
    assert ("link state", "host eth0", "up", "no carrier") in lab.diff().rows
    lab.apply(LinkDown("host"))
    assert ("link state", "host eth0", "no carrier", "down") in lab.diff().rows
    lab.apply(Move("net2", "ext"))
    assert lab.state().link("ext", "ipv2").on == "host.eth0"
    lab.apply(RemoveLink("host"))
    assert not [link for link in lab.state().links if link.kind == "ipvlan"]


def test_a_topology_with_changes_is_built_with_them(build_lab: BuildLab) -> None:
    topology = two(ipvlan("l2")).after(SetMode("net1", ipvlan("l3")), AddAddress("net1", "10.7.7.7/32"))
    lab = build_lab(topology)
    assert (lab.refusals, lab.differences) == ([], [])
    assert lab.state().link("net2", "ipv2").mode == "l3"
    assert "10.7.7.7/32" in {address.address for address in lab.state().addresses}


def test_a_child_that_leaves_l3_mode_is_in_operation_at_once(build_lab: BuildLab) -> None:
    """It joins the group by which IPv6 neighbours ask for it in a work queue: until then nobody finds it."""
    topology = Topology.of(ipvlan("l3"), net1="fd00:1::11/64", net2="fd00:1::12/64")
    for _ in range(3):
        lab = build_lab(topology)
        lab.apply(SetMode("net1", ipvlan("l2")))
        for number, name in ((1, "net1"), (2, "net2")):
            groups = lab.run(name, ["cat", "/proc/net/igmp6"], show=lambda _: None).output
            assert f"ff0200000000000000000001ff00001{number}" in groups, name
