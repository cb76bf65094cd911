"""Random topologies from the whole domain the theory answers for.

Law: the same seed gives the same topologies, whatever else is installed. Every value of every dimension is counted,
also one that was never drawn: a generator that never makes something proves nothing about it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import TypeVar

from ipvkit.topology import (
    HOOKS,
    PROTOCOLS,
    AddAddress,
    AddEndpoint,
    AddRoute,
    Cable,
    Change,
    Driver,
    Drop,
    Endpoint,
    Host,
    Interface,
    LinkDown,
    LinkUp,
    Masquerade,
    Move,
    Plug,
    Port,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    Route,
    SetForwarding,
    SetMac,
    SetMode,
    SetMtu,
    Switch,
    Topology,
    Unplug,
    Vlan,
    ipvlan,
    macvlan,
)

Value = TypeVar("Value")

DRIVERS = [ipvlan(mode, flag) for mode in ("l2", "l3", "l3s") for flag in ("bridge", "private", "vepa")]
DRIVERS += [macvlan(mode) for mode in ("bridge", "private", "vepa", "passthru", "source")]
FAMILIES = {4: "10.0.{}.{}/24", 6: "fd00:{}::{}/64"}
WAYS_OUT = ["device", "gateway", "link-local gateway", "wrong gateway", "gateway out of reach", "none", "blackhole",
            "host route"]
TRUNKS = ("host", "other")
MACS = ["02:00:00:00:00:99", "02:00:00:01:00:01", "02:00:00:00:00:01", "02:00:00:00:00:02"]  # the last three are taken
HOSTS = {"host": 2, "other": 4, "ext": 3, "router": 1}


class Draw:
    """Draws, and counts what it drew: ``counts[dimension][value]``, with 0 for a value that was only offered."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)

    def one(self, dimension: str, values: list[Value]) -> Value:
        """Return one of ``values``; one that is named twice is twice as likely."""
        value = self._random.choice(values)
        for offered in values:
            self.counts[dimension][_word(offered)] += 0
        self.counts[dimension][_word(value)] += 1
        return value

    def too_rare(self, least_draws: int) -> list[str]:
        """Name the values with less than 1 % of their dimension; dimensions drawn less often are left out."""
        return [f"{dimension}: {value} {count} of {counted.total()}" for dimension, counted in self.counts.items()
                if counted.total() >= least_draws for value, count in counted.items() if count * 100 < counted.total()]

    def table(self) -> str:
        """Return a line for each dimension: how often each value was drawn."""
        return "\n".join(f"{dimension}: " + ", ".join(f"{value} {count}" for value, count in counted.most_common())
                         for dimension, counted in self.counts.items())


def _word(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


def address(family: int, subnet: int, last: int) -> str:
    """Return an address of the worlds' numbering."""
    return FAMILIES[family].format(subnet, last)


def gateway(family: int, subnet: int) -> str:
    """Return the router's address in a subnet."""
    return address(family, subnet, 1).split("/")[0]


def topologies(pick: Draw, count: int) -> Iterator[tuple[Topology, int]]:
    """Draw ``count`` topologies, each with the address family to ask with."""
    for _ in range(count):
        yield random_topology(pick)


def random_topology(pick: Draw) -> tuple[Topology, int]:
    """Draw a topology and the address family to ask with."""
    family = pick.one("family", [4, 4, 6])
    to = "default" if family == 4 else "default6"
    world = _hosts(pick, family, to)
    topology = replace(world, endpoints=_endpoints(pick, family, to, world))
    for _ in range(pick.one("changes", [0, 0, 1, 2])):
        topology = topology.after(_change(pick, family, to, topology))
    for _ in range(pick.one("rules", [0, 0, 0, 1, 2])):
        topology = topology.after(_rule(pick, topology))
    return topology, family


def _hosts(pick: Draw, family: int, to: str) -> Topology:
    vlan = pick.one("vlan", [False, False, True])
    second = pick.one("second parent", [False, False, True])
    way = pick.one("host's way out", ["router", "router", "none"])
    made = []
    for name, last in HOSTS.items():
        nics = [Interface("eth0", (address(family, 1, last),))]
        if name == "router":
            nics[0] = Interface("eth0", (address(family, 1, 1), address(family, 2, 1)))
            nics.append(Interface("eth1", (address(family, 9, 1),)))
        if name == "host" and second:
            nics.append(Interface("eth1", (address(family, 3, last),)))
        has_vlan, has_way = vlan and name in TRUNKS, name != "router" and (way == "router" or name == "ext")
        vlans = (Vlan("eth0.30", "eth0", 30, (address(family, 5, last),)),) if has_vlan else ()
        routes = (Route(to, via=gateway(family, 1)),) if has_way else ()
        forwarding = name == "router" and pick.one("router forwards", [True, True, True, False])
        made.append(Host(name, tuple(nics), vlans, routes, forwarding))
    way_back = (Route(to, via=gateway(family, 9)),)
    made.append(Host("far", (Interface("eth0", (address(family, 9, 2),)),), routes=way_back))
    return Topology(tuple(made), switches=(Switch("switch", _ports(pick, vlan, second)),),
                    cables=(Cable("router.eth1", "far.eth0"),))


def _ports(pick: Draw, vlan: bool, second: bool) -> tuple[Port, ...]:
    nics = [(name, "eth0") for name in HOSTS] + [("host", "eth1")] * second
    aware = vlan and pick.one("switch knows VLANs", [True, False])
    ports = []
    for host, interface in nics:
        port = Port(host, interface, hairpin=pick.one("hairpin", [False, False, True]),
                    learning=pick.one("learning", [True] * 5 + [False]),
                    locked=pick.one("locked", [False] * 19 + [True]))
        if aware:
            tagged = (30,) if host in TRUNKS and interface == "eth0" else ()
            port = replace(port, untagged=1, tagged=tagged if pick.one("VLAN 30 admitted", [True, True, False]) else ())
        ports.append(port)
    return tuple(ports)


def _endpoints(pick: Draw, family: int, to: str, world: Topology) -> tuple[Endpoint, ...]:
    drivers: dict[tuple[str, str], Driver] = {}
    made: list[Endpoint] = []
    for number in range(1, pick.one("children", [1, 2, 3, 3]) + 1):
        made.append(_endpoint(pick, family, to, world, made, drivers, number))
    return tuple(made)


def _endpoint(pick: Draw, family: int, to: str, world: Topology, made: list[Endpoint],
              drivers: dict[tuple[str, str], Driver], number: int) -> Endpoint:
    host = pick.one("child's host", ["host", "host", "host", "other"])
    parents = [nic.name for nic in world.host(host).interfaces] + [vlan.name for vlan in world.host(host).vlans]
    parent = pick.one("parent", [parents[0], *parents])
    driver = drivers.setdefault((host, parent), pick.one("driver", DRIVERS))
    if made and pick.one("child on a child", [False] * 9 + [True]):
        host, parent = made[0].name, made[0].child
        same = pick.one("driver on a child", ["the child's", "the child's", "any"]) == "the child's"
        driver = made[0].driver if same else driver
    elif pick.one("children differ", [False] * 9 + [True]):
        driver = pick.one("driver", DRIVERS)
    subnet = pick.one("subnet", [1, 1, 2] if not parent.endswith("30") else [5, 1, 2])
    whose = pick.one("child's address", ["its own"] * 8 + ["the host's", "the first child's"])
    given = address(family, subnet, 2 if whose == "the host's" else 10 + number)
    if made and whose == "the first child's":
        given = made[0].addresses[0]
    name = f"net{number}"
    netns = (pick.one("child stays in the host", [False] * 9 + [True]) and world.host("host").name) or name
    child = f"{'ipv' if driver.kind == 'ipvlan' else 'macv'}{number}"
    way = pick.one("way out", [*WAYS_OUT, "device", "gateway"] * 2 + WAYS_OUT)
    routes = _ways_out(world, family, to, subnet, child)[way]
    return Endpoint(name, driver, (given,), routes if netns == name else (), host, parent,
                    child, netns, up=pick.one("child up", [True] * 9 + [False]))


def _ways_out(world: Topology, family: int, to: str, subnet: int, child: str) -> dict[str, tuple[Route, ...]]:
    ext = address(family, 1, 3).split("/")[0]
    by_address = Route(to, via=gateway(family, subnet))
    return {
        "device": (Route(to, dev=child),),
        "gateway": (by_address,),
        "link-local gateway": (Route(to, via=_link_local_router(world), dev=child) if family == 6 else by_address,),
        "wrong gateway": (Route(to, via=address(family, subnet, 3).split("/")[0]),),
        "gateway out of reach": (Route(to, via=gateway(family, 9)),),
        "none": (),
        "blackhole": (Route(to, dev=child), Route(_network(family, 9), kind="blackhole")),
        "host route": (Route(f"{ext}/{32 if family == 4 else 128}", dev=child),),
    }


def _link_local_router(world: Topology) -> str:
    """Return the address that the router's eth0, whose MAC is 02:00:00:00:00:…, gives itself."""
    return f"fe80::ff:fe00:{world.host('router').interfaces[0].mac.rpartition(':')[2]}"


def _network(family: int, subnet: int) -> str:
    return f"10.0.{subnet}.0/24" if family == 4 else f"fd00:{subnet}::/64"


def _change(pick: Draw, family: int, to: str, topology: Topology) -> Change:
    kind = pick.one("change", CHANGES)
    child = pick.one("change of", [endpoint.name for endpoint in topology.endpoints])
    endpoint = topology.endpoint(child)
    place = pick.one("change at", ["the child", "host", "ext", "router"])
    nic = "eth0" if place != "the child" else ""
    place = child if place == "the child" else place
    if kind is SetMode:
        drivers = [driver for driver in DRIVERS if driver.kind == endpoint.driver.kind]
        return SetMode(child, pick.one("new mode", drivers))
    if kind in (LinkDown, LinkUp, RemoveLink):
        return kind(place, nic)
    if kind in (Unplug, Plug):
        return kind(pick.one("cable", ["host", "ext"]), "eth0")
    if kind is Move:
        return Move(child, pick.one("moves to", ["host", "ext", "far"]))
    if kind in (AddAddress, RemoveAddress):
        given = {"new": address(family, 1, 99), "host's": address(family, 1, 2), "own": endpoint.addresses[0]}
        return kind(child, given[pick.one("address", list(given))])
    if kind is AddRoute:
        return AddRoute(place, Route(_network(family, 2), via=gateway(family, 1)))
    if kind is RemoveRoute:
        return RemoveRoute(child, Route(to, dev=endpoint.child))
    if kind is SetForwarding:
        return SetForwarding(place, pick.one("forwarding", [True, False]))
    if kind is SetMac:
        return SetMac(place, pick.one("MAC", MACS), nic)
    if kind is SetMtu:
        return SetMtu(place, pick.one("MTU", [1400, 9000, 1200]), nic)
    assert kind is AddEndpoint, kind
    number = len(topology.changes)
    new = replace(endpoint, name=f"late{number}", child=f"late{number}", netns=f"late{number}", routes=(),
                  addresses=(address(family, 1, 77 + number),), mac="")
    return AddEndpoint(new.host, new)


def _rule(pick: Draw, topology: Topology) -> Change:
    place = pick.one("rule at", ["the child", "host", "ext", "router"])
    child = pick.one("rule of", [endpoint.name for endpoint in topology.endpoints])
    nic = {"the child": "", "router": pick.one("router's NIC", ["eth0", "eth1"])}.get(place, "eth0")
    place = child if place == "the child" else place
    if pick.one("rule", [Drop, Masquerade]) is Masquerade:
        return Masquerade(place, nic)
    return Drop(place, pick.one("hook", list(HOOKS)), pick.one("protocol", list(PROTOCOLS)),
                pick.one("dropped from", ["", "", "10.0.1.0/24", "10.0.1.11"]),
                pick.one("dropped to", ["", "", "10.0.2.0/24", "10.0.1.3"]))


CHANGES = [SetMode, SetMode, LinkDown, LinkUp, RemoveLink, Unplug, Plug, Move, AddAddress, RemoveAddress, AddRoute,
           RemoveRoute, SetForwarding, SetMac, SetMtu, AddEndpoint]
