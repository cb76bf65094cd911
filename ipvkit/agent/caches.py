"""What a lab's kernel remembers between packets, neighbour tables and FDBs: emptied before a cold measurement.

Law: entries are only ever deleted here. One that address resolution would not have made turns a real no into a yes.
What the lab sets so that measuring is quick is :data:`OWN_KERNEL` and the retransmission time, and no more.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from ipvkit.agent import places
from ipvkit.agent.namespaces import DESCRIPTORS
from ipvkit.agent.netlink import encode
from ipvkit.agent.requests import NEWLINK, link
from ipvkit.agent.templates import fill, number

OWN_KERNEL = (
    *(f"{version}/neigh/default/gc_thresh{level}={1 << 16}" for version in ("ipv4", "ipv6") for level in (1, 2, 3)),
    "core/netdev_max_backlog=100000",  # one broadcast is a packet for each child
    "ipv4/route/error_cost=0",  # else a router tells one source of five missing routes, then of one a second
)
"""Written where the kernel is the lab's own (only a kernel's first namespace has these): in User-Mode Linux."""

SHORTEST_MILLISECONDS = 10

_DELNEIGH, _GETNEIGH, _GETNEIGHTBL, _SETNEIGHTBL = 29, 30, 66, 67  # RTM_*, include/uapi/linux/rtnetlink.h
_NDA_DST = 1
_INCOMPLETE = 1  # NUD_INCOMPLETE
_UNCONFIRMED = 4 | 8 | 16  # NUD_STALE, NUD_DELAY, NUD_PROBE
_PERMANENT = 0x80  # NUD_PERMANENT: somebody wrote it
_NDMSG = struct.Struct("=BxxxiHBB")
_ENTRY = struct.Struct("=BxxxiHBBHH")  # struct ndmsg and the head of the first attribute: NDA_DST (neigh_fill_info)
_HEADER = struct.Struct("=IHHII")
_TABLES: dict[int, str] = {socket.AF_INET: "arp_cache", socket.AF_INET6: "ndisc_cache"}
LEAST_ROOM = 200
"""Entries that are added even to a table that others have filled: then it is the silent who are asked again."""


_own_kernel: bool | None = None
_milliseconds = 0  # the retransmission time that is set, 0 for that of new devices


def is_own_kernel() -> bool:
    """Tell whether the kernel is the lab's own; the first time, write :data:`OWN_KERNEL`."""
    global _own_kernel
    if _own_kernel is None:
        try:
            for setting in OWN_KERNEL:
                places.write_setting(*setting.split("=", 1))
            _own_kernel = True
        except OSError:
            _own_kernel = False
    return _own_kernel


def room(family: int) -> int:
    """Give how many neighbour entries may be added: the kernel has one table (gc_thresh3) for all its namespaces."""
    from pyroute2.netlink.rtnl.ndtmsg import ndtmsg

    is_own_kernel()
    message = ndtmsg()
    message["family"] = family
    wire = places.netlink(next(iter(DESCRIPTORS)))
    for data in wire.dump(encode(message, _GETNEIGHTBL)):
        table = ndtmsg(data)
        table.decode()
        if table.get_attr("NDTA_NAME") == _TABLES[family] and table.get_attr("NDTA_THRESH3"):
            free: int = table.get_attr("NDTA_THRESH3") - table.get_attr("NDTA_CONFIG")["entries"]
            return free * 4 // 5
    return LEAST_ROOM


def set_retransmission(milliseconds: int, check: Callable[[], None] = lambda: None) -> None:
    """Set the time between two of the three ARP or neighbour requests of every device, 1 000 ms by default.

    So an absent host is known after three times ``milliseconds``. ``check`` is called for each namespace, and may
    raise: then the time counts as not set, and is set everywhere the next time.
    """
    global _milliseconds
    if _milliseconds == milliseconds:
        return
    _milliseconds = 0
    for netns in DESCRIPTORS:
        check()
        with places.inside(netns):
            indexes = [index for index, name in socket.if_nameindex() if name != "lo"]
        requests = [_retransmission(index, table, family, milliseconds)
                    for index in indexes for family, table in _TABLES.items()]
        places.netlink(netns).send(requests)  # a device without IPv6 refuses its half
    _milliseconds = milliseconds


def prepare() -> None:
    """Set the shortest retransmission time, for an instrument that asks once."""
    set_retransmission(SHORTEST_MILLISECONDS)


def outdate() -> None:
    """Take note that something is being built: new devices have the kernel's own time."""
    global _milliseconds
    _milliseconds = 0


def _retransmission(index: int, table: str, family: int, milliseconds: int) -> bytes:
    def make(index: int) -> bytes:
        from pyroute2.netlink.rtnl.ndtmsg import ndtmsg

        message = ndtmsg()
        message["family"] = family
        parameters = [("NDTPA_IFINDEX", index), ("NDTPA_RETRANS_TIME", milliseconds)]
        message["attrs"] = [("NDTA_NAME", table), ("NDTA_PARMS", {"attrs": parameters})]
        return encode(message, _SETNEIGHTBL)

    return fill(("retransmission", table, milliseconds), make, index=number(index))


def empty(family: int, check: Callable[[], None] = lambda: None) -> None:
    """Delete every neighbour entry of ``family`` that nobody wrote, and every learned FDB entry.

    ``check`` is called for each namespace, and may raise: hundreds of them take longer than who cancels will wait.
    """
    for netns in DESCRIPTORS:
        check()
        wire = places.netlink(netns)
        requests = [_deletion(message) for message in wire.dump(_neighbours(family))]
        wire.send([request for request in requests if request])
        if netns in places.BRIDGES:
            wire.send([_fdb_flush(netns)])


def is_resolving(netns: str, family: int) -> bool:
    """Tell whether ``netns`` is waiting for an answer to an ARP or neighbour request."""
    dumped = places.netlink(netns).dump(_neighbours(family))
    return any(_NDMSG.unpack_from(message, 16)[2] & _INCOMPLETE for message in dumped)


def learned_in_passing(netns: str, family: int) -> set[str]:
    """Give the addresses ``netns`` has a neighbour entry for that was not confirmed: STALE, DELAY or PROBE."""
    found = set()
    for message in places.netlink(netns).dump(_neighbours(family)):
        _, _, state, _, _, length, kind = _ENTRY.unpack_from(message, 16)
        if state & _UNCONFIRMED and kind == _NDA_DST:
            found.add(socket.inet_ntop(family, message[32 : 28 + length]))
    return found


def _neighbours(family: int) -> bytes:
    return _HEADER.pack(28, _GETNEIGH, 1, 0, 0) + _NDMSG.pack(family, 0, 0, 0, 0)


def _deletion(message: bytes) -> bytes:
    family, index, state, flags, _, length, kind = _ENTRY.unpack_from(message, 16)
    if state & _PERMANENT or kind != _NDA_DST:
        return b""
    head = _HEADER.pack(28 + length, _DELNEIGH, 1, 0, 0)
    return head + _NDMSG.pack(family, index, 0, flags, 0) + message[28 : 28 + length]


def _fdb_flush(netns: str) -> bytes:
    data = ("IFLA_INFO_DATA", {"attrs": [("IFLA_BR_FDB_FLUSH", None)]})
    info = ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "bridge"), data]})
    return link(NEWLINK, index=places.BRIDGES[netns], attributes=[info])
