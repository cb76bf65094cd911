"""Every reference inside a topology, checked once: names are unique, and what is named exists.

The changes are checked in order: each may name what was declared or what an earlier change brought. What is
*there* by then is for the kernel to say: a device that was removed may still be named, and the kernel refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING

from ipvkit.errors import TopologyError
from ipvkit.topology.changes import (
    CHANGES,
    AddAddress,
    AddEndpoint,
    Change,
    Drop,
    Masquerade,
    Move,
    Plug,
    RemoveLink,
    SetMac,
    SetMode,
    Unplug,
)
from ipvkit.topology.parts import Endpoint, Host

if TYPE_CHECKING:
    from ipvkit.topology.whole import Topology


def refuse_dangling(topology: Topology) -> None:
    """Raise ``TopologyError`` for the first name that is taken, or that names nothing."""
    _refuse_double_names(topology)
    _refuse_dangling_wires(topology)
    _References(topology).check()


def _refuse_double_names(topology: Topology) -> None:
    named = [(f"hosts.{host.name}", host.name) for host in topology.hosts]
    named += [(f"switches.{switch.name}", switch.name) for switch in topology.switches]
    named += [(f"endpoints.{endpoint.name}", endpoint.name) for endpoint in topology.all_endpoints]
    seen: set[str] = set()
    for field, name in named:
        if name in seen:
            raise TopologyError(field, "the name is taken", "Give each host, switch and endpoint its own.")
        seen.add(name)


def _refuse_dangling_wires(topology: Topology) -> None:
    nics = {(host.name, nic.name) for host in topology.hosts for nic in host.interfaces}
    ends = [(f"switches.{switch.name}.ports[{index}]", (port.host, port.interface))
            for switch in topology.switches for index, port in enumerate(switch.ports)]
    ends += [(f"cables[{index}]", end) for index, cable in enumerate(topology.cables) for end in cable.ends]
    used: set[tuple[str, str]] = set()
    for field, end in ends:
        if end not in nics:
            raise TopologyError(field, f"there is no NIC {end[0]}.{end[1]}", _one_of(map(".".join, sorted(nics))))
        if end in used:
            raise TopologyError(field, f"the NIC {end[0]}.{end[1]} has a wire already", "Give each NIC one.")
        used.add(end)


class _References:
    """The devices one may name, by namespace, as hosts, endpoints and changes bring them."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.devices: dict[str, list[str]] = {switch.name: ["br0", *map(switch.port_device, switch.ports)]
                                              for switch in topology.switches}
        self.namespaces: dict[str, str] = {name: name for name in self.devices}  # of each place

    def check(self) -> None:
        for host in self.topology.hosts:
            self.host(host)
        for endpoint in self.topology.endpoints:
            self.endpoint(endpoint, fresh=True)
        for index, change in enumerate(self.topology.changes):
            self.change(f"changes[{index}]", change)

    def host(self, host: Host) -> None:
        field = f"hosts.{host.name}"
        self.namespaces[host.name] = host.name
        for nic in host.interfaces:
            self.add(f"{field}.interfaces.{nic.name}", host.name, nic.name)
        for vlan in host.vlans:
            self.known(f"{field}.vlans.{vlan.name}.parent", host.name, vlan.parent)
            if vlan.parent == "lo":
                raise TopologyError(f"{field}.vlans.{vlan.name}.parent", "lo takes no VLAN sub-interface",
                                    _one_of(nic.name for nic in host.interfaces))
            if vlan.parent in {other.name for other in host.vlans}:
                raise TopologyError(f"{field}.vlans.{vlan.name}.parent", f"{vlan.parent} is a VLAN itself",
                                    _one_of(nic.name for nic in host.interfaces))
            self.add(f"{field}.vlans.{vlan.name}", host.name, vlan.name)
        for vlan, other in combinations(host.vlans, 2):
            if (vlan.parent, vlan.id) == (other.parent, other.id):
                problem = f"{vlan.name} has VLAN {vlan.id} of {vlan.parent} already"
                raise TopologyError(f"{field}.vlans.{other.name}.id", problem,
                                    "A parent has one sub-interface for each VLAN: choose another number.")

    def endpoint(self, endpoint: Endpoint, fresh: bool) -> None:
        """``fresh``: nothing can have been removed yet, so a device's name can only be taken by one that is there."""
        field = f"endpoints.{endpoint.name}"
        switches = {switch.name for switch in self.topology.switches}
        if endpoint.host not in self.namespaces or endpoint.host in switches:
            raise TopologyError(f"{field}.host", f"there is no host {endpoint.host!r}",
                                _one_of(name for name in self.namespaces if name not in switches))
        self.known(f"{field}.parent", self.namespaces[endpoint.host], endpoint.parent)
        if endpoint.netns in switches:
            raise TopologyError(f"{field}.netns", f"{endpoint.netns} is a switch", "Name a host, or a name of its own.")
        self.add(f"{field}.child", endpoint.netns, endpoint.child, fresh)
        self.namespaces.setdefault(endpoint.netns, endpoint.netns)
        self.namespaces[endpoint.name] = endpoint.netns

    def change(self, field: str, change: Change) -> None:
        if type(change) not in CHANGES.values():
            raise TopologyError(field, f"{type(change).__name__} says where, but not what to change",
                                f"Use one of: {', '.join(CHANGES)}.")
        netns = self.place(f"{field}.place", change.place)
        if isinstance(change, AddEndpoint):
            self.endpoint(self.topology.endpoint(change.endpoint.name), fresh=False)
        if isinstance(change, SetMode):
            self.set_mode(field, change)
        if netns in {switch.name for switch in self.topology.switches}:
            self.switch(field, change, netns)
        if not hasattr(change, "device"):
            return
        try:
            device = self.topology.device(change.place, change.device)
        except KeyError:
            raise TopologyError(f"{field}.device", f"{change.place} has no device of its own", "Name one.") from None
        self.known(f"{field}.device", netns, device)
        if isinstance(change, Move | RemoveLink) and device == "lo":
            raise TopologyError(f"{field}.device", "lo stays: every namespace has its own", "Name another device.")
        if isinstance(change, Plug | Unplug) and (change.place, device) not in self.topology.wires:
            raise TopologyError(f"{field}.device", f"{change.place}.{device} has no cable",
                                _one_of(map(".".join, self.topology.wires)))
        if isinstance(change, Move):
            self.add(field, self.place(f"{field}.to", change.to), device, fresh=False)

    def switch(self, field: str, change: Change, netns: str) -> None:
        """Refuse what would make a host of a switch."""
        problem = ""
        if isinstance(change, Drop | Masquerade):
            problem = "its frames pass no hook of IP"
        elif isinstance(change, AddAddress | SetMac):
            problem = "it and its ports have no address of their own here"
        elif isinstance(change, Move) and change.device in ("", "br0"):
            problem = "it cannot leave its namespace"
        if problem:
            raise TopologyError(f"{field}.place", f"{change.place} is a switch: {problem}",
                                _one_of(name for name, of in self.namespaces.items() if of != netns))

    def set_mode(self, field: str, change: SetMode) -> None:
        names = [endpoint.name for endpoint in self.topology.all_endpoints if endpoint.name in self.namespaces]
        if change.place not in names:
            raise TopologyError(f"{field}.place", f"{change.place} is not an endpoint", _one_of(names))
        kind = self.topology.endpoint(change.place).driver.kind
        if kind != change.driver.kind:
            raise TopologyError(f"{field}.driver", f"{change.place} is {kind}, and a child keeps its driver",
                                f"Choose a mode of {kind}.")

    def place(self, field: str, place: str) -> str:
        if place not in self.namespaces:
            raise TopologyError(field, f"there is no place {place!r}", _one_of(self.namespaces))
        return self.namespaces[place]

    def known(self, field: str, netns: str, device: str) -> None:
        found = self.devices.get(netns, [])
        if device not in found and device != "lo":
            raise TopologyError(field, f"{netns} has no device {device!r}", _one_of(found))

    def add(self, field: str, netns: str, device: str, fresh: bool = True) -> None:
        devices = self.devices.setdefault(netns, [])
        if fresh and (device in devices or device == "lo"):
            raise TopologyError(field, f"{netns} has a device {device!r} already", "Give it another name.")
        devices.append(device)


def _one_of(names: Iterable[str]) -> str:
    found = list(names)
    more = f", … ({len(found)} in all)" if len(found) > 12 else ""
    return f"Name one of: {', '.join(found[:12])}{more}." if found else "There is none yet: declare it first."
