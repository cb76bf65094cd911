"""Who can reach whom: operation ``reach``, a verdict for each of many questions.

Law: a verdict is the kernel's, never our impatience. Inside one kernel a packet is delivered while it is sent, up to
work queues, so silence is decided by quiet, once no address is being resolved any more. What stayed silent, or failed
in a way that a crowd can cause, is asked again, fewer at once and with more patience, until two rounds agree; a round
in which we ourselves were kept waiting by a busy computer counts half. And what one question learns in passing must not
answer another: such ones are asked again, one source at a time.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from typing import Any

from ipvkit.agent import caches, routes
from ipvkit.agent.asking import Asker, Question, family_of
from ipvkit.agent.icmp import Heard
from ipvkit.agent.serve import Request

WINDOW = 200
"""Questions that may be open without a sign of life in the first round; half as many in each further one."""

PATIENCE = (10, 20, 40)
"""Milliseconds between two ARP or neighbour requests in the first, second, and every later round."""

MOST_ROUNDS = 6
_LEAST_WINDOW = 25
_TIMES_ALIKE = 2
_CROWD = ("host unreachable", "no buffers")  # what a lost ARP request, a full table or queue look like
_MOST_IN_HALVES = 1000  # beyond, all are asked at once first: what that settles is replies, and ARP took both ways
_MOST_QUESTIONS = 60_000  # they are told apart by a sequence number of 16 bits


class Throttle:
    """What a router may not say: it tells one source five times of a missing route, then once a second.

    No setting lifts that where the kernel is shared (``ip_error`` in net/ipv4/route.c). So if a router has spoken to a
    source just now, and the source stays silent about another address behind the same router, the router's own routing
    table is asked.
    """

    WITHIN = 6.0  # seconds; five later it may speak again

    def __init__(self) -> None:
        self._told: dict[str, dict[str, float]] = {}  # namespace, router: when

    def note(self, netns: str, sender: str) -> None:
        """Take note that ``sender`` told ``netns`` of a missing route."""
        self._told.setdefault(netns, {})[sender] = time.monotonic()

    def ask_instead(self, number: int, question: Question, homes: dict[str, str]) -> Heard | None:
        """Give what the router would have said, if it may be that it was not allowed to."""
        spoken = self._told.get(question.netns)
        if not spoken:
            return None
        router = routes.way(question.netns, question.address).gateway
        spoke = spoken.get(router)
        if router not in homes or spoke is None or spoke + self.WITHIN < time.monotonic():
            return None
        if routes.way(homes[router], question.address).errno != errno.ENETUNREACH:
            return None
        return Heard(number, "network unreachable", errno="ENETUNREACH", sender=router)


throttle = Throttle()


def carry_out(asker: Asker, homes: dict[str, str]) -> None:
    """Ask everything, and what is not settled again, until two rounds in a row say the same, or three if disturbed."""
    numbers = list(range(len(asker.questions)))
    if not caches.is_own_kernel():  # both ways of a pair one after the other: they share neighbour entries
        numbers.sort(key=lambda number: _pair(asker.questions[number], homes))
    outcome: dict[int, str] = {}
    if len(numbers) > _MOST_IN_HALVES:
        caches.set_retransmission(PATIENCE[0], asker.check)
        asker.ask_once(numbers, WINDOW)
        numbers = [number for number in numbers if asker.verdict(number) in ("", *_CROWD)]
        outcome = {number: asker.verdict(number) for number in numbers}
    _until_alike(asker, lambda: _halves(numbers, asker.questions, homes), numbers, outcome)
    suspects = sorted(asker.in_passing.intersection(numbers))
    _until_alike(asker, lambda: _by_source(suspects, asker.questions), suspects, {})


def _until_alike(
    asker: Asker, groups: Callable[[], Iterator[list[int]]], numbers: list[int], outcome: dict[int, str]
) -> None:
    """Ask ``numbers``, in these ``groups``, until two or three rounds say the same of those that are not settled.

    ``outcome`` is what a round before these said, if there was one. Who failed three times alike is settled, so that a
    few who are in doubt do not make thousands ask again.
    """
    first, unsettled, alike = int(bool(outcome)), set(numbers), 0
    times = dict.fromkeys(outcome, 1)
    for number_of_round in range(first, MOST_ROUNDS):
        caches.set_retransmission(PATIENCE[min(number_of_round, len(PATIENCE) - 1)], asker.check)
        window = max(WINDOW >> number_of_round, _LEAST_WINDOW)
        earlier = {number: asker.answers.pop(number) for number in unsettled if number in asker.answers}
        disturbed = []
        for group in ([number for number in group if number in unsettled] for group in groups()):
            if group:
                disturbed.append(asker.ask_once(group, window))
                asker.note_in_passing(group)
        before, outcome = outcome, {number: asker.verdict(number) for number in unsettled}
        for number, verdict in outcome.items():
            times[number] = times.get(number, 0) + 1 if verdict == before.get(number) else 1
            if verdict not in ("", *_CROWD) or (verdict and times[number] > _TIMES_ALIKE):
                unsettled.discard(number)
            elif not verdict and before.get(number):  # an error can be lost: silence must be heard twice to overrule it
                asker.answers[number] = earlier[number]
        outcome = {number: outcome[number] for number in unsettled}
        alike = alike + 1 if all(before.get(number) == verdict for number, verdict in outcome.items()) else 0
        if not unsettled or alike > any(disturbed):
            return


def _halves(numbers: list[int], questions: list[Question], homes: dict[str, str]) -> Iterator[list[int]]:
    """First one way of every pair, then the other: who is asked by ARP learns the asker, and so is no longer cold."""
    forth = [number for number in numbers if _pair(questions[number], homes)[0] == questions[number].netns]
    yield forth
    back = set(numbers).difference(forth)
    yield [number for number in numbers if number in back]


def _by_source(numbers: list[int], questions: list[Question]) -> Iterator[list[int]]:
    """One asking namespace at a time: then nobody else's request can come by."""
    groups: dict[str, list[int]] = {}
    for number in numbers:
        groups.setdefault(questions[number].netns, []).append(number)
    yield from groups.values()


def _pair(question: Question, homes: dict[str, str]) -> list[str]:
    return sorted((question.netns, homes.get(question.address, question.address)))


def measure(request: Request) -> dict[str, Any]:
    """Operation ``reach``: ``questions``, or all ordered pairs ``among`` places; both are pairs of namespace, address.

    ``family`` is 4 or 6; ``homes`` maps addresses to the namespaces they are in; ``quiet`` seconds without an answer
    are silence; ``cold`` empties the caches first; ``size``, ``ttl`` and ``fragment`` shape the packets. Answers
    ``answers``: for each question in order ``null`` for silence, or verdict, TTL at arrival, errno and the address it
    came from.
    """
    options = dict(request.params)
    among = [Question(*place) for place in options.pop("among", [])]
    questions = [Question(*question) for question in options.pop("questions", [])]
    questions += [Question(one.netns, other.address) for one in among for other in among if one is not other]
    homes, family = options.pop("homes"), family_of(options.pop("family"))
    answers: list[Any] = []
    for start in range(0, len(questions), _MOST_QUESTIONS):
        asker = Asker(questions[start : start + _MOST_QUESTIONS], family, throttle.note, request.check, **options)
        try:
            carry_out(asker, homes)
            answers += [_answer(asker, number, homes) for number in range(len(asker.questions))]
        except BaseException:  # ended in the middle of it: hundreds of questions may be open
            asker.let_fade()
            raise
        finally:
            asker.close()
    return {"answers": answers}


def _answer(asker: Asker, number: int, homes: dict[str, str]) -> list[Any] | None:
    heard = asker.answers.get(number)
    if heard is None and not caches.is_own_kernel():
        heard = throttle.ask_instead(number, asker.questions[number], homes)
    return None if heard is None else list(heard[1:])
