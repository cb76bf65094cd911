"""What is there: operation ``state`` reads it all back from the kernel, over netlink.

Law: nothing is remembered from building; what a student, a daemon or a container engine made is seen the same way.
``lo`` and entries that no address resolution made (NOARP) are left out, as ``ip neigh`` does.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ipvkit.agent import caches, netlink, places
from ipvkit.agent.namespaces import DESCRIPTORS
from ipvkit.agent.requests import FLAGS, GETLINK, MODES
from ipvkit.agent.serve import Request

if TYPE_CHECKING:
    from pyroute2.netlink import nlmsg

_GETADDR, _GETROUTE, _GETNEIGH, _GETNSID = 22, 26, 30, 90
_MAIN_TABLE, _UNICAST_KINDS = 254, {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_PROTOCOLS = {0: "", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 12: "bird", 16: "dhcp", 186: "bgp", 196: "zebra"}
_NUD = {1: "incomplete", 2: "reachable", 4: "stale", 8: "delay", 16: "probe", 32: "failed", 128: "permanent"}
_NOARP, _PERMANENT = 0x40, 0x80
_UP, _LOOPBACK, _LOWER_UP = 1, 8, 0x10000  # IFF_*
_NO_NAMESPACE = -1

Record = dict[str, Any]


def state(request: Request) -> dict[str, Any]:
    """Operation ``state``: for each namespace ``links``, ``addresses``, ``routes``, ``neighbours``, ``fdb``."""
    netlink.load_messages()
    with places.guests():
        return {"state": _read_all()}


def adopt(request: Request) -> dict[str, Any]:
    """Operation ``adopt``: treat the namespaces others made like our own; answers ``namespaces``, all there are."""
    netlink.load_messages()
    places.adopt()
    caches.outdate()
    return {"namespaces": list(DESCRIPTORS)}


def _read_all() -> dict[str, Any]:
    found: dict[str, Any] = {}
    devices = {}  # (namespace, number): name
    for netns in DESCRIPTORS:
        found[netns] = {"links": list(_links(netns))}
        devices.update({(netns, record["index"]): record["device"] for record in found[netns]["links"]})
    for netns, parts in found.items():
        names = {number: name for (place, number), name in devices.items() if place == netns}
        _name_parents(netns, parts["links"], devices)
        parts["links"] = [record for record in parts["links"] if not record.pop("loopback")]
        parts["addresses"] = list(_addresses(netns, names))
        parts["routes"] = [route for family in (socket.AF_INET, socket.AF_INET6)
                           for route in _routes(netns, family, names)]
        parts["neighbours"] = list(_neighbours(netns, names))
        parts["fdb"] = list(_fdb(netns, names)) if any(r["kind"] == "bridge" for r in parts["links"]) else []
    return found


def _dump(netns: str, kind: int, message: nlmsg, **fields: int) -> Iterator[nlmsg]:
    """Give the decoded messages of a dump; ``message`` is an empty one of the class they have."""
    message.update(fields)
    for data in places.netlink(netns).dump(netlink.encode(message, kind)):
        decoded = type(message)(data)
        decoded.decode()
        yield decoded


def _links(netns: str) -> Iterator[Record]:
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    for message in _dump(netns, GETLINK, ifinfmsg()):
        info = message.get_attr("IFLA_LINKINFO")
        kind = (info.get_attr("IFLA_INFO_KIND") if info else None) or ""
        mode, flag = _driver(kind, info)
        yield {
            "index": message["index"],
            "device": message.get_attr("IFLA_IFNAME"),
            "kind": kind,
            "mode": mode,
            "flag": flag,
            "on": message.get_attr("IFLA_LINK"),
            "netnsid": message.get_attr("IFLA_LINK_NETNSID"),
            "mac": message.get_attr("IFLA_ADDRESS") or "",
            "mtu": message.get_attr("IFLA_MTU"),
            "state": _state(message["flags"]),
            "master": message.get_attr("IFLA_MASTER"),
            "promiscuity": message.get_attr("IFLA_PROMISCUITY") or 0,
            "counters": _counters(message.get_attr("IFLA_STATS64") or {}),
            "loopback": bool(message["flags"] & _LOOPBACK),
        }


def _driver(kind: str, info: Any) -> tuple[str, str]:
    data = info.get_attr("IFLA_INFO_DATA") if kind in MODES else None
    if data is None:
        return "", ""
    if kind == "macvlan":
        return str(data.get_attr("IFLA_MACVLAN_MODE")), ""  # pyroute2 gives the name itself
    names = {number: name for name, number in MODES[kind].items()}
    flags = {number: name for name, number in FLAGS.items()}
    return names[data.get_attr("IFLA_IPVLAN_MODE")], flags[data.get_attr("IFLA_IPVLAN_FLAGS")]


def _state(flags: int) -> str:
    if not flags & _UP:
        return "down"
    return "up" if flags & _LOWER_UP else "no carrier"


def _counters(statistics: dict[str, int]) -> dict[str, int]:
    wanted = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_dropped", "tx_dropped", "rx_errors", "tx_errors")
    return {name: statistics[name] for name in wanted if name in statistics}


def _name_parents(netns: str, records: list[Record], devices: dict[tuple[str, int], str]) -> None:
    """Turn numbers into names: ``on`` into ``namespace.device``, ``master`` into a device."""
    homes: dict[int | None, str] = {None: netns}
    for record in records:
        number, identifier = record.pop("on"), record.pop("netnsid")
        if identifier not in homes:
            homes[identifier] = _namespace(netns, identifier)
        home = homes[identifier]
        # a device that sits on nothing names itself, or 0
        alone = not number or (home == netns and number == record["index"])
        record["on"] = "" if alone else f"{home}.{devices.get((home, number), number)}"
        record["master"] = devices.get((netns, record["master"] or 0), "")


def _namespace(netns: str, identifier: int) -> str:
    """Find which namespace has this identifier in ``netns``; the usual one, a host, is tried first."""
    from pyroute2.netlink.rtnl.nsidmsg import nsidmsg

    for candidate, descriptor in DESCRIPTORS.items():
        message = nsidmsg()
        message["attrs"] = [("NETNSA_FD", descriptor)]
        (answer,) = places.netlink(netns).ask([netlink.encode(message, _GETNSID)])
        if isinstance(answer, bytes):
            (found,) = struct.unpack_from("=i", netlink.attributes(answer[20:]).get(1, struct.pack("=i", -1)))
            if found == identifier != _NO_NAMESPACE:
                return candidate
    return "elsewhere"


def _addresses(netns: str, names: dict[int, str]) -> Iterator[Record]:
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

    for message in _dump(netns, _GETADDR, ifaddrmsg()):
        if names.get(message["index"], "lo") != "lo":
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            yield {"device": names[message["index"]], "address": f"{address}/{message['prefixlen']}"}


def _routes(netns: str, family: int, names: dict[int, str]) -> Iterator[Record]:
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    for message in _dump(netns, _GETROUTE, rtmsg(), family=family):
        number = message.get_attr("RTA_OIF")
        device = names.get(number or 0, "")
        if message["table"] != _MAIN_TABLE or message["type"] not in _UNICAST_KINDS or device == "lo":
            continue
        to = message.get_attr("RTA_DST")
        yield {
            "to": f"{to}/{message['dst_len']}" if to else "default" if family == socket.AF_INET else "default6",
            "via": _via(message),
            "dev": device,
            "kind": _UNICAST_KINDS[message["type"]],
            "by": _PROTOCOLS.get(message["proto"], str(message["proto"])),
        }


def _via(message: nlmsg) -> str:
    via = message.get_attr("RTA_VIA")
    return str(via["addr"]) if via else message.get_attr("RTA_GATEWAY") or ""


def _neighbours(netns: str, names: dict[int, str]) -> Iterator[Record]:
    from pyroute2.netlink.rtnl.ndmsg import ndmsg

    for family in (socket.AF_INET, socket.AF_INET6):
        for message in _dump(netns, _GETNEIGH, ndmsg(), family=family):
            if message["state"] & _NOARP or names.get(message["ifindex"], "lo") == "lo":
                continue
            yield {
                "device": names[message["ifindex"]],
                "address": message.get_attr("NDA_DST"),
                "mac": message.get_attr("NDA_LLADDR") or "",
                "state": _NUD.get(message["state"], str(message["state"])),
            }


def _fdb(netns: str, names: dict[int, str]) -> Iterator[Record]:
    from pyroute2.netlink.rtnl.ndmsg import ndmsg

    for message in _dump(netns, _GETNEIGH, ndmsg(), family=socket.AF_BRIDGE):
        if message.get_attr("NDA_MASTER") or message["flags"] & 4:  # NTF_MASTER
            yield {
                "device": names.get(message["ifindex"], ""),
                "mac": message.get_attr("NDA_LLADDR"),
                "vlan": message.get_attr("NDA_VLAN") or 0,
                "learned": not message["state"] & _PERMANENT,
            }
