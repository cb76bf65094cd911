"""Wait until a lab just built is in operation: what the kernel does later, in work queues, is done.

Law: a lab that answers a question before it is in operation gives an answer of no topology. The kernel takes note of a
carrier later (net/core/link_watch.c): until then a device drops what is sent through it, or, if the carrier was lost,
still sends. It takes up IPv6 addresses later (net/ipv6/addrconf.c), and so does an ipvlan child the groups by which it
is asked for them, once it leaves an l3 mode: until then nobody is there. All wait for a lock that taking the last lab
down may hold.
"""

from __future__ import annotations

import socket
import struct
import time

from ipvkit.agent import links, places, routes
from ipvkit.agent.namespaces import DESCRIPTORS
from ipvkit.agent.requests import look

MOST_SECONDS = 5.0
"""As long as a device that has its carrier is not in operation: that comes, late on a busy computer."""

MOST_SECONDS_WITHOUT = 1.5
"""For all else, from when no device is awaited any more: what a device without a carrier owes may never come."""

_PAUSE = 0.002
_UP, _LOOPBACK, _NOARP = 1, 8, 0x80  # IFF_*, include/uapi/linux/if.h
_SOLICITED = "ff0200000000000000000001ff"  # and the last 24 bits of the address: RFC 4291 2.7.1
_GETADDR = 22  # RTM_GETADDR, include/uapi/linux/rtnetlink.h
_TENTATIVE, _LOCAL = 0x40, 2  # IFA_F_TENTATIVE, RTN_LOCAL


def wait(devices: list[tuple[str, int]], addresses: list[tuple[str, str]], changed: list[str]) -> None:
    """Wait for devices (namespace, number) and IPv6 addresses (namespace, address), :data:`MOST_SECONDS` at most.

    A device without a carrier is as it should be; an address whose device has none may never come. ``changed`` are
    namespaces in which a child may have got another mode.
    """
    tentative = list(dict.fromkeys(netns for netns, _ in addresses))
    began = awaited = time.monotonic()
    while (now := time.monotonic()) < min(began + MOST_SECONDS, awaited + MOST_SECONDS_WITHOUT):
        devices = [device for device in devices if _is_pending(*device)]
        awaited = now if devices else awaited
        addresses = [address for address in addresses if not _is_local(*address)]
        tentative = [netns for netns in tentative if _has_tentative_address(netns)]
        changed = [netns for netns in changed if _is_deaf(netns)]
        if not devices and not addresses and not tentative and not changed:
            return
        time.sleep(_PAUSE)


def all_devices() -> list[tuple[str, int]]:
    """Give every device of the lab, as namespace and number: a carrier that is lost is lost to all that sits on it."""
    found = []
    for netns in DESCRIPTORS:
        with places.inside(netns):
            found += [(netns, index) for index, _ in socket.if_nameindex()]
    return found


def _is_pending(netns: str, index: int) -> bool:
    """Tell whether a device has its carrier (IFF_LOWER_UP), not yet IFF_RUNNING (in operation), or the reverse."""
    flags = _flags(netns, index)
    return bool(flags & links.LOWER_UP) != bool(flags & links.RUNNING)


def _flags(netns: str, index: int) -> int:
    """Give a device's flags, 0 if it has gone since."""
    (answer,) = places.netlink(netns).ask([look(index)])
    return links.flags_of(answer) if isinstance(answer, bytes) else 0


def _is_deaf(netns: str) -> bool:
    """Tell whether a device has yet to join the group by which its neighbours ask for one of its IPv6 addresses.

    One that does not take part in neighbour discovery joins none (addrconf_join_solict).
    """
    try:
        with places.inside(netns), open("/proc/net/if_inet6") as addresses, open("/proc/net/igmp6") as groups:
            joined = {tuple(line.split()[1:3]) for line in groups}
            there = [line.split() for line in addresses]
    except FileNotFoundError:  # a kernel without IPv6
        return False
    return any((device, _SOLICITED + address[-6:]) not in joined
               and _flags(netns, int(index, 16)) & (_UP | _LOOPBACK | _NOARP) == _UP
               for address, index, *_, device in there)


def _has_tentative_address(netns: str) -> bool:
    request = struct.pack("=IHHII", 24, _GETADDR, 1, 0, 0) + struct.pack("=BBBBI", socket.AF_INET6, 0, 0, 0, 0)
    return any(message[18] & _TENTATIVE for message in places.netlink(netns).dump(request))


def _is_local(netns: str, address: str) -> bool:
    """Tell whether ``netns`` takes packets for its own IPv6 ``address``: the route that says so comes later."""
    return routes.way(netns, address).kind == _LOCAL
