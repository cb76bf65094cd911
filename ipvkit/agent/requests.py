"""What each step asks of the kernel, as netlink requests: the same as the ``ip`` line the step prints.

Law: one function a step, in the order of :mod:`ipvkit.steps`; each yields encoded requests for the socket of the
step's namespace and decides nothing. pyroute2 is loaded when the first plan comes (:func:`netlink.load_messages`).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ipvkit.agent.netlink import CREATE, EXCL, encode
from ipvkit.agent.templates import address, fill, mac, name, number

if TYPE_CHECKING:
    from ipvkit.agent.devices import Devices

Step = dict[str, Any]

NEWLINK, DELLINK, GETLINK, SETLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE = 16, 17, 18, 19, 20, 21, 24, 25
_MAKE = CREATE | EXCL
_UP = 1  # IFF_UP
_NODAD = 2  # IFA_F_NODAD
_EXT_MASK_SKIP_STATISTICS = 8
_PVID, _UNTAGGED = 2, 4  # BRIDGE_VLAN_INFO_*, include/uapi/linux/if_bridge.h
_MAIN_TABLE, _BOOT, _LINK_SCOPE, _NOWHERE = 254, 3, 253, 255  # include/uapi/linux/rtnetlink.h
_ROUTE_KINDS = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}

#: Modes and flags by number: include/uapi/linux/if_link.h.
MODES = {
    "ipvlan": {"l2": 0, "l3": 1, "l3s": 2},
    "macvlan": {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8, "source": 16},
}
FLAGS = {"bridge": 0, "private": 1, "vepa": 2}


def link(kind: int, create: int = 0, *, index: int = 0, attributes: list[Any] | None = None, **fields: int) -> bytes:
    """Encode one request about a link: ``attributes`` as pyroute2 writes them, ``fields`` of struct ifinfomsg."""
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    message = ifinfmsg()
    message.update(fields, index=index)
    message["attrs"] = attributes or []
    return encode(message, kind, create)


def _info(kind: str, **data: Any) -> tuple[str, Any]:
    attributes: list[Any] = [("IFLA_INFO_KIND", kind)]
    if data:
        attributes.append(("IFLA_INFO_DATA", {"attrs": list(data.items())}))
    return ("IFLA_LINKINFO", {"attrs": attributes})


def driver_info(kind: str, mode: str, flag: str) -> tuple[str, Any]:
    """Describe an ipvlan or macvlan child's mode and flag as an attribute."""
    number = MODES[kind][mode]
    if kind == "macvlan":
        return _info(kind, IFLA_MACVLAN_MODE=number)
    return _info(kind, IFLA_IPVLAN_MODE=number, IFLA_IPVLAN_FLAGS=FLAGS[flag])


def _named(device: str, mac: str = "") -> list[Any]:
    return [("IFLA_IFNAME", device), *([("IFLA_ADDRESS", mac)] if mac else [])]


def _add_bridge(step: Step, devices: Devices) -> Iterator[bytes]:
    # a kernel that knows no VLAN filtering refuses even to switch it off
    aware = {"IFLA_BR_VLAN_FILTERING": 1, "IFLA_BR_VLAN_DEFAULT_PVID": 0} if step["vlan_aware"] else {}
    info = _info("bridge", IFLA_BR_STP_STATE=0, IFLA_BR_MCAST_SNOOPING=0, **aware)
    yield link(NEWLINK, _MAKE, index=devices.new(step["netns"], step["device"], step["netns"]),
               attributes=[*_named(step["device"]), info])


def _add_wire(step: Step, devices: Devices) -> Iterator[bytes]:
    peer = [*_named(step["peer"], step["peer_mac"]), ("IFLA_NET_NS_FD", devices.descriptor(step["peer_netns"]))]
    index = devices.new(step["netns"], step["device"], step["netns"])
    peer_index = devices.new(step["peer_netns"], step["peer"], step["peer_netns"])  # taken as it is, by veth_newlink
    info = _info("veth", VETH_INFO_PEER={"attrs": peer, "index": peer_index})
    yield link(NEWLINK, _MAKE, index=index, attributes=[*_named(step["device"], step["mac"]), info])


def _add_dummy(step: Step, devices: Devices) -> Iterator[bytes]:
    yield link(NEWLINK, _MAKE, index=devices.new(step["netns"], step["device"], step["netns"]),
               attributes=[*_named(step["device"], step["mac"]), _info("dummy")])


def _add_vlan(step: Step, devices: Devices) -> Iterator[bytes]:
    parent = ("IFLA_LINK", devices.index(step["netns"], step["parent"]))
    yield link(NEWLINK, _MAKE, index=devices.new(step["netns"], step["device"], step["netns"]),
               attributes=[*_named(step["device"]), parent, _info("vlan", IFLA_VLAN_ID=step["id"])])


def _add_child(step: Step, devices: Devices) -> Iterator[bytes]:
    holes = {"device": name(step["device"]), "parent": number(devices.index(step["netns"], step["parent"]))}
    if step["mac"]:
        holes["address"] = mac(step["mac"])
    if step["child_netns"] != step["netns"]:
        holes["descriptor"] = number(devices.descriptor(step["child_netns"]))
    index = devices.new(step["child_netns"], step["device"], step["netns"])

    def make(device: str, parent: int, address: str = "", descriptor: int = -1) -> bytes:
        attributes = [*_named(device, address), ("IFLA_LINK", parent)]
        if descriptor >= 0:
            attributes.append(("IFLA_NET_NS_FD", descriptor))
        attributes.append(driver_info(step["kind"], step["mode"], step["flag"]))
        return link(NEWLINK, _MAKE, index=index, attributes=attributes)

    yield fill(("child", index, step["kind"], step["mode"], step["flag"], *holes), make, **holes)


def _set_master(step: Step, devices: Devices) -> Iterator[bytes]:
    index, bridge = (devices.index(step["netns"], step[field]) for field in ("device", "bridge"))
    yield link(NEWLINK, index=index, attributes=[("IFLA_MASTER", bridge)])
    port = [("IFLA_BRPORT_MODE", int(step["hairpin"])), ("IFLA_BRPORT_LEARNING", int(step["learning"])),
            ("IFLA_BRPORT_LOCKED", int(step["locked"]))]
    if port != [("IFLA_BRPORT_MODE", 0), ("IFLA_BRPORT_LEARNING", 1), ("IFLA_BRPORT_LOCKED", 0)]:
        slave = [("IFLA_INFO_SLAVE_KIND", "bridge"), ("IFLA_INFO_SLAVE_DATA", {"attrs": port})]
        yield link(NEWLINK, index=index, attributes=[("IFLA_LINKINFO", {"attrs": slave})])


def _add_port_vlan(step: Step, devices: Devices) -> Iterator[bytes]:
    vlan = {"flags": (_PVID | _UNTAGGED) * step["untagged"], "vid": step["id"]}
    yield link(SETLINK, index=devices.index(step["netns"], step["device"]), family=socket.AF_BRIDGE,
               attributes=[("IFLA_AF_SPEC", {"attrs": [("IFLA_BRIDGE_VLAN_INFO", vlan)]})])


def _set_link(step: Step, devices: Devices) -> Iterator[bytes]:
    index, what, value = devices.index(step["netns"], step["device"]), step["what"], step["value"]
    if what == "up":
        yield up(index, value == "up")
    elif what == "mode":
        kind, _, mode, *flag = value.split()
        yield link(NEWLINK, index=index, attributes=[driver_info(kind, mode, flag[0] if flag else "bridge")])
    else:
        attribute = ("IFLA_ADDRESS", value) if what == "mac" else ("IFLA_MTU", int(value))
        yield link(NEWLINK, index=index, attributes=[attribute])


def _move_link(step: Step, devices: Devices) -> Iterator[bytes]:
    descriptor = devices.descriptor(step["to"])
    yield link(NEWLINK, index=devices.index(step["netns"], step["device"]),
               attributes=[("IFLA_NET_NS_FD", descriptor)])


def _delete_link(step: Step, devices: Devices) -> Iterator[bytes]:
    yield link(DELLINK, index=devices.index(step["netns"], step["device"]))


def _set_address(step: Step, devices: Devices) -> Iterator[bytes]:
    text, _, length = step["address"].partition("/")
    index, six, add = devices.index(step["netns"], step["device"]), ":" in text, step["add"]

    def make(index: int, local: str, peer: str) -> bytes:
        from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

        message = ifaddrmsg()
        message.update(family=_family(six), prefixlen=int(length), index=index)
        message["attrs"] = [("IFA_LOCAL", local), ("IFA_ADDRESS", peer), *([("IFA_FLAGS", _NODAD)] if six else [])]
        return encode(message, NEWADDR if add else DELADDR, _MAKE if add else 0)

    yield fill(("address", length, add), make, index=number(index), local=address(text), peer=address(text))


def _set_route(step: Step, devices: Devices) -> Iterator[bytes]:
    to, via, kind, add = step["to"], step["via"] or "", step["kind"], step["add"]
    everywhere = to in ("default", "default6")
    six = ":" in to or to == "default6"
    network, _, length = ("", "", "0") if everywhere else to.partition("/")
    holes = {"network": address(network)} if network else {}
    if via:
        holes["gateway"] = address(via)
    if step["dev"]:
        holes["device"] = number(devices.index(step["netns"], step["dev"]))

    def make(network: str = "", gateway: str = "", device: int = 0) -> bytes:
        from pyroute2.netlink.rtnl.rtmsg import rtmsg

        attributes: list[Any] = [("RTA_DST", network)] if network else []
        if gateway:
            attributes.append(("RTA_GATEWAY", gateway))
        if device:
            attributes.append(("RTA_OIF", device))
        on_link = not six and not gateway and kind == "unicast"
        message = rtmsg()
        message.update(family=_family(six), dst_len=int(length or (128 if six else 32)), table=_MAIN_TABLE,
                       type=_ROUTE_KINDS[kind], proto=_BOOT if add else 0,
                       scope=(_LINK_SCOPE if on_link else 0) if add else _NOWHERE)
        message["attrs"] = attributes
        return encode(message, NEWROUTE if add else DELROUTE, _MAKE if add else 0)

    yield fill(("route", six, length, kind, add, *holes), make, **holes)


def _family(six: bool) -> int:
    return socket.AF_INET6 if six else socket.AF_INET


def up(index: int, is_up: bool = True) -> bytes:
    """Encode the request that sets a device up or down."""
    flags = _UP * is_up
    return fill(("up", is_up), lambda index: link(NEWLINK, index=index, flags=flags, change=_UP), index=number(index))


def look(index: int) -> bytes:
    """Encode the question what the kernel says of a device, without its statistics."""
    without = [("IFLA_EXT_MASK", _EXT_MASK_SKIP_STATISTICS)]
    return fill("look", lambda index: link(GETLINK, index=index, attributes=without), index=number(index))


def _loopback_up(_: Step, devices: Devices) -> Iterator[bytes]:
    yield up(1)  # lo is device number 1 of every namespace


REQUESTS: dict[str, Callable[[Step, Devices], Iterator[bytes]]] = {
    "AddNetns": _loopback_up,
    "AddBridge": _add_bridge,
    "AddWire": _add_wire,
    "AddDummy": _add_dummy,
    "AddVlan": _add_vlan,
    "AddChild": _add_child,
    "SetMaster": _set_master,
    "AddPortVlan": _add_port_vlan,
    "SetLink": _set_link,
    "MoveLink": _move_link,
    "DeleteLink": _delete_link,
    "SetAddress": _set_address,
    "SetRoute": _set_route,
}
