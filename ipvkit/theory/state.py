"""The state a kernel would be in: namespaces, their devices, addresses and routes. No behaviour beyond look-ups.

Addresses are plain integers (`ipaddress` objects hash slowly); a route or address knows its family.
Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipvkit.theory.frames import Packet

BROADCAST = "ff:ff:ff:ff:ff:ff"
LEAST_MTU_OF_IPV6 = 1280
BITS = {4: 32, 6: 128}
GOLDEN_RATIO = 0x61C8864680B583EB  # include/linux/hash.h, GOLDEN_RATIO_64


@dataclass(frozen=True)
class Address:
    """An address on a device: ``value`` and ``network`` as integers."""

    value: int
    prefix: int
    family: int
    network: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address written as 10.0.1.11/24."""
        found = ip_interface(text)
        return cls(int(found.ip), found.network.prefixlen, found.version, int(found.network.network_address))

    def covers(self, value: int) -> bool:
        """Tell whether ``value`` lies in this address's subnet."""
        shift = BITS[self.family] - self.prefix
        return value >> shift == self.network >> shift


def link_local(mac: str, number: int) -> int:
    """Return the IPv6 link-local address the kernel derives from a MAC and a device number: addrconf_ifid_eui48."""
    octets = [int(part, 16) for part in mac.split(":")]
    middle = divmod(number, 256) if number else (0xFF, 0xFE)
    first = octets[0] if number else octets[0] ^ 2
    identifier = bytes([first, *octets[1:3], *middle, *octets[3:]])
    return (0xFE80 << 112) | int.from_bytes(identifier, "big")


def macvlan_bucket(mac: str) -> int:
    """Return the place of a MAC in macvlan's hash table: macvlan_eth_hash, on a little-endian computer."""
    value = int.from_bytes(bytes.fromhex(mac.replace(":", "")), "little") << 16
    return (value * GOLDEN_RATIO & 0xFFFFFFFFFFFFFFFF) >> 56


def is_link_local(value: int) -> bool:
    """Tell whether an IPv6 address is link-local (no IPv4 address is that large)."""
    return value >> 118 == 0x3FA


def spell(value: int, family: int) -> str:
    """Return an address as people write it."""
    return str(IPv4Address(value) if family == 4 else IPv6Address(value))


@dataclass(eq=False)
class Port:
    """What sits on a parent: an ipvlan port (one mode and flag for all) or a macvlan port (a mode for each child)."""

    kind: str
    mode: str = ""
    flag: str = ""
    children: list[Device] = field(default_factory=list)
    by_address: dict[int, Device] = field(default_factory=dict)
    by_mac: dict[str, Device] = field(default_factory=dict)
    flooded: list[Device] = field(default_factory=list)

    @property
    def passthru(self) -> bool:
        """True if the one macvlan child has taken the parent over."""
        return self.kind == "macvlan" and bool(self.children) and self.children[0].mode == "passthru"

    def settle(self) -> None:
        """Make the tables that packets are looked up in: only children that are up are in them.

        ``flooded`` is the order in which macvlan hands a broadcast to its children: that of its hash table.
        """
        up = [child for child in self.children if child.up]
        self.by_address = {value: child for child in up for value in child.values}
        self.by_mac = {child.mac: child for child in reversed(up)}
        if self.kind == "macvlan":
            self.flooded = sorted(up, key=lambda child: macvlan_bucket(child.mac))


@dataclass(eq=False)
class SwitchPort:
    """A bridge port's settings; ``vlans`` maps an admitted VLAN to whether it leaves untagged (None: no filtering)."""

    switch: Namespace
    bridge: Device
    hairpin: bool
    learning: bool
    locked: bool
    pvid: int = 0
    vlans: dict[int, bool] | None = None


@dataclass(eq=False)
class Device:
    """A network device. ``lower`` is the parent of a child or of a VLAN sub-interface, ``peer`` a cable's far end.

    ``number`` tells ipvlan children of one parent apart (the kernel's dev_id); ``link_local`` is the IPv6 address the
    kernel makes by itself, 0 while there is none. ``without_ipv6``: its MTU was below 1280 when the kernel looked.
    """

    name: str
    netns: Namespace
    kind: str
    mac: str = ""
    up: bool = False
    mtu: int = 1500
    addresses: list[Address] = field(default_factory=list)
    number: int = 0
    link_local: int = 0
    without_ipv6: bool = False
    lower: Device | None = None
    peer: Device | None = None
    vlan: int = 0
    vlans: dict[int, Device] = field(default_factory=dict)
    mode: str = ""
    carrier: bool = True
    port: Port | None = None
    bridge: SwitchPort | None = None

    @property
    def too_small_for_ipv6(self) -> bool:
        """True if its MTU is below 1280 (RFC 8200, 5): at the moments it looks, the kernel then takes IPv6 from it."""
        return self.mtu < LEAST_MTU_OF_IPV6

    @property
    def values(self) -> list[int]:
        """Its addresses as integers, the link-local one included."""
        return [address.value for address in self.addresses] + [self.link_local] * bool(self.link_local)

    @property
    def parent(self) -> Device:
        """The device a child or sub-interface sits on. AssertionError for any other device."""
        assert self.lower is not None, f"{self} has no parent"
        return self.lower

    @property
    def parent_port(self) -> Port:
        """What sits on the parent of a child, this child included."""
        assert self.parent.port is not None, f"{self.parent} has no children"
        return self.parent.port

    @property
    def noarp(self) -> bool:
        """True for lo, for a NIC that is wired to nothing (dummy_setup) and for ipvlan children in l3 and l3s mode."""
        if self.kind == "ipvlan":
            return self.parent_port.mode != "l2"
        return self.kind in ("lo", "dummy")

    def __repr__(self) -> str:
        """Return netns/device."""
        return f"{self.netns.name}/{self.name}"


@dataclass(frozen=True, eq=False)
class FibRoute:
    """A row of a routing table; ``kind`` also has local and broadcast (the local table).

    ``gateway_is_own``: an address of the namespace itself is no next hop, all is on the link (RT_SCOPE_HOST).
    """

    family: int
    network: int
    prefix: int
    kind: str = "unicast"
    gateway: int | None = None
    device: Device | None = None
    source: int | None = None
    gateway_is_own: bool = False

    def covers(self, value: int) -> bool:
        """Tell whether the row is for ``value``."""
        shift = BITS[self.family] - self.prefix
        return value >> shift == self.network >> shift


@dataclass(frozen=True)
class DropRule:
    """A rule that drops IPv4 packets at a hook; ``source`` and ``destination`` are (network, mask)."""

    hook: str
    protocol: str
    source: tuple[int, int]
    destination: tuple[int, int]

    def matches(self, hook: str, packet: Packet) -> bool:
        """Tell whether the rule drops ``packet`` at ``hook``."""
        protocol = "udp" if packet.kind == "datagram" else "icmp"
        return (hook == self.hook and packet.family == 4 and self.protocol in ("", protocol)
                and packet.source & self.source[1] == self.source[0]
                and packet.destination & self.destination[1] == self.destination[0])


@dataclass(eq=False)
class Namespace:
    """A network namespace: a host, a switch, or an endpoint's own; ``masquerading`` are names of its devices."""

    name: str
    forwarding: bool = False
    devices: dict[str, Device] = field(default_factory=dict)
    routes: list[FibRoute] = field(default_factory=list)
    drops: list[DropRule] = field(default_factory=list)
    masquerading: set[str] = field(default_factory=set)
    local: frozenset[int] = frozenset()
    found: dict[tuple[int, int, Device | None], FibRoute | None] = field(default_factory=dict)

    def settle(self) -> None:
        """Make the look-up tables; call after every change."""
        self.local = frozenset(value for device in self.devices.values() for value in device.values)
        # IPv6 gives a subnet's own route a smaller metric than one that is added: 256, 1024
        self.routes.sort(key=lambda route: (-route.prefix, route.family == 6 and route.source is None))
        self.found.clear()

    def lookup(self, value: int, family: int, through: Device | None = None) -> FibRoute | None:
        """Return the row for a destination, longest prefix first; ``through`` admits only rows of that device.

        A link-local address has a row on a device alone: there is none without ``through`` (rt6_need_strict).
        """
        key = (value, family, through)
        if key not in self.found:
            rows = _link_local_row(value, through) if is_link_local(value) else self._matching(value, family, through)
            self.found[key] = next(rows, None)
        return self.found[key]

    def has(self, value: int, device: Device) -> bool:
        """Tell whether a packet to ``value`` that ``device`` received is for this namespace."""
        return value in (device.values if is_link_local(value) else self.local)

    def _matching(self, value: int, family: int, through: Device | None) -> Iterator[FibRoute]:
        for device in self.devices.values():
            for address in device.addresses:
                if address.value == value and address.family == family and through in (None, device):
                    yield FibRoute(family, value, BITS[family], "local", device=device)
        for route in self.routes:
            if route.family == family and route.covers(value) and (through is None or route.device in (None, through)):
                yield route


def _link_local_row(value: int, device: Device | None) -> Iterator[FibRoute]:
    """Give the row of fe80::/64 on a device, which is there as long as its own link-local address."""
    if device is not None and device.link_local:
        kind = "local" if value in device.values else "unicast"
        yield FibRoute(6, value, BITS[6], kind, device=device)


@dataclass(eq=False)
class World:
    """Everything: the namespaces by name, and who has which address."""

    namespaces: dict[str, Namespace] = field(default_factory=dict)
    ipv6: bool = False
    owners: dict[int, list[Namespace]] = field(default_factory=dict)

    def devices(self) -> Iterator[Device]:
        """Go through all devices."""
        for namespace in self.namespaces.values():
            yield from namespace.devices.values()

    def settle(self) -> None:
        """Make every look-up table."""
        self.owners = {}
        for namespace in self.namespaces.values():
            namespace.settle()
            for value in namespace.local:
                self.owners.setdefault(value, []).append(namespace)
        for device in self.devices():
            if device.port:
                device.port.settle()
