"""Which way a packet would go: the kernel's own routing decision, asked over netlink."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from ipvkit.agent import netlink, places
from ipvkit.agent.devices import find

_GETROUTE, _DESTINATION, _OUT_OF, _GATEWAY = 26, 1, 4, 5  # RTM_GETROUTE, RTA_DST, RTA_OIF, RTA_GATEWAY
_FAMILY_AT, _TYPE_AT = 16, 23  # rtm_family and rtm_type, behind the header of the message


class Way(NamedTuple):
    """``kind`` is the route's type (1 unicast, 2 local, …), ``gateway`` an address or ''; ``errno`` if none."""

    kind: int
    gateway: str
    errno: int


def way(netns: str, address: str) -> Way:
    """Ask namespace ``netns`` for its way to ``address``; fe80::1%eth0 is one through that device."""
    return ways(netns, [address])[0]


def ways(netns: str, addresses: Sequence[str]) -> list[Way]:
    """Ask namespace ``netns`` for its way to each of ``addresses``, all in a few system calls."""
    return [_read(answer) for answer in places.netlink(netns).ask([_request(netns, address) for address in addresses])]


def _request(netns: str, address: str) -> bytes:
    bare, _, device = address.partition("%")
    raw = socket.inet_pton(_family(address), bare)
    body = struct.pack("=8BI", _family(address), 8 * len(raw), *[0] * 7)
    body += struct.pack("=HH", 4 + len(raw), _DESTINATION) + raw
    if device:
        body += struct.pack("=HHI", 8, _OUT_OF, find(netns, device))
    return struct.pack("=IHHII", 16 + len(body), _GETROUTE, 1, 0, 0) + body


def _read(answer: bytes | netlink.Refusal) -> Way:
    if not isinstance(answer, bytes):
        return Way(0, "", answer.errno)
    gateway = netlink.attributes(answer[28:]).get(_GATEWAY, b"")
    return Way(answer[_TYPE_AT], socket.inet_ntop(answer[_FAMILY_AT], gateway) if gateway else "", 0)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
