"""The fastest way we know in Python, as a yardstick: netlink messages packed by hand, few system calls, no checks.

It does for each endpoint what the lab does: a namespace, a macvlan child made directly in it, lo up, an address, up,
a default route. It reads nothing back and reports no refusal; that is what the lab adds.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def build(count: int) -> list[int]:
    """Build ``count`` endpoints on device 2 of this namespace; give the descriptors that hold them."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    outside = netlink()
    made = []
    for _ in range(count):
        if _libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        made.append((os.open("/proc/self/ns/net", os.O_RDONLY), netlink()))
    _libc.setns(home, CLONE_NEWNET)
    for start in range(0, count, 100):
        children = [child(start + number + 1, made[start + number][0]) for number in range(min(100, count - start))]
        transact(outside, children)
    for number, (_, inside) in enumerate(made, start=1):
        packed = socket.inet_aton(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        transact(inside, [up(1), address(packed), up(2), route()])
    return [descriptor for descriptor, _ in made] + [inside.detach() for _, inside in made]


def netlink() -> socket.socket:
    """Open a route netlink socket."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    opened.bind((0, 0))
    return opened


def transact(wire: socket.socket, messages: list[bytes]) -> None:
    """Send all; only the last is acknowledged."""
    last = bytearray(messages[-1])
    last[6] |= 4
    wire.send(b"".join([*messages[:-1], last]))
    (code,) = struct.unpack_from("=i", wire.recv(65536), 16)
    if code:
        raise OSError(-code, os.strerror(-code))


def message(kind: int, flags: int, body: bytes) -> bytes:
    """Put the header before a request."""
    return struct.pack("=IHHII", 16 + len(body), kind, 1 | flags, 0, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """Pack an attribute."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def child(number: int, descriptor: int) -> bytes:
    """Make a macvlan bridge child of device 2 in the namespace ``descriptor``."""
    data = attribute(1, struct.pack("=I", 4))
    info = attribute(1, b"macvlan\0") + attribute(2, data)
    mac = struct.pack(">HI", 0x0200, 0x01000000 + number)
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(3, b"macv\0") + attribute(5, struct.pack("=I", 2))
    body += attribute(1, mac) + attribute(28, struct.pack("=I", descriptor)) + attribute(18, info)
    return message(16, 0x600, body)


def up(index: int) -> bytes:
    """Set a device up."""
    return message(16, 0, struct.pack("=BxHiII", 0, 0, index, 1, 1))


def address(packed: bytes) -> bytes:
    """Add an address with an 8-bit prefix to device 2."""
    return message(20, 0x600, struct.pack("=BBBBI", 2, 8, 0, 0, 2) + attribute(2, packed) + attribute(1, packed))


def route() -> bytes:
    """Add a default route through device 2."""
    return message(24, 0x600, struct.pack("=8BI", 2, 0, 0, 0, 254, 3, 253, 1, 0) + attribute(4, struct.pack("=I", 2)))
