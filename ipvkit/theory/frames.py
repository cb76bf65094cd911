"""Frames, packets and the trails they leave.

A trail is a chain of points, newest first, that shares its past with the trails it branched from: recording a
broadcast to a hundred children costs a hundred points, not a hundred lists.
Imports nothing of ours but the state.
"""

from __future__ import annotations

from typing import NamedTuple

from ipvkit.theory.state import Device

ECHO_TTL = 64
QUESTIONS = ("echo request", "datagram")
"""The kinds of packets that begin something; all others answer one."""


class Packet(NamedTuple):
    """An IP packet. ``kind`` is echo request, echo reply, datagram, or the word of an ICMP error."""

    kind: str
    source: int
    destination: int
    family: int
    ttl: int = ECHO_TTL
    number: int = 0


class Arp(NamedTuple):
    """An ARP message (or an IPv6 neighbour solicitation or advertisement): ``asker`` is its sender, also of a reply."""

    operation: str
    asker: int
    target: int
    family: int


class Frame(NamedTuple):
    """What travels on a wire; ``vlan`` 0 is untagged."""

    source: str
    destination: str
    payload: Packet | Arp
    vlan: int = 0


class Point(NamedTuple):
    """One step: at ``device``, ``rule`` applied to ``frame``; ``before`` is the step it follows."""

    before: Point | None
    device: Device
    rule: str
    frame: Frame | None = None


class Delivery(NamedTuple):
    """A frame handed up to the network layer at ``device``; ``cast`` is host, group or other (another's MAC).

    ``behind``: the parents whose work queues it went through, the outermost first.
    """

    device: Device
    frame: Frame
    cast: str
    trail: Point
    behind: tuple[Device, ...] = ()


def is_group(mac: str) -> bool:
    """True for broadcast and multicast MACs."""
    return int(mac[1], 16) & 1 == 1


def points(trail: Point | None) -> list[Point]:
    """Return a trail's points, oldest first."""
    found: list[Point] = []
    while trail is not None:
        found.append(trail)
        trail = trail.before
    return found[::-1]
