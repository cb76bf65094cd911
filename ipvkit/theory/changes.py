"""What changes come to: each is made the way the kernel makes it, one request after another.

A topology only lists its changes; what state they lead to is for the kernel to say, and here for the theory.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from ipvkit.theory import addressing, links
from ipvkit.theory.build import Builder
from ipvkit.theory.state import Device, DropRule
from ipvkit.topology import (
    AddAddress,
    AddEndpoint,
    AddRoute,
    Change,
    Drop,
    LinkDown,
    LinkUp,
    Masquerade,
    Move,
    Plug,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    SetForwarding,
    SetMac,
    SetMode,
    SetMtu,
    Unplug,
)


def make_changes(builder: Builder) -> None:
    """Make every change of the builder's topology, in order; refused ones are noted and left out."""
    builder.absent.clear()
    for change in builder.topology.changes:
        make(builder, change)


def make(builder: Builder, change: Change) -> None:
    """Make one change."""
    topology = builder.topology
    if isinstance(change, AddEndpoint):
        endpoint = topology.endpoint(change.endpoint.name)
        builder.netns(endpoint.netns)
        builder.child(endpoint)
        builder.settle(endpoint)
        builder.routes(endpoint)
    elif isinstance(change, AddRoute):
        builder.route(topology.netns(change.place), change.route, add=not isinstance(change, RemoveRoute))
    elif isinstance(change, SetForwarding):
        builder.netns(topology.netns(change.place)).forwarding = change.on
    elif isinstance(change, Drop):
        rule = DropRule(change.hook, change.protocol, _network(change.source), _network(change.destination))
        builder.netns(topology.netns(change.place)).drops.append(rule)
    elif isinstance(change, Masquerade):
        device = topology.device(change.place, change.device)
        builder.netns(topology.netns(change.place)).masquerading.add(device)
    elif isinstance(change, Unplug | Plug):
        near = change.place, topology.device(change.place, change.device)
        _change_device(builder, *topology.wires[near], change)
    else:
        _change_device(builder, change.place, topology.device(change.place, getattr(change, "device", "")), change)


def _network(text: str) -> tuple[int, int]:
    """Return network and mask as integers; "" is any."""
    network = IPv4Network(text or "0.0.0.0/0")
    return int(network.network_address), int(network.netmask)


def _change_device(builder: Builder, place: str, name: str, change: Change) -> None:
    netns = builder.netns(builder.topology.netns(place))
    words = f"{netns.name}: {type(change).__name__} of {name}"
    builder.attempt(words, lambda: _do(builder, links.find(netns, name), change), uses=(netns.name, name))


def _do(builder: Builder, device: Device, change: Change) -> None:
    ipv6 = builder.world.ipv6
    if isinstance(change, LinkUp | Plug):
        links.set_up(device, ipv6)
    elif isinstance(change, LinkDown | Unplug):
        links.set_down(device, ipv6)
    elif isinstance(change, RemoveLink):
        links.remove(device, ipv6)
    elif isinstance(change, Move):
        links.move(device, builder.netns(builder.topology.netns(change.to)), ipv6)
    elif isinstance(change, SetMode):
        links.set_mode(device, change.driver.mode, change.driver.flag)
    elif isinstance(change, SetMac):
        links.set_mac(device, change.mac)
    elif isinstance(change, SetMtu):
        links.set_mtu(device, change.mtu, ipv6)
    elif isinstance(change, RemoveAddress):
        addressing.remove_address(device, change.address)
    else:
        assert isinstance(change, AddAddress), change
        addressing.add_address(device, change.address)
