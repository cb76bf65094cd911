"""The walk of one packet, told step by step: what `explain` returns.

Imports nothing of ours but the theory's own parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from ipvkit import html
from ipvkit.theory.exchange import Exchange
from ipvkit.theory.frames import Arp, Frame, Packet, Point, points
from ipvkit.theory.judge import Verdict, decisive, missed
from ipvkit.theory.rules import RULES
from ipvkit.theory.state import spell


@dataclass(frozen=True)
class Step:
    """One thing that happens: where (``netns``, ``device``), what, by which ``rule``, written where (``source``)."""

    phase: str
    netns: str
    device: str
    what: str
    rule: str
    source: str
    frame: str = ""

    def __str__(self) -> str:
        """Return where and what."""
        return f"{self.netns}/{self.device}: {self.what}"


@dataclass(frozen=True)
class Walk:
    """Every step from ``source`` to ``destination`` and back, and the ``verdict`` at the end.

    ``frames`` are the frames seen on each cable (host's uplink included), ARP too, as (netns, device, text).
    """

    source: str
    destination: str
    steps: tuple[Step, ...]
    verdict: Verdict
    frames: tuple[tuple[str, str, str], ...]

    def __repr__(self) -> str:
        """Return the walk as an aligned text, a line a step, a heading for each phase."""
        width = max((len(f"{s.netns}/{s.device}") for s in self.steps), default=0)
        lines = [f"{self.source} → {self.destination}: {self.verdict.verdict}", f"  {self.verdict.why}."]
        phase = ""
        for step in self.steps:
            if step.phase != phase:
                phase = step.phase
                lines.append(phase)
            place = f"{step.netns}/{step.device}"
            lines.append(f"  {place:<{width}}  {step.what}  [{step.rule}]")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the walk as an HTML table, with the source of each rule."""
        rows = [(step.phase, step.netns, step.device, step.what, step.source) for step in self.steps]
        columns = ("part", "namespace", "device", "what happens", "source")
        return (f"<p><b>{escape(self.source)} → {escape(self.destination)}: {escape(self.verdict.verdict)}</b>. "
                f"{escape(self.verdict.why)}.</p>{html.table('', columns, rows, code=frozenset({'source'}))}")


def tell(exchange: Exchange, source: str, destination: str, verdict: Verdict) -> Walk:
    """Return the walk of an exchange whose events were kept."""
    steps: list[Step] = []
    seen: set[int] = set()
    frames: list[tuple[str, str, str]] = []
    told = [(event.phase, event.trail) for event in exchange.events]
    if verdict.verdict not in ("reply", "arrived") and exchange.losses:
        end = decisive(exchange)
        told.insert(end.events, (end.packet.kind, end.trail))
        owner, rule = missed(end.failed, exchange.neighbourhood.world) if end.failed else (None, "")
        if owner:
            told.insert(end.events, ("not heard", Point(None, owner, rule)))
    for phase, trail in told:
        for point in points(trail):
            if id(point) not in seen:
                seen.add(id(point))
                _tell_point(phase, point, steps, frames)
    return Walk(source, destination, tuple(steps), verdict, tuple(frames))


def _tell_point(phase: str, point: Point, steps: list[Step], frames: list[tuple[str, str, str]]) -> None:
    if point.rule == "sends":
        return
    rule, netns = RULES[point.rule], point.device.netns.name
    text = describe(point.frame) if point.frame else ""
    steps.append(Step(phase, netns, point.device.name, rule.says, rule.id, rule.source, text))
    if point.rule == "veth" or (point.rule.startswith("switch-") and point.frame):
        frames.append((netns, point.device.name, text))


def describe(frame: Frame) -> str:
    """Return a frame in the words of a capture."""
    head = f"{frame.source} > {frame.destination}" + (f" vlan {frame.vlan}" if frame.vlan else "")
    return f"{head}: {describe_payload(frame.payload)}"


def describe_payload(payload: Packet | Arp) -> str:
    """Return a packet or ARP message in the words of a capture."""
    if isinstance(payload, Arp):
        asker, target = spell(payload.asker, payload.family), spell(payload.target, payload.family)
        return f"who has {target}? tell {asker}" if payload.operation == "request" else f"{asker} is here, {target}"
    ends = f"{spell(payload.source, payload.family)} > {spell(payload.destination, payload.family)}"
    return f"{ends} {payload.kind}, ttl {payload.ttl}"
