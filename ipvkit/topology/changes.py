"""What can be done to a built topology, one frozen record a change.

``topology.after(change)`` gives the next topology, ``lab.apply(change)`` does it in the kernel.
A *place* is the name of a host, switch or endpoint and means its namespace; ``device`` may be left out:
then it is the endpoint's child, the host's first interface, or the switch's bridge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ipvkit.topology import checks
from ipvkit.topology.checks import clean
from ipvkit.topology.drivers import DRIVER_EXAMPLE, Driver
from ipvkit.topology.parts import MTU_BYTES, Endpoint, Route

HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
"""The netfilter hooks, in the order of ``enum nf_inet_hooks``."""

PROTOCOLS = ("", "icmp", "udp")
"""What a `Drop` may be narrowed down to; "" is all."""


@dataclass(frozen=True)
class Change:
    """Any change; ``place`` says where it is made."""

    place: str

    def __post_init__(self) -> None:
        clean(self, "place", checks.place_name)
        if getattr(self, "device", "") != "":
            clean(self, "device", checks.device_name)


@dataclass(frozen=True)
class DeviceChange(Change):
    """A change of one device of a place."""

    device: str = ""


@dataclass(frozen=True)
class LinkDown(DeviceChange):
    """Set a device administratively down: ``ip link set DEV down``."""


@dataclass(frozen=True)
class LinkUp(DeviceChange):
    """Set a device administratively up: ``ip link set DEV up``."""


@dataclass(frozen=True)
class Unplug(DeviceChange):
    """Pull the cable of a NIC: its far end goes down, so the NIC loses its carrier."""


@dataclass(frozen=True)
class Plug(DeviceChange):
    """Put the cable back."""


@dataclass(frozen=True)
class RemoveLink(DeviceChange):
    """Delete a device: ``ip link del DEV``. With a parent the kernel deletes its children."""


@dataclass(frozen=True)
class SetMode(Change):
    """Set mode and flag through one endpoint's child: ``ip link set CHILD type ipvlan mode MODE FLAG``."""

    driver: Driver

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "driver", checks.instance, Driver, DRIVER_EXAMPLE)


@dataclass(frozen=True)
class Move(Change):
    """Move a device into the namespace of the place ``to``: ``ip link set DEV netns TO``."""

    to: str
    device: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "to", checks.place_name)


@dataclass(frozen=True)
class AddAddress(Change):
    """Add an address (with prefix length) to a device: ``ip addr add ADDRESS dev DEV``."""

    address: str
    device: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "address", checks.interface_address)


@dataclass(frozen=True)
class RemoveAddress(AddAddress):
    """Remove an address from a device: ``ip addr del ADDRESS dev DEV``."""


@dataclass(frozen=True)
class AddRoute(Change):
    """Add a route to the place's main table: ``ip route add``."""

    route: Route

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "route", checks.instance, Route, 'Route("default", via="10.0.1.1")')


@dataclass(frozen=True)
class RemoveRoute(AddRoute):
    """Remove a route from the place's main table: ``ip route del``."""


@dataclass(frozen=True)
class SetMac(Change):
    """Set a device's MAC: ``ip link set DEV address MAC``."""

    mac: str
    device: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "mac", checks.mac_address)


@dataclass(frozen=True)
class SetMtu(Change):
    """Set a device's MTU in bytes: ``ip link set DEV mtu N``. What is too large or small, the kernel says."""

    mtu: int
    device: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "mtu", checks.whole_number, 1, MTU_BYTES[1])


@dataclass(frozen=True)
class SetForwarding(Change):
    """Turn a place into a router, or back: ``sysctl net.ipv4.ip_forward`` and its IPv6 twin."""

    on: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "on", checks.truth)


@dataclass(frozen=True)
class AddEndpoint(Change):
    """Create one more endpoint; ``place`` is the host (or earlier endpoint) its parent is on."""

    endpoint: Endpoint

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "endpoint", checks.instance, Endpoint, 'Endpoint("net3", ipvlan("l2"), "10.0.1.13/24")')
        object.__setattr__(self, "endpoint", replace(self.endpoint, host=self.place))


@dataclass(frozen=True)
class Drop(Change):
    """Drop IPv4 packets at a netfilter hook of a place: ``iptables-legacy -t mangle -A HOOK -j DROP``.

    ``hook`` is prerouting, input, forward, output or postrouting; ``protocol`` (icmp or udp), ``source`` and
    ``destination`` (networks) narrow it down. Addresses are those before a translation, and before one is taken back.
    """

    hook: str
    protocol: str = ""
    source: str = ""
    destination: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        clean(self, "hook", checks.one_of, HOOKS)
        clean(self, "protocol", checks.one_of, PROTOCOLS)
        for field in ("source", "destination"):
            if getattr(self, field) != "":
                clean(self, field, checks.network)


@dataclass(frozen=True)
class Masquerade(DeviceChange):
    """Let a place put its own address into IPv4 packets that leave by a device, and take it out of the replies.

    ``iptables-legacy -t nat -A POSTROUTING -o DEV -j MASQUERADE``.
    """


_EVERY: tuple[type[Change], ...] = (
    LinkDown, LinkUp, Unplug, Plug, RemoveLink, SetMode, Move, AddAddress, RemoveAddress, AddRoute, RemoveRoute,
    SetMac, SetMtu, SetForwarding, AddEndpoint, Drop, Masquerade,
)
#: The changes there are, by name: what a YAML file may name.
CHANGES = {kind.__name__: kind for kind in _EVERY}
