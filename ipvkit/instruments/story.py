"""Put the frames of one exchange into an order that is the same every time.

Law: the kernel's time stamps say which message came first; within one message they cannot say everything. A child and
its parent share the stamp of a frame that came in, and copies of a broadcast travel in parallel, some by a work queue.
A clock may give the same to both ends of a wire (that of User-Mode Linux counts in steps of 256 ns). So frames with
the same bytes, whatever VLAN's tag, are one step, and the steps stand in the order in which they began. Within a step,
copies of a broadcast stand by their distance from the sender; other frames by time, then by that distance. An answer to
"who has" stands behind its question. The same step several times in a row is one step with a count.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ipvkit.instruments.frames import Frame, Message
from ipvkit.topology import Topology

Place = tuple[str, str]  # namespace, device


@dataclass(frozen=True)
class Step:
    """One message on its way from one IP stack to the next: ``frames`` are the places where it was seen.

    ``times`` counts repetitions, such as an ARP request that nobody answers.
    """

    frames: tuple[Frame, ...]
    times: int = 1

    @property
    def message(self) -> Message:
        """What it says."""
        return self.frames[0].message

    @property
    def macs(self) -> tuple[str, str]:
        """Source and destination MAC."""
        return self.frames[0].source_mac, self.frames[0].destination_mac

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it was seen, as (namespace, device), in order."""
        return tuple(dict.fromkeys((frame.netns, frame.device) for frame in self.frames))

    @property
    def netnses(self) -> tuple[str, ...]:
        """The namespaces in which it was seen, in order."""
        return tuple(dict.fromkeys(frame.netns for frame in self.frames))


class Map:
    """Which device leads to which, as the topology declares it."""

    def __init__(self, topology: Topology) -> None:
        self.parents: dict[Place, Place] = {}
        self._next: dict[Place, list[Place]] = {}
        for host in topology.hosts:
            self._note(*((host.name, nic.name) for nic in host.interfaces))
            for vlan in host.vlans:
                self._stack((host.name, vlan.name), (host.name, vlan.parent))
        taken = frozenset(self._next)  # a child of such a name is refused
        for endpoint in topology.all_endpoints:
            child = (endpoint.netns, endpoint.child)
            if child not in taken:
                self._stack(child, (topology.netns(endpoint.host), endpoint.parent))
        for near, far in topology.wires.items():
            self._note(near, far)
            self._next[near].append(far)
        for switch in topology.switches:
            ports = [(switch.name, switch.port_device(port)) for port in switch.ports]
            for port in ports:
                self._next[port] += [other for other in [*ports, (switch.name, "br0")] if other != port]
            self._note((switch.name, "br0"))
        self._number = {place: number for number, place in enumerate(self._next)}

    def _note(self, *places: Place) -> None:
        for place in places:
            self._next.setdefault(place, [])

    def _stack(self, child: Place, parent: Place) -> None:
        self._note(parent, child)
        self.parents[child] = parent
        self._next[parent].append(child)
        self._next[child].append(parent)

    def depth(self, place: Place) -> int:
        """Give 0 for a NIC, 1 for its child, 2 for that one's child …"""
        depth = 0
        while place in self.parents:
            depth, place = depth + 1, self.parents[place]
        return depth

    def number(self, place: Place) -> int:
        """Give a place's rank in the declared order; those nobody declared come last."""
        return self._number.get(place, len(self._number))

    def distances(self, start: Place) -> dict[Place, int]:
        """Count the devices between ``start`` and every place it leads to."""
        found, queue = {start: 0}, deque([start])
        while queue:
            here = queue.popleft()
            for there in self._next.get(here, ()):
                if there not in found:
                    found[there] = found[here] + 1
                    queue.append(there)
        return found


def tell(topology: Topology, frames: Iterable[Frame]) -> tuple[Step, ...]:
    """Make steps out of ``frames``, which may come in any order."""
    where = Map(topology)

    def in_time(frame: Frame) -> tuple[int, int, int]:
        place = (frame.netns, frame.device)
        deeper = where.depth(place) if frame.direction == "in" else -where.depth(place)
        return frame.at, deeper, where.number(place)

    groups: dict[tuple[object, ...], list[Frame]] = {}
    seen: Counter[tuple[object, ...]] = Counter()
    for frame in sorted(frames, key=in_time):
        place = (frame.data, frame.netns, frame.device, frame.direction)
        seen[place] += 1  # the second time at the same place: it was sent a second time
        groups.setdefault((frame.data, seen[place]), []).append(frame)
    steps = [Step(tuple(_along(where, group))) for group in groups.values()]
    return tuple(_counted(_answered(steps)))


def _along(where: Map, group: list[Frame]) -> list[Frame]:
    """Sort the frames of one step by its way; ``group[0]`` is where it began."""
    far = where.distances((group[0].netns, group[0].device))

    def key(frame: Frame) -> tuple[int, int, bool, int]:
        place = (frame.netns, frame.device)
        at = 0 if frame.to_a_group else frame.at
        return at, far.get(place, len(far)), frame.direction == "out", where.number(place)

    return sorted(group, key=key)


def _answered(steps: list[Step]) -> Iterator[Step]:
    """Move each answer of ARP or neighbour discovery behind the question it answers."""
    waiting = list(steps)
    while waiting:
        question = waiting.pop(0)
        yield question
        for answer in [step for step in waiting if question.message.resolves and _answers(step, question)][:1]:
            waiting.remove(answer)
            yield answer


def _answers(step: Step, question: Step) -> bool:
    asked, said = question.message, step.message
    if not said.resolves or said.protocol != asked.protocol or not question.frames[0].to_a_group:
        return False
    if said.protocol == "ARP":
        return (said.source, said.destination) == (asked.destination, asked.source)
    return said.subject == asked.subject and not step.frames[0].to_a_group


def late(steps: Iterable[Step]) -> bool:
    """Tell whether an answer to "who has" came only after the question had been repeated: a busy computer's doing."""
    told = list(steps)
    questions = [step for step in told if step.message.resolves and step.frames[0].to_a_group]
    for question in questions:
        asked = sum(step.times for step in questions if step.message == question.message)
        if asked > 1 and any(_answers(step, question) for step in told):
            return True
    return False


def _counted(steps: Iterable[Step]) -> list[Step]:
    """Take repetitions that follow each other together."""
    told: list[Step] = []
    for step in steps:
        if told and _looks(step) == _looks(told[-1]):
            told[-1] = replace(told[-1], times=told[-1].times + step.times)
        else:
            told.append(step)
    return told


def _looks(step: Step) -> tuple[object, ...]:
    return step.macs, step.message, [(frame.netns, frame.device, frame.direction) for frame in step.frames]
