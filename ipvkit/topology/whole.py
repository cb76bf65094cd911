"""The whole: hosts, switches, cables, endpoints and the changes since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_interface
from itertools import count
from pathlib import Path
from typing import Any

from ipvkit.errors import TopologyError
from ipvkit.topology import checks
from ipvkit.topology.changes import AddAddress, AddEndpoint, Change, Drop, Masquerade, SetMode
from ipvkit.topology.drivers import Driver
from ipvkit.topology.fact import line_of_fact
from ipvkit.topology.parts import Cable, Endpoint, Host, Switch
from ipvkit.topology.references import refuse_dangling

#: The default child name of each driver; the number behind it is the endpoint's place in the declared order.
CHILD_PREFIX = {"ipvlan": "ipv", "macvlan": "macv"}
MOST = 65_535  # NICs, and endpoints: what two bytes of a MAC number


@dataclass(frozen=True)
class Topology:
    """What to build. Frozen; compare with ==; ``after(change)`` gives the next one.

    What was left out is assigned here, in declared order: the NIC that is number N of all gets the MAC
    02:00:00:00:HH:LL (HH:LL is N in hexadecimal); the endpoint that is number N gets the child ``ipvN`` or
    ``macvN`` and, where children have MACs of their own, 02:00:00:01:HH:LL. So there can be 65 535 of each.
    Raises ``TopologyError`` naming field and fix.
    """

    hosts: tuple[Host, ...]
    endpoints: tuple[Endpoint, ...] = ()
    switches: tuple[Switch, ...] = ()
    cables: tuple[Cable, ...] = ()
    changes: tuple[Change, ...] = ()

    def __new__(cls, *parts: Any, **_: Any) -> Topology:
        """Refuse what belongs to ``Topology.of``: a driver and addresses by name."""
        if parts and isinstance(parts[0], Driver):
            raise TopologyError("topology", "a whole topology begins with its hosts, not with a driver",
                                'Write Topology.of(ipvlan("l2"), net1="10.0.1.11/24").')
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for field, kind in (("hosts", Host), ("endpoints", Endpoint), ("switches", Switch), ("cables", Cable),
                            ("changes", Change)):
            object.__setattr__(self, field, checks.as_tuple(field, getattr(self, field), kind))
        _refuse_more_than_macs("hosts", "NICs", sum(len(host.interfaces) for host in self.hosts))
        _refuse_more_than_macs("endpoints", "endpoints", len(self.endpoints) + len(self.changes))
        object.__setattr__(self, "hosts", tuple(_with_macs(self.hosts)))
        object.__setattr__(self, "endpoints", self.all_endpoints[: len(self.endpoints)])
        refuse_dangling(self)

    @classmethod
    def of(cls, driver: Driver, *, routes: str = "device", hairpin: bool = False, **endpoints: str) -> Topology:
        """Return the default world with these endpoints (name=address): see :mod:`ipvkit.topology.world`.

        ``routes`` says how each endpoint leaves its own subnet: ``device`` (default route through its device),
        ``gateway`` (through .1 of its subnet, an address the router then has) or ``none``.
        ``hairpin`` lets the switch send a frame back out of the host's port.
        """
        from ipvkit.topology.world import default_world  # it makes topologies: it needs this class first

        return default_world(driver, routes=routes, hairpin=hairpin, endpoints=endpoints)

    @classmethod
    def from_yaml(cls, source: str | Path) -> Topology:
        """Return the topology written in YAML: a ``Path``, a text, or a text that is a file's name (``lab.yaml``).

        docs/topology.md has the form. Raises ``TopologyError`` naming file, field and fix, whatever is in the file;
        ImportError without PyYAML.
        """
        from ipvkit.topology.yaml_form import read  # late, like PyYAML itself: only this needs it

        return read(source)

    def to_yaml(self, *, full: bool = False) -> str:
        """Return YAML from which ``from_yaml`` makes an equal topology, changes included.

        It is the short form where that says it all (a world of ``Topology.of``), unless ``full``.
        """
        from ipvkit.topology.yaml_form import write

        return write(self, full=full)

    # -- what is in it

    @cached_property
    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints, those that changes add included."""
        added = tuple(change.endpoint for change in self.changes if isinstance(change, AddEndpoint))
        return tuple(_named_and_numbered(self.endpoints + added))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Whom one may ask about: the endpoints, then the hosts that have an address, in declared order."""
        hosts = tuple(host.name for host in self.hosts if self.addresses(host.name))
        return tuple(endpoint.name for endpoint in self.all_endpoints) + hosts

    def host(self, name: str) -> Host:
        """Return a host by name. KeyError if there is none."""
        return next((host for host in self.hosts if host.name == name), None) or _missing("host", name)

    def endpoint(self, name: str) -> Endpoint:
        """Return an endpoint by name. KeyError if there is none."""
        return self._endpoints.get(name) or _missing("endpoint", name)

    def switch(self, name: str) -> Switch:
        """Return a switch by name. KeyError if there is none."""
        return next((switch for switch in self.switches if switch.name == name), None) or _missing("switch", name)

    @cached_property
    def _endpoints(self) -> dict[str, Endpoint]:
        return {endpoint.name: endpoint for endpoint in self.all_endpoints}

    def addresses(self, name: str, family: int | None = None) -> tuple[str, ...]:
        """Return the declared addresses (with prefix length) of an endpoint or host; ``family`` 4 or 6 keeps one kind.

        The first of a family is the one a question about ``name`` is asked of.
        """
        if name in self._endpoints:
            found = self._endpoints[name].addresses
        else:
            host = self.host(name)
            found = tuple(address for nic in host.interfaces for address in nic.addresses)
            found += tuple(address for vlan in host.vlans for address in vlan.addresses)
        return tuple(address for address in found if family in (None, ip_interface(address).version))

    def netns(self, place: str) -> str:
        """Return the namespace of a host, switch or endpoint. KeyError if there is none of that name."""
        if place in self._endpoints:
            return self._endpoints[place].netns
        return place if place in self._namespaces else _missing("place", place)

    @cached_property
    def _namespaces(self) -> frozenset[str]:
        named = {host.name for host in self.hosts} | {switch.name for switch in self.switches}
        return frozenset(named | {endpoint.netns for endpoint in self.all_endpoints})

    def device(self, place: str, device: str = "") -> str:
        """Return ``device``, or the place's own: an endpoint's child, a host's first interface, a switch's br0.

        KeyError if the place is none of these, or a host without interface.
        """
        if device:
            return device
        if place in self._endpoints:
            return self._endpoints[place].child
        if any(switch.name == place for switch in self.switches):
            return "br0"
        interfaces = self.host(place).interfaces
        return interfaces[0].name if interfaces else _missing("interface of", place)

    @cached_property
    def wires(self) -> dict[tuple[str, str], tuple[str, str]]:
        """The far end of each wired NIC and switch port: (place, device) to (place, device), both ways."""
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for switch in self.switches:
            for port in switch.ports:
                near, far = (switch.name, switch.port_device(port)), (port.host, port.interface)
                found[near], found[far] = far, near
        for cable in self.cables:
            near, far = cable.ends
            found[near], found[far] = far, near
        return found

    @cached_property
    def families(self) -> frozenset[int]:
        """{4}, {6} or {4, 6}: the address families in use, changes included."""
        added = {ip_interface(change.address).version for change in self.changes if isinstance(change, AddAddress)}
        return self._families_of(self.all_endpoints) | added

    @cached_property
    def declared_families(self) -> frozenset[int]:
        """The families in use before any change: the namespaces are made for them. Without 6 the wire is quiet."""
        return self._families_of(self.endpoints)

    def _families_of(self, endpoints: tuple[Endpoint, ...]) -> frozenset[int]:
        names = [endpoint.name for endpoint in endpoints] + [host.name for host in self.hosts]
        addresses = [address for name in names for address in self.addresses(name)]
        return frozenset({ip_interface(address).version for address in addresses} or {4})

    @cached_property
    def needs(self) -> frozenset[str]:
        """What a kernel must have for this topology, in the words of ``doctor``."""
        found = {"veth"} if self.wires else set()
        drivers = [e.driver for e in self.all_endpoints]
        drivers += [change.driver for change in self.changes if isinstance(change, SetMode)]
        found |= {driver.kind for driver in drivers}
        found |= {"ipvlan:l3s" for driver in drivers if driver.mode == "l3s"}
        found |= {"bridge"} if self.switches else set()
        found |= {"vlan"} if any(h.vlans for h in self.hosts) or any(s.vlan_aware for s in self.switches) else set()
        found |= {"ipv6"} if 6 in self.families else set()
        rules = any(isinstance(change, Drop | Masquerade) for change in self.changes)
        found |= {"iptables-legacy"} if rules else set()
        unwired = any((host.name, nic.name) not in self.wires for host in self.hosts for nic in host.interfaces)
        found |= {"dummy"} if unwired else set()
        return frozenset(found)

    def after(self, *changes: Change) -> Topology:
        """Return this topology with ``changes`` made to it, in this order."""
        return replace(self, changes=self.changes + changes)

    def __repr__(self) -> str:
        """Return a line of fact: what a drawing of it shows, tested by nbval."""
        return f"Topology: {line_of_fact(self)}"


def _missing(kind: str, name: str) -> Any:
    raise KeyError(f"there is no {kind} {name!r}")


def numbered_mac(block: int, number: int) -> str:
    """Return MAC number 1 to 65 535 of a block: 0 for the NICs of hosts, 1 for children, 2 for switch ports."""
    return f"02:00:00:{block:02x}:{number >> 8:02x}:{number & 255:02x}"


def child_name(driver: Driver, number: int) -> str:
    """Return the default name of the child of endpoint number N: ipvN or macvN."""
    return f"{CHILD_PREFIX[driver.kind]}{number}"


def _refuse_more_than_macs(field: str, what: str, number: int) -> None:
    if number > MOST:
        raise TopologyError(field, f"{number} {what} are too many", f"The numbered MACs reach {MOST}: use fewer.")


def _with_macs(hosts: tuple[Host, ...]) -> Iterator[Host]:
    number = count(1)
    for host in hosts:
        macs = [numbered_mac(0, next(number)) for _ in host.interfaces]
        yield replace(host, interfaces=tuple(
            nic if nic.mac else replace(nic, mac=mac) for nic, mac in zip(host.interfaces, macs, strict=True)))


def _named_and_numbered(endpoints: tuple[Endpoint, ...]) -> Iterator[Endpoint]:
    for number, endpoint in enumerate(endpoints, start=1):
        child = endpoint.child or child_name(endpoint.driver, number)
        mac = endpoint.mac or (numbered_mac(1, number) if endpoint.driver.own_mac else "")
        yield endpoint if (child, mac) == (endpoint.child, endpoint.mac) else replace(endpoint, child=child, mac=mac)
