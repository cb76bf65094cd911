"""Which netfilter hooks a datagram passes, in every namespace: operation ``hooks``.

Law: hooks are counted, not deduced. iptables-legacy counts what reaches a chain's policy, so asking for the table
``mangle``, which is on all five hooks, is enough, without a rule; where the kernel has no iptables-legacy, nftables
counts with a rule on each hook, removed afterwards. One datagram goes one way, so nothing that comes back is counted.
Sources: ``include/uapi/linux/netfilter_ipv4/ip_tables.h``, ``include/uapi/linux/netfilter.h``.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from ipvkit.agent import deliver, places, syscalls
from ipvkit.agent.jobs import Forked, Job
from ipvkit.agent.nftables import HookCounters
from ipvkit.agent.serve import Request
from ipvkit.errors import LabError

HOOKS = ("prerouting", "input", "forward", "output", "postrouting")  # in the order of enum nf_inet_hooks

_GET_INFO, _GET_ENTRIES = 64, 65  # IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES
_INFO = struct.Struct("=32sI5I5III")  # struct ipt_getinfo: …, valid_hooks, hook_entry, underflow, num_entries, size
_ENTRIES_OFFSET = 40  # of entrytable in struct ipt_get_entries
_PACKETS_OFFSET = 96  # of counters.pcnt in struct ipt_entry


class Counters(Protocol):
    """What counts in one namespace."""

    def read(self) -> list[int]:
        """Give the packets counted so far on each of :data:`HOOKS`."""

    def remove(self) -> None:
        """Leave nothing behind."""


class PolicyCounters:
    """The policy counters of iptables-legacy's table ``mangle``; ``OSError`` where the kernel does not have it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
        try:
            self.read()
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
            _load_ip_tables()
            self.read()

    def read(self) -> list[int]:
        """Give the packets counted so far on each of :data:`HOOKS`."""
        info = _INFO.unpack(self._ask(_GET_INFO, struct.pack("=32s52x", b"mangle")))
        policies, size = info[7:12], info[13]
        entries = self._ask(_GET_ENTRIES, struct.pack("=32sI4x", b"mangle", size) + bytes(size))
        return [
            struct.unpack_from("=Q", entries, _ENTRIES_OFFSET + policy + _PACKETS_OFFSET)[0] for policy in policies
        ]

    def _ask(self, option: int, question: bytes) -> bytes:
        return syscalls.getsockopt(self._socket.fileno(), socket.IPPROTO_IP, option, question)

    def remove(self) -> None:
        """Leave nothing behind."""
        self._socket.close()


_MODPROBE = "/proc/sys/kernel/modprobe"


def _load_ip_tables() -> None:
    """Load the module as iptables-legacy does: the kernel asks for tables by itself, but not for this one."""
    with suppress(OSError), open(_MODPROBE) as setting:  # a kernel without modules has no such file
        modprobe = setting.read().strip()
        os.spawnv(os.P_WAIT, modprobe, [modprobe, "-q", "ip_tables"])


@contextmanager
def _no_module_requests() -> Iterator[None]:
    """Keep the kernel from running modprobe, where it is the lab's own.

    One built with bpfilter (Debian's 6.1) does so, in vain, at every IPT_SO_GET_*: half a second each in UML.
    """
    try:
        with open(_MODPROBE) as setting:
            modprobe = setting.read()
        with open(_MODPROBE, "w") as setting:
            setting.write("\n")
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with open(_MODPROBE, "w") as setting:
            setting.write(modprobe)


def _nftables() -> Counters:
    return HookCounters(range(len(HOOKS)))


WAYS: dict[str, Callable[[], Counters]] = {"iptables-legacy": PolicyCounters, "nftables": _nftables}


def _choose(netns: str, ways: list[str]) -> str:
    """Find the first of ``ways`` that this kernel has, by using it; its modules are loaded afterwards."""
    problems = []
    with places.inside(netns):
        for way in ways:
            try:
                WAYS[way]().remove()
                return way
            except OSError as error:
                problems.append(f"{way} ({os.strerror(error.errno or 0)})")
    raise LabError(f"this kernel has nothing that counts on netfilter hooks: {', '.join(problems)}")


def _hooks(request: Request) -> dict[str, Any]:
    wanted = request.params
    way = _choose(wanted["netnses"][0], wanted["ways"])
    counters: dict[str, Counters] = {}
    with _no_module_requests():
        for netns in wanted["netnses"]:
            with places.inside(netns):
                counters[netns] = WAYS[way]()
        before = {netns: counter.read() for netns, counter in counters.items()}
        delivered = deliver.send_all([wanted["flow"]])[0]
        after = {netns: counter.read() for netns, counter in counters.items()}
        for counter in counters.values():
            counter.remove()
    counted = {netns: [now - then for now, then in zip(after[netns], before[netns], strict=True)] for netns in counters}
    return {"way": way, "counted": counted, "delivered": delivered}


def hooks(request: Request) -> Job:
    """Operation ``hooks``: send one datagram, ``flow`` as in ``deliver``, and count in every one of ``netnses``.

    ``ways`` are the names of :data:`WAYS` to try. Answers ``way``, ``counted`` (namespace to packets on each of
    :data:`HOOKS`) and ``delivered`` (as in ``deliver``). LabError where the kernel has neither.
    """
    deliver.prepare(request)
    return Forked(request, _hooks)
