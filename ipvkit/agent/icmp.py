"""Echo requests on a raw socket of one namespace, and everything that comes back for them.

Law: one socket a namespace and family, with a filter that lets echo replies in and nothing else; a run is recognised by
its identifier and token, a question by its sequence number. What the kernel itself refuses, or an ICMP error says, is
taken from the error queue (IP_RECVERR, ip(7)), where it comes with the packet it is about. RFC 792, RFC 4443.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from ipvkit.agent.bulk import SLOTS, Buffers

_IP_TTL_OPTION, _IP_RECVERR, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 2, 11, 10, 2
_IPV6_RECVERR, _IPV6_MTU_DISCOVER, _IPV6_RECVHOPLIMIT, _IPV6_UNICAST_HOPS = 25, 23, 51, 16
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1  # include/uapi/linux/icmp.h, icmpv6.h
_ORIGIN_LOCAL = 1  # SO_EE_ORIGIN_LOCAL, include/uapi/linux/errqueue.h
_ECHO, _ECHO_REPLY, _ECHO6, _ECHO_REPLY6 = 8, 0, 128, 129
_TOKEN = 8
_ROOM = 1 << 20  # bytes asked for; the kernel gives what net.core.rmem_max allows. An error takes a kilobyte and more
_BEGINNING = 128  # bytes of a reply that are looked at: an IP header with options, and ours
_ANCILLARY = 512

#: What an ICMP error says, by type and code.
_ERRORS4 = {(3, 0): "network unreachable", (3, 1): "host unreachable", (3, 2): "protocol unreachable",
            (3, 3): "port unreachable", (3, 4): "message too long", (3, 9): "prohibited", (3, 10): "prohibited",
            (3, 13): "prohibited", (11, 0): "ttl exceeded"}
_ERRORS6 = {(1, 0): "network unreachable", (1, 1): "prohibited", (1, 3): "host unreachable",
            (1, 2): "host unreachable",  # beyond scope of source address: for a program the same (icmpv6_err_convert)
            (1, 4): "port unreachable", (2, 0): "message too long", (3, 0): "ttl exceeded"}
_THROTTLED = (3, 0)
#: What a refused send says.
_ERRNOS = {errno.ENETUNREACH: "network unreachable", errno.EHOSTUNREACH: "host unreachable",
           errno.ENOBUFS: "no buffers", errno.EMSGSIZE: "message too long", errno.EACCES: "prohibited",
           errno.EPERM: "prohibited", errno.ENETDOWN: "network down",
           errno.EINVAL: "invalid argument"}


class Heard(NamedTuple):
    """What came for question ``number``: a ``verdict`` in words, and what is known of it."""

    number: int
    verdict: str
    ttl: int | None = None
    errno: str = ""
    sender: str = ""


class Echo:
    """The raw socket of the namespace this process is in now; ``size`` bytes of payload, at least 8.

    ``run`` and ``token`` tell its packets from all others.
    """

    def __init__(self, family: int, run: int, token: bytes, *, size: int = 56, ttl: int = 0, fragment: bool = True):
        self._six, self._run, self._token = family == socket.AF_INET6, run, token
        self.told_by: list[str] = []  # who sent ICMP errors of the kind a router limits: see reach.Throttle
        protocol = socket.IPPROTO_ICMPV6 if self._six else socket.IPPROTO_ICMP
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
        header = struct.pack("!BBHHH", _ECHO6 if self._six else _ECHO, 0, 0, run, 0)
        self._packet = header + token + bytes(size - _TOKEN)
        self._sum = sum(word for (word,) in struct.iter_unpack("!H", self._packet + b"\0" * (size % 2)))
        self._set_options(ttl, fragment)
        self._outgoing: Buffers | None = None
        self._incoming: Buffers | None = None
        self._indexes = {name: index for index, name in socket.if_nameindex()} if self._six else {}

    def _set_options(self, ttl: int, fragment: bool) -> None:
        level = socket.IPPROTO_IPV6 if self._six else socket.IPPROTO_IP
        options = [(level, _IPV6_RECVERR if self._six else _IP_RECVERR, 1)]
        options.append((socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM))
        if self._six:
            options.append((level, _IPV6_RECVHOPLIMIT, 1))
            passed = bytearray(b"\xff" * 32)  # a set bit blocks
            passed[(_ECHO_REPLY6 // 32) * 4 : (_ECHO_REPLY6 // 32) * 4 + 4] = struct.pack(
                "=I", 0xFFFFFFFF & ~(1 << (_ECHO_REPLY6 % 32)))
            self._socket.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, bytes(passed))
        else:
            self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~(1 << _ECHO_REPLY)))
        if ttl:
            options.append((level, _IPV6_UNICAST_HOPS if self._six else _IP_TTL_OPTION, ttl))
        if not fragment:
            options.append((level, _IPV6_MTU_DISCOVER if self._six else _IP_MTU_DISCOVER, _IP_PMTUDISC_DO))
        for option in options:
            self._socket.setsockopt(*option)

    def fileno(self) -> int:
        """Give the descriptor, to wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, number: int, address: str) -> Heard | None:
        """Send question ``number`` to ``address``; give the verdict if the kernel refuses to send."""
        return next(self.ask_all([(number, address)]), None)

    def ask_all(self, questions: Sequence[tuple[int, str]]) -> Iterator[Heard]:
        """Send every question (number and address); give the verdicts of those the kernel refuses to send."""
        if self._outgoing is None:
            self._outgoing = Buffers(self._socket.fileno(), len(self._packet))
            for slot in range(SLOTS):
                self._outgoing.data[slot * len(self._packet) : (slot + 1) * len(self._packet)] = self._packet
        for start in range(0, len(questions), SLOTS):
            some = questions[start : start + SLOTS]
            for slot, (number, address) in enumerate(some):
                struct.pack_into("!HHH", self._outgoing.data, slot * len(self._packet) + 2, self._checksum(number),
                                 self._run, number)
                self._outgoing.address(slot, self._name(address))
            yield from self._send(self._outgoing, some)

    def _send(self, outgoing: Buffers, questions: Sequence[tuple[int, str]]) -> Iterator[Heard]:
        sent, tried = 0, False
        while sent < len(questions):
            try:
                sent, tried = sent + outgoing.send(sent, len(questions)), False
            except OSError as error:
                # a send also reports, once, an error that an earlier packet met: the second answer is this one's
                if tried:
                    name = errno.errorcode.get(error.errno or 0, str(error.errno))
                    yield Heard(questions[sent][0], _ERRNOS.get(error.errno or 0, name), errno=name)
                    sent += 1
                tried = not tried

    def _checksum(self, number: int) -> int:
        if self._six:  # the kernel sums ICMPv6, raw(7)
            return 0
        total: int = self._sum + number
        total = (total & 0xFFFF) + (total >> 16)
        return ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF

    def _name(self, address: str) -> bytes:
        """Give the socket address of ``address``, which may end in the device it is asked through: fe80::1%eth0."""
        bare, _, device = address.partition("%")
        return _socket_address(self._six, bare, self._indexes.get(device, 0))

    def hear(self) -> Iterator[Heard]:
        """Give all that has arrived, replies and errors."""
        if self._incoming is None:
            self._incoming = Buffers(self._socket.fileno(), _BEGINNING, control=self._six)
        while True:
            try:
                arrived = list(self._incoming.receive())
            except BlockingIOError:
                break
            except OSError:  # an error is waiting in its queue; this took it off the socket
                continue
            for data, name, control in arrived:
                heard = self._reply(data, name, control)
                if heard:
                    yield heard
            if len(arrived) < SLOTS:
                break
        with suppress(BlockingIOError):
            while True:
                heard = self._error()
                if heard:
                    yield heard

    def _reply(self, data: memoryview, name: bytes, control: bytes) -> Heard | None:
        if self._six:
            message, sender = data, socket.inet_ntop(socket.AF_INET6, name[8:24])
            ttl = struct.unpack_from("=i", control, 16)[0] if len(control) >= 20 else None
        else:
            message, ttl = data[(data[0] & 15) * 4 :], data[8]
            sender = socket.inet_ntop(socket.AF_INET, name[4:8])
        if len(message) < 8 + _TOKEN or message[8 : 8 + _TOKEN] != self._token:
            return None
        run, number = struct.unpack_from("!HH", message, 4)
        return Heard(number, "reply", ttl, sender=sender) if run == self._run else None

    def _error(self) -> Heard | None:
        data, ancillary, _, _ = self._socket.recvmsg(_BEGINNING, _ANCILLARY, socket.MSG_ERRQUEUE)
        for _, kind, value in ancillary:
            if kind not in (_IP_RECVERR, _IPV6_RECVERR) or len(data) < 8:
                continue
            code, origin, icmp_type, icmp_code = struct.unpack_from("=IBBB", value)
            if origin != _ORIGIN_LOCAL and (icmp_type, icmp_code) == _THROTTLED:
                self.told_by.append(offender(value))
            run, number = struct.unpack_from("!HH", data, 4)
            # an error about our echo *reply* to somebody else carries the same numbers, and is not about our question
            if run != self._run or data[0] != (_ECHO6 if self._six else _ECHO):
                return None
            name = errno.errorcode.get(code, os.strerror(code))
            if origin == _ORIGIN_LOCAL:
                return Heard(number, _ERRNOS.get(code, name), errno=name)
            words = (_ERRORS6 if self._six else _ERRORS4).get((icmp_type, icmp_code), name)
            return Heard(number, words, errno=name, sender=offender(value))
        return None


@lru_cache(maxsize=4096)
def _socket_address(six: bool, address: str, scope: int) -> bytes:
    """Give struct sockaddr_in or sockaddr_in6; the same few addresses are asked from every namespace."""
    if six:
        return struct.pack("=HHI", socket.AF_INET6, 0, 0) + socket.inet_pton(socket.AF_INET6, address) + struct.pack(
            "=I", scope)
    return struct.pack("=HH", socket.AF_INET, 0) + socket.inet_pton(socket.AF_INET, address) + bytes(8)


def offender(value: bytes) -> str:
    """Read who sent the ICMP error: the socket address behind struct sock_extended_err."""
    (family,) = struct.unpack_from("=H", value, 16)
    if family == socket.AF_INET:
        return socket.inet_ntop(family, value[20:24])
    if family == socket.AF_INET6:
        return socket.inet_ntop(family, value[24:40])
    return ""
