"""Which way a packet would go: the kernel's own routing decision, asked over netlink."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from ipvkit.agent import netlink, places
from ipvkit.agent.devices import find

_GETROUTE, _DESTINATION, _OUT_OF, _GATEWAY = 26, 1, 4, 5  # RTM_GETROUTE, RTA_DST, RTA_OIF, RTA_GATEWAY
_TYPE_AT = 23  # rtm_type, behind the header of the message


class Way(NamedTuple):
    """``kind`` is the route's type (1 unicast, 2 local, …), ``gateway`` an address or ''; ``errno`` if none."""

    kind: int
    gateway: str
    errno: int


def way(netns: str, address: str) -> Way:
    """Ask namespace ``netns`` for its way to ``address``; fe80::1%eth0 is one through that device."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bare, _, device = address.partition("%")
    raw = socket.inet_pton(family, bare)
    body = struct.pack("=8BI", family, 8 * len(raw), *[0] * 7) + struct.pack("=HH", 4 + len(raw), _DESTINATION) + raw
    if device:
        body += struct.pack("=HHI", 8, _OUT_OF, find(netns, device))
    (answer,) = places.netlink(netns).ask([struct.pack("=IHHII", 16 + len(body), _GETROUTE, 1, 0, 0) + body])
    if not isinstance(answer, bytes):
        return Way(0, "", answer.errno)
    gateway = netlink.attributes(answer[28:]).get(_GATEWAY, b"")
    return Way(answer[_TYPE_AT], socket.inet_ntop(family, gateway) if gateway else "", 0)
