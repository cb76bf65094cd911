"""Which number a device has in its namespace, while one plan is carried out.

Law: in a namespace this plan makes, devices are numbered in the order they are made, as the kernel itself does; so
later requests can name them before the kernel has made them. In one that was there before, or where a device was
refused, the kernel is asked: a student may have changed anything since, and a refusal may have used up a number.
"""

from __future__ import annotations

import os
import socket
import struct

from ipvkit.agent import places, requests
from ipvkit.agent.namespaces import DESCRIPTORS


class NoDevice(Exception):
    """There is no device of that name."""


class Devices:
    """The numbers known so far; one for each plan."""

    _first = 0  # number of the first new device of a fresh namespace, the same for all of a kernel

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._next: dict[str, int] = {}

    def fresh(self, netns: str) -> None:
        """Take note of a namespace just made, in which this process is."""
        if not Devices._first:  # some kernels put tunnel devices into every namespace
            Devices._first = max(index for index, _ in socket.if_nameindex()) + 1
        self._next[netns] = Devices._first

    def foretold(self, netns: str) -> bool:
        """Tell whether new devices of ``netns`` are numbered before the kernel has made them."""
        return netns in self._next

    def new(self, netns: str, device: str, sender: str) -> int:
        """Number a device that ``sender`` is about to make in ``netns``; 0 lets the kernel choose, the same number.

        Up to Linux 6.12 a number given from another namespace is looked up there, and refused if it is taken there
        (__rtnl_newlink, net/core/rtnetlink.c).
        """
        if netns not in self._next:
            return 0
        number = self._numbers[netns, device] = self._next[netns]
        self._next[netns] += 1
        return number if sender == netns else 0

    def index(self, netns: str, device: str) -> int:
        """Give a device's number, asking the kernel if need be. Raises ``NoDevice``."""
        number = self._numbers.get((netns, device))
        if number is None:
            number = self._numbers[netns, device] = find(netns, device)
        return number

    def ask_about(self, *namespaces: str) -> None:
        """Know nothing any more of the devices of ``namespaces``."""
        for key in [key for key in self._numbers if key[0] in namespaces]:
            del self._numbers[key]
        for netns in namespaces:
            self._next.pop(netns, None)

    def descriptor(self, netns: str) -> int:
        """Give the descriptor of a namespace, for a request that puts something there. OSError ENOENT."""
        if netns not in DESCRIPTORS:
            raise FileNotFoundError(f"namespace {netns}")
        return DESCRIPTORS[netns]


def find(netns: str, device: str) -> int:
    """Ask the kernel for a device's number. Raises ``NoDevice``."""
    request = requests.link(requests.GETLINK, attributes=[("IFLA_IFNAME", device)])
    (answer,) = places.netlink(netns).ask([request])
    if not isinstance(answer, bytes):
        raise NoDevice(f"{netns}: {device}: {os.strerror(answer.errno)}")
    number: int = struct.unpack_from("=i", answer, 20)[0]
    return number
