"""Rules as iptables-legacy writes them: which chain stops whom, and that declared rules are the same rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ipvkit.errors import LabError
from ipvkit.lab import Lab
from ipvkit.machine.doctor import examine_machine
from ipvkit.plan import plan_change
from ipvkit.systems import firewall
from ipvkit.topology import HOOKS, AddRoute, Driver, Drop, Masquerade, Route, Topology, ipvlan, macvlan
from tests.systems.installed import needs
from tests.systems.theory import compared

pytestmark = [pytest.mark.kernel, needs("iptables-legacy")]
BuildLab = Callable[[Topology], Lab]
PAIRS = (("net1", "net2"), ("net1", "far"), ("far", "net1"))
CHAINS = [hook.upper() for hook in HOOKS]
#: nftables on one device is there where nftables is, from Linux 5.16; User-Mode Linux has neither.
NO_NETDEV = examine_machine("native").lacks(frozenset({"nft-inet"}))
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
    assert [str(lab.deliver(*pair)) for pair in PAIRS] == ["arrived"] * 3
    found: tuple[set[str], ...] = (set(), set(), set())
    for chain in CHAINS:
        firewall.add(lab, f"{chain} -p udp -j DROP")
        for stopped, pair in zip(found, PAIRS, strict=True):
            if not lab.deliver(*pair):
                stopped.add(chain)
        firewall.clear(lab)
    assert found == STOPPED[driver]
    assert [bool(lab.deliver(*pair)) for pair in PAIRS] == [True] * 3  # the rules are gone
    assert compared(lab)


@pytest.mark.parametrize("driver", [ipvlan("l2"), ipvlan("l3"), ipvlan("l3s")], ids=str)
def test_the_childs_own_firewall_works_between_siblings_in_every_mode(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(world(driver))
    firewall.add(lab, "INPUT -p udp -j DROP", place="net2")
    assert str(lab.deliver("net1", "net2")) == "lost"
    firewall.clear(lab, place="net2")
    assert lab.deliver("net1", "net2")


def test_masquerading_is_the_first_thing_asked_of_a_machine() -> None:
    with Lab(world(ipvlan("l3s")).after(Masquerade("host"))) as lab:  # nothing of netfilter has been loaded yet
        assert lab.ping("net1", "far")


RULES = (Drop("host", "input", "icmp", "10.0.1.0/24"), Drop("host", "input"), Drop("host", "prerouting", "udp"),
         Drop("net1", "postrouting", destination="10.0.1.3"), Masquerade("host"), Drop("host", "output", "icmp"))


def test_declared_rules_are_what_iptables_writes_and_reads(build_lab: BuildLab) -> None:
    """The kit writes tables by itself; the program must see its own rules, add to them, and count with them."""
    def written() -> list[str]:
        return [lab.run(place, f"iptables-legacy -t {table} -S", show=lambda _: None).output
                for place in ("host", "net1") for table in ("mangle", "nat")]

    lab = build_lab(world(ipvlan("l3s")).after(*RULES))
    declared = written()
    assert "-A INPUT -s 10.0.1.0/24 -p icmp -j DROP\n-A INPUT -j DROP\n" in declared[0]
    lab.rebuild(world(ipvlan("l3s")))
    for change in RULES:
        (step,) = plan_change(lab.topology, change)
        words = step.command.removeprefix(f"ip netns exec {step.netns} ")
        assert lab.run(step.netns, words, show=lambda _: None).status == 0
    assert written() == declared


def test_a_declared_rule_leaves_others_where_they_are(build_lab: BuildLab) -> None:
    lab = build_lab(world(ipvlan("l2")))
    for words in ("-N mine", "-A mine -p udp --dport 9 -j RETURN", "-A INPUT -p tcp -j mine", "-A OUTPUT -j mine"):
        assert lab.run("ext", f"iptables-legacy -t mangle {words}", show=lambda _: None).status == 0
    lab.apply(Drop("ext", "input", "udp"))
    after = lab.run("ext", "iptables-legacy -t mangle -S", show=lambda _: None).output.splitlines()
    assert after[6:] == ["-A INPUT -p tcp -j mine", "-A INPUT -p udp -j DROP", "-A OUTPUT -j mine",
                         "-A mine -p udp -m udp --dport 9 -j RETURN"]
    assert str(lab.deliver("net1", "ext")) == "lost"
    assert lab.hooks("net1", "ext").passed["ext"] == ("prerouting", "input")
    assert lab.ping("net1", "ext")


def test_a_rule_that_is_refused_is_said(build_lab: BuildLab) -> None:
    lab = build_lab(world(ipvlan("l2")))
    with pytest.raises(LabError, match=r"(?s)iptables-legacy -t mangle -A NOWHERE -j DROP in host.*No chain"):
        firewall.add(lab, "NOWHERE -j DROP")
    assert lab.deliver("net1", "net2")


@needs("nft")
@pytest.mark.skipif(bool(NO_NETDEV), reason=f"machine native lacks {', '.join(NO_NETDEV)}")
def test_nftables_sees_on_the_parent_what_crosses_the_wire_and_no_sibling() -> None:
    with Lab(Topology.of(macvlan("bridge"), net1="10.0.1.11/24", net2="10.0.1.12/24"), machine="native") as lab:
        chain = "{ type filter hook egress device eth0 priority 0; policy drop; }"
        rule = f"nft add table netdev t && nft add chain netdev t out '{chain}'"
        assert lab.run("host", rule, show=lambda _: None).status == 0
        assert lab.ping("net1", "ext").verdict == "host unreachable"  # its ARP question does not get out
        assert lab.ping("net1", "net2")
