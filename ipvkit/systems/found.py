"""What a container engine made, read back from the kernel as a topology: so theory can predict it.

Law: nothing is taken from the engine's own words. Children, VLAN sub-interfaces and dummy parents are found where the
kernel has them; what the world declares besides, its hosts and wires, is taken as declared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ipvkit.findings import State
from ipvkit.findings.state import LinkState
from ipvkit.lab import Lab
from ipvkit.topology import Driver, Endpoint, Host, Interface, Route, Topology, Vlan

_LINK_LOCAL = "fe80:"


def adopt(lab: Lab, world: Topology) -> Topology:
    """Read what is in ``lab``'s kernel beside ``world``, make it part of the lab, and return the whole topology.

    What was changed in the world since, such as a route in a router, stays a part of it.
    """
    topology = read_topology(_with_changes(lab, world), lab.state())
    lab.adopt(topology)
    return topology


def let_go(lab: Lab, world: Topology) -> None:
    """Take what was found beside ``world`` for gone; what was changed in the world since stays."""
    lab.adopt(_with_changes(lab, world))


def _with_changes(lab: Lab, world: Topology) -> Topology:
    places = {*world.names, *(host.name for host in world.hosts), *(switch.name for switch in world.switches)}
    return replace(world, changes=tuple(change for change in lab.topology.changes if change.place in places))


def read_topology(world: Topology, state: State) -> Topology:
    """Return ``world`` with the children, VLAN sub-interfaces and dummies that ``state`` has and it has not.

    A child's endpoint is called like its namespace; with several in one, or where that name is taken, like namespace
    and device.
    """
    known = {(endpoint.netns, endpoint.child) for endpoint in world.all_endpoints}
    children = [link for link in state.links
                if link.kind in ("ipvlan", "macvlan") and (link.netns, link.device) not in known]
    in_one = {link.netns for link in children if sum(other.netns == link.netns for other in children) > 1}
    in_one |= {endpoint.name for endpoint in world.all_endpoints} | {host.name for host in world.hosts}
    found = tuple(_endpoint(link, state, f"{link.netns}-{link.device}" if link.netns in in_one else link.netns)
                  for link in children)
    hosts = tuple(_with_devices(host, state) for host in world.hosts)
    return replace(world, hosts=hosts, endpoints=world.endpoints + found)


def _endpoint(link: LinkState, state: State, name: str) -> Endpoint:
    driver = Driver(link.kind, link.mode, link.flag)
    host, _, parent = link.on.partition(".")
    return Endpoint(name, driver, _addresses(link, state), tuple(_routes(link, state)), host=host, parent=parent,
                    child=link.device, netns=link.netns, mac=link.mac if driver.own_mac else "",
                    up=link.state != "down")


def _addresses(link: LinkState, state: State) -> tuple[str, ...]:
    """Give the addresses of a device, without those IPv6 gives itself."""
    return tuple(found.address for found in state.addresses if (found.netns, found.device) == (link.netns, link.device)
                 and not found.address.startswith(_LINK_LOCAL))


def _routes(link: LinkState, state: State) -> Iterator[Route]:
    """Give the routes by a device that come neither of an address nor of IPv6 itself."""
    for route in state.routes:
        if (route.netns, route.dev) == (link.netns, link.device) and route.by not in ("kernel", "ra"):
            if route.to.startswith((_LINK_LOCAL, "ff00:")):
                continue
            yield Route(route.to, via=route.via) if route.via else Route(route.to, dev=route.dev)


def _with_devices(host: Host, state: State) -> Host:
    """Add the VLAN sub-interfaces and dummies of a host that were not declared.

    Engines call a sub-interface ``parent.number``; the number is read from there, and others are left out.
    """
    declared = {nic.name for nic in host.interfaces} | {vlan.name for vlan in host.vlans}
    new = [link for link in state.links if link.netns == host.name and link.device not in declared]
    vlans = tuple(Vlan(link.device, link.on.partition(".")[2], int(link.device.rpartition(".")[2]),
                       _addresses(link, state))
                  for link in new if link.kind == "vlan" and link.device.rpartition(".")[2].isdecimal())
    dummies = tuple(Interface(link.device, _addresses(link, state), link.mac, link.mtu, link.state != "down")
                    for link in new if link.kind == "dummy")
    return replace(host, interfaces=host.interfaces + dummies, vlans=host.vlans + vlans)
