"""Any topology, for hypothesis: parts that fit together, and changes that name what is there."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ipvkit.topology import (
    FLAGS,
    HOOKS,
    MODES,
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
)

# What YAML likes to take for something else is wanted here.
NAMES = st.sampled_from(["net1", "a", "on", "yes", "null", "true", "1", "08", "0x10", "1_000", "1e3", "12-5"])
FIRST = st.sampled_from("aZ09ey")
DEVICES = st.builds(str.__add__, FIRST, st.text("aZ09_.-ex", max_size=14))
PLACES = NAMES | st.builds(str.__add__, FIRST, st.text("aZ09_-ex", max_size=20))
MACS = st.binary(min_size=5, max_size=5).map(lambda five: ":".join(["12", *(f"{byte:02x}" for byte in five)]))
FOUR = st.tuples(st.ip_addresses(network="192.0.0.0/4"), st.integers(0, 32)).map(lambda pair: f"{pair[0]}/{pair[1]}")
SIX = st.tuples(st.ip_addresses(network="2000::/3"), st.integers(3, 128)).map(lambda pair: f"{pair[0]}/{pair[1]}")
ADDRESSES = st.lists(FOUR | SIX, max_size=3).map(tuple)
DRIVERS = st.sampled_from([Driver(kind, mode, flag) for kind in MODES for mode in MODES[kind] for flag in FLAGS[kind]])


@st.composite
def routes(draw: Any) -> Route:
    version = draw(st.sampled_from([4, 6]))
    network = draw(st.ip_addresses(v=version).map(str))
    to = draw(st.sampled_from([network, "default" if version == 4 else "default6"]))
    kind = draw(st.sampled_from(["unicast", "blackhole", "unreachable", "prohibit"]))
    if kind != "unicast":
        return Route(to, kind=kind)
    via = draw(st.none() | st.ip_addresses(v=version).map(str))
    return Route(to, via, draw(DEVICES | st.none() if via else DEVICES))


ROUTES = st.lists(routes(), max_size=3).map(tuple)


@st.composite
def hosts(draw: Any, name: str) -> Host:
    nics = draw(st.lists(st.builds(Interface, DEVICES, ADDRESSES, st.just("") | MACS, st.integers(68, 65535),
                                   st.booleans()), min_size=1, max_size=3, unique_by=lambda nic: nic.name))
    taken = {nic.name for nic in nics}
    others = DEVICES.filter(lambda device: device not in taken)
    vlans = draw(st.lists(st.builds(Vlan, others, st.just(nics[0].name), st.integers(1, 4094), ADDRESSES), max_size=2,
                          unique_by=(lambda vlan: vlan.name, lambda vlan: vlan.id)))
    return Host(name, tuple(nics), tuple(vlans), draw(ROUTES), draw(st.booleans()))


@st.composite
def endpoints(draw: Any, name: str, host: Host) -> Endpoint:
    driver = draw(DRIVERS)
    return Endpoint(
        name, driver, draw(ADDRESSES), draw(ROUTES), host.name, host.interfaces[0].name, draw(st.just("") | DEVICES),
        draw(st.sampled_from(["", name])), draw(st.just("") | MACS) if driver.kind == "macvlan" else "",
        draw(st.booleans()),
    )  # fmt: skip


@st.composite
def topologies(draw: Any) -> Topology:
    names = draw(st.lists(PLACES, min_size=5, max_size=8, unique=True))
    made = [draw(hosts(name)) for name in names[:2]]
    nics = [(host.name, nic.name) for host in made for nic in host.interfaces]
    cable = (Cable(".".join(nics[0]), ".".join(nics[-1])),) if draw(st.booleans()) else ()
    wired = nics[1:-1] if cable else nics
    vlan = st.integers(1, 4094)
    ports = [Port(*nic, draw(st.booleans()), draw(st.booleans()), draw(st.booleans()), draw(st.none() | vlan),
                  tuple(draw(st.lists(vlan, max_size=2)))) for nic in wired[: draw(st.integers(0, 3))]]
    children = [draw(endpoints(name, made[0])) for name in names[3:-1]]
    topology = Topology(tuple(made), tuple(children), (Switch(names[2], tuple(ports)),), cable)
    if children:
        topology = topology.after(AddEndpoint(made[0].name, draw(endpoints(names[-1], made[0]))))
        topology = topology.after(*draw(st.lists(changes(topology), max_size=4)))
    return topology


@st.composite
def changes(draw: Any, topology: Topology) -> Change:
    place = draw(st.sampled_from([endpoint.name for endpoint in topology.all_endpoints]))
    driver = topology.endpoint(place).driver
    mode = draw(st.sampled_from(MODES[driver.kind]))
    wired = [(place, device) for place, device in topology.wires] or [("", "")]
    wire = draw(st.sampled_from(wired))
    choices = [
        LinkDown(place), LinkUp(topology.hosts[0].name), RemoveLink(place), SetMode(place, Driver(driver.kind, mode)),
        Move(place, topology.hosts[1].name), AddAddress(place, draw(FOUR | SIX)),
        RemoveAddress(place, draw(FOUR | SIX)), AddRoute(place, draw(routes())), RemoveRoute(place, draw(routes())),
        SetMac(place, draw(MACS)), SetMtu(place, draw(st.integers(1, 65535))),
        SetForwarding(place, draw(st.booleans())), Drop(place, draw(st.sampled_from(HOOKS)), "udp", "10.0.1.0/24"),
        Masquerade(place), *([Plug(*wire), Unplug(*wire)] if wire[0] else []),
    ]  # fmt: skip
    return draw(st.sampled_from(choices))
