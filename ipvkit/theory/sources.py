"""Which of a namespace's addresses a packet is sent from, and which one asks for its next hop.

Imports nothing of ours but the state and what a packet is.
"""

from __future__ import annotations

from ipvkit.theory.frames import Packet
from ipvkit.theory.state import Device, FibRoute, Namespace


def source_address(netns: Namespace, route: FibRoute | None, destination: int, family: int) -> int:
    """Return the address a packet is sent from when its program names none: ip_route_output_key_hash."""
    if route is None or route.device is None:
        return next((a.value for d in netns.devices.values() for a in d.addresses if a.family == family), 0)
    if route.kind == "local":
        return destination
    if route.source is not None:
        return route.source
    if route.gateway is None and family == 4:  # the route's own choice, which knows no destination
        return select_address(netns, route.device, 0, family)  # fib_info_update_nhc_saddr
    hop = destination if route.gateway is None else route.gateway
    return select_address(netns, route.device, hop, family)


def asks_with(netns: Namespace, device: Device, hop: int, packet: Packet) -> int:
    """Return the address to ask for a hop with: the packet's own if it is ours, else one of the device.

    IPv6 wants it on the very device and falls back to link-local (ndisc_solicit), IPv4 does not (arp_solicit).
    """
    if packet.family == 6:
        return packet.source if packet.source in device.values else device.link_local
    return packet.source if packet.source in netns.local else select_address(netns, device, hop, 4)


def select_address(netns: Namespace, device: Device, hop: int, family: int) -> int:
    """Return the source address for a hop: one of the device in its subnet, else its first, else any (or 0)."""
    own = [a for a in device.addresses if a.family == family]
    if family == 6 and not own and device.link_local:
        others = [a.value for d in netns.devices.values() for a in d.addresses if a.family == 6]
        return others[0] if others else device.link_local
    near = next((a.value for a in own if a.covers(hop)), None)
    if near is not None:
        return near
    if own:
        return own[0].value
    return next((a.value for d in netns.devices.values() for a in d.addresses if a.family == family), 0)
