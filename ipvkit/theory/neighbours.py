"""Who has this address? ARP (IPv4) and neighbour discovery (IPv6) in a cold world.

A question reaches some devices, those who have the address answer by unicast, and both sides learn. How a question
travels hardly depends on the address asked for, so its journey is made once for each asker; and the answer of a cold
world is kept, for asking again gives the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ipvkit.theory.frames import Arp, Delivery, Frame, Point, points
from ipvkit.theory.link import Carriage, Fdb
from ipvkit.theory.queues import Line, Queues, left, turn
from ipvkit.theory.state import BROADCAST, Device, World, is_link_local

#: The rules of asking and answering, by family.
ASKS = {4: "arp-asks", 6: "nd-asks"}
LEARNS = {4: "arp-learns-asker", 6: "nd-learns-asker"}
ANSWERS = {4: "arp-answers", 6: "nd-answers"}
NOBODY = {4: "arp-nobody", 6: "nd-nobody"}
NOT_MINE = {4: "arp-not-mine", 6: "nd-not-mine"}
ELSEWHERE = {4: "arp-answer-elsewhere", 6: "nd-answer-elsewhere"}

#: What keeps a question from leaving the device that asks it.
UNSENT = ("device-down", "no-carrier")


#: Who learned which address's MAC.
Learned = tuple[Device, int, str]


class Question(NamedTuple):
    """``device`` asks for ``target`` and gives ``asker`` as its own address."""

    device: Device
    asker: int
    target: int
    family: int

    def frame(self) -> Frame:
        """Return the question as it is sent."""
        return Frame(self.device.mac, BROADCAST, Arp("request", self.asker, self.target, self.family))


class Flood(NamedTuple):
    """Where a question is heard, by device, through which queues, what stopped copies, what the switches learned."""

    heard: dict[Device, Delivery]
    order: dict[Device, int]
    queues: Queues
    losses: list[Point]
    fdb: Fdb


class Resolution(NamedTuple):
    """The outcome of a question: the MAC or None, who learned what, the trails to show, the rule that decided.

    ``ends``: where the copies of a question ended that nobody answers; of copies that went the same way one.
    ``unsent``: the rule that kept the question from being heard by anybody at all, or "". ``heard`` is the copy that
    was answered.
    """

    asked: Question
    mac: str | None
    learned: tuple[Learned, ...]
    fdb: Fdb
    question: Point
    answer: Point | None
    rule: str
    ends: tuple[Point, ...] = ()
    unsent: str = ""
    heard: Delivery | None = None


class Neighbourhood:
    """Answers questions in one world. ``exact`` makes each journey anew, so that trails show the very question."""

    def __init__(self, world: World, exact: bool = False) -> None:
        self.world, self.exact = world, exact
        self._floods: dict[tuple[Device, int, int], Flood] = {}
        self._cold: dict[Question, Resolution] = {}
        self._held_twice = {value for value, owners in world.owners.items()
                            if sum(d.lower is not None for owner in owners for d in owner.devices.values()) > 1}
        self._looked_at = {value for device in world.devices() if device.port and device.port.mode == "l3"
                           for value in device.port.by_address}

    def resolve(self, question: Question, earlier: Sequence[Resolution] = ()) -> Resolution:
        """Return who answers; ``earlier`` are the questions of the same exchange before, if that can matter."""
        if question.target in self._held_twice:
            return self._ask(question, self._line(earlier))
        if question not in self._cold:
            self._cold[question] = self._ask(question, ())
        return self._cold[question]

    def _line(self, earlier: Sequence[Resolution]) -> Line:
        """Return the work queues that earlier questions have left in line."""
        line: Line = ()
        for found in earlier:
            line = left(self._flood(found.asked).queues.joined(line), found.heard)
        return line

    def overheard(self) -> dict[tuple[Device, int], str]:
        """Return what a device that is itself waiting for an address learns from any question it hears from there.

        arp_process updates an entry that exists, whomever the question is for.
        """
        return {(hearer, asker): asking.mac for (asking, asker, _), flood in self._floods.items()
                for hearer in flood.heard}

    def _ask(self, question: Question, line: Line) -> Resolution:
        """Let everybody who heard the question and has the address answer: all learn, the first answer counts."""
        flood = self._flood(question)
        fdb, learned, stopped = dict(flood.fdb), list[Learned](), list[Point]()
        answers: list[tuple[Device, Point]] = []
        asked: Point | None = None  # how the question got to the first one whose answer was stopped
        for device in self._with_address(question, flood, line):
            heard = flood.heard[device]
            silent = _keeps_silent(question, device)
            if silent:
                stopped.append(Point(heard.trail, device, silent, heard.frame))
                asked = asked or heard.trail
                continue
            learned.append((device, question.asker, heard.frame.source))
            trail = _answer(question, device, heard, fdb, stopped)
            asked = asked or (heard.trail if stopped else None)
            if trail:
                answers.append((device, trail))
        if not answers:
            start = asked or Point(None, question.device, ASKS[question.family], question.frame())
            last = stopped[0] if stopped else None
            rule = last.rule if last else NOBODY[question.family]
            ends = _ends(question, flood) if self.exact and last is None else ()
            return Resolution(question, None, tuple(learned), fdb, start, last, rule, ends, _unsent(question, flood))
        answerer, trail = _first(answers, flood)
        learned.append((question.device, question.target, answerer.mac))
        heard = flood.heard[answerer]
        return Resolution(question, answerer.mac, tuple(learned), fdb, heard.trail, trail, ANSWERS[question.family],
                          heard=heard)

    def _flood(self, question: Question) -> Flood:
        """Carry the question. Of addresses asked for, only l3 parents look at any: at those of their children."""
        looked_at = self.exact or question.target in self._looked_at
        key = (question.device, question.asker, question.target if looked_at else -1)
        if key not in self._floods:
            fdb: Fdb = {}
            frame = question.frame()
            start = Point(None, question.device, ASKS[question.family], frame)
            journey = Carriage(fdb).send(question.device, frame, start)
            heard: dict[Device, Delivery] = {}
            for delivery in journey.deliveries:
                heard.setdefault(delivery.device, delivery)
            order = {device: place for place, device in enumerate(heard)}
            self._floods[key] = Flood(heard, order, journey.queues, journey.losses, fdb)
        return self._floods[key]

    def _with_address(self, question: Question, flood: Flood, line: Line) -> list[Device]:
        """Return the devices that heard the question and may answer, in the order of hearing.

        IPv6 answers only for addresses of the device that heard it: ndisc_recv_ns.
        """
        owners = self.world.owners.get(question.target, ())
        devices = [device for owner in owners for device in owner.devices.values() if device in flood.heard]
        if question.family == 6:
            devices = [device for device in devices if question.target in device.values]
        line = flood.queues.joined(line)
        return sorted(devices, key=lambda device: (*turn(line, flood.heard[device]), flood.order[device]))


def _ends(question: Question, flood: Flood) -> tuple[Point, ...]:
    """Return where a question's copies ended: heard by who does not have the address, or lost."""
    heard = [Point(delivery.trail, device, NOT_MINE[question.family]) for device, delivery in flood.heard.items()
             if device is not question.device]
    return tuple({(id(end.before), end.rule): end for end in reversed([*heard, *flood.losses])}.values())[::-1]


def _unsent(question: Question, flood: Flood) -> str:
    """Return the rule that kept a question from being heard by anybody, or "" if somebody heard it."""
    last = flood.losses[-1].rule if flood.losses and not flood.heard.keys() - {question.device} else ""
    return last if last in UNSENT else ""


def _keeps_silent(question: Question, device: Device) -> str:
    """Return the rule by which a device that hears a question for one of its addresses does not answer, or ""."""
    if device.noarp:
        return "ipvlan-l3-noarp"
    return "arp-martian" if question.family == 4 and question.asker in device.netns.local else ""


def _answer(question: Question, device: Device, heard: Delivery, fdb: Fdb, stopped: list[Point]) -> Point | None:
    """Carry the answer of ``device`` back; return its trail if it arrives, else note what stopped it."""
    reply = Frame(device.mac, heard.frame.source, Arp("reply", question.target, question.asker, question.family))
    start = Point(Point(None, device, LEARNS[question.family], heard.frame), device, ANSWERS[question.family], reply)
    journey = Carriage(fdb).send(device, reply, start)
    arrived = next((d for d in journey.deliveries if d.device is question.device and d.cast == "host"), None)
    for delivery in journey.deliveries:
        if delivery.cast == "host" and delivery.device is not question.device:
            _passed_on(question, delivery.device, fdb)
    thief = _l3s_child(question)
    if arrived is not None and thief is not None:
        stopped.append(Point(arrived.trail, thief, "ipvlan-l3s-in", reply))
        return None
    if arrived is None:
        elsewhere = [Point(d.trail, d.device, ELSEWHERE[question.family], reply) for d in journey.deliveries]
        stopped += journey.losses[-1:] or elsewhere[-1:]
        return None
    return arrived.trail


def _first(answers: list[tuple[Device, Point]], flood: Flood) -> tuple[Device, Point]:
    """Return the answer that arrives first; later ones do not change it (LOCKTIME).

    Queues are emptied together, so of answers from them the one with the fewest wires to cross; else in their order.
    """
    def comes(answer: tuple[Device, Point]) -> tuple[int, int]:
        device, trail = answer
        return len(flood.heard[device].behind), sum(point.rule == "veth" for point in points(trail))

    return min(answers, key=comes) if len(answers) > 1 else answers[0]


def _passed_on(question: Question, device: Device, fdb: Fdb) -> None:
    """An IPv6 router with the asker's MAC takes the answer for a packet to pass on, and asks for its next hop.

    Nobody believes the answer it passes on (its hop limit is 254: RFC 4861, 7.1.2), but the switches learn from what
    it asks: ip6_forward, ndisc_solicit.
    """
    if question.family == 4 or not device.netns.forwarding:
        return
    route = device.netns.lookup(question.asker, 6, device if is_link_local(question.asker) else None)
    if route and route.kind == "unicast" and route.device and route.gateway is None:
        own = Question(route.device, route.device.link_local, question.asker, 6)
        Carriage(fdb).send(route.device, own.frame(), Point(None, route.device, ASKS[6]))


def _l3s_child(question: Question) -> Device | None:
    """Return the l3s child that an IPv6 answer ends at, because it has the asker's address: ipvlan_l3_rcv."""
    port = question.device.port
    if question.family == 6 and port is not None and port.mode == "l3s":
        return port.by_address.get(question.asker)
    return None
