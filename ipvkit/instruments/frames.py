"""One frame as it was seen in one place, and what its bytes say.

Sources: RFC 826 (ARP), RFC 791 and 792 (IPv4, ICMP), RFC 8200 and 4443 (IPv6, ICMPv6), RFC 4861 (neighbour discovery).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Any

BROADCAST = "ff:ff:ff:ff:ff:ff"
_IPV4, _ARP, _IPV6, _VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
_TRANSPORT = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}
_ICMP = {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
_UNREACHABLE = {0: "network unreachable", 1: "host unreachable", 3: "port unreachable", 4: "fragmentation needed"}
_ICMPV6 = {
    1: "unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply",
    133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation",
    136: "neighbour advertisement", 137: "redirect", 143: "multicast listener report",
}


@dataclass(frozen=True)
class Frame:
    """A frame seen on ``device`` of ``netns``.

    ``reception`` is ``out`` for one that leaves; for one that comes in, whom it is for: ``own`` (this device's MAC),
    ``broadcast``, ``multicast`` or ``other`` (another MAC). ``at`` is the kernel's time stamp in ns, ``tag`` the VLAN
    tag (16 bits) or None, ``length`` the frame's bytes, ``data`` its beginning.
    """

    netns: str
    device: str
    reception: str
    data: bytes
    length: int
    at: int
    tag: int | None = None

    @classmethod
    def from_agent(cls, message: Mapping[str, Any]) -> Frame:
        """Make one from what the agent's operation ``trace`` answers."""
        return cls(**{**message, "data": bytes.fromhex(message["data"])})

    @property
    def direction(self) -> str:
        """``out`` or ``in``."""
        return "out" if self.reception == "out" else "in"

    @property
    def destination_mac(self) -> str:
        """For whom on this wire."""
        return self.data[:6].hex(":")

    @property
    def source_mac(self) -> str:
        """From whom on this wire."""
        return self.data[6:12].hex(":")

    @property
    def to_a_group(self) -> bool:
        """True for broadcast and multicast: the lowest bit of the first byte, IEEE 802."""
        return bool(self.data[0] & 1)

    @cached_property
    def message(self) -> Message:
        """What it carries."""
        return decode(self.data)


@dataclass(frozen=True)
class Message:
    """``protocol`` (ARP, ICMP, UDP …), ``source`` and ``destination`` addresses ("" if it has none), ``ttl`` (the hop
    limit of IPv6; None without an IP header), ``subject`` the address a neighbour discovery is about, and ``words``:
    what it says, in one line."""

    protocol: str
    words: str
    source: str = ""
    destination: str = ""
    ttl: int | None = None
    subject: str = ""

    @property
    def resolves(self) -> bool:
        """True for the messages that find the MAC of an address: ARP, and IPv6's neighbour discovery."""
        return self.protocol == "ARP" or self.words.startswith("neighbour ")


def decode(frame: bytes) -> Message:
    """Read an Ethernet frame; whatever is cut short or unknown is named by its number, never guessed."""
    kind = int.from_bytes(frame[12:14], "big")
    payload = frame[14:]
    if kind == _VLAN and len(payload) >= 4:
        kind, payload = int.from_bytes(payload[2:4], "big"), payload[4:]
    if kind == _ARP and len(payload) >= 28:
        return _arp(payload)
    if kind == _IPV4 and len(payload) >= 20:
        return _ipv4(payload)
    if kind == _IPV6 and len(payload) >= 40:
        return _ipv6(payload)
    return Message(f"0x{kind:04x}", f"EtherType 0x{kind:04x}")


def _arp(packet: bytes) -> Message:
    sender_mac, sender, target = packet[8:14].hex(":"), _address(packet[14:18]), _address(packet[24:28])
    asks = int.from_bytes(packet[6:8], "big") == 1
    words = f"who has {target}? tell {sender}" if asks else f"{sender} is at {sender_mac}"
    return Message("ARP", words, sender, target)


def _ipv4(packet: bytes) -> Message:
    source, destination, ttl = _address(packet[12:16]), _address(packet[16:20]), packet[8]
    protocol, content = packet[9], packet[(packet[0] & 15) * 4 :]
    said = _transport(protocol, content)
    return Message(_protocol(protocol), f"{said} {source} → {destination}", source, destination, ttl)


def _ipv6(packet: bytes) -> Message:
    source, destination, ttl = _address(packet[8:24]), _address(packet[24:40]), packet[7]
    protocol, content = packet[6], packet[40:]
    if protocol == 0 and len(content) >= 8:  # hop-by-hop options, which multicast listener reports carry
        protocol, content = content[0], content[(content[1] + 1) * 8 :]
    said = _transport(protocol, content)
    if said.startswith("neighbour ") and len(content) >= 24:
        subject = _address(content[8:24])
        return Message(_protocol(protocol), f"{said} for {subject}", source, destination, ttl, subject)
    return Message(_protocol(protocol), f"{said} {source} → {destination}", source, destination, ttl)


def _transport(protocol: int, content: bytes) -> str:
    if protocol == 1 and len(content) >= 2:
        named = _ICMP.get(content[0], f"ICMP type {content[0]}")
        return _UNREACHABLE.get(content[1], named) if content[0] == 3 else named
    if protocol == 58 and content:
        return _ICMPV6.get(content[0], f"ICMPv6 type {content[0]}")
    if protocol in (6, 17) and len(content) >= 4:
        return f"{_TRANSPORT[protocol]} port {int.from_bytes(content[2:4], 'big')}"
    return _protocol(protocol)


def _protocol(number: int) -> str:
    return _TRANSPORT.get(number, f"IP protocol {number}")


def _address(packed: bytes) -> str:
    return str(ip_address(packed))
