"""A command in a lab, and every frame that passed while it ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipvkit.instruments import asking
from ipvkit.instruments.frames import Frame
from ipvkit.instruments.story import Step, tell

if TYPE_CHECKING:
    from ipvkit.lab import Lab


@dataclass(frozen=True)
class Watched:
    """What a command printed, its exit ``status`` (negative for a signal), and the ``steps`` seen meanwhile."""

    output: str
    status: int
    steps: tuple[Step, ...]


def watch(lab: Lab, place: str, command: Sequence[str], *, deadline: float) -> Watched:
    """Run ``command`` to its end in the namespace of ``place`` and see every frame on every interface of the lab.

    Raises ``BadQuestion``, and ``DeadlineExceeded`` after ``deadline`` seconds, the command being ended.
    """
    topology = lab.topology
    switches = [switch.name for switch in topology.switches]
    said = lab.machine.wire.request(
        "watch", deadline=deadline, netns=asking.netns(topology, place, "place"), command=list(command),
        netnses=[*asking.stacks(topology), *switches])
    frames = [Frame.from_agent(message) for message in said["frames"]]
    return Watched(said["output"], said["status"], tuple(tell(topology, frames)))
