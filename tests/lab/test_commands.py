"""The printed commands, pasted into a root shell, make what the lab makes: the kernel reports the same of both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from ipvkit import plan
from ipvkit.findings import State, read_state
from ipvkit.lab import Lab
from ipvkit.machine import Machine, open_machine
from ipvkit.topology import (
    AddAddress,
    AddEndpoint,
    AddRoute,
    Endpoint,
    Host,
    Interface,
    LinkDown,
    Port,
    Route,
    SetForwarding,
    SetMac,
    SetMode,
    SetMtu,
    Switch,
    Topology,
    ipvlan,
    macvlan,
)

pytestmark = pytest.mark.kernel
BuildLab = Callable[[Topology], Lab]

NAMES = {"net1": "10.0.1.11/24 fd00:1::11/64", "net2": "192.168.1.10/24"}
MACVLAN = Topology.of(macvlan("bridge"), **NAMES)
TOPOLOGIES = {
    "macvlan bridge": MACVLAN,
    "macvlan vepa, hairpin, gateway": Topology.of(macvlan("vepa"), hairpin=True, routes="gateway", **NAMES),
    "ipvlan l2": Topology.of(ipvlan("l2"), **NAMES),
    "ipvlan l3s private": Topology.of(ipvlan("l3s", "private"), **NAMES),
    "changes": MACVLAN.after(
        AddAddress("net1", "10.0.1.77/24"), AddRoute("host", Route("10.9.0.0/16", kind="unreachable")),
        AddEndpoint("host", Endpoint("net3", macvlan("private"), ("10.0.1.13/24",), (Route("default", dev="macv3"),))),
        SetMtu("net2", 1400), SetMac("net1", "02:00:00:00:07:07"), SetForwarding("ext", True), LinkDown("far")),
    "change of mode": Topology.of(ipvlan("l2"), **NAMES).after(SetMode("net2", ipvlan("l3", "vepa"))),
    "unwired, switch options": Topology(
        (Host("host", (Interface("eth0", ("10.0.1.2/24",)), Interface("eth1", mtu=1400))),
         Host("ext", (Interface("eth0"),))),
        (Endpoint("net1", macvlan("bridge")), Endpoint("net2", macvlan("bridge"), netns="net1", up=False)),
        (Switch("switch", (Port("host", "eth0", learning=False), Port("ext", "eth0", hairpin=True))),)),
}


Records = dict[str, set[object]]


def by_hand(topology: Topology, machine: Machine, lab: Lab) -> tuple[Records, Records]:
    """Paste the commands into a root shell of a scratch machine, look into both, then paste the last line.

    Looked at again until both are alike, five seconds at most: the kernel tells of a lost carrier up to a second later
    (net/core/link_watch.c), and nobody waits for it behind pasted commands.
    """
    *lines, last = plan.commands(topology).splitlines()
    said: list[str] = []

    def paste(text: str) -> None:
        answer = machine.wire.request("run", deadline=60, command="set -e\n" + text,
                                      on_event=lambda event: said.append(event["output"]))
        assert answer["status"] == 0, "".join(said)

    paste("\n".join(lines))

    def look() -> tuple[Records, Records]:
        made = read_state(machine.wire.request("state", deadline=60)["state"])
        return comparable(lab.state()), comparable(made)

    expected, made = look()
    until = time.monotonic() + 5
    while made != expected and time.monotonic() < until:
        expected, made = look()
    paste(last)
    paste("test -z \"$(ip netns list)\"")
    return expected, made


def comparable(state: State) -> Records:
    """Leave out what depends on the moment (neighbours, learned MACs, counters)."""
    links = {replace(link, promiscuity=0, counters={}) for link in state.links}
    return {"links": links, "addresses": set(state.addresses), "routes": set(state.routes),
            "own fdb": {entry for entry in state.fdb if not entry.learned}}


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_pasted_commands_make_the_same_lab(build_lab: BuildLab, name: str) -> None:
    lab = build_lab(TOPOLOGIES[name])
    assert lab.refusals == []
    machine = open_machine(TOPOLOGIES[name].needs, force=lab.machine.name)
    try:
        expected, made = by_hand(TOPOLOGIES[name], machine, lab)
    finally:
        machine.close()
    for part, records in expected.items():
        assert made[part] == records, part
