"""Ask many echo questions once, through one raw socket a namespace, no faster than the kernel keeps up.

Law: at most a window of questions is open without a sign of life, because work queues of macvlan and ipvlan drop beyond
a thousand packets; and no more than the neighbour table has room for, because it is one for all namespaces of a kernel
(gc_thresh3, 1 024 by default), and what does not fit is lost without a word. When it is full it is emptied.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ipvkit.agent import caches, places, routes
from ipvkit.agent.icmp import Echo, Heard
from ipvkit.agent.namespaces import DESCRIPTORS

PAUSE = 0.001
"""Seconds without a sign of life after which the next window is asked."""

CHECK_INTERVAL = 0.1  # s
_EACH = 2  # neighbour entries of a question: here for the address, there for the way back
_RESOLVING_PAUSE = 0.01
_FADED, _MOST_FADING = 0.05, 1.0  # s


class Question(NamedTuple):
    """Can ``netns`` reach ``address``?"""

    netns: str
    address: str


class Asker:
    """Asks ``questions`` of one family; ``answers`` has what came, by number: what is not in it stayed silent.

    ``in_passing`` are the questions whose address was resolved without an answer to their own ARP or neighbour request:
    somebody else's request came by at that moment. ``told`` is called with the namespace and the sender of every ICMP
    error of the kind a router limits. ``check`` is called every now and then, and may raise.
    """

    def __init__(self, questions: list[Question], family: int, told: Callable[[str, str], None],
                 check: Callable[[], None], *, quiet: float, cold: bool, **options: Any) -> None:
        self.questions, self.family, self._quiet, self._cold = questions, family, quiet, cold
        self._told, self.check, self._checked = told, check, time.monotonic()
        self.answers: dict[int, Heard] = {}
        self.in_passing: set[int] = set()
        run, token = int.from_bytes(os.urandom(2), "big"), os.urandom(8)
        self._echoes: dict[str, Echo] = {}
        self._names: dict[int, str] = {}  # the namespace of each descriptor
        self._poll = select.epoll()
        for netns in dict.fromkeys(question.netns for question in questions):
            check()
            with places.inside(netns):
                echo = self._echoes[netns] = Echo(family, run, token, **options)
            self._names[echo.fileno()] = netns
            self._poll.register(echo, select.EPOLLIN | select.EPOLLERR)

    def close(self) -> None:
        """Close the sockets."""
        self._poll.close()
        for echo in self._echoes.values():
            echo.close()

    def let_fade(self) -> None:
        """Take what is still on its way until it is quiet, a second at most: who asks next finds a kernel at rest."""
        until = time.monotonic() + _MOST_FADING
        while self._poll.poll(_FADED) and time.monotonic() < until:
            for echo in self._echoes.values():
                for _ in echo.hear():
                    pass

    def verdict(self, number: int) -> str:
        """Give what is known of a question, '' for silence."""
        return self.answers[number].verdict if number in self.answers else ""

    def ask_once(self, numbers: list[int], window: int) -> bool:
        """Ask each of ``numbers``, ``window`` at once; True if we were kept waiting, so that silence means little."""
        if self._cold:
            caches.empty(self.family, self.check)
        self._late, self._waiting = False, set(numbers)
        asked, recent, room = 0, 0, caches.room(self.family)
        while self._waiting and asked < len(numbers):
            if room < _EACH:
                room = self._make_room()
            some = numbers[asked : asked + min(window - recent, room // _EACH)]
            asked, recent, room = asked + len(some), recent + len(some), room - _EACH * len(some)
            self._send(some)
            heard = self._hear(PAUSE)
            recent = max(0, recent - heard) if heard else 0
        self._await_silence()
        return self._late

    def note_in_passing(self, numbers: list[int]) -> None:
        """Bring ``in_passing`` up to date for ``numbers``, just asked.

        A requester's entry is REACHABLE after an answer, and STALE after a request that came by (arp_process). Where
        caches are kept as they were, what came by is part of them.
        """
        if not self._cold:
            return
        self.in_passing.difference_update(numbers)
        for netns, asked in self._by_source(numbers).items():
            learned = caches.learned_in_passing(netns, self.family)
            if not learned:
                continue
            addresses = [self.questions[number].address for number in asked]
            for number, address, way in zip(asked, addresses, routes.ways(netns, addresses), strict=True):
                if (way.gateway or address.partition("%")[0]) in learned:
                    self.in_passing.add(number)

    def _make_room(self) -> int:
        """Give how many entries there is room for, after emptying the table if need be."""
        room = caches.room(self.family)
        if room >= caches.LEAST_ROOM:
            return room
        resolving = list(DESCRIPTORS)
        while resolving := [netns for netns in resolving if caches.is_resolving(netns, self.family)]:
            self._hear(_RESOLVING_PAUSE)
        caches.empty(self.family, self.check)
        return max(caches.room(self.family), caches.LEAST_ROOM)

    def _await_silence(self) -> None:
        """Hear until it is quiet, nobody resolves an address, and it is quiet once more: an error follows a failure."""
        resolving, last_sign = list(DESCRIPTORS), time.monotonic()
        while self._waiting:
            if self._hear(PAUSE):
                last_sign = time.monotonic()
            elif time.monotonic() - last_sign > self._quiet:
                if not resolving:
                    return
                resolving = [netns for netns in resolving if caches.is_resolving(netns, self.family)]
                last_sign = time.monotonic()

    def _send(self, numbers: list[int]) -> None:
        for netns, asked in self._by_source(numbers).items():
            for refused in self._echoes[netns].ask_all([(number, self.questions[number].address) for number in asked]):
                self._take(refused)

    def _by_source(self, numbers: list[int]) -> dict[str, list[int]]:
        by_source: dict[str, list[int]] = {}
        for number in numbers:
            by_source.setdefault(self.questions[number].netns, []).append(number)
        return by_source

    def _hear(self, patience: float) -> int:
        """Take what arrives within ``patience`` seconds; give how many questions it answered."""
        open_before, before = len(self._waiting), time.monotonic()
        if before > self._checked + CHECK_INTERVAL:
            self.check()
            self._checked = before
        ready = self._poll.poll(patience)
        self._late |= time.monotonic() - before > patience + self._quiet / 2
        for descriptor, _ in ready:
            netns = self._names[descriptor]
            echo = self._echoes[netns]
            for heard in echo.hear():
                if heard.number < len(self.questions) and self.questions[heard.number].netns == netns:
                    self._take(heard)  # else it came to another namespace that has the asker's address as well
            for sender in echo.told_by:
                self._told(netns, sender)
            echo.told_by.clear()
        return open_before - len(self._waiting)

    def _take(self, heard: Heard) -> None:
        if heard.verdict == "reply" or self.verdict(heard.number) != "reply":
            self.answers[heard.number] = heard
        self._waiting.discard(heard.number)


def family_of(version: int) -> int:
    """Give the socket module's number for IPv4 or IPv6."""
    return socket.AF_INET6 if version == 6 else socket.AF_INET
