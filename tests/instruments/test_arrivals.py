"""Who receives what, which hooks it passes, and what the switch learns: in each mode, with the cause of each no."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from ipvkit.errors import BadQuestion, LabError
from ipvkit.instruments.delivery import deliver_all
from ipvkit.lab import Lab
from ipvkit.machine.doctor import examine_machine
from ipvkit.topology import Driver, Host, Interface, LinkDown, Topology, ipvlan, macvlan

pytestmark = pytest.mark.kernel
BuildLab = Callable[[Topology], Lab]
L2 = [ipvlan("l2"), macvlan("bridge")]
L3 = [ipvlan("l3"), ipvlan("l3s")]


def world(driver: Driver, **options: str) -> Topology:
    return Topology.of(driver, net1="10.0.1.11/24", net2="10.0.2.12/24", net3="10.0.1.13/24", **options)


@pytest.mark.parametrize("driver", [*L2, *L3], ids=str)
def test_what_arrives_one_way(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(world(driver))
    pairs = (("net1", "net2"), ("net1", "ext"), ("ext", "net1"), ("host", "net1"))
    seen = {pair: lab.deliver(*pair) for pair in pairs}
    assert seen["net1", "net2"]
    assert seen["net1", "ext"], "one way there is no answer to get lost"
    answers_arp = driver in L2
    assert (seen["ext", "net1"].verdict == "arrived") == answers_arp
    if not answers_arp:
        assert str(seen["ext", "net1"]) == "host unreachable, says ext"
        assert seen["ext", "net1"].errno == "EHOSTUNREACH"
    assert not seen["host", "net1"], "what the host sends goes to the wire, not to its children"


def test_one_way_is_less_than_a_ping(build_lab: BuildLab) -> None:
    lab = build_lab(world(ipvlan("l3")))
    assert lab.deliver("net1", "ext")
    assert not lab.ping("net1", "ext")


def test_a_refused_send_keeps_its_errno(build_lab: BuildLab) -> None:
    lab = build_lab(world(macvlan("bridge"), routes="none"))
    refused = lab.deliver("net1", "net2")
    assert (refused.verdict, refused.errno, refused.from_) == ("network unreachable", "ENETUNREACH", "")
    assert repr(refused) == "net1 → net2 (10.0.2.12), one way: network unreachable"


def test_a_router_that_may_not_say_more_is_understood_all_the_same(build_lab: BuildLab) -> None:
    """A kernel that is not the lab's own lets it tell one source of five missing routes, then of one a second."""
    lab = build_lab(Topology.of(macvlan("bridge"), net1="192.168.1.10/24"))
    assert str(lab.ping("ext", "net1")) == "network unreachable, says router"
    for _ in range(8):
        assert str(lab.deliver("ext", "net1")) == "network unreachable, says router"


def test_many_at_once_are_as_one_by_one(build_lab: BuildLab) -> None:
    lab = build_lab(world(ipvlan("l3")))
    pairs = [(a, b) for a in lab.topology.names for b in lab.topology.names if a != b]
    assert deliver_all(lab, pairs) == [lab.deliver(*pair) for pair in pairs]


@pytest.mark.parametrize(("driver", "siblings"), [
    (ipvlan("l2"), ("net2", "net3")), (macvlan("bridge"), ("net2", "net3")), (macvlan("private"), ()),
    # the flag keeps siblings from sending to each other, but ipvlan_process_multicast does not look at it
    (ipvlan("l2", "private"), ("net2", "net3")),
], ids=str)
def test_a_broadcast_of_an_l2_child(build_lab: BuildLab, driver: Driver, siblings: tuple[str, ...]) -> None:
    lab = build_lab(world(driver))
    expected = (*siblings, "ext", "router")
    assert lab.broadcast("net1").received == expected, "the host itself never hears its children"
    assert lab.multicast("net1").received == expected


@pytest.mark.parametrize("driver", L2, ids=str)
def test_a_broadcast_from_the_wire_reaches_every_l2_child(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(world(driver))
    assert lab.broadcast("ext").received == ("net1", "net2", "net3", "host", "router")
    assert lab.multicast("ext").received == ("net1", "net2", "net3", "host", "router")


@pytest.mark.parametrize("driver", L3, ids=str)
def test_l3_knows_neither_broadcast_nor_multicast(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(world(driver))
    assert lab.broadcast("net1").received == ()
    assert lab.multicast("net1").received == ()
    assert lab.broadcast("ext").received == ("host", "router")
    assert lab.multicast("ext").received == ("host", "router")


def test_multicast_of_ipv6_and_other_groups(build_lab: BuildLab) -> None:
    lab = build_lab(Topology.of(macvlan("bridge"), net1="10.0.1.11/24 fd00:1::11/64", net2="fd00:1::12/64"))
    assert lab.multicast("net1", group="ff02::1").received == ("net2", "ext", "router")
    assert "net2" in lab.multicast("net1", group="239.1.2.3").received
    with pytest.raises(BadQuestion, match="no multicast address"):
        lab.multicast("net1", group="10.0.1.255")


def test_a_broadcast_the_kernel_refuses(build_lab: BuildLab) -> None:
    lab = build_lab(world(macvlan("bridge")).after(LinkDown("net1")))
    seen = lab.broadcast("net1")
    assert seen.received == ()
    assert seen.errno == "ENETUNREACH"
    assert "refused, network unreachable (ENETUNREACH)" in repr(seen)


@pytest.mark.parametrize(("driver", "passed_in_host"), [
    (ipvlan("l2"), ()), (macvlan("bridge"), ()), (ipvlan("l3"), ("output", "postrouting")),
    (ipvlan("l3s"), ("output", "postrouting")),
], ids=str)
def test_hooks_on_the_way_out(build_lab: BuildLab, driver: Driver, passed_in_host: tuple[str, ...]) -> None:
    seen = build_lab(world(driver)).hooks("net1", "ext")
    assert seen.delivery
    assert seen.passed["net1"] == ("output", "postrouting")
    assert seen.passed["host"] == passed_in_host
    assert seen.passed["ext"] == ("prerouting", "input")
    assert seen.passed["net3"] == ()


@pytest.mark.parametrize("driver", [*L2, *L3], ids=str)
def test_siblings_pass_no_hook_of_the_host(build_lab: BuildLab, driver: Driver) -> None:
    seen = build_lab(world(driver)).hooks("net1", "net3")
    assert seen.passed["host"] == ()
    assert seen.passed["net3"] == ("prerouting", "input")


def test_a_router_forwards(build_lab: BuildLab) -> None:
    seen = build_lab(world(macvlan("bridge"), routes="gateway")).hooks("net1", "far")
    assert seen.passed["router"] == ("prerouting", "forward", "postrouting")


def test_every_way_of_counting_counts_the_same(build_lab: BuildLab) -> None:
    lab = build_lab(world(macvlan("bridge"), routes="gateway"))
    counted = []
    for way in ("iptables-legacy", "nftables"):
        with suppress(LabError):
            counted.append(lab.hooks("net1", "far", using=way).counted)
    assert counted, "this kernel counts in neither way"
    assert all(one == counted[0] for one in counted)


def test_what_a_kernel_cannot_count_with_is_named(build_lab: BuildLab) -> None:
    lab = build_lab(world(ipvlan("l2")))
    lacking = examine_machine(lab.machine.name).lacks(frozenset({"nft-inet"}))
    if lacking:
        with pytest.raises(LabError, match="nothing that counts on netfilter hooks: nftables"):
            lab.hooks("net1", "ext", using="nftables")
    else:
        assert lab.hooks("net1", "ext", using="nftables").counted_with == "nftables"


def test_counting_knows_its_ways(build_lab: BuildLab) -> None:
    lab = build_lab(world(macvlan("bridge")))
    with pytest.raises(BadQuestion):
        lab.hooks("net1", "far", using="tc")


@pytest.mark.parametrize(("driver", "learned", "filters", "promiscuous"), [
    (ipvlan("l2"), 1, 0, False), (ipvlan("l3"), 1, 0, False), (macvlan("bridge"), 4, 3, True),
], ids=str)
def test_the_mac_budget(build_lab: BuildLab, driver: Driver, learned: int, filters: int, promiscuous: bool) -> None:
    (parent,) = build_lab(world(driver)).mac_budget().parents
    assert (len(parent.learned), len(parent.filters), parent.promiscuous) == (learned, filters, promiscuous)
    assert "02:00:00:00:00:01" in parent.learned
    assert (parent.port, parent.children) == ("switch.p1", 3)


def test_the_budget_grows_with_macvlan_and_not_with_ipvlan(build_lab: BuildLab) -> None:
    lab = build_lab(world(ipvlan("l2")))
    sweep = lab.mac_sweep((1, 2, 12))
    assert sweep.points == {"macvlan bridge": [(1, 2), (2, 3), (12, 13)], "ipvlan l2": [(1, 1), (2, 1), (12, 1)]}
    with pytest.raises(BadQuestion, match="1 to 240"):
        lab.mac_sweep((0, 5))


def test_a_budget_needs_a_switch(build_lab: BuildLab) -> None:
    lab = build_lab(Topology((Host("host", (Interface("eth0", ("10.0.1.2/24",)),)),)))
    with pytest.raises(BadQuestion, match="no parent"):
        lab.mac_budget()
