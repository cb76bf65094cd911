"""Netlink as a lab needs it: many requests in one send, every refusal with its errno and the kernel's own sentence.

Law: pyroute2's message classes encode and decode, but neither its sockets and event loop nor its package ``__init__``
are loaded (370 modules; over a second in User-Mode Linux). The kernel carries out a send before it returns, and
answers refusals unasked, so only the last request of a send asks for an acknowledgement. A socket belongs for ever to
the namespace it was opened in (netlink(7), rtnetlink(7)).
"""

from __future__ import annotations

import importlib.util
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyroute2.netlink import nlmsg

NETLINK_ROUTE, SOL_NETLINK = 0, 270
NETLINK_CAP_ACK, NETLINK_EXT_ACK = 10, 11  # include/uapi/linux/netlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
REQUEST, ACK, EXCL, CREATE, DUMP = 1, 4, 0x200, 0x400, 0x300
_ACK_TLVS, _CAPPED, _ATTR_MESSAGE = 0x200, 0x100, 1
BATCH = 128
"""Requests in one send: their refusals, one small packet each, must fit into the default receive buffer (208 kB)."""

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_READ_SIZE = 1 << 18


class Refusal(NamedTuple):
    """Request number ``number`` of a sequence was refused with ``errno``; ``extack`` is the kernel's sentence or ''."""

    number: int
    errno: int
    extack: str


def load_messages() -> None:
    """Make ``pyroute2.netlink.rtnl.*`` importable without running ``pyroute2/__init__``; corrects its ipvlan class."""
    if "pyroute2" not in sys.modules:
        found = importlib.util.find_spec("pyroute2")
        assert found is not None, "the agent's archive has pyroute2"
        sys.modules["pyroute2"] = importlib.util.module_from_spec(found)
    from pyroute2.netlink import nla
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    class ipvlan(nla):  # type: ignore[misc]  # noqa: N801
        """pyroute2 0.9 has no IFLA_IPVLAN_FLAGS and drops it silently: include/uapi/linux/if_link.h."""

        prefix = "IFLA_"
        nla_map = (
            ("IFLA_IPVLAN_UNSPEC", "none"),
            ("IFLA_IPVLAN_MODE", "uint16"),
            ("IFLA_IPVLAN_FLAGS", "uint16"),
        )

    ifinfmsg.ifinfo.data_map["ipvlan"] = ipvlan


def encode(message: nlmsg, kind: int, flags: int = 0) -> bytes:
    """Give the bytes of one request of type ``kind``; its number and length are filled in when it is sent."""
    message["header"] = {"type": kind, "flags": REQUEST | flags, "sequence_number": 0, "pid": 0}
    message.encode()
    return bytes(message.data)


class Socket:
    """A route netlink socket in the namespace this process is in now."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self._socket.bind((0, 0))

    def close(self) -> None:
        """Close it; the namespace does not die of it while others hold it."""
        self._socket.close()

    def send(self, requests: Sequence[bytes]) -> list[Refusal]:
        """Have the kernel carry out ``requests`` in order, each whatever became of the others; give those refused."""
        refused: list[Refusal] = []
        for start in range(0, len(requests), BATCH):
            batch = requests[start : start + BATCH]
            packet = bytearray()
            for number, request in enumerate(batch):
                _stamp(packet, request, number, ACK if number == len(batch) - 1 else 0)
            self._socket.send(packet)
            for number, errno, extack in self._acknowledgements(len(batch) - 1):
                refused.append(Refusal(start + number, errno, extack))
        return refused

    def _acknowledgements(self, last: int) -> Iterator[Refusal]:
        while True:
            for kind, flags, number, body in split(self._socket.recv(_READ_SIZE)):
                assert kind == NLMSG_ERROR, f"netlink message of type {kind} in an answer to a change"
                refusal = _refusal(flags, number, body)
                if refusal.errno:
                    yield refusal
                if number == last:
                    return

    def ask(self, requests: Sequence[bytes]) -> list[bytes | Refusal]:
        """Give the one answer to each of ``requests``, header included: a message, or why there is none."""
        answers: list[bytes | Refusal] = []
        for start in range(0, len(requests), BATCH // 4):  # answers are larger than acknowledgements
            batch = requests[start : start + BATCH // 4]
            packet = bytearray()
            for number, request in enumerate(batch):
                _stamp(packet, request, number, 0)
            self._socket.send(packet)
            while len(answers) < start + len(batch):
                data = self._socket.recv(_READ_SIZE)
                kind, flags, number = _HEADER.unpack_from(data)[1:4]
                answers.append(_refusal(flags, number, data[16:]) if kind == NLMSG_ERROR else data)
        return answers

    def dump(self, request: bytes) -> list[bytes]:
        """Give every message of a dump, header included. Raises ``OSError`` with the kernel's errno."""
        packet = bytearray()
        _stamp(packet, request, 0, DUMP)
        self._socket.send(packet)
        messages: list[bytes] = []
        while True:
            data = self._socket.recv(_READ_SIZE)
            offset = 0
            while offset < len(data):
                length, kind, flags, number, _ = _HEADER.unpack_from(data, offset)
                if kind == NLMSG_DONE:
                    return messages
                if kind == NLMSG_ERROR:
                    errno = _refusal(flags, number, data[offset + 16 :]).errno
                    raise OSError(errno, os.strerror(errno))
                messages.append(data[offset : offset + length])
                offset += (length + 3) & ~3


def _stamp(packet: bytearray, request: bytes, number: int, flags: int) -> None:
    """Append ``request`` with its number and further flags."""
    _, kind, own, _, _ = _HEADER.unpack_from(request)
    packet += _HEADER.pack(len(request), kind, own | flags, number, 0)
    packet += request[16:]
    packet += bytes(-len(request) % 4)


def split(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Take one received packet apart: type, flags, number and body of each message."""
    offset = 0
    while offset < len(data):
        length, kind, flags, number, _ = _HEADER.unpack_from(data, offset)
        yield kind, flags, number, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def attribute(data: bytes, start: int, kind: int) -> bytes:
    """Give the value of the first attribute of ``kind`` from ``start`` on, b"" if there is none; quick."""
    offset, end = start, len(data) - 3
    while offset < end:
        length, found = _ATTRIBUTE.unpack_from(data, offset)
        if found & 0x3FFF == kind:
            return data[offset + 4 : offset + length]
        offset += max((length + 3) & ~3, 4)
    return b""


def attributes(data: bytes) -> dict[int, bytes]:
    """Take nested attributes apart without decoding them: type to value; of a repeated one the last."""
    return dict(all_attributes(data))


def all_attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give each attribute's type (without the nested and byte-order bits) and value, in order."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        yield kind & 0x3FFF, data[offset + 4 : offset + length]
        offset += max((length + 3) & ~3, 4)


def _refusal(flags: int, number: int, body: bytes) -> Refusal:
    """Read an acknowledgement: struct nlmsgerr, then, with NLM_F_ACK_TLVS, attributes."""
    (errno,) = struct.unpack_from("=i", body)
    if not flags & _ACK_TLVS:
        return Refusal(number, -errno, "")
    (length,) = struct.unpack_from("=I", body, 4)
    skipped = 20 if flags & _CAPPED else 4 + length
    sentence = attributes(body[skipped:]).get(_ATTR_MESSAGE, b"")
    return Refusal(number, -errno, sentence.rstrip(b"\0").decode(errors="replace"))
