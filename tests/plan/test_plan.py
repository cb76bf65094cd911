"""The plan: one list of steps for the kernel, for the student's shell and for the words of a refusal."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings

from ipvkit.plan import commands, plan, plan_change
from ipvkit.steps import AddChild, AddNetns, AddWire, SetAddress, SetLink, SetRoute, Step, Sysctl
from ipvkit.topology import (
    AddAddress,
    AddEndpoint,
    Endpoint,
    Host,
    Interface,
    Plug,
    SetMode,
    Topology,
    Unplug,
    ipvlan,
    macvlan,
)
from tests.topology.worlds import topologies

CLASSIC = Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: Every way a printed line may begin; NAME is a namespace it made itself.
IN_A_NAMESPACE = re.compile(
    r"(ip( -6)? -n|bridge -n|ip netns exec) (?P<one>\S+) |for netns in (?P<all>[^;]+); do ip netns (add|del) \$netns")


@given(topologies())
@FEW
def test_no_command_works_in_the_shells_own_network(topology: Topology) -> None:
    lines = commands(topology).splitlines()
    made: set[str] = set()
    for line in lines:
        for part in line.split(" && ") if not line.startswith("for ") else [line]:
            match = IN_A_NAMESPACE.match(part)
            assert match, part
            names = set((match["all"] or match["one"]).split())
            made |= names if " ip netns add " in part else set()
            assert names <= made, part
    taken_down = re.match(r"for netns in ([^;]+); do ip netns del \$netns; done", lines[-1])
    assert taken_down
    assert set(taken_down[1].split()) == made


@given(topologies())
@FEW
def test_every_step_travels_as_json_and_has_its_command(topology: Topology) -> None:
    for step in plan(topology):
        sent = json.loads(json.dumps(step.as_json()))
        kind = {kind.__name__: kind for kind in _kinds(Step)}[sent.pop("do")]
        again = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in sent.items()})
        assert again == step
        assert step.command == again.command
        assert "\n" not in step.command


def _kinds(kind: type[Step]) -> list[type[Step]]:
    return [kind, *(inner for sub in kind.__subclasses__() for inner in _kinds(sub))]


@given(topologies())
@FEW
def test_changing_a_built_lab_is_building_the_changed_one(topology: Topology) -> None:
    """What ``lab.apply`` sends for each change is what building it all at once ends with."""
    whole = plan(topology)
    declared = Topology(topology.hosts, topology.endpoints, topology.switches, topology.cables)
    steps = [*plan(declared)]
    for number, change in enumerate(topology.changes):
        steps += plan_change(declared.after(*topology.changes[: number + 1]), change)
    assert tuple(steps) == whole


def test_the_lines_of_the_classic_experiment() -> None:
    lines = commands(CLASSIC).splitlines()
    for line in (
        "ip -n host link add eth0 address 02:00:00:00:00:01 type veth"
        " peer name p1 address 02:00:00:02:00:01 netns switch",
        "ip -n host link add ipv1 link eth0 netns net1 type ipvlan mode l3 bridge",
        "ip -n net2 addr add 192.168.1.10/24 dev ipv2",
        "ip -n net2 route add default dev ipv2",
        "ip netns exec router sysctl -qw net/ipv4/ip_forward=1",
        "ip -n host route add default via 10.0.1.1",
    ):
        assert line in lines


def test_the_order_lets_each_step_find_what_it_needs() -> None:
    steps = plan(CLASSIC)
    first = {kind: next(i for i, step in enumerate(steps) if isinstance(step, kind))
             for kind in (AddNetns, AddWire, AddChild, SetRoute)}
    assert first[AddNetns] < first[AddWire] < first[AddChild] < first[SetRoute]
    last_netns = max(i for i, step in enumerate(steps) if isinstance(step, AddNetns))
    assert last_netns < first[AddWire]
    ups = [i for i, step in enumerate(steps) if isinstance(step, SetLink) and step.what == "up"]
    assert max(ups) < first[SetRoute]


def test_a_thousand_endpoints() -> None:
    many = {f"n{number}": f"10.7.{number >> 8}.{number & 255}/16" for number in range(1, 1001)}
    world = Topology.of(macvlan("bridge"), **many)
    children = [step for step in plan(world) if isinstance(step, AddChild)]
    assert len(children) == len({step.mac for step in children}) == len({step.child_netns for step in children}) == 1000
    assert commands(world).splitlines()[0].startswith("for netns in host ext router far switch n1 n2 ")


def test_the_wire_is_quiet_without_ipv6_and_has_it_as_soon_as_it_is_declared() -> None:
    def settings_of(topology: Topology, netns: str) -> tuple[str, ...]:
        return next(step.settings for step in plan(topology) if isinstance(step, AddNetns) and step.netns == netns)

    off = "ipv6/conf/default/disable_ipv6=1"
    both = Topology.of(ipvlan("l2"), net1="10.0.1.11/24 fd00:1::11/64")
    assert off in settings_of(CLASSIC, "net1")
    assert off not in settings_of(both, "net1")
    assert off in settings_of(both, "switch")


@pytest.mark.parametrize("change", [
    AddAddress("net1", "fd00:1::9/64"),
    AddEndpoint("host", Endpoint("net3", ipvlan("l3"), "fd00:1::9/64")),
])  # fmt: skip
def test_ipv6_that_comes_later_is_turned_on_where_it_comes(change: AddAddress | AddEndpoint) -> None:
    later = CLASSIC.after(change)
    steps = plan_change(later, change)
    netns, device = later.netns(later.names[0 if isinstance(change, AddAddress) else 2]), "ipv1"
    device = device if isinstance(change, AddAddress) else "ipv3"
    on = steps.index(Sysctl(netns, f"ipv6/conf/{device}/disable_ipv6", "0"))
    assert on < steps.index(SetAddress(netns, device, "fd00:1::9/64"))
    assert plan(later)[: -len(steps)] == plan(CLASSIC)


def test_changes_become_the_commands_one_would_type() -> None:
    told = {
        SetMode("net1", ipvlan("l2", "vepa")): ["ip -n net1 link set ipv1 type ipvlan mode l2 vepa"],
        Unplug("host"): ["ip -n switch link set p1 down"],
        Plug("far"): ["ip -n router link set eth1 up"],
    }
    for change, lines in told.items():
        assert [step.command for step in plan_change(CLASSIC.after(change), change)] == lines


def test_a_nic_without_a_wire_is_a_dummy_and_macvlan_children_carry_their_mac() -> None:
    world = Topology(Host("host", Interface("eth0")), Endpoint("a", macvlan("bridge")))
    lines = [step.command for step in plan(world)]
    assert "ip -n host link add eth0 address 02:00:00:00:00:01 type dummy" in lines
    assert "ip -n host link add macv1 link eth0 address 02:00:00:01:00:01 netns a type macvlan mode bridge" in lines
