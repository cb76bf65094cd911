"""A VLAN trunk: each sub-interface is a parent of its own, with a mode, and even a driver, of its own."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest

from ipvkit.errors import BadQuestion
from ipvkit.lab import Lab
from ipvkit.systems.trunk import trunk
from ipvkit.topology import Topology, ipvlan, macvlan
from tests.systems.theory import compared

pytestmark = pytest.mark.kernel
BuildLab = Callable[[Topology], Lab]
L2_AND_L3 = {10: ipvlan("l2"), 20: ipvlan("l3")}
L3_AND_MACVLAN = {10: ipvlan("l3"), 20: macvlan("bridge")}


def on_one_parent(topology: Topology) -> Topology:
    """The same children, all on eth0.10."""
    return replace(topology, endpoints=tuple(replace(e, parent="eth0.10") for e in topology.endpoints))


def test_two_modes_on_one_card_and_neither_owns_the_other(build_lab: BuildLab) -> None:
    lab = build_lab(trunk(L2_AND_L3))
    modes = {name: lab.state().link(name, lab.topology.device(name)).mode for name in ("net10a", "net20a")}
    assert modes == {"net10a": "l2", "net20a": "l3"}
    assert (lab.differences, lab.refusals) == ([], [])
    assert compared(lab)
    assert lab.ping("ext10", "net10a")
    assert str(lab.ping("ext20", "net20a")) == "host unreachable, says ext20"  # an l3 child does not answer ARP
    assert lab.mac_budget().parents[0].learned == ("02:00:00:00:00:01",)
    lab = build_lab(on_one_parent(trunk(L2_AND_L3)))
    assert {difference.endpoint for difference in lab.differences} == {"net10a", "net10b"}


def test_macvlan_beside_ipvlan_on_one_card(build_lab: BuildLab) -> None:
    lab = build_lab(trunk(L3_AND_MACVLAN))
    assert lab.refusals == []
    assert compared(lab)
    assert lab.ping("ext20", "net20a")
    lab = build_lab(on_one_parent(trunk(L3_AND_MACVLAN)))
    assert lab.refusals[0].errno == errno.EBUSY  # what was to be done with the child is refused after it


def test_from_vlan_to_vlan_leads_the_router_only(build_lab: BuildLab) -> None:
    both = trunk({10: ipvlan("l2"), 20: ipvlan("l2")})
    lab = build_lab(both)
    trace = lab.trace("net10a", "net20a")
    assert trace.answer.ttl == 63
    request = [step for step in trace.steps if "echo request" in step.message.words]
    assert {"eth0.10", "eth0.20"} <= {device for step in request for netns, device in step.places if netns == "router"}
    without = replace(both, hosts=tuple(replace(host, forwarding=False) for host in both.hosts))
    lab = build_lab(without)
    assert lab.ping("net10a", "net20a").verdict == "timeout"
    assert lab.ping("net10a", "ext10")
    assert compared(lab)


def test_a_vlan_that_the_port_does_not_admit_ends_there(build_lab: BuildLab) -> None:
    lab = build_lab(trunk({10: ipvlan("l2"), 20: ipvlan("l2")}, tagged=[10]))
    assert lab.ping("net10a", "ext10")
    assert lab.ping("net20a", "net20b")
    trace = lab.trace("net20a", "ext20")
    assert trace.answer.verdict == "host unreachable"
    seen = {netns for step in trace.seen_at("host") for netns in step.netnses}
    assert "switch" in seen
    assert not {"ext20", "router"} & seen
    assert compared(lab)


def test_a_number_that_is_no_vlan_of_ours() -> None:
    for vlan in (1, 255):
        with pytest.raises(BadQuestion, match="2 to 254"):
            trunk({vlan: ipvlan("l2")})
