"""The parts of a topology. Each is frozen and checks its own fields; references are checked by the whole."""

from __future__ import annotations

from dataclasses import dataclass

from ipvkit.errors import TopologyError
from ipvkit.topology import checks
from ipvkit.topology.checks import clean
from ipvkit.topology.drivers import DRIVER_EXAMPLE, Driver

ROUTE_KINDS = ("unicast", "blackhole", "unreachable", "prohibit")
MTU_BYTES = (68, 65535)  # what IPv4 asks for (RFC 791), and what its length field can say


@dataclass(frozen=True)
class Route:
    """One route of a namespace's main table: ``to`` a network, ``via`` a gateway and/or ``dev`` a device.

    ``to`` is ``default`` or, for IPv6, ``default6``; ``default`` with an IPv6 gateway is ``default6``.
    """

    to: str
    via: str | None = None
    dev: str | None = None
    kind: str = "unicast"

    def __post_init__(self) -> None:
        clean(self, "to", checks.destination)
        clean(self, "kind", checks.one_of, ROUTE_KINDS)
        if self.via is not None:
            clean(self, "via", checks.plain_address)
            self._agree_on_family(self.via)
        if self.dev is not None:
            clean(self, "dev", checks.device_name)
        if (self.kind == "unicast") == (self.via is None and self.dev is None):
            raise TopologyError("route", f"{str(self)!r} is not a route",
                                "A unicast route needs via or dev; the other kinds take neither.")

    def _agree_on_family(self, via: str) -> None:
        if self.to == "default" and ":" in via:
            object.__setattr__(self, "to", "default6")
        if (self.family == 6) != (":" in via):
            raise TopologyError("route.via", f"{via!r} is not of the family of {self.to}",
                                "Use an IPv6 gateway for an IPv6 network, an IPv4 gateway for an IPv4 network.")

    @classmethod
    def parse(cls, text: str) -> Route:
        """Return the route that ``str`` writes like this: ``default via 10.0.1.1``. Raises ``TopologyError``."""
        words = text.split() if isinstance(text, str) else []
        kind = words.pop(0) if words and words[0] in ROUTE_KINDS else "unicast"
        options = dict(zip(words[1::2], words[2::2], strict=False))
        if len(words) != 1 + 2 * len(options) or not options.keys() <= {"via", "dev"}:
            raise TopologyError("route", f"{checks.shown(text)} is not a route",
                                "Write it as ip route does: default via 10.0.1.1, default dev ipv1, "
                                "blackhole 10.0.9.0/24.")
        return cls(words[0], options.get("via"), options.get("dev"), kind)

    def __str__(self) -> str:
        """Return it as ip-route(8) writes it; only ``default6`` is ours."""
        words = [self.kind] * (self.kind != "unicast") + [self.to]
        words += ["via", self.via] if self.via else []
        words += ["dev", self.dev] if self.dev else []
        return " ".join(words)

    @property
    def family(self) -> int:
        """4 or 6, by the destination."""
        return 6 if ":" in self.to or self.to == "default6" else 4


@dataclass(frozen=True)
class Interface:
    """A NIC of a host. Wired to nothing it is a dummy device; ``up`` false means it is never brought up."""

    name: str
    addresses: tuple[str, ...] = ()
    mac: str = ""
    mtu: int = 1500
    up: bool = True

    def __post_init__(self) -> None:
        clean(self, "name", checks.device_name)
        clean(self, "addresses", checks.interface_addresses)
        if self.mac != "":
            clean(self, "mac", checks.mac_address)
        clean(self, "mtu", checks.whole_number, *MTU_BYTES)
        clean(self, "up", checks.truth)


@dataclass(frozen=True)
class Vlan:
    """A VLAN sub-interface (802.1Q) on one of the host's interfaces; it shares that interface's MAC."""

    name: str
    parent: str
    id: int
    addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        clean(self, "name", checks.device_name)
        clean(self, "parent", checks.device_name)
        clean(self, "id", checks.whole_number, 1, 4094)
        clean(self, "addresses", checks.interface_addresses)


@dataclass(frozen=True)
class Host:
    """A machine of the lab: a namespace with NICs, routes and, for a router, forwarding."""

    name: str
    interfaces: tuple[Interface, ...] = ()
    vlans: tuple[Vlan, ...] = ()
    routes: tuple[Route, ...] = ()
    forwarding: bool = False

    def __post_init__(self) -> None:
        clean(self, "name", checks.place_name)
        clean(self, "interfaces", checks.as_tuple, Interface)
        clean(self, "vlans", checks.as_tuple, Vlan)
        clean(self, "routes", checks.as_tuple, Route)
        clean(self, "forwarding", checks.truth)


@dataclass(frozen=True)
class Endpoint:
    """A child of ``parent`` on ``host``, put into ``netns`` (its own, named like it, unless said otherwise).

    ``host`` names a host, or an earlier endpoint whose own child is then the parent.
    ``mac`` is empty for ipvlan: its children use the parent's (so does macvlan passthru).
    ``up`` false: never brought up.
    """

    name: str
    driver: Driver
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    host: str = "host"
    parent: str = "eth0"
    child: str = ""
    netns: str = ""
    mac: str = ""
    up: bool = True

    def __post_init__(self) -> None:
        clean(self, "name", checks.place_name)
        clean(self, "driver", checks.instance, Driver, DRIVER_EXAMPLE)
        clean(self, "addresses", checks.interface_addresses)
        clean(self, "routes", checks.as_tuple, Route)
        clean(self, "host", checks.place_name)
        clean(self, "parent", checks.device_name)
        if self.child != "":
            clean(self, "child", checks.device_name)
        if self.netns == "":
            object.__setattr__(self, "netns", self.name)
        clean(self, "netns", checks.place_name)
        if self.mac != "":
            clean(self, "mac", checks.mac_address)
            if self.driver.kind == "ipvlan":
                raise TopologyError(checks.path(self, "mac"), "an ipvlan child has its parent's MAC",
                                    "Leave it out, or use macvlan.")
        clean(self, "up", checks.truth)


@dataclass(frozen=True)
class Port:
    """A switch port and the NIC wired to it.

    ``hairpin`` lets a frame leave by the port it came in; ``learning`` off floods; ``locked`` admits only MACs
    already in the FDB (ip-link(8), bridge(8)). ``untagged`` and ``tagged`` count on a VLAN-aware switch only.
    """

    host: str
    interface: str
    hairpin: bool = False
    learning: bool = True
    locked: bool = False
    untagged: int | None = None
    tagged: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        clean(self, "host", checks.place_name)
        clean(self, "interface", checks.device_name)
        for switchable in ("hairpin", "learning", "locked"):
            clean(self, switchable, checks.truth)
        if self.untagged is not None:
            clean(self, "untagged", checks.whole_number, 1, 4094)
        clean(self, "tagged", checks.as_tuple, int)
        for vlan in self.tagged:
            checks.whole_number(checks.path(self, "tagged"), vlan, 1, 4094)


@dataclass(frozen=True)
class Switch:
    """A bridge with one port per wire; VLAN-aware as soon as one of its ports names a VLAN."""

    name: str
    ports: tuple[Port, ...] = ()

    def __post_init__(self) -> None:
        clean(self, "name", checks.place_name)
        clean(self, "ports", checks.as_tuple, Port)

    @property
    def vlan_aware(self) -> bool:
        """True if any port names a VLAN."""
        return any(port.untagged is not None or port.tagged for port in self.ports)

    def port_device(self, port: Port) -> str:
        """Return the device name of a port: p1, p2, … in declared order. ValueError if it is not a port here."""
        return f"p{self.ports.index(port) + 1}"


@dataclass(frozen=True)
class Cable:
    """A wire between two NICs without a switch, each named ``host.interface``."""

    a: str
    b: str

    def __post_init__(self) -> None:
        for end in ("a", "b"):
            value = getattr(self, end)
            if not isinstance(value, str) or "." not in value:
                raise TopologyError(f"cable.{end}", f"{checks.shown(value)} does not name a NIC", "Write router.eth1.")

    @property
    def ends(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """The two NICs as (host, interface); a host's name has no dot, a device's may."""
        a_host, _, a_device = self.a.partition(".")
        b_host, _, b_device = self.b.partition(".")
        return (a_host, a_device), (b_host, b_device)
