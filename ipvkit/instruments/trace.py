"""``lab.trace``: one echo request, and every frame it causes anywhere in the lab."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ipvkit import html
from ipvkit.findings import Answer, Table
from ipvkit.instruments import asking
from ipvkit.instruments.frames import BROADCAST, Frame, Message
from ipvkit.instruments.pcapng import pcapng
from ipvkit.instruments.reachability import question
from ipvkit.instruments.story import Step, late, tell

if TYPE_CHECKING:
    from ipvkit.lab import Lab

_DEADLINE = 30.0
_COLUMNS = ("step", "message", "ttl", "from MAC", "to MAC", "seen at")
_OTHER_ICMPV6 = ("multicast listener", "router ")  # what IPv6 says whether or not somebody pings


class Trace(Table):
    """What one echo request caused.

    ``answer`` is what the sender got; ``steps`` are the messages of the exchange (address resolution, request, reply,
    ICMP errors) in an order that is the same every time; ``frames`` is everything that was seen, by time stamp;
    ``dropped`` counts frames that were seen and lost.
    """

    def __init__(self, answer: Answer, steps: Sequence[Step], frames: Sequence[Frame], caches: str, dropped: int):
        self.answer, self.steps, self.dropped = answer, tuple(steps), dropped
        self.frames = tuple(sorted(frames, key=lambda frame: frame.at))
        lost = f", {dropped} frames lost" if dropped else ""
        super().__init__(f"trace {answer!r}, caches {caches}, measured{lost}", _COLUMNS,
                         [_row(number, step) for number, step in enumerate(self.steps, start=1)])

    def _repr_html_(self) -> str:
        """Return the steps as a table, addresses of the wire as code."""
        return html.table(self.title, self.columns, self.rows, code=frozenset({"from MAC", "to MAC"}))

    def seen_at(self, netns: str, device: str = "") -> tuple[Step, ...]:
        """Return the steps that were seen in ``netns``, or on one ``device`` of it."""
        return tuple(step for step in self.steps
                     if any(place == (netns, device or place[1]) for place in step.places))

    def save_pcapng(self, directory: str | Path) -> tuple[Path, ...]:
        """Write one file for each interface, ``NETNS.DEVICE.pcapng``, for Wireshark; return their paths.

        Frames are cut after about 430 bytes. ``OSError`` where the directory cannot be written.
        """
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        interfaces: dict[str, list[Frame]] = {}
        for frame in self.frames:
            interfaces.setdefault(f"{frame.netns}.{frame.device}", []).append(frame)
        paths = tuple(target / f"{name}.pcapng" for name in interfaces)
        for path, (name, frames) in zip(paths, interfaces.items(), strict=True):
            path.write_bytes(pcapng(name, frames))
        return paths


def trace(lab: Lab, src: str, dst: str, *, family: int | None = None, link_local: bool = False,
          caches: str = "cold") -> Trace:
    """Ping ``dst``, a name or an address, from ``src`` once, and see every frame on every interface of the lab.

    Parameters as for ``lab.ping``. Repeated when an answer to ARP was late because the computer is busy. Raises
    ``BadQuestion``, ``LabClosed``.
    """
    for _ in range(asking.ATTEMPTS):
        seen = _trace(lab, src, dst, family, link_local, caches)
        if not late(seen.steps):
            break
    return seen


def _trace(lab: Lab, src: str, dst: str, family: int | None, link_local: bool, caches: str) -> Trace:
    topology = lab.topology
    netns, address, known = question(lab, src, dst, family, link_local)
    switches = [switch.name for switch in topology.switches]
    said = lab.machine.wire.request("trace", deadline=_DEADLINE, netns=netns, address=address,
                                    netnses=[*asking.stacks(topology), *switches], cold=asking.is_cold(caches))
    frames = [Frame.from_agent(message) for message in said["frames"]]
    steps = [step for step in tell(topology, frames) if _belongs(step.message)]
    answer = asking.answer(src, dst, address, said["outcome"], asking.owners(topology, known))
    return Trace(answer, steps, frames, caches, said["dropped"])


def _belongs(message: Message) -> bool:
    return message.protocol in ("ARP", "ICMP") or (
        message.protocol == "ICMPv6" and not message.words.startswith(_OTHER_ICMPV6))


def _row(number: int, step: Step) -> list[str | int | None]:
    source, destination = step.macs
    words = step.message.words + (f" ({step.times} times)" if step.times > 1 else "")
    return [number, words, step.message.ttl, source, "everyone" if destination == BROADCAST else destination,
            _way(step)]


def _way(step: Step) -> str:
    """Say where a step was seen, and where with a VLAN's tag; a switch's own stack, which hears all, is left out."""
    tags = {(frame.netns, frame.device): frame.tag for frame in step.frames}
    places = [f"{netns}.{device}" + (f" (VLAN {tag})" if (tag := tags[netns, device]) else "")
              for netns, device in step.places if device != "br0"]
    first, *rest = places
    if not rest:
        return first
    return f"{first} → {', '.join(rest)}" if step.frames[0].to_a_group else " → ".join(places)
