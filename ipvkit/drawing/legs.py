"""A packet's journey as legs: each message from where it starts to where it ends, one number a leg.

Read from theory's walk (what is predicted, rule by rule) or from a captured exchange (where frames were seen). Both are
known here by their form only. Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

Place = tuple[str, str]  # namespace, device
KINDS = {"question": "arp", "answer": "arp", "no answer": "arp", "not heard": "arp", "echo request": "request",
         "echo reply": "reply"}
BRIDGE = "br0"  # a switch's own stack hears every broadcast: no place of its own on the map
WORDS = {"question": "who has?", "answer": "here it is", "no answer": "who has?", "not heard": "not heard by"}


class Walk(Protocol):
    """Theory's walk: `explain` returns one."""

    @property
    def source(self) -> str:
        """Who asked."""

    @property
    def destination(self) -> str:
        """Who was asked."""

    @property
    def steps(self) -> Sequence[Any]:
        """The steps in order: each with phase, netns, device, what, rule and source."""

    @property
    def verdict(self) -> Any:
        """What comes of it: ``verdict`` and ``why``."""


class Trace(Protocol):
    """A captured exchange."""

    @property
    def steps(self) -> Sequence[Any]:
        """The messages in order: each with ``message``, ``places``, ``times`` and ``frames``."""

    @property
    def answer(self) -> Any:
        """What the sender got: ``verdict``, ``src`` and ``dst``."""


@dataclass(frozen=True)
class Leg:
    """One message on its way: ``places`` in order; ``end`` is what happened last; ``lost`` if it got no further.

    ``first`` and ``last`` number the walk's steps it is made of. With ``spread`` the other places have a copy each.
    """

    kind: str
    words: str
    places: tuple[Place, ...]
    end: str
    lost: bool = False
    first: int = 0
    last: int = 0
    spread: bool = False

    @property
    def route(self) -> str:
        """From where to where."""
        start, stop = ("/".join(place) for place in (self.places[0], self.places[-1]))
        if self.spread:
            return f"{start} → all"
        return start if start == stop else f"{start} → {stop}"


def legs_of_walk(walk: Walk) -> list[Leg]:
    """Return the legs of theory's walk: a new one where the phase changes."""
    found = _phases(walk)
    for number, leg in enumerate(found):
        # A question arrives where the answer starts, and an answer where the question started.
        if leg.kind == "arp" and not (leg.lost or leg.spread):
            other = found[number + 1:number + 2] if leg.words == WORDS["question"] else found[number - 1:number]
            if other and other[0].kind == "arp":
                found[number] = replace(leg, places=_unrepeated((*leg.places, other[0].places[0])))
    return found


def _phases(walk: Walk) -> list[Leg]:
    groups: list[list[int]] = []
    for number, step in enumerate(walk.steps):
        before = walk.steps[groups[-1][-1]].phase if groups else ""
        if before == step.phase or (before == "question" and step.phase == "no answer" and not _answers(step)):
            groups[-1].append(number)
        else:
            groups.append([number])
    phases = [walk.steps[group[0]].phase for group in groups]
    return [_leg(walk, group, then) for group, then in zip(groups, [*phases[1:], ""], strict=False)]


def _answers(step: Any) -> bool:
    """Whether an answer begins here, even one that is lost."""
    return bool(step.rule.endswith(("-learns-asker", "-answers")))


def _leg(walk: Walk, group: list[int], then: str) -> Leg:
    """``then`` is the phase of the next leg. Lost is a question without an answer, and what is not delivered.

    A question that was heard, but not by the one it was for, has its cross there. So has an answer lost on its way.
    """
    steps = [walk.steps[number] for number in group]
    phase = steps[-1].phase
    places = tuple((step.netns, step.device) for step in steps)
    unheeded = [step.what for step in steps if step.rule.endswith("-not-mine")]
    words = WORDS["answer"] if phase == "no answer" and _answers(steps[0]) else WORDS.get(phase, phase)
    lost = {"question": then not in ("answer", "no answer"), "no answer": then != "not heard", "answer": False}.get(
        phase, steps[-1].rule != "delivered")
    return Leg(KINDS.get(phase, "reply"), words, _unrepeated(places), [*unheeded, steps[-1].what][0],
               lost, group[0], group[-1], spread=bool(unheeded))


def legs_of_trace(trace: Trace) -> list[Leg]:
    """Return the legs of a captured exchange: one a message, through the places where it was seen."""
    return [Leg(_kind(step.message), step.message.words, tuple(place for place in step.places if place[1] != BRIDGE),
                _seen(step), spread=step.frames[0].to_a_group) for step in trace.steps]


def _seen(step: Any) -> str:
    said = [f"TTL {step.message.ttl}"] if step.message.ttl is not None else []
    return ", ".join([*said, *([f"{step.times} times"] if step.times > 1 else [])])


def _kind(message: Any) -> str:
    return "arp" if message.resolves else "request" if "request" in message.words else "reply"


def _unrepeated(places: Sequence[Place]) -> tuple[Place, ...]:
    return tuple(place for number, place in enumerate(places) if number == 0 or place != places[number - 1])
