"""Corners that random topologies seldom reach: an address held twice, a gateway of one's own, routes of equal length.

What theory says there is what the kernel does, and the reason it gives is the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ipvkit.comparison import compare
from ipvkit.lab import Lab
from ipvkit.theory import (
    explain,
    predict,
    predict_broadcast,
    predict_delivery,
    predict_hooks,
    predict_macs,
    predict_multicast,
)
from ipvkit.topology import (
    AddAddress,
    AddEndpoint,
    AddRoute,
    Endpoint,
    Host,
    Interface,
    LinkDown,
    Move,
    Port,
    RemoveRoute,
    Route,
    SetMac,
    Switch,
    Topology,
    Unplug,
    ipvlan,
    macvlan,
)

NET1, NET2 = "10.0.1.11/24", "10.0.1.12/24"
TWO = Topology.of(ipvlan("l2"), net1=NET1, net2=NET2)
SIX = Topology.of(ipvlan("l2"), net1="fd00:1::11/64", net2="fd00:1::12/64")
MACVLANS = Topology.of(macvlan("bridge"), net1=NET1, net2=NET2)
LATE = Endpoint("late", ipvlan("l2"), "fd00:5::2/64")
BY_DEVICE = Route("10.0.9.0/24", via="10.0.1.1")


def held_twice(*ports: str) -> Topology:
    """Return a world whose ``net1`` and ``net2``, on a NIC of host and of other, have one address; ports in order."""
    out = (Route("default", via="10.0.1.1"),)
    hosts = (Host("host", (Interface("eth0", ("10.0.3.2/24",)),)),
             Host("other", (Interface("eth0", ("10.0.1.4/24",)),)),
             Host("ext", (Interface("eth0", ("10.0.1.3/24",)),), routes=out),
             Host("router", (Interface("eth0", ("10.0.1.1/24", "10.0.2.1/24")),), forwarding=True))
    holders = tuple(Endpoint(name, ipvlan("l2"), "10.0.2.2/24", (Route("10.0.1.3/32", dev=child),), host, child=child)
                    for name, host, child in (("net1", "host", "ipv1"), ("net2", "other", "ipv2")))
    return Topology(hosts, switches=(Switch("switch", tuple(Port(host, "eth0") for host in ports)),), endpoints=holders)


def unlearned() -> Topology:
    """Return a world whose router has taken the MAC of the host, at whose port the switch does not learn."""
    switch = Switch("switch", tuple(Port(name, "eth0", learning=name != "host") for name in ("host", "ext", "router")))
    return replace(SIX, endpoints=(), switches=(switch,)).after(SetMac("router", "02:00:00:00:00:01", "eth0"))


def out_by_another_child() -> Topology:
    """Return a world whose host keeps a child of other's NIC: net2's packet leaves by it, and finds no route there."""
    hosts = (Host("host", (Interface("eth0", ("fd00:1::2/64",)),)),
             Host("other", (Interface("eth0", ("fd00:1::4/64",)),)))
    endpoints = (Endpoint("net1", ipvlan("l3"), "fd00:2::11/64", host="other", netns="host"),
                 Endpoint("net2", ipvlan("l3"), "fd00:1::12/64", (Route("default6", dev="ipv2"),), child="ipv2"),
                 Endpoint("net3", ipvlan("l3"), "fd00:2::13/64", up=False))
    switch = Switch("switch", (Port("host", "eth0"), Port("other", "eth0")))
    return Topology(hosts, switches=(switch,), endpoints=endpoints)


CORNERS = {
    "host's address on an l3s child": Topology.of(ipvlan("l3s"), net1="10.0.1.2/24", net2="10.0.1.3/24"),
    "router's address on an l3 child": Topology.of(ipvlan("l3"), net1="10.0.1.1/24", net2=NET2),
    "others' addresses on l3 children": Topology.of(ipvlan("l3"), net1="10.0.1.2/24", net2="10.0.1.3/24"),
    "host's address on an l2 child": Topology.of(ipvlan("l2"), net1="10.0.1.2/24", net2=NET2),
    "passthru": Topology.of(macvlan("passthru"), net1=NET1),
    "a gateway of its own": Topology.of(ipvlan("l2"), routes="gateway", net1="10.0.6.1/24", net2=NET2),
    "a route through an own address": TWO.after(AddAddress("net1", "10.7.0.1/32", "lo"),
                                                AddRoute("net2", Route("10.0.1.3/32", via="10.0.1.12"))),
    "an endpoint with IPv6 only": TWO.after(AddEndpoint("host", Endpoint("late", ipvlan("l2"), "fd00:1::13/64"))),
    "one address, two lengths": TWO.after(AddAddress("net1", "10.0.1.11/16")),
    "one IPv6 address, two lengths": SIX.after(AddAddress("net1", "fd00:1::11/48"), AddAddress("ext", "fd00:1::3/48")),
    "an older blackhole": SIX.after(AddRoute("net1", Route("fd00:5::/64", kind="blackhole")),
                                    AddAddress("net1", "fd00:5::1/64"), AddEndpoint("host", LATE)),
    "the wrong kind of route": TWO.after(AddRoute("net1", BY_DEVICE),
                                         RemoveRoute("net1", Route("10.0.9.0/24", kind="blackhole"))),
    "a MAC taken twice, one unlearned": unlearned(),
    "an error within the sending of another child": out_by_another_child(),
}


@pytest.mark.kernel
@pytest.mark.parametrize("topology", CORNERS.values(), ids=CORNERS.keys())
def test_theory_and_kernel_agree(build_lab: Callable[[Topology], Lab], topology: Topology) -> None:
    lab = build_lab(topology)
    for family in sorted(topology.families):
        predicted = predict(topology, kernel=lab.machine.kernel, family=family)
        assert [r.identifier for r in predicted.refusals] == [r.identifier for r in lab.refusals]
        compared = compare(predicted, lab.ping_matrix(family))
        assert compared, f"{topology}\n{compared}"
        assert "not modelled" not in {verdict.verdict for verdict in predicted.values()}


@pytest.mark.kernel
def test_the_matrix_believes_only_the_asker(build_lab: Callable[[Topology], Lab]) -> None:
    """A reply that comes to another namespace with the asker's address is no reply."""
    lab = build_lab(CORNERS["host's address on an l3s child"])
    matrix = lab.ping_matrix()
    alone = {pair: lab.ping(*pair).verdict for pair in matrix.pairs}
    assert {pair: answer.verdict for pair, answer in matrix.pairs.items()} == alone
    assert alone["host", "ext"] == "timeout"


@pytest.mark.kernel
@pytest.mark.parametrize("ports", [("host", "other", "ext", "router"), ("other", "ext", "router", "host")], ids=str)
def test_who_waits_in_line_already_answers_first(build_lab: Callable[[Topology], Lab], ports: tuple[str, ...]) -> None:
    """The asker's own question has put the other parent's queue in line before the router asks for the asker."""
    topology = held_twice(*ports)
    lab = build_lab(topology)
    for asker, other in (("net1", "net2"), ("net2", "net1")):
        walk = explain(topology, asker, "ext")
        assert [step.netns for step in walk.steps if step.rule == "arp-answers"] == ["ext", "router", other]
        assert (walk.verdict.rule, walk.verdict.verdict) == ("wrong-owner", lab.ping(asker, "ext").verdict)


@pytest.mark.kernel
@pytest.mark.parametrize("asker", ["host", "ext"])
def test_an_answer_without_a_wire_to_cross_is_first(build_lab: Callable[[Topology], Lab], asker: str) -> None:
    """The host hears itself by hairpin: what its own child answers overtakes what comes over the wire."""
    plain = held_twice("host", "other", "ext", "router")
    there = {"host": "10.0.2.4/24", "ext": "10.0.2.3/24"}[asker]
    turned = (Switch("switch", tuple(replace(port, hairpin=True) for port in plain.switches[0].ports)),)
    topology = replace(plain, switches=turned).after(AddAddress(asker, there, "eth0"))
    lab = build_lab(topology)
    answers = [step.netns for step in explain(topology, asker, "net1").steps if step.rule == "arp-answers"]
    assert answers[0] == {"host": "net1", "ext": "net2"}[asker]
    for name in ("net1", "net2"):
        predicted = predict_delivery(topology, asker, name).verdict
        assert predicted == ("arrived" if name == answers[0] else "port unreachable")
        assert lab.deliver(asker, name).verdict.partition(",")[0] == predicted


@pytest.mark.kernel
def test_theory_and_kernel_agree_on_a_mac_taken_twice_by_link_local_addresses(
        build_lab: Callable[[Topology], Lab]) -> None:
    """A router that gets an answer meant for a host with its MAC asks for the host, and the switch learns the MAC."""
    lab = build_lab(unlearned())
    predicted = predict(unlearned(), kernel=lab.machine.kernel, link_local=True)
    compared = compare(predicted, lab.ping_matrix(6, link_local=True))
    assert compared, f"{compared}"
    assert predicted["host", "ext"].rule == "switch-no-hairpin"


@pytest.mark.parametrize(("topology", "pair", "rule"), [
    (CORNERS["passthru"], ("host", "ext"), "arp-answer-elsewhere"),
    (CORNERS["host's address on an l2 child"], ("host", "ext"), "arp-answer-elsewhere"),
    (TWO.after(Unplug("host")), ("net1", "ext"), "no-carrier"),
    (MACVLANS.after(LinkDown("host")), ("net1", "net2"), "no-carrier"),
    (TWO.after(LinkDown("net2")), ("net1", "net2"), "ipvlan-child-down"),
    (TWO, ("net1", "host"), "child-sends-past-host"),
], ids=str)
def test_the_reason_is_the_one_of_the_walk(topology: Topology, pair: tuple[str, str], rule: str) -> None:
    walk = explain(topology, *pair)
    assert walk.verdict.rule == rule
    assert rule in [step.rule for step in walk.steps]
    answered = {step.netns for step in walk.steps if step.rule == "arp-answers"}
    assert not answered & {step.netns for step in walk.steps if step.rule == "arp-not-mine"}


def test_a_walk_without_an_answer_begins_with_the_question() -> None:
    private = Topology.of(ipvlan("l2", "private"), net1=NET1, net2=NET2)
    steps = explain(private, "net1", "net2").steps
    phases = list(dict.fromkeys(step.phase for step in steps))
    assert phases.index("question") < phases.index("no answer")
    assert [step.rule for step in steps].index("arp-asks") < [step.rule for step in steps].index("arp-learns-asker")


@pytest.mark.parametrize(("topology", "family", "pair", "rule"), [
    (Topology.of(ipvlan("l2"), net1="10.0.1.255/24", net2=NET2), 4, ("net2", "net1"), "address-for-many"),
    (Topology.of(ipvlan("l2"), net1="fd00:1::/64", net2="fd00:1::12/64"), 6, ("net1", "net2"), "address-for-many"),
    (TWO.after(AddRoute("ext", Route("10.0.1.11/32", dev="lo"))), 4, ("net1", "ext"), "route-through-lo"),
    (TWO.after(AddEndpoint("host", Endpoint("twin", ipvlan("l2"), "10.0.1.13/24", netns="net1")),
               LinkDown("net1", "lo")), 4, ("twin", "net1"), "route-through-lo"),
], ids=str)
def test_outside_of_the_domain_it_is_said(topology: Topology, family: int, pair: tuple[str, str], rule: str) -> None:
    predicted = predict(topology, family=family)
    assert (predicted[pair].verdict, predicted[pair].rule) == ("not modelled", rule)
    assert predicted["ext", "router"].verdict == "reply"


def test_a_walk_takes_the_family_that_both_have() -> None:
    both = Topology.of(ipvlan("l2"), net1=f"{NET1} fd00:1::11/64", net2="fd00:1::12/64")
    assert explain(both, "net1", "net2").steps[0].rule == "nd-asks"
    assert explain(both, "net1", "ext").steps[0].rule == "arp-asks"
    assert explain(SIX, "net1", "net2").verdict.verdict == "reply"
    assert explain(SIX, "net1", "net2", family=4).verdict.verdict == "not modelled"


def test_a_question_that_cannot_be_asked_names_the_fix() -> None:
    for ask in (predict_delivery, predict_hooks):
        with pytest.raises(ValueError, match=r"net1 has no IPv4 address: give it one"):
            ask(SIX, "net2", "net1")
    with pytest.raises(ValueError, match="net1 has no IPv6 address"):
        predict_macs(TWO, "net1", family=6)
    with pytest.raises(ValueError, match=r"10\.0\.1\.12 is not a multicast address"):
        predict_multicast(TWO, "net1", group="10.0.1.12")
    for family in (5, "4"):
        with pytest.raises(ValueError, match=f"family: {family!r} is no address family"):
            predict(TWO, family=family)  # type: ignore[arg-type]
    for kernel in (6.1, "6².1", "6"):
        with pytest.raises(ValueError, match="is not a kernel version"):
            predict(TWO, kernel=kernel)  # type: ignore[arg-type]


@pytest.mark.kernel
def test_a_device_that_has_gone_sends_nothing(build_lab: Callable[[Topology], Lab]) -> None:
    gone = TWO.after(Move("net1", "ext"))
    receivers = build_lab(gone).broadcast("net1")
    assert (receivers.received, receivers.errno) == ((), "ENODEV")
    assert "no such device" in repr(receivers)
    assert predict_broadcast(gone, "net1").verdict == "no such device"
