"""What arrives: UDP sent one way, to one address, to everybody (broadcast) or to a group (multicast).

Law: "arrived" means a socket in the destination's namespace was given the datagram; nothing has to come back for it. An
errno is the one the send got, or an ICMP error that came for it (IP_RECVERR, ip(7)). Copies of broadcasts are delivered
by work queues, so silence is only decided after quiet, and what is sent to many is sent more than once.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from ipvkit.agent import caches, places
from ipvkit.agent.asking import Question
from ipvkit.agent.icmp import offender
from ipvkit.agent.jobs import Forked, Job
from ipvkit.agent.reach import throttle
from ipvkit.agent.serve import Request

PORT = 40_404
QUIET = 0.3
"""Seconds without news after which what has not arrived is lost; the third ARP request has failed long before."""

ROUNDS, PAUSE = 3, 0.03  # how often a datagram to many is sent, and the seconds between
_TOKEN = struct.Struct("!8sI")
_IP_RECVERR, _IP_PKTINFO = 11, 8  # include/uapi/linux/in.h
_IPV6_RECVERR, _IPV6_JOIN_GROUP = 25, 20  # include/uapi/linux/in6.h
_INTERFACE = struct.Struct("=i4s4s")  # struct in_pktinfo


def _udp(netns: str, six: bool) -> socket.socket:
    with places.inside(netns):
        family = socket.AF_INET6 if six else socket.AF_INET
        return socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)


def _level(six: bool) -> int:
    return socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP


class Flow:
    """One datagram from namespace ``netns`` to ``address``, which is expected in namespace ``home``."""

    def __init__(self, netns: str, address: str, home: str) -> None:
        six = ":" in address
        self._address = address
        self.arrived, self.problem = False, {"errno": "", "by": "", "listens": True}
        self.listener = _udp(home, six)
        try:
            self.listener.bind((address, 0))
        except OSError:  # nobody has this address there
            self.problem["listens"] = False
            self.listener.bind(("", 0))
        self._port = self.listener.getsockname()[1]
        self.sender = _udp(netns, six)
        self.sender.setsockopt(_level(six), _IPV6_RECVERR if six else _IP_RECVERR, 1)

    def send(self, token: bytes) -> None:
        """Send it once; keep the errno if the kernel refuses."""
        try:
            self.sender.sendto(token, (self._address, self._port))
        except OSError as error:
            self.problem["errno"] = errno.errorcode.get(error.errno or 0, str(error.errno))

    def hear(self, token: bytes) -> bool:
        """Take what there is; True if there was news."""
        with suppress(BlockingIOError):
            while not self.arrived:
                self.arrived = self.listener.recv(64) == token
        if self.arrived or self.problem["errno"]:
            return self.arrived
        with suppress(BlockingIOError):
            _, ancillary, _, _ = self.sender.recvmsg(64, 512, socket.MSG_ERRQUEUE)
            for _, kind, value in ancillary:
                if kind in (_IP_RECVERR, _IPV6_RECVERR):
                    self.problem.update(errno=errno.errorcode.get(value[0], str(value[0])), by=offender(value))
            return True
        return False

    @property
    def settled(self) -> bool:
        """True once it arrived or failed."""
        return self.arrived or bool(self.problem["errno"])


def send_all(questions: Iterable[Sequence[str]]) -> list[dict[str, Any]]:
    """Send a datagram for each of ``questions`` (see :class:`Flow`) at once; give what became of each, in order."""
    run = os.urandom(8)
    flows = [Flow(*question) for question in questions]
    tokens = [_TOKEN.pack(run, number) for number in range(len(flows))]
    poll = select.poll()
    for flow, token in zip(flows, tokens, strict=True):
        poll.register(flow.listener, select.POLLIN)
        poll.register(flow.sender, 0)  # errors always count
        flow.send(token)
    last_news = time.monotonic()
    while time.monotonic() < last_news + QUIET and not all(flow.settled for flow in flows):
        poll.poll(PAUSE * 1000)
        if any(flow.hear(token) for flow, token in zip(flows, tokens, strict=True) if not flow.settled):
            last_news = time.monotonic()
    return [{"arrived": flow.arrived, **flow.problem} for flow in flows]


def _deliver(request: Request) -> dict[str, Any]:
    return {"flows": send_all(request.params["flows"])}


class Delivering(Forked):
    """The job of :func:`deliver`; what routers said is noted here, not in the fork, and outlives it."""

    def answer(self, exit_code: int) -> dict[str, Any]:
        """Give the child's answer, completed by what a router was not allowed to say: :class:`reach.Throttle`."""
        said = super().answer(exit_code)
        homes = self._request.params["homes"]
        for number, ((netns, address, _), flow) in enumerate(zip(self._request.params["flows"], said["flows"],
                                                                 strict=True)):
            if flow["errno"] == "ENETUNREACH" and flow["by"]:
                throttle.note(netns, flow["by"])
            elif not (flow["arrived"] or flow["errno"] or caches.is_own_kernel()):
                unsaid = throttle.ask_instead(number, Question(netns, address), homes)
                flow.update({"errno": unsaid.errno, "by": unsaid.sender} if unsaid else {})
        return said


def deliver(request: Request) -> Job:
    """Operation ``deliver``: a datagram for each of ``flows`` (namespace, address, the address's namespace), at once.

    ``homes`` maps addresses to the namespaces they are in. Answers ``flows``, in order: ``arrived``, ``errno`` ("" for
    none), ``by`` (who sent the ICMP error) and ``listens`` (false when the namespace does not have the address).
    ``cold`` empties the caches first.
    """
    prepare(request)
    return Delivering(request, _deliver)


def prepare(request: Request) -> None:
    """Set what makes measuring quick; empty the caches if the request says ``cold``."""
    caches.prepare()
    if request.params["cold"]:
        for family in (socket.AF_INET, socket.AF_INET6):
            caches.empty(family)


class Listener:
    """A socket for broadcasts and for ``group`` (unless empty) on every device of namespace ``netns``."""

    def __init__(self, netns: str, group: str) -> None:
        six = ":" in group
        self.netns, self.devices = netns, set[str]()
        with places.inside(netns):
            self._names = dict(socket.if_nameindex())
        self.socket = _udp(netns, six)
        self.socket.setsockopt(_level(six), socket.IPV6_RECVPKTINFO if six else _IP_PKTINFO, 1)
        self.socket.bind(("", PORT))
        for index, name in self._names.items():
            if group and name != "lo":
                self._join(six, group, index)

    def _join(self, six: bool, group: str, index: int) -> None:
        if six:
            membership = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", index)
            option = _IPV6_JOIN_GROUP
        else:
            membership = socket.inet_aton(group) + struct.pack("=4si", bytes(4), index)  # struct ip_mreqn
            option = socket.IP_ADD_MEMBERSHIP
        with suppress(OSError):  # a device that cannot multicast receives none
            self.socket.setsockopt(_level(six), option, membership)

    def hear(self, token: bytes) -> bool:
        """Take what there is; True if a device received its first copy."""
        before = len(self.devices)
        with suppress(BlockingIOError):
            while True:
                data, ancillary, _, _ = self.socket.recvmsg(64, 256)
                if data != token:
                    continue
                for level, _, value in ancillary:
                    # in6_pktinfo has the index behind the address, in_pktinfo before it
                    (index,) = struct.unpack_from("=i", value, 16 if level == socket.IPPROTO_IPV6 else 0)
                    self.devices.add(self._names.get(index, f"#{index}"))
        return len(self.devices) > before


def _sender(netns: str, device: str, group: str) -> socket.socket:
    """Make a socket that sends out of ``device`` only, as a DHCP client does."""
    six = ":" in group
    sender = _udp(netns, six)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    if six:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    elif group:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    else:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sender


def _spread(request: Request) -> dict[str, Any]:
    wanted = request.params
    netns, device, group = wanted["netns"], wanted["device"], wanted["group"]
    listeners = [Listener(name, group) for name in wanted["netnses"]]
    try:
        sender, token = _sender(netns, device, group), os.urandom(8)
    except OSError as error:
        if error.errno != errno.ENODEV:  # the device has been deleted or moved away
            raise
        return {"errno": "ENODEV", "received": []}
    problem = ""
    for _ in range(ROUNDS):
        try:
            sender.sendto(token, (group or "255.255.255.255", PORT))
        except OSError as error:
            problem = errno.errorcode.get(error.errno or 0, str(error.errno))
            break
        _listen(listeners, token, PAUSE)
    _listen(listeners, token, QUIET)
    received = [(one.netns, name) for one in listeners for name in sorted(one.devices)]
    return {"errno": problem, "received": [place for place in received if place != (netns, device)]}


def _listen(listeners: Iterable[Listener], token: bytes, quiet: float) -> None:
    poll = select.poll()
    for listener in listeners:
        poll.register(listener.socket, select.POLLIN)
    last_news = time.monotonic()
    while time.monotonic() < last_news + quiet:
        poll.poll(quiet * 1000)
        if any(listener.hear(token) for listener in listeners):
            last_news = time.monotonic()


def spread(request: Request) -> Job:
    """Operation ``spread``: a datagram out of ``device`` of ``netns`` to ``group``, or as a broadcast if that is empty.

    Answers ``received``, the places (namespace, device) of ``netnses`` that were given it, and ``errno`` ("" for none)
    when the kernel refused to send. What the sender's own device loops back does not count.
    """
    prepare(request)
    return Forked(request, _spread)
