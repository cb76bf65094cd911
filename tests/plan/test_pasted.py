"""The printed commands, pasted into a root shell, make the same lab in the eyes of ip(8) and bridge(8) too.

`tests/lab` compares what our own reader reports; here nothing of ours looks. VLANs and every kind of change are in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from ipvkit.lab import Lab
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
    RemoveLink,
    Route,
    SetForwarding,
    SetMode,
    SetMtu,
    Switch,
    Topology,
    Unplug,
    Vlan,
    ipvlan,
    macvlan,
)

pytestmark = pytest.mark.kernel

SMALL = Topology(
    (Host("a", Interface("eth0"), Vlan("eth0.5", "eth0", 5, "10.5.0.1/24"), Route("default", via="10.5.0.2")),
     Host("b", Interface("eth1", "10.5.0.2/24", mtu=1400), forwarding=True)),
    (Endpoint("net1", ipvlan("l2", "private"), "10.5.0.9/24", host="a", parent="eth0.5"),
     Endpoint("net2", ipvlan("l2", "private"), host="a", parent="eth0.5")),
    Switch("s", (Port("a", "eth0", tagged=(5, 6), hairpin=True), Port("b", "eth1", learning=False, untagged=5))),
)
WORLDS = {
    "macvlan, IPv6, by gateway": Topology.of(
        macvlan("vepa"), routes="gateway", net1="10.0.1.10/24 fd00:1::10/64", net2="10.0.1.11/24"),
    "VLANs, and every kind of change": SMALL.after(
        SetMode("net2", ipvlan("l3", "vepa")), LinkDown("b"), SetMtu("net1", 1300),
        AddAddress("net1", "fd00:1::10/64"), AddRoute("net1", Route("10.7.0.0/16", kind="blackhole")),
        SetForwarding("a", True), RemoveLink("net2"), Move("b", "a"),
        AddEndpoint("a", Endpoint("net3", ipvlan("l3", "vepa"), "10.5.0.12/24", parent="eth0.5")), Unplug("a"),
    ),
}  # fmt: skip
LOOKS = ("ip -n {0} -j -d addr", "ip -n {0} -j -4 route show table all", "ip -n {0} -j -6 route show table all")
SWITCH_LOOKS = ("bridge -n {0} -j vlan", "bridge -n {0} -j -d link")
#: Numbers a kernel hands out in the order things are made; times are left out by their name.
CHANGING = {"ifindex", "link_index", "link_netnsid", "age", "expires"}


def looked_at(lab: Lab, at: str, names: list[str], switches: list[str]) -> dict[str, Any]:
    """What ip(8) and bridge(8) say of each namespace, without what differs from one building to the next."""
    looks = [look.format(name) for name in names for look in LOOKS]
    looks += [look.format(name) for name in switches for look in SWITCH_LOOKS]
    script = "set -e\n" + "\n".join(f"echo; echo '== {look}'; {look}" for look in looks)
    said = lab.run(at, script, show=lambda text: None)
    assert said.status == 0, said.output
    answers = said.output.split("\n== ")[1:]
    assert len(answers) == len(looks)
    parts = [answer.partition("\n") for answer in answers]
    return {look: _comparable(json.loads(answer.strip() or "[]")) for look, _, answer in parts}


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(inner) for key, inner in value.items()
                if key not in CHANGING and not key.endswith(("timer", "life_time"))}
    if isinstance(value, list):
        return sorted((_comparable(inner) for inner in value), key=json.dumps)
    return value


@pytest.mark.parametrize("world", list(WORLDS))
def test_the_pasted_commands_make_the_same_lab_and_take_it_down(
    world: str, build_lab: Callable[[Topology], Lab]
) -> None:
    topology = WORLDS[world]
    lab = build_lab(topology)
    assert not lab.refusals
    *build, take_down = lab.commands.splitlines()
    names = take_down.removeprefix("for netns in ").split(";")[0].split()
    switches = [switch.name for switch in topology.switches]
    with Lab(Topology(Host("shell")), machine=lab.machine.name) as scratch:
        pasted = scratch.run("shell", "set -ex\n" + "\n".join(build), show=lambda text: None)
        assert pasted.status == 0, pasted.output
        expected, seen = looked_at(lab, names[0], names, switches), looked_at(scratch, "shell", names, switches)
        until = time.monotonic() + 5  # the kernel tells of a lost carrier up to a second later (net/core/link_watch.c)
        while seen != expected and time.monotonic() < until:
            expected, seen = looked_at(lab, names[0], names, switches), looked_at(scratch, "shell", names, switches)
        assert seen == expected
        assert scratch.run("shell", take_down, show=lambda text: None).status == 0
        left = scratch.run("shell", "ip netns list", show=lambda text: None).output.splitlines()
        assert [line.split()[0] for line in left] == ["shell"]
