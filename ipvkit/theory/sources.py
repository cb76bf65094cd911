"""Which of a namespace's addresses a packet is sent from, and which one asks for its next hop.

Imports nothing of ours but the state and what a packet is.
"""

from __future__ import annotations

from ipvkit.theory.frames import Packet
from ipvkit.theory.state import BITS, Address, Device, FibRoute, Namespace


def source_address(netns: Namespace, route: FibRoute | None, destination: int, family: int) -> int:
    """Return the address a packet is sent from when its program names none: ip_route_output_key_hash."""
    if route is None or route.device is None:
        return next((a.value for d in netns.devices.values() for a in d.addresses if a.family == family), 0)
    if route.kind == "local":
        return destination
    if family == 6:
        return select_address(netns, route.device, destination, 6)
    if route.source is not None:
        return route.source
    if route.gateway is None:  # the route's own choice, which knows no destination
        return select_address(netns, route.device, 0, family)  # fib_info_update_nhc_saddr
    return select_address(netns, route.device, route.gateway, family)


def asks_with(netns: Namespace, device: Device, hop: int, packet: Packet) -> int:
    """Return the address to ask for a hop with: the packet's own if it is ours, else one of the device.

    IPv6 wants it on the very device and falls back to link-local (ndisc_solicit), IPv4 does not (arp_solicit).
    """
    if packet.family == 6:
        return packet.source if packet.source in device.values else device.link_local
    return packet.source if packet.source in netns.local else select_address(netns, device, hop, 4)


def select_address(netns: Namespace, device: Device, hop: int, family: int) -> int:
    """Return the source address: for IPv4 one of the device in the hop's subnet, else its first, else any (or 0).

    For IPv6 ``hop`` is the destination itself: :func:`_select6`.
    """
    own = [a for a in device.addresses if a.family == family]
    if family == 6:
        return _select6(netns, own, hop) or device.link_local
    near = next((a.value for a in own if a.covers(hop)), None)
    if near is not None:
        return near
    if own:
        return own[0].value
    return next((a.value for d in netns.devices.values() for a in d.addresses if a.family == family), 0)


def _select6(netns: Namespace, own: list[Address], destination: int) -> int:
    """Choose as ipv6_dev_get_saddr does (RFC 6724, 5): the device's own, the longest common prefix, the newest.

    A common prefix counts no further than the address's own prefix; a new address is put before the older ones
    (ipv6_link_dev_addr).
    """
    others = [a for d in netns.devices.values() for a in reversed(d.addresses) if a.family == 6]
    candidates = own[::-1] or others
    if not candidates:
        return 0
    return max(candidates, key=lambda a: min(a.prefix, BITS[6] - (a.value ^ destination).bit_length())).value
