"""The netfilter hooks the packets of one exchange pass, and what the namespaces' rules do to them there.

Law: rules see IPv4 only, and only what passes a hook of their own namespace. An exchange is one connection: the first
time its question leaves a namespace decides which source it has from then on, and what answers it (a reply, an ICMP
error about it) gets the old address back where it comes in or is made. Nobody else's replies are touched: they belong
to no connection the namespace knows.
Sources: ``net/netfilter/nf_nat_core.c`` nf_nat_inet_fn, ``nf_nat_masquerade.c``; the tables mangle and nat of
``net/ipv4/netfilter``, in the order of ``include/uapi/linux/netfilter_ipv4.h``: mangle before nat on every hook.
"""

from __future__ import annotations

from typing import NamedTuple

from ipvkit.theory.frames import QUESTIONS, Packet
from ipvkit.theory.sources import select_address
from ipvkit.theory.state import Device, Namespace


class Translation(NamedTuple):
    """The source a question came with and the one it leaves a namespace with; ``device``: that of the rule, if any."""

    original: int
    outside: int
    device: Device | None


class Firewall:
    """What one exchange met: ``passed`` are the hooks, by namespace."""

    def __init__(self) -> None:
        self.passed: dict[Namespace, set[str]] = {}
        self._translations: dict[Namespace, Translation] = {}

    def stops(self, netns: Namespace, packet: Packet, *hooks: str) -> str:
        """Let a packet pass ``hooks``, one after the other; return the rule that drops it there, or ""."""
        passed = self.passed.setdefault(netns, set())
        for hook in hooks:
            passed.add(hook)
            if netns.drops and any(drop.matches(hook, packet) for drop in netns.drops):
                return f"drop-{hook}"
        return ""

    def leaving(self, netns: Namespace, packet: Packet, device: Device, hop: int) -> tuple[Packet, str]:
        """Return the packet as it leaves by ``device`` for ``hop``, and the rule that drops it there, or ""."""
        if not netns.masquerading or packet.family == 6 or packet.kind not in QUESTIONS:
            return packet, ""
        if known := self._translations.get(netns):  # it left before: through a child that is here as well
            return packet, "masquerade-moved" if known.device not in (None, device) else ""
        lends = device.name in netns.masquerading and packet.source != 0
        source = select_address(netns, device, hop, 4) if lends else packet.source
        self._translations[netns] = Translation(packet.source, source, device if lends else None)
        return packet._replace(source=source), "masquerade-nobody" if lends and not source else ""

    def arriving(self, netns: Namespace, packet: Packet) -> Packet:
        """Return the packet as it goes on behind the hooks where a translation is taken back."""
        known = self._translations.get(netns)
        if known is None or packet.kind in QUESTIONS or packet.destination != known.outside:
            return packet
        return packet if known.original == known.outside else packet._replace(destination=known.original)
