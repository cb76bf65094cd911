"""The exercises of the notebooks: is an answer right, and if not, what does it overlook?

A hint never gives the answer away. Where an answer is a topology, theory judges it: any topology that does what
was asked is right, not only ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from textwrap import fill
from typing import Any

from ipvkit.errors import BadQuestion
from ipvkit.theory import Verdict, predict
from ipvkit.topology import Topology, ipvlan

_WIDTH = 96  # characters
#: What the first wrong condition overlooks, in the order they are looked at; nothing wrong: right.
Conditions = tuple[tuple[Callable[[Any], bool], str], ...]


@dataclass(frozen=True)
class Exercise:
    """``right`` is the word that counts, or ``conditions`` are what must hold; ``praise`` says why it is right."""

    praise: str
    right: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)
    conditions: Conditions = ()
    otherwise: str = "That is not one of the words asked for."

    def judge(self, answer: Any) -> tuple[bool, str]:
        """Return whether ``answer`` is right, and what to say about it."""
        if answer is ...:
            return False, "Replace the dots by your answer, and run the cell again."
        if self.conditions:
            wrong = next((hint for holds, hint in self.conditions if not holds(answer)), None)
            return wrong is None, wrong or self.praise
        word = str(getattr(answer, "verdict", answer)).strip().lower()
        word = word.replace("network is unreachable", "network unreachable").replace("->", "→")
        return word == self.right, self.praise if word == self.right else self.hints.get(word, self.otherwise)


def _drivers(topology: Topology) -> set[str]:
    return {str(endpoint.driver) for endpoint in topology.endpoints}


_ALL_IN_ONE = {mode: Topology.of(ipvlan(mode), net1="10.0.1.11/24", net2="10.0.1.12/24") for mode in ("l2", "l3")}


def _ends(pair: str) -> list[str]:
    return [name.strip() for name in pair.replace("->", "→").split("→")]


def _verdict(topology: Topology, source: str, destination: str) -> Verdict | None:
    """Return what theory says, None where one of the two has no IPv4 address."""
    return predict(topology).pairs.get((source, destination))


def _replies(topology: Topology, source: str, destination: str, ttl: int = 0) -> bool:
    said = _verdict(topology, source, destination)
    return said is not None and said.verdict == "reply" and ttl in (0, said.ttl)


def _word(mode: str, pair: str) -> str:
    source, destination = _ends(pair)
    return predict(_ALL_IN_ONE[mode])[source, destination].verdict


_A_TOPOLOGY = (lambda answer: isinstance(answer, Topology), "Build a topology: answer = Topology.of(…).")

EXERCISES = {
    "01-a": Exercise(
        praise="Right. Without a route the packet is not even handed to the child: net1's own kernel says so at once.",
        right="network unreachable",
        hints={"timeout": "A timeout means that something was sent. Look at net1's routes: where would it send it?",
               "reply": "l3 mode finds siblings by address, but only what a route hands to the child gets there.",
               "host unreachable": "That is what unanswered ARP looks like. Does an l3 child ask by ARP?"}),
    "01-b": Exercise(
        praise="Right. Both are in one subnet, whose own route is enough: neighbours need no default route.",
        conditions=(
            _A_TOPOLOGY,
            (lambda answer: _drivers(answer) == {"ipvlan l2"}, "Keep ipvlan in l2 mode for both children."),
            (lambda answer: {"net1", "net2"} <= set(answer.names), "Keep the names net1 and net2."),
            (lambda answer: not any(e.routes for e in answer.endpoints), 'No default route: say routes="none".'),
            (lambda answer: _replies(answer, "net1", "net2"),
             "net1 does not reach net2 yet. Which addresses does net1 take for neighbours?"))),
    "01-c": Exercise(
        praise="Right. In l3 mode ipvlan hands the packet over by its address: no router sees it, so nothing is taken "
               "from the TTL.",
        right="l3",
        hints={"l2": "A TTL of 63 means one router on the way. In which mode did a gateway get to see the packet?"}),
    "03-a": Exercise(
        praise="Right. The request for an address is a broadcast, and an l3 child sends none.",
        right="l2",
        hints={"l3": "A client without an address has to ask everybody. What became of broadcasts in l3 mode?"}),
    "03-b": Exercise(
        praise="Right. Two subnets and a gateway in each: then the way to a sibling leads through the router.",
        conditions=(
            _A_TOPOLOGY,
            (lambda answer: _drivers(answer) == {"macvlan bridge"}, "Take macvlan in bridge mode for both children."),
            (lambda answer: {"net1", "net2"} <= set(answer.names), "Keep the names net1 and net2."),
            (lambda answer: _replies(answer, "net1", "net2"),
             "net1 does not reach net2. Has the router an address in both subnets?"),
            (lambda answer: _replies(answer, "net1", "net2", ttl=63),
             "They reach each other, but no router is on the way. When does a machine ask its gateway?"))),
    "03-c": Exercise(
        praise="Right. The question is a broadcast and goes out; the answer and the ping stay inside the parent.",
        right="l2",
        hints={"l3": "Does an l3 child ask by ARP?"}),
    "02-a": Exercise(
        praise="Right. Seven children and the host's own make eight.",
        right="7",
        hints={"8": "The host's own frames carry a MAC as well.", "9": "That would be ten addresses with the host's."},
        otherwise="Write a number: N children need N + 1 addresses."),
    "02-b": Exercise(
        praise="Right. In l3 mode a child neither asks nor answers ARP, and the host routes for it: for this pair that "
               "changes the answer.",
        conditions=(
            (lambda answer: isinstance(answer, str) and set(_ends(answer)) <= set(_ALL_IN_ONE["l2"].names)
             and len(_ends(answer)) == len(set(_ends(answer))) == 2,
             "Write a pair: net1→net2 (or net1->net2), with names of the lab."),
            (lambda answer: _word("l2", answer) != _word("l3", answer),
             "That pair says the same in l2 and in l3. Who needs ARP to reach whom?"))),
    "04-a": Exercise(
        praise="Right. The host has no route to 10.0.9.2 any more, and says so before anything is sent.",
        right="network unreachable",
        hints={"host unreachable": "That comes of ARP without an answer. Has the host a route that would let it ask?",
               "timeout": "Something would have to be sent first. Where to?",
               "reply": "How would the host know where 10.0.9.2 is?"}),
    "04-b": Exercise(
        praise="Right, and surprising. The look-up is bound to the parent as its output device, and without a route "
               "Linux then takes the destination for a neighbour on that wire: it asks by ARP, and the router does "
               "not answer for far. Without a default route the host cannot even tell net1.",
        right="timeout",
        hints={"network unreachable": "So it should be, but the look-up is bound to a device. Measure it.",
               "host unreachable": "In step 3 the host told net1. By which of its routes did that message go?",
               "reply": "The router is not asked: nothing in the host says that far is behind it."}),
    "05-a": Exercise(
        praise="Right. The host's own table takes the packet in; the way back, from host to child, is the closed one.",
        right="net1→host",
        hints={"host→net1": "What the host sends through eth0 goes to the wire. Who would bring it back in?"},
        otherwise='Write "net1→host" or "host→net1".'),
    "05-b": Exercise(
        praise="Right. What comes in from the wire and is for no child, the host gets.",
        conditions=(
            _A_TOPOLOGY,
            (lambda answer: {"net1", "host"} <= set(answer.names), "Keep the names net1 and host."),
            (lambda answer: all(driver.startswith("ipvlan") for driver in _drivers(answer)), "With ipvlan, please."),
            (lambda answer: not any(e.netns == "host" for e in answer.all_endpoints), "Without a helper in the host."),
            (lambda answer: _replies(answer, "net1", "host"),
             "net1 does not reach the host yet. How could a frame of net1 come in from the wire?"))),
    "06-a": Exercise(
        praise="Right. The last one who said a mode said it for all.",
        right="l2",
        hints={"l3": "That was the third. Did anybody say something after it?",
               "l3s": "That was the second. Did anybody say something after it?"}),
    "06-b": Exercise(
        praise="Right. A macvlan child has a mode of its own; ipvlan keeps one for each parent.",
        right="macvlan",
        hints={"ipvlan": "What did lab.diff() say about net1 when net3 came?"}),
    "07-a": Exercise(
        praise="Right. The lock looks at the source MAC: of the macvlans only the host has the one it was told; with "
               "ipvlan all four have it.",
        right="1 and 4",
        hints={"4 and 1": "Which of the two drivers gives each child a MAC of its own?",
               "4 and 4": "What source MAC do the frames of a macvlan child have?",
               "1 and 1": "What source MAC do the frames of an ipvlan child have?",
               "0 and 4": "The host has the MAC that the port was told.",
               "1 and 3": "The host itself counts too.", "1 and 0": "What source MAC do ipvlan's frames have?"},
        otherwise='Write two numbers, the first for macvlan: "2 and 3".'),
    "07-b": Exercise(
        praise="Right. Two macvlans bring two, and ipvlan children and sub-interfaces all have the MAC of eth0.",
        right="3",
        hints={"5": "Do ipvlan children have a MAC of their own?", "4": "Has a VLAN sub-interface a MAC of its own?",
               "2": "VLAN 10 speaks as well. With which MAC?"},
        otherwise="Write a number. Which frames leave with which source MAC?"),
    "08-a": Exercise(
        praise="Right. The identifier makes it another answer, but without the flag it still goes to the parent.",
        right="no lease",
        hints={"10.0.1.100": "The server offers it. To which MAC address does it send the offer?",
               "10.0.1.101": "Is there anybody else who could have got the first address?"}),
    "08-b": Exercise(
        praise="Right, and nobody complains: macvlan finds children by MAC, so two may have one address. The server "
               "moved the lease to the second; the LAN now has a conflict.",
        right="10.0.1.100",
        hints={"refused": "That is ipvlan, which tells children apart by address. By what does macvlan?",
               "10.0.1.101": "By what does the server know its clients? Ask it for its leases."}),
    "09-a": Exercise(
        praise="Right. The host has no route of its own, so it asks the router, which sends the packet back in by the "
               "wire: and what comes in is looked at by the parent. Once round the LAN to one's own child.",
        right="reply",
        hints={"network unreachable": "The host has a default route. To whom, and what does that one know now?",
               "host unreachable": "That comes of ARP without an answer. For whose address does the host ask here?",
               "timeout": "Follow it: lab.trace('host', 'net1')."}),
    "09-b": Exercise(
        praise="Right: 10.0.8.0 to 10.0.15.255. The router's own 10.0.9.0/24 lies in it and has the longer prefix, so "
               "it wins.",
        right="10.0.8.0/21",
        hints={"10.0.0.0/8": "It covers both, and very much more.", "10.0.0.0/16": "It covers both, and much more.",
               "10.0.0.0/20": "It covers both. One bit more can be said.",
               "10.0.8.0/22": "That is 10.0.8.0 to 10.0.11.255: one of the two is missing.",
               "10.0.11.0/23": "The bits behind the prefix must be zero, and 11 is odd."},
        otherwise="Write the third bytes, 11 and 12, in binary: how many bits do they share from the left?"),
    "10-a": Exercise(
        praise="Right. The packet never passes the host's POSTROUTING, so nobody puts another address into it.",
        right="10.0.1.11",
        hints={"10.0.1.2": "That would be so if the packet passed the host's POSTROUTING. Does it, in l2?",
               "10.0.1.1": "That is the router. Is it asked at all between neighbours?"},
        otherwise="Write an address, such as the ones in the drawing."),
    "10-b": Exercise(
        praise="Right. Only there what comes in passes the host's INPUT before the child gets it.",
        right="l3s",
        hints={"l2": "Which hooks of the host did a datagram pass in l2?",
               "l3": "On the way out it passes two hooks. And on the way in?"},
        otherwise="Write l2, l3 or l3s."),
    "11-a": Exercise(
        praise="Right. That is what a port with a limit of MACs, or a cloud, thinks of the two (lesson 07).",
        right="1 and 31",
        hints={"1 and 30": "The node itself speaks too.", "31 and 31": "Does an ipvlan child have a MAC of its own?",
               "31 and 1": "Which of the two drivers gives each child a MAC of its own?",
               "30 and 30": "Does an ipvlan child have a MAC of its own?"},
        otherwise='Write two numbers, the first for ipvlan: "2 and 3".'),
    "11-b": Exercise(
        praise="Right. Who set the mode is gone, the mode is not: somebody has to set it back.",
        right="host unreachable",
        hints={"reply": "Who would have told the kernel to go back to l2? Try it.",
               "timeout": "The router asks by ARP first. What does it hear?"}),
}


@dataclass(frozen=True)
class Judgement:
    """What there is to say about an answer; true if it is right."""

    exercise: str
    right: bool
    text: str

    def __bool__(self) -> bool:
        """True if the answer is right."""
        return self.right

    def __repr__(self) -> str:
        """Return the exercise, a sign and the text, in lines that a page need not break."""
        return fill(f"{self.exercise} {'✓' if self.right else '…'} {self.text}", _WIDTH, subsequent_indent=" " * 7)


def check(exercise: str, answer: Any) -> Judgement:
    """Judge an answer to an exercise such as ``01-a``; a wrong one gets a hint, not the solution.

    Raises ``BadQuestion`` for an exercise that is not there.
    """
    if exercise not in EXERCISES:
        raise BadQuestion("exercise", f"there is no {exercise!r}", f"There are: {', '.join(sorted(EXERCISES))}.")
    return Judgement(exercise, *EXERCISES[exercise].judge(answer))
