"""The plan: the ordered steps that make a topology.

One list serves three readers, so they cannot drift apart: the lab's agent executes the steps,
``commands`` prints them as ``ip`` lines, and a refused step says which line was refused.

The order: namespaces, switches, wires, VLANs, the hosts' addresses, the children in declared order,
their addresses, everything up, routes. Changes follow in the order they were made.
Imports nothing of ours but topology and steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface
from itertools import groupby, takewhile

from ipvkit.steps import (
    AddBridge,
    AddChild,
    AddDrop,
    AddDummy,
    AddMasquerade,
    AddNetns,
    AddPortVlan,
    AddVlan,
    AddWire,
    DeleteLink,
    MoveLink,
    SetAddress,
    SetLink,
    SetMaster,
    SetRoute,
    Step,
    Sysctl,
)
from ipvkit.topology import (
    AddAddress,
    AddEndpoint,
    AddRoute,
    Cable,
    Change,
    Driver,
    Drop,
    Endpoint,
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
from ipvkit.topology.whole import numbered_mac

#: A namespace's own defaults, whatever the machine it is made on has set. ICMP errors are not rate-limited
#: (Documentation/networking/ip-sysctl.rst, icmp_ratemask): asked twice, a router would say nothing the second time.
#: Routers send no ICMP redirects: after one, the second packet goes another way than the first.
SAME_EVERYWHERE = ("ipv4/ip_forward=0", "ipv4/conf/all/rp_filter=0", "ipv4/conf/default/rp_filter=0",
                   "ipv4/icmp_ratemask=0", "ipv4/conf/all/send_redirects=0", "ipv4/conf/default/send_redirects=0")
NO_IPV6 = ("ipv6/conf/default/disable_ipv6=1",)
USE_IPV6 = ("ipv6/conf/default/disable_ipv6=0",)
#: Duplicate address detection is off only where it is off for ``all`` as well (addrconf_dad_begin, addrconf.c).
QUIET_IPV6 = ("ipv6/conf/all/accept_dad=0", "ipv6/conf/default/accept_dad=0",
              "ipv6/conf/default/router_solicitations=0", "ipv6/icmp/ratelimit=0", "ipv6/icmp/ratemask=255",
              "ipv6/conf/default/accept_redirects=0")


def plan(topology: Topology) -> tuple[Step, ...]:
    """Return the steps that build ``topology`` from nothing, its changes included."""
    steps = [*_namespaces(topology), *_switches(topology), *_wires(topology), *_hosts(topology)]
    steps += [_child(topology, endpoint) for endpoint in topology.endpoints]
    for endpoint in topology.endpoints:
        steps += _settle(topology, endpoint)
    for host in topology.hosts:
        steps += [_route(host.name, route) for route in host.routes]
    for endpoint in topology.endpoints:
        steps += [_route(endpoint.netns, route) for route in endpoint.routes]
    for change in topology.changes:
        steps += plan_change(topology, change)
    return tuple(steps)


def plan_change(topology: Topology, change: Change) -> tuple[Step, ...]:
    """Return the steps that make one ``change`` to a built ``topology`` (which knows the change's places)."""
    if isinstance(change, AddEndpoint):
        endpoint = topology.endpoint(change.endpoint.name)
        earlier = tuple(takewhile(lambda other: other.name != endpoint.name, topology.all_endpoints))
        new = () if endpoint.netns in _netns_names(topology, earlier) else _netns(topology, endpoint.netns)
        routes = (_route(endpoint.netns, route) for route in endpoint.routes)
        return (*new, _child(topology, endpoint), *_settle(topology, endpoint), *routes)
    netns = topology.netns(change.place)
    if isinstance(change, AddRoute):
        return (_route(netns, change.route, add=not isinstance(change, RemoveRoute)),)
    if isinstance(change, SetForwarding):
        return tuple(_forwarding(netns, change.on))
    if isinstance(change, Drop):
        return (AddDrop(netns, change.hook, change.protocol, change.source, change.destination),)
    if isinstance(change, SetMode):
        return (SetLink(netns, topology.device(change.place), "mode", _mode(change.driver)),)
    device = topology.device(change.place, getattr(change, "device", ""))
    if isinstance(change, Masquerade):
        return (AddMasquerade(netns, device),)
    if isinstance(change, RemoveAddress):
        return (SetAddress(netns, device, change.address, add=False),)
    if isinstance(change, AddAddress):
        return tuple(_address(topology, netns, device, change.address))
    if isinstance(change, Unplug | Plug):
        far_place, far_device = topology.wires[change.place, device]
        return (SetLink(topology.netns(far_place), far_device, "up", "down" if isinstance(change, Unplug) else "up"),)
    if isinstance(change, Move):
        return (MoveLink(netns, device, topology.netns(change.to)),)
    if isinstance(change, RemoveLink):
        return (DeleteLink(netns, device),)
    if isinstance(change, SetMac):
        return (SetLink(netns, device, "mac", change.mac),)
    if isinstance(change, SetMtu):
        return (SetLink(netns, device, "mtu", str(change.mtu)),)
    assert isinstance(change, LinkDown | LinkUp), change
    return (SetLink(netns, device, "up", "down" if isinstance(change, LinkDown) else "up"),)


def commands(topology: Topology) -> str:
    """Return the ``ip`` lines that build ``topology`` by hand, as root; the last line takes everything down."""
    names = _netns_names(topology, topology.all_endpoints)
    lines: list[str] = []
    for settings, group in groupby(plan(topology), key=lambda step: getattr(step, "settings", None)):
        steps = list(group)
        if settings is None:
            lines += [step.command for step in steps]
        else:
            each = AddNetns("", settings).command_for("$netns")
            lines.append(f"for netns in {' '.join(step.netns for step in steps)}; do {each}; done")
    return "\n".join([*lines, f"for netns in {' '.join(names)}; do ip netns del $netns; done  # takes it all down"])


def _netns_names(topology: Topology, endpoints: tuple[Endpoint, ...]) -> tuple[str, ...]:
    hosts, switches = (host.name for host in topology.hosts), (switch.name for switch in topology.switches)
    return tuple(dict.fromkeys([*hosts, *switches, *(endpoint.netns for endpoint in endpoints)]))


def _namespaces(topology: Topology) -> Iterator[Step]:
    for name in _netns_names(topology, topology.endpoints):
        yield from _netns(topology, name)
    for host in topology.hosts:
        if host.forwarding:
            yield from _forwarding(host.name, True)


def _netns(topology: Topology, name: str) -> tuple[Step, ...]:
    """A namespace whose wire is quiet: no IPv6 unless the topology declares it, then without router solicitations."""
    six = 6 in topology.declared_families and all(switch.name != name for switch in topology.switches)
    return (AddNetns(name, (*SAME_EVERYWHERE, *(QUIET_IPV6 if six else NO_IPV6))),)


def _forwarding(netns: str, on: bool) -> Iterator[Step]:
    yield Sysctl(netns, "ipv4/ip_forward", str(int(on)))
    yield Sysctl(netns, "ipv6/conf/all/forwarding", str(int(on)))


def _switches(topology: Topology) -> Iterator[Step]:
    for switch in topology.switches:
        yield AddBridge(switch.name, "br0", switch.vlan_aware)
        yield SetLink(switch.name, "br0", "up", "up")


def _wires(topology: Topology) -> Iterator[Step]:
    macs = {(host.name, nic.name): nic.mac for host in topology.hosts for nic in host.interfaces}
    number = 0
    for switch in topology.switches:
        for port in switch.ports:
            number += 1
            device, port_mac = switch.port_device(port), numbered_mac(2, number)
            yield AddWire(port.host, port.interface, macs[port.host, port.interface], switch.name, device, port_mac)
            yield SetMaster(switch.name, device, "br0", port.hairpin, port.learning, port.locked)
            for vlan in port.tagged:
                yield AddPortVlan(switch.name, device, vlan, untagged=False)
            if port.untagged is not None:
                yield AddPortVlan(switch.name, device, port.untagged, untagged=True)
            yield SetLink(switch.name, device, "up", "up")
    for cable in topology.cables:
        yield _cable(cable, macs)
    for nic, mac in macs.items():
        if nic not in topology.wires:
            yield AddDummy(*nic, mac)


def _cable(cable: Cable, macs: dict[tuple[str, str], str]) -> Step:
    (a_host, a_device), (b_host, b_device) = cable.ends
    return AddWire(a_host, a_device, macs[a_host, a_device], b_host, b_device, macs[b_host, b_device])


def _hosts(topology: Topology) -> Iterator[Step]:
    for host in topology.hosts:
        for nic in host.interfaces:
            if nic.mtu != 1500:
                yield SetLink(host.name, nic.name, "mtu", str(nic.mtu))
        for vlan in host.vlans:
            yield AddVlan(host.name, vlan.name, vlan.parent, vlan.id)
        addressed = [(part.name, part.addresses) for part in host.interfaces]
        addressed += [(part.name, part.addresses) for part in host.vlans]
        for device, addresses in addressed:
            yield from (SetAddress(host.name, device, address) for address in addresses)
        for nic in host.interfaces:
            if nic.up:
                yield SetLink(host.name, nic.name, "up", "up")
        for vlan in host.vlans:
            yield SetLink(host.name, vlan.name, "up", "up")


def _child(topology: Topology, endpoint: Endpoint) -> Step:
    driver = endpoint.driver
    host = topology.netns(endpoint.host)
    return AddChild(host, endpoint.parent, endpoint.child, endpoint.netns, driver.kind, driver.mode, driver.flag,
                    endpoint.mac)


def _settle(topology: Topology, endpoint: Endpoint) -> Iterator[Step]:
    for address in endpoint.addresses:
        yield from _address(topology, endpoint.netns, endpoint.child, address)
    if endpoint.up:
        yield SetLink(endpoint.netns, endpoint.child, "up", "up")


def _address(topology: Topology, netns: str, device: str, address: str) -> Iterator[Step]:
    """Add an address; one of a family that came with a change finds IPv6 turned off, so it is turned on first."""
    if ip_interface(address).version == 6 and 6 not in topology.declared_families:
        for setting in (*QUIET_IPV6, *USE_IPV6):
            key, _, value = setting.replace("default", device).partition("=")
            yield Sysctl(netns, key, value)
    yield SetAddress(netns, device, address)


def _route(netns: str, route: Route, add: bool = True) -> Step:
    return SetRoute(netns, route.to, route.via, route.dev, route.kind, add)


def _mode(driver: Driver) -> str:
    return f"{driver.kind} mode {driver.mode}" + (f" {driver.flag}" if driver.flag else "")
