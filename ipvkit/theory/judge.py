"""From what happened to a verdict: the word, one sentence of why, and the rule that decided.

Imports nothing of ours but the theory's own parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from ipvkit.theory.exchange import Exchange
from ipvkit.theory.frames import QUESTIONS, Point
from ipvkit.theory.neighbours import Resolution
from ipvkit.theory.outgoing import Loss
from ipvkit.theory.rules import RULES
from ipvkit.theory.state import Device, World, spell

TELLING = frozenset((*(r for r in RULES if r.startswith(("ipvlan-", "macvlan-"))), "forward", "route-local"))


@dataclass(frozen=True)
class Verdict:
    """What the sender will see (``verdict``), why in one sentence, and the ``rule`` (an id of ``theory.RULES``).

    ``ttl`` is that of the request at arrival (0: it does not arrive). ``warm`` are other verdicts that are possible
    when other pairs ask before or at the same time, because neighbour tables learn from what they ask.
    """

    verdict: str
    why: str
    rule: str
    ttl: int = 0
    warm: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return the word."""
        return self.verdict


def judge(exchange: Exchange, world: World) -> Verdict:
    """Return the verdict on an echo request or a datagram that has been followed to its end."""
    ttl = exchange.arrived.ttl if exchange.arrived else 0
    if exchange.outcome is None:
        loss = decisive(exchange)
        word = "lost" if loss.packet.kind == "datagram" else "timeout"
        return Verdict(word, _lost(loss, world), _rule(loss, world), ttl)
    word, rule, _ = exchange.outcome
    if word == "arrived":
        return Verdict(word, f"The datagram arrives with TTL {ttl}", _way(exchange, rule), ttl)
    if word == "reply":
        return Verdict(word, f"The request arrives with TTL {ttl} and is answered", _way(exchange, rule), ttl)
    loss = decisive(exchange)
    return Verdict(word, _lost(loss, world), _rule(loss, world), ttl)


def decisive(exchange: Exchange) -> Loss:
    """Return the loss of the packet that got furthest: of the reply, if the request arrived."""
    replies = [loss for loss in exchange.losses if loss.packet.kind == "echo reply"] if exchange.arrived else []
    questions = [loss for loss in exchange.losses if loss.packet.kind in QUESTIONS]
    return (replies or questions or exchange.losses)[0]


def _way(exchange: Exchange, rule: str) -> str:
    """Return the rule that tells most about how a request arrived: the last of ipvlan, macvlan or a router."""
    trail: Point | None = exchange.way
    while trail is not None:
        if trail.rule in TELLING:
            return trail.rule
        trail = trail.before
    return rule


def _rule(loss: Loss, world: World) -> str:
    return reason(loss.failed, world) if loss.failed else loss.rule


def _lost(loss: Loss, world: World) -> str:
    what = {"echo request": "The request", "echo reply": "The reply"}.get(loss.packet.kind, f"The {loss.packet.kind}")
    place = f"{loss.trail.device.netns.name}"
    if loss.failed is None:
        return f"{what} ends in {place}: {_lower(RULES[loss.rule].says)}"
    question = loss.failed.asked
    target = spell(question.target, question.family)
    asks = "ARP" if question.family == 4 else "neighbour discovery"
    because = RULES[reason(loss.failed, world)].says
    return f"{what} ends in {place}: {asks} for {target} gets no answer: {_lower(because)}"


def _lower(sentence: str) -> str:
    """Return a sentence as the second half of one; a name in capitals keeps them."""
    first = sentence.split()[0]
    return sentence if len(first) > 1 and first.isupper() else sentence[0].lower() + sentence[1:]


def reason(failed: Resolution, world: World) -> str:
    """Return the rule that kept a question from being answered, or from reaching whoever has the address."""
    return missed(failed, world)[1]


def missed(failed: Resolution, world: World) -> tuple[Device | None, str]:
    """Return the device that has the address and did not hear the question, if there is one, and the rule."""
    if failed.rule in ("arp-nobody", "nd-nobody"):
        asked = failed.asked
        for owner in world.owners.get(asked.target, ()):
            for device in owner.devices.values():
                if asked.target in device.values:
                    rule = _between(asked.device, device)
                    return (device, rule) if rule else (None, failed.unsent or failed.rule)
    return None, failed.unsent or failed.rule


def _between(asking: Device, owner: Device) -> str:
    """Return the rule that keeps a broadcast of one device from another on the same parent ("" if none)."""
    if owner.kind in ("ipvlan", "macvlan") and not owner.up:
        return f"{owner.kind}-child-down"
    if owner.lower is asking:
        if owner.mode == "source":
            return "macvlan-source-in"
        return "parent-sends-past-children"
    if asking.lower is owner and asking.kind in ("ipvlan", "macvlan"):
        return "child-sends-past-host"
    if asking.lower is not None and asking.lower is owner.lower:
        for modes, rule in _APART:
            if asking.kind == "macvlan" and asking.mode in modes[0] and owner.mode in modes[1]:
                return rule
    return "macvlan-source-in" if owner.mode == "source" else ""


_ANY = ("bridge", "private", "vepa", "source")

#: Modes of a macvlan child that asks, modes of its sibling that has the address, and what is between them.
_APART: tuple[tuple[tuple[tuple[str, ...], tuple[str, ...]], str], ...] = (
    ((("private",), _ANY), "macvlan-private-alone"),
    ((_ANY, ("private",)), "macvlan-private-alone"),
    ((_ANY, ("source",)), "macvlan-source-in"),
    ((("source",), _ANY), "macvlan-source-in"),
    ((("vepa",), _ANY), "macvlan-vepa-out"),
    ((("bridge",), ("vepa",)), "macvlan-bridge-to-bridge"),
)
