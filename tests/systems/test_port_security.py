"""A port that counts MACs, is locked or does not learn; and the rules of a virtual switch, a cloud, an access point."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ipvkit.errors import BadQuestion, LabError
from ipvkit.lab import Lab
from ipvkit.systems import port_security
from ipvkit.topology import AddRoute, Driver, Host, Interface, Masquerade, Route, Topology, ipvlan, macvlan
from tests.systems.installed import needs
from tests.systems.theory import compared, compared_behind_a_rule

pytestmark = [pytest.mark.kernel, needs("nft", "bridge")]
Build = Callable[[Topology], Lab]
L2, MACVLAN = ipvlan("l2"), macvlan("bridge")
CHILDREN = ("net1", "net2", "net3")
BEHIND = ("host", *CHILDREN)
HOST_MAC, *MACS = "02:00:00:00:00:01", *(f"02:00:00:01:00:0{number}" for number in (1, 2, 3))


@pytest.fixture
def build(build_lab: Callable[[Topology], Lab]) -> Build:
    """One kernel for both drivers."""
    lab = build_lab(port_security.lan(L2))

    def rebuild(topology: Topology) -> Lab:
        lab.rebuild(topology)
        return lab

    return rebuild


def verdicts(lab: Lab) -> list[str]:
    return [lab.ping(name, "ext").verdict for name in BEHIND]


def learned(lab: Lab) -> tuple[str, ...]:
    return lab.mac_budget().parents[0].learned


def ends(lab: Lab, source: str, destination: str, words: str) -> set[tuple[str, str]]:
    """Where the frames of a step were seen outside the host and its children."""
    steps = [step for step in lab.trace(source, destination).steps if words in step.message.words]
    places = {place for step in steps for place in step.places}
    return {(netns, device) for netns, device in places if netns not in BEHIND and device != "br0"}


def test_a_limit_stops_the_macvlan_that_is_one_too_many(build: Build) -> None:
    lab = build(port_security.lan(MACVLAN))
    with port_security.limit(lab, 3) as rule:
        assert verdicts(lab) == ["reply", "reply", "reply", "host unreachable"]
        assert rule.admitted() == (HOST_MAC, *MACS[:2])
        assert rule.dropped() == (MACS[2],)
        assert ends(lab, "net3", "ext", "who has") == {("switch", "p1")}  # and no further
        assert ends(lab, "net1", "ext", "who has") > {("switch", "p1"), ("ext", "eth0")}
        assert learned(lab) == (HOST_MAC, *MACS[:2])  # what is dropped is not learned
        assert lab.ping("net3", "net1")  # the siblings do not need the port
        assert not compared_behind_a_rule(lab, BEHIND).disagreements
    assert verdicts(lab) == ["reply"] * 4
    assert len(learned(lab)) == 4


@pytest.mark.parametrize("rule", ["limit", "virtual_switch", "access_point"])
def test_ipvlan_is_one_mac_and_no_such_rule_notices_it(build: Build, rule: str) -> None:
    lab = build(port_security.lan(L2))
    made = {"limit": lambda: port_security.limit(lab, 1), "virtual_switch": lambda: port_security.virtual_switch(lab),
            "access_point": lambda: port_security.access_point(lab)}[rule]()
    with made:
        assert compared(lab)
        assert made.dropped() == ()
        assert learned(lab) == (HOST_MAC,)


def test_a_locked_port_admits_only_what_it_was_told(build: Build) -> None:
    lab = build(port_security.lan(MACVLAN, locked=True))
    assert verdicts(lab) == ["host unreachable"] * 4
    assert ends(lab, "net1", "ext", "who has") == {("switch", "p1")}
    assert compared(lab)
    port_security.admit(lab, HOST_MAC, MACS[0])
    assert verdicts(lab) == ["reply", "reply", "host unreachable", "host unreachable"]
    assert not compared_behind_a_rule(lab, BEHIND).disagreements
    lab.rebuild(port_security.lan(L2, locked=True))
    port_security.admit(lab, HOST_MAC)
    assert verdicts(lab) == ["reply"] * 4


@pytest.mark.parametrize("driver", [MACVLAN, L2], ids=str)
@pytest.mark.parametrize("learning", [True, False], ids=["learning", "full"])
def test_what_the_switch_cannot_learn_everybody_gets(build: Build, driver: Driver, learning: bool) -> None:
    lab = build(port_security.lan(driver, learning=learning))
    assert (("router", "eth0") in ends(lab, "ext", "net1", "echo request")) is not learning
    assert len(learned(lab)) == (0 if not learning else 1 if driver == L2 else 4)
    assert compared(lab)


def test_an_access_point_is_an_emulation_too_and_says_that_there_is_no_radio(build: Build) -> None:
    lab = build(port_security.lan(MACVLAN, 1))
    with port_security.access_point(lab) as rule:
        assert "emulation of an access point" in repr(rule)
        assert "no radio" in repr(rule)
        assert (lab.ping("host", "ext").verdict, lab.ping("net1", "ext").verdict) == ("reply", "host unreachable")
        assert rule.dropped() == (MACS[0],)


def test_a_virtual_switch_that_knows_one_mac_stops_every_macvlan_in_both_directions(build: Build) -> None:
    lab = build(port_security.lan(MACVLAN))
    with port_security.virtual_switch(lab) as rule:
        assert "emulation of a virtual switch" in repr(rule)
        assert verdicts(lab) == ["reply", *["host unreachable"] * 3]
        assert rule.dropped() == tuple(MACS)
        assert ends(lab, "net1", "ext", "who has") == {("switch", "p1")}
        assert ends(lab, "ext", "net1", "is at") == {("switch", "p1")}  # the question is a broadcast, and comes in
        lab.run("ext", ["ip", "neigh", "replace", "10.0.1.11", "lladdr", MACS[0], "dev", "eth0"])
        assert not lab.deliver("ext", "net1", caches="as they were")  # even to one that knows the MAC
        assert lab.ping("net1", "net2")
        assert not compared_behind_a_rule(lab, BEHIND).disagreements


def test_a_check_of_the_source_stops_ipvlan_too_but_not_what_is_registered(build: Build) -> None:
    lab = build(port_security.lan(L2))
    with port_security.source_check(lab) as rule:
        assert verdicts(lab) == ["reply", *["host unreachable"] * 3]
        assert rule.dropped() == (HOST_MAC,)  # the right MAC, the wrong address
        assert ends(lab, "net1", "ext", "who has") == {("switch", "p1")}
        assert not compared_behind_a_rule(lab, BEHIND).disagreements
    with port_security.source_check(lab, "10.0.1.11"):
        assert verdicts(lab) == ["reply", "reply", "host unreachable", "host unreachable"]
    lab.rebuild(port_security.lan(MACVLAN))
    with port_security.source_check(lab, "10.0.1.11") as rule:  # for macvlan an address is not enough
        assert verdicts(lab) == ["reply", *["host unreachable"] * 3]
        assert rule.dropped() == tuple(MACS)


@pytest.mark.parametrize("registered", [False, True])
def test_a_child_in_l3s_passes_the_check_behind_its_hosts_address(build: Build, registered: bool) -> None:
    lab = build(Topology.of(ipvlan("l3s"), net1="10.0.11.1/24"))
    lab.apply(AddRoute("router", Route("10.0.11.0/24", via="10.0.1.2")))
    with port_security.source_check(lab, *(["10.0.11.1"] if registered else [])):
        assert bool(lab.ping("net1", "far")) is registered
        if not registered:
            lab.apply(Masquerade("host"))
            assert lab.ping("net1", "far")


def test_what_goes_wrong_is_said(build: Build) -> None:
    lab = build(port_security.lan(L2))
    with pytest.raises(BadQuestion, match="no limit"):
        port_security.limit(lab, 0)
    for children in (0, 201):
        with pytest.raises(BadQuestion, match="children"):
            port_security.lan(L2, children)
    with port_security.limit(lab, 1), pytest.raises(LabError, match=r"(?s)nft in switch: exit status 1.*exists"):
        port_security.virtual_switch(lab)
    with pytest.raises(LabError, match=r"(?s)bridge in switch: exit status"):
        port_security.admit(lab, "no MAC")
    for wrong in ("net1", "fd00::1"):
        with pytest.raises(BadQuestion, match=f"registered: '{wrong}' is no IPv4 address"):
            port_security.source_check(lab, wrong)
    lab.rebuild(Topology((Host("host", (Interface("eth0"),)),)))
    with pytest.raises(BadQuestion, match="no port on a switch called 'switch'"):
        port_security.virtual_switch(lab)
