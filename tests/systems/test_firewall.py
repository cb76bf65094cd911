"""Which chain of the host's firewall stops a packet of a child, in each mode, and for whom masquerading works."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ipvkit.errors import LabError
from ipvkit.lab import Lab
from ipvkit.systems import firewall
from ipvkit.topology import AddRoute, Driver, Route, Topology, ipvlan
from tests.systems.installed import needs
from tests.systems.theory import compared

pytestmark = [pytest.mark.kernel, needs("iptables-legacy")]
BuildLab = Callable[[Topology], Lab]
PAIRS = (("net1", "net2"), ("net1", "far"), ("far", "net1"))
NOTHING: tuple[set[str], ...] = (set(), set(), set())
#: Which chains of the host stop a datagram between siblings, to the outside, and from the outside.
STOPPED = {
    ipvlan("l2"): NOTHING,
    ipvlan("l3"): (set(), {"OUTPUT", "POSTROUTING"}, set()),
    ipvlan("l3s"): (set(), {"OUTPUT", "POSTROUTING"}, {"PREROUTING", "INPUT"}),
}


def world(driver: Driver) -> Topology:
    if driver.mode not in ("l3", "l3s"):
        return Topology.of(driver, routes="gateway", net1="10.0.1.11/24", net2="10.0.1.12/24")
    return Topology.of(driver, net1="10.0.11.1/24", net2="10.0.12.1/24")


@pytest.mark.parametrize("driver", STOPPED, ids=str)
def test_which_chain_of_the_host_stops_what(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(world(driver))
    if driver.mode != "l2":
        lab.apply(AddRoute("router", Route("10.0.11.0/24", via="10.0.1.2")))
    table = firewall.compare_chains(lab, PAIRS)
    assert table.rows[0][1:] == ("arrived",) * 3
    found = tuple({row[0] for row in table.rows if row[column] != "arrived"} for column in (1, 2, 3))
    assert found == STOPPED[driver]
    words = {row[0]: row[1:] for row in table.rows}
    if "OUTPUT" in found[1]:
        assert words["OUTPUT"][1] == "no buffers"  # the child is told that its packet was dropped
    if "INPUT" in found[2]:
        assert words["INPUT"][2] == "lost"  # nobody is told
    assert [bool(lab.deliver(*pair)) for pair in PAIRS] == [True] * 3  # the rules are gone
    assert compared(lab)


@pytest.mark.parametrize("driver", [ipvlan("l2"), ipvlan("l3"), ipvlan("l3s")], ids=str)
def test_the_childs_own_firewall_works_in_every_mode(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(world(driver))
    firewall.add(lab, "INPUT -p udp -j DROP", place="net2")
    assert str(lab.deliver("net1", "net2")) == "lost"
    firewall.clear(lab, place="net2")
    assert lab.deliver("net1", "net2")


@pytest.mark.parametrize(("mode", "works"), [("l3", False), ("l3s", True)])
def test_masquerading_in_the_host(build_lab: BuildLab, mode: str, works: bool) -> None:
    lab = build_lab(world(ipvlan(mode)))
    assert str(lab.ping("net1", "far")) == "timeout"  # the router does not know 10.0.11.0/24
    firewall.masquerade(lab)
    assert bool(lab.ping("net1", "far")) == works
    echoes = [step for step in lab.trace("net1", "far").steps if "echo" in step.message.words]
    outside = [step.message for step in echoes if "router" in step.netnses]
    assert {message.source for message in outside} == {"10.0.1.2", "10.0.9.2"}  # translated in both modes
    assert echoes[-1].message.words == "echo reply 10.0.9.2 → 10.0.1.2"
    assert echoes[-1].netnses[-1] == "host"  # the reply comes back to the host: from there on the modes differ


def test_masquerading_is_the_first_thing_asked_of_a_machine() -> None:
    with Lab(world(ipvlan("l3s"))) as lab:
        firewall.masquerade(lab)  # nothing of netfilter has been loaded yet: iptables asks for it in its own way
        assert lab.ping("net1", "far")


def test_masquerading_does_not_touch_l2(build_lab: BuildLab) -> None:
    lab = build_lab(world(ipvlan("l2")))
    firewall.masquerade(lab)
    trace = lab.trace("net1", "far")
    assert trace.answer
    requests = [step.message for step in trace.steps if "echo request" in step.message.words]
    assert {message.source for message in requests} == {"10.0.1.11"}


def test_a_rule_that_is_refused_is_said(build_lab: BuildLab) -> None:
    lab = build_lab(world(ipvlan("l2")))
    with pytest.raises(LabError, match=r"(?s)iptables-legacy -t mangle -A NOWHERE -j DROP in host.*No chain"):
        firewall.add(lab, "NOWHERE -j DROP")
    assert lab.deliver("net1", "net2")
