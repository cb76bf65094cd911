"""``lab.mac_budget``: how many MACs one port of the switch has to learn for all the children behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipvkit.errors import BadQuestion
from ipvkit.findings import Table
from ipvkit.instruments.delivery import deliver_all
from ipvkit.topology import Driver, Topology, ipvlan, macvlan

if TYPE_CHECKING:
    from ipvkit.lab import Lab

_DEADLINE = 20.0
_LAST_BEFORE, MOST_CHILDREN = 10, 240  # the first child has 10.0.1.11


@dataclass(frozen=True)
class Parent:
    """A parent with ``children``: the MACs its switch ``port`` has learned, what it lets in itself.

    ``filters`` are the unicast MACs it was asked to let in beside its own; ``promiscuous`` says it lets in all.
    """

    host: str
    device: str
    port: str
    children: int
    learned: tuple[str, ...]
    filters: tuple[str, ...]
    promiscuous: bool


class MacBudget(Table):
    """What each parent's port had to learn after everybody on it had sent one packet; ``parents`` are the records."""

    def __init__(self, parents: Sequence[Parent]) -> None:
        self.parents = tuple(parents)
        super().__init__(
            "MAC addresses of each parent, measured",
            ["parent", "children", "switch port", "learned there", "unicast filters", "promiscuous"],
            [[f"{p.host}.{p.device}", p.children, p.port, len(p.learned), len(p.filters),
              "yes" if p.promiscuous else "no"] for p in self.parents])


def mac_budget(lab: Lab, *, caches: str = "cold") -> MacBudget:
    """Let every host and endpoint on a switch send one datagram, then read what the switch and the parents hold.

    Raises ``BadQuestion`` for a topology in which no parent is wired to a switch.
    """
    _speak(lab, caches)
    return MacBudget(_read(lab))


def _parents(topology: Topology) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the switch and port each wired parent is on."""
    switches = {switch.name for switch in topology.switches}
    used = {_nic(topology, endpoint.host, endpoint.parent) for endpoint in topology.all_endpoints}
    found = {near: far for near, far in topology.wires.items() if near in used and far[0] in switches}
    if not found:
        raise BadQuestion("topology", "no parent of it is wired to a switch", "Take Topology.of(…).")
    return dict(sorted(found.items()))


def _nic(topology: Topology, host: str, parent: str) -> tuple[str, str]:
    """Return the NIC whose wire the children of ``parent`` use: itself, or the one its VLAN is on."""
    vlans = {(place.name, vlan.name): vlan.parent for place in topology.hosts for vlan in place.vlans}
    return host, vlans.get((host, parent), parent)


def _speak(lab: Lab, caches: str) -> None:
    """Have every name send a datagram to a host that is no parent's, so that all frames pass the switch."""
    topology = lab.topology
    parents = {host for host, _ in _parents(topology)}
    switched = [port.host for switch in topology.switches for port in switch.ports]
    listener = next((host for host in switched if host not in parents and topology.addresses(host)), None)
    if listener is None:
        raise BadQuestion("topology", "nobody else is on the switch", "Put a host with an address there.")
    pairs = [(name, listener) for name in topology.names if name != listener]
    if not all(deliver_all(lab, pairs, caches=caches)):  # who was not heard has spoken again, alone, caches cold
        deliver_all(lab, pairs, caches="as they were")


def _read(lab: Lab) -> list[Parent]:
    topology, parents = lab.topology, _parents(lab.topology)
    switches = [switch.name for switch in topology.switches]
    said = lab.machine.wire.request("macs", deadline=_DEADLINE, switches=switches, parents=list(parents))
    return [_parent(topology, parent, port, said["learned"][port[0]], record)
            for (parent, port), record in zip(parents.items(), said["parents"], strict=True)]


def _parent(
    topology: Topology, parent: tuple[str, str], port: tuple[str, str], learned: list[list[str]],
    record: Mapping[str, Any],
) -> Parent:
    children = sum(_nic(topology, endpoint.host, endpoint.parent) == parent for endpoint in topology.all_endpoints)
    macs = tuple(sorted({mac for device, mac in learned if device == port[1]}))
    return Parent(*parent, f"{port[0]}.{port[1]}", children, macs, tuple(record["filters"]), record["promiscuity"] > 0)


class MacSweep(Table):
    """MACs learned at the parent's port as children are added; ``points[driver]`` is a list of (children, MACs)."""

    def __init__(self, found: Mapping[str, Sequence[Parent]]) -> None:
        self.found = {driver: tuple(parents) for driver, parents in found.items()}
        self.points = {driver: [(p.children, len(p.learned)) for p in parents] for driver, parents in found.items()}
        counts = [children for children, _ in next(iter(self.points.values()), [])]
        rows = [[count, *(dict(points)[count] for points in self.points.values())] for count in counts]
        super().__init__("MACs learned at the parent's port, measured", ["children", *self.points], rows)


def mac_sweep(
    lab: Lab, children: Iterable[int] = range(1, 51), drivers: Sequence[Driver] = (macvlan("bridge"), ipvlan("l2"))
) -> MacSweep:
    """Read the budget with each number of ``children`` of each driver, caches cold every time.

    The lab is rebuilt for it, and keeps the last topology. Raises ``BadQuestion`` beyond 240 children.
    """
    wanted = sorted(set(children))
    if not wanted or wanted[0] < 1 or wanted[-1] > MOST_CHILDREN:
        raise BadQuestion("children", f"{wanted[:1]} to {wanted[-1:]}", f"Give numbers from 1 to {MOST_CHILDREN}.")
    found: dict[str, list[Parent]] = {str(driver): [] for driver in drivers}
    for count in wanted:
        numbers = range(1, count + 1)
        addresses: dict[str, Any] = {f"net{number}": f"10.0.1.{_LAST_BEFORE + number}/24" for number in numbers}
        for driver in drivers:
            lab.rebuild(Topology.of(driver, **addresses))
            found[str(driver)] += mac_budget(lab).parents
    return MacSweep(found)
