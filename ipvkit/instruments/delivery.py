"""``lab.deliver``, ``lab.broadcast``, ``lab.multicast``: what arrives, without an answer having to come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from ipvkit.errors import BadQuestion
from ipvkit.findings import Table
from ipvkit.instruments import asking

if TYPE_CHECKING:
    from ipvkit.lab import Lab

_DEADLINE = 20.0
ALL_HOSTS = {4: "224.0.0.1", 6: "ff02::1"}
"""The groups every host is a member of (RFC 1112, RFC 4291): no membership report disturbs the wire."""


@dataclass(frozen=True)
class Delivery:
    """What became of one datagram from ``src`` to ``dst``.

    ``verdict`` is ``arrived``, ``lost``, or why the kernel refused to send it or gave up: ``network unreachable``,
    ``host unreachable``, ``no buffers`` …; ``errno`` is the name of the kernel's number, ``from_`` who said so.
    """

    verdict: str
    errno: str = ""
    from_: str = ""
    caches: str = field(default="", compare=False)
    src: str = field(default="", compare=False)
    dst: str = field(default="", compare=False)
    address: str = field(default="", compare=False)

    def __bool__(self) -> bool:
        """True if it arrived."""
        return self.verdict == "arrived"

    def __str__(self) -> str:
        """Return ``arrived`` or ``host unreachable, says ext``."""
        return self.verdict + (f", says {self.from_}" if self.from_ else "")

    def __repr__(self) -> str:
        """Return one line: from whom to whom, and what became of it."""
        return f"{self.src} → {self.dst} ({self.address}), one way: {self}"


def deliver(lab: Lab, src: str, dst: str, *, family: int | None = None, caches: str = "cold") -> Delivery:
    """Send one UDP datagram from ``src`` to the name ``dst`` and see whether a socket there is given it.

    ``caches="cold"`` empties neighbour tables and FDB first. Raises ``BadQuestion``: an address will not do, for
    somebody must listen.
    """
    return deliver_all(lab, [(src, dst)], family=family, caches=caches)[0]


def deliver_all(
    lab: Lab, pairs: Sequence[tuple[str, str]], *, family: int | None = None, caches: str = "cold"
) -> list[Delivery]:
    """Send a datagram for each pair of names, all at once; return what became of each, in order."""
    addresses = [asking.address(lab.topology, dst, family, src) for src, dst in pairs]
    flows = [flow(lab, src, dst, address) for (src, dst), address in zip(pairs, addresses, strict=True)]
    homes = {address: lab.topology.netns(name) for address, name in asking.owners(lab.topology).items()}
    found: dict[int, Delivery] = {}
    for _ in range(asking.ATTEMPTS):
        missing = [number for number in range(len(pairs)) if not found.get(number)]
        if not missing:
            break
        said = lab.machine.wire.request("deliver", deadline=_DEADLINE, flows=[flows[number] for number in missing],
                                        homes=homes, cold=asking.is_cold(caches))
        for number, record in zip(missing, said["flows"], strict=True):
            found[number] = delivery(lab, *pairs[number], addresses[number], record, caches)
    return [found[number] for number in range(len(pairs))]


def flow(lab: Lab, src: str, dst: str, address: str) -> tuple[str, str, str]:
    """Return the agent's words for one datagram: sender's namespace, address, receiver's namespace."""
    return asking.netns(lab.topology, src), address, asking.netns(lab.topology, dst, "dst")


def delivery(lab: Lab, src: str, dst: str, address: str, said: dict[str, Any], caches: str) -> Delivery:
    """Return the agent's record of one datagram as a finding."""
    owners = asking.owners(lab.topology)
    verdict = "arrived" if said["arrived"] else asking.WORDS.get(said["errno"], said["errno"])
    if not said["listens"]:
        verdict += ", nobody there has the address"
    return Delivery(verdict, said["errno"], owners.get(said["by"], said["by"]), caches, src, dst, address)


class Receivers(Table):
    """Who received what ``src`` sent to all: ``received`` are names, in the topology's order.

    ``errno`` is the name of the kernel's number where it refused to send, else "".
    """

    def __init__(self, what: str, src: str, names: Sequence[str], received: Sequence[str], errno: str, caches: str):
        self.src, self.errno, self.caches = src, errno, caches
        self.received = tuple(name for name in names if name in received)
        refused = f": refused, {asking.WORDS.get(errno, errno)} ({errno})" if errno else ""
        super().__init__(f"{what} from {src}{refused}, caches {caches}, measured", ["who", "received it"],
                         [[name, "yes" if name in received else "no"] for name in names])


def broadcast(lab: Lab, src: str, *, caches: str = "cold") -> Receivers:
    """Send a UDP datagram to 255.255.255.255 out of ``src``'s own device, as DHCP clients do, and see who receives it.

    It is sent three times, because copies may be dropped. Raises ``BadQuestion``.
    """
    return _spread(lab, src, "", "broadcast", caches)


def multicast(lab: Lab, src: str, *, group: str = ALL_HOSTS[4], caches: str = "cold") -> Receivers:
    """Send a UDP datagram to ``group`` out of ``src``'s own device; every device of the lab is a member of the group.

    The default is all hosts, 224.0.0.1 (for IPv6 ff02::1). Raises ``BadQuestion``.
    """
    try:
        is_group = ip_address(group).is_multicast
    except ValueError:
        is_group = False
    if not is_group:
        raise BadQuestion("group", f"{group!r} is no multicast address", f"Write {ALL_HOSTS[4]} or {ALL_HOSTS[6]}.")
    return _spread(lab, src, group, f"multicast to {group}", caches)


def _spread(lab: Lab, src: str, group: str, what: str, caches: str) -> Receivers:
    topology = lab.topology
    names, netns = asking.names_of_places(topology), asking.netns(topology, src)
    said = lab.machine.wire.request(
        "spread", deadline=_DEADLINE, netns=netns, device=topology.device(src), group=group,
        netnses=asking.stacks(topology), cold=asking.is_cold(caches))
    received = [names[netns, device] for netns, device in said["received"] if (netns, device) in names]
    others = [name for name in topology.names if name != src]
    return Receivers(what, src, others, received, said["errno"], caches)
