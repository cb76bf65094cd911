"""Every frame on every interface of a lab during one echo: operation ``trace``.

Law: one AF_PACKET socket for each namespace sees all its devices, both ways, and stands before the echo is sent; the
kernel's own time stamps order what they saw, and nothing is filtered here. The sockets have rings: the kernel copies a
frame into them as it passes, while an ordinary read would show it as later owners of its buffer left it (an ipvlan l3
child's with the MAC the parent wrote). Closing such a socket waits for an RCU grace period, tens of milliseconds each:
a process left behind does it after the answer is given.
Sources: packet(7), Documentation/networking/packet_mmap.rst and timestamping.rst.
"""

from __future__ import annotations

import mmap
import os
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ipvkit.agent import caches, places
from ipvkit.agent.icmp import Echo, Heard
from ipvkit.agent.jobs import Forked, Job
from ipvkit.agent.serve import Request

_ALL_PROTOCOLS = 3  # ETH_P_ALL
_SO_TIMESTAMPNS = 35
# include/uapi/linux/if_packet.h
_SOL_PACKET, _PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION, _TPACKET_V2 = 263, 5, 6, 10, 1
_OURS, _VLAN_VALID = 1, 1 << 4  # TP_STATUS_USER, TP_STATUS_VLAN_VALID
_HEADER = struct.Struct("=IIIHHIIH")  # struct tpacket2_hdr: status, len, snaplen, mac, net, sec, nsec, vlan_tci
_ADDRESS = struct.Struct("=HHiHB")  # struct sockaddr_ll behind it: family, protocol, ifindex, hatype, pkttype
_ADDRESS_OFFSET = 32
SLOT, SLOTS = 512, 256
"""Bytes of a ring's slot, of which about 430 hold the frame's beginning, and slots in a ring: 128 kB a namespace."""

RECEPTIONS = {0: "own", 1: "broadcast", 2: "multicast", 3: "other", 4: "out"}  # PACKET_HOST … PACKET_OUTGOING

SETTLE = 0.1
"""Seconds without a frame, after the answer, until the exchange counts as over: copies of broadcasts are delivered by
a work queue, later than the answer they caused."""

QUIET = 0.5
"""Seconds without a frame after which a request without an answer counts as lost; the lab repeats an ARP request after
:data:`ipvkit.agent.caches.SHORTEST_MILLISECONDS`."""

LONGEST = 10.0  # s, should the wire never be quiet


class Ring:
    """A capture of all devices in namespace ``netns``, from now on."""

    def __init__(self, netns: str) -> None:
        self.netns = netns
        with places.inside(netns):
            self.socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(_ALL_PROTOCOLS)
            )
            self._names = dict(socket.if_nameindex())
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        block = mmap.PAGESIZE
        size = struct.pack("=IIII", block, SLOT * SLOTS // block, SLOT, SLOTS)  # struct tpacket_req
        self.socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, size)
        self._memory = mmap.mmap(self.socket.fileno(), SLOT * SLOTS)
        self._next = 0

    def take(self) -> Iterator[dict[str, Any]]:
        """Give the frames that came since the last time, and free their slots."""
        while True:
            start = self._next * SLOT
            status, length, kept, begin, _, seconds, nanoseconds, tag = _HEADER.unpack_from(self._memory, start)
            if not status & _OURS:
                return
            _, _, index, _, reception = _ADDRESS.unpack_from(self._memory, start + _ADDRESS_OFFSET)
            yield {
                "netns": self.netns,
                "device": self._name(index),
                "reception": RECEPTIONS.get(reception, "other"),
                "data": self._memory[start + begin : start + begin + kept].hex(),
                "length": length,
                "at": seconds * 1_000_000_000 + nanoseconds,
                "tag": tag if status & _VLAN_VALID else None,
            }
            self._memory[start : start + 4] = bytes(4)
            self._next = (self._next + 1) % SLOTS

    def _name(self, index: int) -> str:
        if index not in self._names:  # made after we began
            with places.inside(self.netns):
                self._names.update(socket.if_nameindex())
        return self._names.get(index, f"#{index}")

    def dropped(self) -> int:
        """Give how many frames found no free slot."""
        statistics = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("=II", statistics)[1])


class Capture:
    """A ring in each of ``netnses``; ``frames`` is what they have seen so far."""

    def __init__(self, netnses: Iterable[str]) -> None:
        self.frames: list[dict[str, Any]] = []
        self._rings = [Ring(netns) for netns in netnses]
        self._poll = select.poll()
        for ring in self._rings:
            self._poll.register(ring.socket, select.POLLIN)

    def watch(self, also: Echo) -> None:
        """Let :meth:`take` return as soon as something comes to ``also``."""
        self._poll.register(also, select.POLLIN)

    def unwatch(self, also: Echo) -> None:
        """End :meth:`watch`."""
        self._poll.unregister(also)

    def take(self, patience: float) -> bool:
        """Wait ``patience`` seconds for anything and take all frames there are; False when nothing came."""
        ready = bool(self._poll.poll(patience * 1000))
        for ring in self._rings:
            self.frames += ring.take()
        return ready

    def dropped(self) -> int:
        """Give how many frames were lost."""
        return sum(ring.dropped() for ring in self._rings)

    def leave(self) -> None:
        """Let a process of its own close the sockets once this one, its parent, has ended."""
        reading, writing = os.pipe2(os.O_CLOEXEC)  # the last descriptors: the kernel closes in order
        if os.fork() == 0:
            try:
                os.close(writing)
                for standard in (0, 1, 2):
                    os.close(standard)
                os.read(reading, 1)
            finally:
                os._exit(0)


def _trace(request: Request) -> dict[str, Any]:
    wanted = request.params
    family = socket.AF_INET6 if ":" in wanted["address"] else socket.AF_INET
    capture = Capture(wanted["netnses"])
    with places.inside(wanted["netns"]):
        echo = Echo(family, os.getpid() & 0xFFFF, os.urandom(8))
    capture.watch(echo)
    until = time.monotonic() + LONGEST
    heard = echo.ask(1, wanted["address"])
    while heard is None and time.monotonic() < until and capture.take(QUIET):
        heard = _last(echo)
    capture.unwatch(echo)
    echo.close()
    while capture.take(SETTLE) and time.monotonic() < until:
        pass
    capture.leave()
    return {"outcome": heard and heard[1:], "frames": capture.frames, "dropped": capture.dropped()}


def _last(echo: Echo) -> Heard | None:
    answers = list(echo.hear())
    return answers[-1] if answers else None


def trace(request: Request) -> Job:
    """Operation ``trace``: one echo from ``netns`` to ``address``, seen in ``netnses``; ``cold``: with empty caches.

    It is over with an answer, an error, or when no frame came for :data:`QUIET`. Answers ``outcome`` (verdict, TTL,
    errno, who said it; None for silence), ``dropped`` (frames lost), and ``frames``: ``netns``, ``device``,
    ``reception`` (one of :data:`RECEPTIONS`), ``data`` in hexadecimal (the beginning), ``length``, ``at`` in ns,
    ``tag`` (VLAN) or None.
    """
    caches.prepare()
    if request.params["cold"]:
        for family in (socket.AF_INET, socket.AF_INET6):
            caches.empty(family)
    return Forked(request, _trace)
