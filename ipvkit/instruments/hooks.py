"""``lab.hooks``: which netfilter hooks of which namespace a datagram passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ipvkit.errors import BadQuestion
from ipvkit.findings import Table
from ipvkit.instruments import asking
from ipvkit.instruments.delivery import Delivery, delivery, flow

if TYPE_CHECKING:
    from ipvkit.lab import Lab

HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
WAYS = ("iptables-legacy", "nftables")
_DEADLINE = 60.0


class HooksPassed(Table):
    """How many packets each hook of each namespace has counted while one datagram travelled.

    ``passed[netns]`` are the hooks that counted at least one, in the kernel's order; ``counted_with`` names what
    counted (``iptables-legacy`` or ``nftables``), ``delivery`` what became of the datagram.
    """

    def __init__(self, counted: Mapping[str, Sequence[int]], delivery: Delivery, counted_with: str) -> None:
        self.counted_with, self.delivery = counted_with, delivery
        self.counted = {netns: dict(zip(HOOKS, numbers, strict=True)) for netns, numbers in counted.items()}
        self.passed = {netns: tuple(hook for hook in HOOKS if numbers[hook]) for netns, numbers in self.counted.items()}
        super().__init__(f"netfilter hooks, {delivery!r}, caches {delivery.caches}, measured", ["netns", *HOOKS],
                         [[netns, *(number or "·" for number in numbers)] for netns, numbers in counted.items()])


def hooks(lab: Lab, src: str, dst: str, *, caches: str = "cold", using: str | None = None) -> HooksPassed:
    """Send one UDP datagram over IPv4 and count on every netfilter hook of every host and endpoint.

    Not over IPv6: Debian's User-Mode Linux has nothing that counts on all five hooks there, no ``ip6table_mangle`` and
    no nftables.
    ``using`` forces one of :data:`WAYS`; without it the first the kernel has is taken. An ICMP error that comes back is
    counted too. Raises ``BadQuestion``, and ``LabError`` naming what the kernel does not have.
    """
    if using is not None and using not in WAYS:
        raise BadQuestion("using", f"{using!r} is not known", f"Write one of: {', '.join(WAYS)}.")
    address = asking.address(lab.topology, dst, 4, src)
    for _ in range(asking.ATTEMPTS):
        said = lab.machine.wire.request(
            "hooks", deadline=_DEADLINE, flow=flow(lab, src, dst, address), netnses=asking.stacks(lab.topology),
            ways=[using] if using else WAYS, cold=asking.is_cold(caches))
        if said["delivered"]["arrived"]:
            break
    return HooksPassed(said["counted"], delivery(lab, src, dst, address, said["delivered"], caches), said["way"])
