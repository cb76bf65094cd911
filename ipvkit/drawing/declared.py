"""What a topology declares about each device, its changes written in: what the picture of it says.

The law: a mark (down, unplugged, deleted, a new address) is put where the change was made and nowhere else. What a
change makes of the rest is for the kernel or for theory to say. Two exceptions. A picture must stand on something:
with a deleted parent its children are deleted too (`RemoveLink`). And a station has one MAC: that of a macvlan
passthru child is its parent's (`SetMac`).
Imports nothing of ours but topology.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ipvkit.topology import (
    AddAddress,
    AddRoute,
    Change,
    Driver,
    Drop,
    Host,
    LinkDown,
    LinkUp,
    Masquerade,
    Move,
    Plug,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    Route,
    SetForwarding,
    SetMac,
    SetMode,
    SetMtu,
    Topology,
    Unplug,
)

Key = tuple[str, str]


@dataclass(frozen=True)
class Device:
    """One device as declared, with the marks its changes left."""

    name: str
    netns: str
    addresses: tuple[str, ...] = ()
    mac: str = ""
    driver: Driver | None = None
    vlan: int = 0
    up: bool = True
    plugged: bool = True
    deleted: bool = False
    marks: tuple[str, ...] = ()  # what changes made of it: "→ MTU 1400"

    @property
    def off(self) -> bool:
        """True if nothing passes: down or deleted."""
        return self.deleted or not self.up

    @property
    def fault(self) -> str:
        """What is wrong with it, in a sign and a word; empty if nothing is."""
        if self.deleted:
            return "✗ deleted"
        return "✗ down" if not self.up else "" if self.plugged else "✗ unplugged"

    @property
    def changed(self) -> tuple[str, ...]:
        """What was done to it, of a device that starts with nothing to show: a port, a bridge, a loopback device."""
        return (*filter(None, [self.fault]), *self.marks, *self.addresses)


@dataclass
class Declared:
    """Every device by (declared namespace, name), every namespace's routes and packet rules, and who forwards.

    A loopback device is there only if a change was made to it.
    """

    topology: Topology
    devices: dict[Key, Device] = field(default_factory=dict)
    routes: dict[str, tuple[Route, ...]] = field(default_factory=dict)
    forwarding: dict[str, bool] = field(default_factory=dict)
    rules: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for host in self.topology.hosts:
            self._read_host(host)
        for switch in self.topology.switches:
            for name in ("br0", *map(switch.port_device, switch.ports)):
                self.devices[switch.name, name] = Device(name, switch.name)
        self._taken = frozenset(self.devices)  # a child of such a name is refused
        for child in self.topology.all_endpoints:
            if (child.netns, child.child) in self._taken:
                continue
            mac = child.mac if child.driver.own_mac else ""
            self.devices[child.netns, child.child] = Device(
                child.child, child.netns, child.addresses, mac, child.driver, up=child.up)
            self.routes[child.netns] = self.routes.get(child.netns, ()) + child.routes
        for change in self.topology.changes:
            self._make(change)

    def _read_host(self, host: Host) -> None:
        for nic in host.interfaces:
            marks = () if nic.mtu == 1500 else (f"MTU {nic.mtu}",)
            self.devices[host.name, nic.name] = Device(nic.name, host.name, nic.addresses, nic.mac, up=nic.up,
                                                       marks=marks)
        for vlan in host.vlans:
            self.devices[host.name, vlan.name] = Device(vlan.name, host.name, vlan.addresses, vlan=vlan.id)
        self.routes[host.name] = host.routes
        self.forwarding[host.name] = host.forwarding

    def children(self, netns: str, device: str) -> list[Key]:
        """Return the devices that sit directly on one: VLANs first, then endpoints, each in declared order."""
        vlans = [(host.name, vlan.name) for host in self.topology.hosts if host.name == netns
                 for vlan in host.vlans if vlan.parent == device]
        return vlans + [(child.netns, child.child) for child in self.topology.all_endpoints
                        if (self.topology.netns(child.host), child.parent) == (netns, device)
                        and (child.netns, child.child) not in self._taken]

    def below(self, netns: str, device: str) -> Key:
        """Return the device that a child or VLAN sits on."""
        for child in self.topology.all_endpoints:
            if (child.netns, child.child) == (netns, device):
                return self.topology.netns(child.host), child.parent
        return next((host.name, vlan.parent) for host in self.topology.hosts for vlan in host.vlans
                    if (host.name, vlan.name) == (netns, device))

    def family(self, netns: str, device: str) -> list[Device]:
        """Return all ipvlan and macvlan devices above one, however high."""
        found = []
        for key in self.children(netns, device):
            found += [self.devices[key]] if self.devices[key].driver else []
            found += self.family(*key)
        return found

    def notes(self, netns: str) -> tuple[str, ...]:
        """Return what changes made of a namespace as a whole, in lines. That a host forwards is on its box."""
        lo = self.devices[netns, "lo"].changed if (netns, "lo") in self.devices else ()
        forwards = self.forwarding.get(netns, False) and all(host.name != netns for host in self.topology.hosts)
        return (*([f"lo {', '.join(lo)}"] if lo else []), *(["→ forwards"] if forwards else []),
                *self.rules.get(netns, ()))

    def notes_at(self, key: Key) -> tuple[str, ...]:
        """Return the notes of a child's namespace, if it is for this child to say: for its namesake or its first."""
        netns = key[0]
        places = {end.netns: (end.netns, end.child) for end in reversed(self.topology.all_endpoints)}
        places |= {end.netns: (end.netns, end.child) for end in self.topology.all_endpoints if end.name == end.netns}
        elsewhere = self.devices[key].netns != netns or any(host.name == netns for host in self.topology.hosts)
        return self.notes(netns) if places.get(netns) == key and not elsewhere else ()

    def _make(self, change: Change) -> None:
        if isinstance(change, SetForwarding):
            self.forwarding[self.topology.netns(change.place)] = change.on
        elif isinstance(change, Drop | Masquerade):
            netns = self.topology.netns(change.place)
            self.rules[netns] = (*self.rules.get(netns, ()), self._rule(change))
        elif isinstance(change, AddRoute):
            self._route(change)
        elif isinstance(change, SetMode):
            self._edit(change, mark=f"→ {change.driver}")
        elif isinstance(change, Move):
            self._edit(change, netns=self.topology.netns(change.to), mark=f"→ {change.to}")
        elif isinstance(change, LinkDown | LinkUp):
            self._edit(change, up=isinstance(change, LinkUp))
        elif isinstance(change, Unplug | Plug):
            self._edit(change, plugged=isinstance(change, Plug))
        elif isinstance(change, RemoveLink):
            self._delete(self._key(change))
        elif isinstance(change, SetMac):
            self._mac(change)
        elif isinstance(change, SetMtu):
            self._edit(change, mark=f"→ MTU {change.mtu}")
        elif isinstance(change, AddAddress):
            self._address(change)

    def _key(self, change: Change) -> Key:
        topology = self.topology
        key = topology.netns(change.place), topology.device(change.place, getattr(change, "device", ""))
        if key[1] == "lo":
            self.devices.setdefault(key, Device("lo", key[0]))
        return key

    def _edit(self, change: Change, mark: str = "", **new: object) -> None:
        key = self._key(change)
        if key in self.devices:
            device = self.devices[key]
            marks = (*device.marks, mark) if mark else device.marks
            self.devices[key] = replace(device, marks=marks, **new)  # type: ignore[arg-type]

    def _mac(self, change: SetMac) -> None:
        """Write a MAC in: that of a macvlan passthru child into its parent; ipvlan refuses it.

        Source: ``macvlan_set_mac_address`` in drivers/net/macvlan.c; ipvlan has no such operation.
        """
        owner = self._key(change)
        while self._passes_on(owner):
            owner = self.below(*owner)
        if owner not in self.devices:
            return
        driver = self.devices[owner].driver
        refused = driver is not None and driver.kind == "ipvlan"
        self._edit(change, mark="✗ MAC refused" if refused else "→ MAC set")
        if not refused:
            self.devices[owner] = replace(self.devices[owner], mac=change.mac)

    def _passes_on(self, key: Key) -> bool:
        driver = self.devices[key].driver if key in self.devices else None
        return driver is not None and driver.mode == "passthru"

    def _address(self, change: AddAddress) -> None:
        key = self._key(change)
        if key in self.devices:
            kept = tuple(a for a in self.devices[key].addresses if a != change.address)
            added = () if isinstance(change, RemoveAddress) else (change.address,)
            self._edit(change, addresses=kept + added)

    def _route(self, change: AddRoute) -> None:
        netns = self.topology.netns(change.place)
        kept = tuple(route for route in self.routes.get(netns, ()) if route != change.route)
        self.routes[netns] = kept if isinstance(change, RemoveRoute) else (*kept, change.route)

    def _rule(self, change: Drop | Masquerade) -> str:
        if isinstance(change, Masquerade):
            return f"masquerades out of {self._key(change)[1]}"
        ends = f" from {change.source}" * bool(change.source) + f" to {change.destination}" * bool(change.destination)
        return f"drops {change.protocol or 'all'}{ends} in {change.hook}"

    def _delete(self, key: Key) -> None:
        if key in self.devices:
            self.devices[key] = replace(self.devices[key], deleted=True)
            for child in self.children(*key):
                self._delete(child)


def route_words(route: Route) -> str:
    """Return a route as ``ip route`` prints it: ``default via 10.0.1.1``, ``blackhole 10.9.0.0/16``."""
    to = "default" if route.to == "default6" else route.to
    way = (f" via {route.via}" if route.via else "") + (f" dev {route.dev}" if route.dev else "")
    return (to if route.kind == "unicast" else f"{route.kind} {to}") + way
