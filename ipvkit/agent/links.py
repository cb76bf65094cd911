"""What a RTM_NEWLINK message says of a device, read from its bytes: decoding all of it costs a millisecond."""

from __future__ import annotations

import struct

from ipvkit.agent import netlink
from ipvkit.agent.requests import FLAGS, MODES

RUNNING, LOWER_UP = 0x40, 0x10000  # IFF_*, include/uapi/linux/if.h
_HEADERS, _FLAGS_AT = 32, 24  # struct nlmsghdr and ifinfomsg
_INFO, _KIND, _DATA = 18, 1, 2  # IFLA_LINKINFO, IFLA_INFO_KIND, IFLA_INFO_DATA


def flags_of(message: bytes) -> int:
    """Read the flags: IFF_UP and so on."""
    flags: int = struct.unpack_from("=I", message, _FLAGS_AT)[0]
    return flags


def is_in_operation(message: bytes) -> bool:
    """Tell whether the device has its carrier (IFF_LOWER_UP) and is in use (IFF_RUNNING)."""
    return flags_of(message) & (LOWER_UP | RUNNING) == LOWER_UP | RUNNING


def kind_of(message: bytes) -> str:
    """Read the kind, '' for a device that has none."""
    return _info(message).get(_KIND, b"").rstrip(b"\0").decode()


def driver_of(message: bytes) -> tuple[str, str]:
    """Read mode and flag of a child of ipvlan or macvlan."""
    data = netlink.attributes(_info(message)[_DATA])
    kind = kind_of(message)
    names = {number: name for name, number in MODES[kind].items()}
    if kind == "macvlan":
        return names[struct.unpack_from("=I", data[1])[0]], ""
    flags = {number: name for name, number in FLAGS.items()}
    return names[struct.unpack_from("=H", data[1])[0]], flags[struct.unpack_from("=H", data[2])[0]]


def _info(message: bytes) -> dict[int, bytes]:
    return netlink.attributes(netlink.attribute(message, _HEADERS, _INFO))
