"""Which MACs a switch has learned and which a parent lets in: operation ``macs``.

Law: read from the kernel's own tables. A parent's unicast filter list is what its children asked for; a NIC that cannot
filter becomes promiscuous instead (``__dev_set_rx_mode`` in the kernel's ``net/core/dev.c``).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

from ipvkit.agent import netlink, places, requests
from ipvkit.agent.devices import find
from ipvkit.agent.serve import Request

_GETNEIGH = 30
_NDMSG = struct.Struct("=BxxxiHBB")  # struct ndmsg: family, ifindex, state, flags, type
_NDA_LLADDR, _NDA_MASTER = 2, 9
_PERMANENT, _SELF = 0x80, 2  # NUD_PERMANENT, NTF_SELF
_PROMISCUITY = 30  # IFLA_PROMISCUITY


def _entries(netns: str) -> Iterator[tuple[int, str, int, int, bool]]:
    """Give index, MAC, state, flags of each entry ``bridge fdb`` shows, and whether it is a switch's."""
    dump = struct.pack("=IHHII", 28, _GETNEIGH, netlink.REQUEST, 0, 0) + _NDMSG.pack(socket.AF_BRIDGE, 0, 0, 0, 0)
    for message in places.netlink(netns).dump(dump):
        _, index, state, flags, _ = _NDMSG.unpack_from(message, 16)
        found = netlink.attributes(message[28:])
        yield index, found[_NDA_LLADDR].hex(":"), state, flags, _NDA_MASTER in found


def _learned(netns: str) -> list[tuple[str, str]]:
    """Give port and MAC of what the switch in ``netns`` has learned."""
    with places.inside(netns):
        names = dict(socket.if_nameindex())
    return sorted((names[index], mac) for index, mac, state, _, master in _entries(netns)
                  if master and not state & _PERMANENT)


def _parent(netns: str, device: str) -> dict[str, Any]:
    number = find(netns, device)
    filters = [mac for index, mac, _, flags, _ in _entries(netns) if index == number and flags & _SELF]
    (answer,) = places.netlink(netns).ask([requests.link(requests.GETLINK, index=number)])
    assert isinstance(answer, bytes), answer
    promiscuity = struct.unpack("=I", netlink.attributes(answer[32:])[_PROMISCUITY])[0]
    return {"promiscuity": promiscuity, "filters": sorted(mac for mac in filters if not int(mac[:2], 16) & 1)}


def macs(request: Request) -> dict[str, Any]:
    """Operation ``macs``: ``learned`` (a list of port and MAC for each of ``switches``) and ``parents``.

    For each of ``parents`` (namespace, device), in order: ``promiscuity`` and ``filters``, the unicast MACs it was
    asked to let in beside its own. Raises ``NoDevice``.
    """
    netlink.load_messages()
    wanted = request.params
    return {"learned": {netns: _learned(netns) for netns in wanted["switches"]},
            "parents": [_parent(*parent) for parent in wanted["parents"]]}
