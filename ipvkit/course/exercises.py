"""The exercises of the notebooks: is an answer right, and if not, what does it overlook?

Where an answer is a topology, theory judges it: any topology that does what was asked is right, not only ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, ip_interface
from textwrap import fill
from typing import Any

from ipvkit.course import reading
from ipvkit.course.exercise import Exercise
from ipvkit.errors import BadQuestion
from ipvkit.theory import Verdict, predict
from ipvkit.topology import Topology, ipvlan

_WIDTH = 96  # characters


def _drivers(topology: Topology) -> set[str]:
    return {str(endpoint.driver) for endpoint in topology.endpoints}


_ALL_IN_ONE = {mode: Topology.of(ipvlan(mode), net1="10.0.1.11/24", net2="10.0.1.12/24") for mode in ("l2", "l3")}


def _named_pair(answer: Any) -> tuple[str, str] | None:
    pair = reading.pair(answer)
    return pair if pair and set(pair) <= set(_ALL_IN_ONE["l2"].names) else None


def _word(mode: str, pair: tuple[str, str]) -> str:
    return predict(_ALL_IN_ONE[mode])[pair].verdict


def _verdict(topology: Topology, source: str, destination: str) -> Verdict | None:
    """Return what theory says, None where one of the two has no IPv4 address."""
    return predict(topology).pairs.get((source, destination))


def _replies(topology: Topology, source: str, destination: str, ttl: int = 0) -> bool:
    said = _verdict(topology, source, destination)
    return said is not None and said.verdict == "reply" and ttl in (0, said.ttl)


def _asks_a_router(topology: Topology) -> bool:
    return all(any(route.via for route in endpoint.routes) for endpoint in topology.endpoints)


def _unusable(topology: Topology) -> str:
    """Return why a child cannot live with its address, "" if all can; of two that have one, it is the later's fault."""
    for child in reversed(topology.all_endpoints):
        for address in topology.addresses(child.name):
            fault = _fault(topology, child.name, ip_interface(address).ip)
            if fault:
                return f"{child.name} needs an address of its own, and a usable one: {fault}."
    return ""


def _fault(topology: Topology, child: str, own: IPv4Address | IPv6Address) -> str:
    for name in topology.names:
        for held in (ip_interface(address) for address in topology.addresses(name)):
            if name != child and held.ip == own:
                return f"{name} has {own} already"
            if held.version == 4 and held.network.prefixlen < 31:  # a /31 has neither of the two (RFC 3021)
                if own == held.network.network_address:
                    return f"{own} is the subnet itself"
                if own == held.network.broadcast_address:
                    return f"{own} is the broadcast address, which means everybody in the subnet"
    return ""


_BOTH = (IPv4Network("10.0.11.0/24"), IPv4Network("10.0.12.0/24"))


def _left_out(given: IPv4Interface) -> str:
    """Return which of the two subnets a network leaves out, "" if it covers both."""
    out = [str(subnet) for subnet in _BOTH if not subnet.subnet_of(given.network)]
    reach = f"That is {given.network[0]} to {given.network[-1]}: "
    return reach + f"all of {' and of '.join(out)} must be in it." if out else ""


_USABLE = (lambda topology: not _unusable(topology), _unusable)
_BUILD = "Build a topology: answer = Topology.of(…)."

EXERCISES = {
    "01-a": Exercise(
        praise="Right. Without a route the packet is not even handed to the child: net1's own kernel says so at once.",
        right="network unreachable",
        hints={"timeout": "A timeout means that something was sent. Look at net1's routes: where would it send it?",
               "reply": "l3 mode finds siblings by address, but only what a route hands to the child gets there.",
               "host unreachable": "That is what unanswered ARP looks like. Does an l3 child ask by ARP?"}),
    "01-b": Exercise(
        praise="Right. Both are in one subnet, whose own route is enough: neighbours need no default route.",
        reads=reading.topology,
        form=_BUILD,
        conditions=(
            (lambda made: _drivers(made) == {"ipvlan l2"}, "Keep ipvlan in l2 mode for both children."),
            (lambda made: {"net1", "net2"} <= set(made.names), "Keep the names net1 and net2."),
            (lambda made: not any(e.routes for e in made.endpoints), 'No default route: say routes="none".'),
            _USABLE,
            (lambda made: _replies(made, "net1", "net2"),
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
        reads=reading.topology,
        form=_BUILD,
        conditions=(
            (lambda made: _drivers(made) == {"macvlan bridge"}, "Take macvlan in bridge mode for both children."),
            (lambda made: {"net1", "net2"} <= set(made.names), "Keep the names net1 and net2."),
            _USABLE,
            (lambda made: _replies(made, "net1", "net2") or _asks_a_router(made),
             "net1 does not reach net2: no route of theirs names the router. What can routes=… be, in Topology.of?"),
            (lambda made: _replies(made, "net1", "net2"),
             "net1 does not reach net2. Has the router an address in both subnets?"),
            (lambda made: _replies(made, "net1", "net2", ttl=63),
             "They reach each other, but no router is on the way. When does a machine ask its gateway?"))),
    "03-c": Exercise(
        praise="Right. The question is a broadcast and goes out; the answer and the ping stay inside the parent.",
        right="l2",
        hints={"l3": "Does an l3 child ask by ARP?"}),
    "02-a": Exercise(
        praise="Right. Seven children and the host's own make eight.",
        reads=reading.number,
        form="Write a number.",
        conditions=(
            (lambda number: number >= 7, "With so few there is room left at the port."),
            (lambda number: number != 8, "The host's own frames carry a MAC as well."),
            (lambda number: number == 7, "That is more than the port allows: each child brings a MAC."))),
    "02-b": Exercise(
        praise="Right. In l3 mode a child neither asks nor answers ARP, and the host routes for it: for this pair that "
               "changes the answer.",
        reads=_named_pair,
        form="Write a pair: net1→net2 (or net1->net2), with names of the lab.",
        conditions=((lambda pair: _word("l2", pair) != _word("l3", pair),
                     "That pair says the same in l2 and in l3. Who needs ARP to reach whom?"),)),
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
        hints={"host→net1": "What the host sends through eth0 goes to the wire. Who would bring it back in?"}),
    "05-b": Exercise(
        praise="Right. What comes in from the wire and is for no child, the host gets.",
        reads=reading.topology,
        form=_BUILD,
        conditions=(
            (lambda made: {"net1", "host"} <= set(made.names), "Keep the names net1 and host."),
            (lambda made: all(driver.startswith("ipvlan") for driver in _drivers(made)), "With ipvlan, please."),
            (lambda made: not any(e.netns == "host" for e in made.all_endpoints), "Without a helper in the host."),
            _USABLE,
            (lambda made: _replies(made, "net1", "host"),
             "net1 does not reach the host yet. How could a frame of net1 come in from the wire?"))),
    "06-a": Exercise(
        praise="Right. The last one who said a mode said it for all.",
        right="l3",
        hints={"l2": "Its own command said so. Did anybody say something after it?"}),
    "06-b": Exercise(
        praise="Right. A macvlan child has a mode of its own; ipvlan keeps one for each parent.",
        right="macvlan",
        hints={"ipvlan": "What did lab.diff() say about net1 when net3 came?"}),
    "07-a": Exercise(
        praise="Right. The lock looks at the source MAC: of the macvlans only the host has the one it was told; with "
               "ipvlan all four have it.",
        reads=reading.two_numbers,
        form='Write two numbers, the first for macvlan: "… and …".',
        conditions=(
            (lambda numbers: max(numbers) <= 4, "There are four who try, the host among them."),
            (lambda numbers: numbers != (4, 1), "Which of the two drivers gives each child a MAC of its own?"),
            (lambda numbers: numbers[0] > 0, "The host has the MAC that the port was told."),
            (lambda numbers: numbers[0] == 1,
             "With macvlan: what source MAC do a child's frames have, and was the port told of it?"),
            (lambda numbers: numbers[1] != 3, "With ipvlan: the host itself counts too."),
            (lambda numbers: numbers[1] == 4, "With ipvlan: what source MAC do a child's frames have?"))),
    "07-b": Exercise(
        praise="Right. Two macvlans bring two, and ipvlan children and sub-interfaces all have the MAC of eth0.",
        reads=reading.number,
        form="Write a number.",
        conditions=(
            (lambda number: number != 5, "Do ipvlan children have a MAC of their own?"),
            (lambda number: number != 4, "Has a VLAN sub-interface a MAC of its own?"),
            (lambda number: number != 2, "VLAN 10 speaks as well. With which MAC?"),
            (lambda number: number > 2, "Whose MAC is in the frames of the macvlan children?"),
            (lambda number: number == 3, "Who brings a MAC that nobody else has? Count each MAC once."))),
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
               "10.0.1.101": "By what does the server know its clients? Ask it for its leases.",
               "no lease": "A macvlan child has a MAC of its own, so the server's OFFER finds it. What does it offer?"},
        form='Write the address, or "refused".',
        looks=r"\d+(\.\d+){3}(/\d+)?",
        otherwise="The server gives the lowest free address first. By what does it know who asks?"),
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
        reads=reading.network,
        form="Write a network: an address, a slash and the length of the prefix.",
        conditions=(
            (lambda given: given.ip == given.network.network_address, "The bits behind the prefix must be zero."),
            (lambda given: not _left_out(given), _left_out),
            (lambda given: given.network.prefixlen == 21,
             "It covers both, and more than it must. Write the third bytes, 11 and 12, in binary: how many bits do "
             "they share from the left?"))),
    "10-a": Exercise(
        praise="Right. The packet never passes the host's POSTROUTING, so nobody puts another address into it.",
        reads=reading.address,
        form="Write an address, such as the ones in the drawing.",
        conditions=(
            (lambda address: address != "10.0.1.2",
             "That would be so if the packet passed the host's POSTROUTING. Does it, in l2?"),
            (lambda address: address != "10.0.1.1", "That is the router. Is it asked at all between neighbours?"),
            (lambda address: address != "10.0.1.3", "That is ext itself. From whom does the packet come?"),
            (lambda address: address == "10.0.1.11",
             "Whose address is that, and does the packet pass anybody who would put it there?"))),
    "10-b": Exercise(
        praise="Right. Only there what comes in passes the host's INPUT before the child gets it.",
        right="l3s",
        hints={"l2": "Which hooks of the host did a datagram pass in l2?",
               "l3": "On the way out it passes two hooks. And on the way in?"}),
    "11-a": Exercise(
        praise="Right. That is what a port with a limit of MACs, or a cloud, thinks of the two (lesson 07).",
        reads=reading.two_numbers,
        form='Write two numbers, the first for ipvlan: "… and …".',
        conditions=(
            (lambda numbers: numbers != (31, 1), "Which of the two drivers gives each child a MAC of its own?"),
            (lambda numbers: numbers[0] == 1,
             "With ipvlan: what source MAC do the frames of a pod have, and those of the node?"),
            (lambda numbers: numbers[1] != 30, "With macvlan: the node itself speaks too."),
            (lambda numbers: numbers[1] == 31,
             "With macvlan: how many MACs does a pod bring, and who else speaks at that port?"))),
    "11-b": Exercise(
        praise="Right. Who set the mode is gone, the mode is not: somebody has to set it back.",
        right="host unreachable",
        hints={"reply": "Who would have told the kernel to go back to l2?",
               "timeout": "The router asks by ARP first. What does it hear?",
               "network unreachable": "That is said where a route is missing. The router has an address in pod1's "
                                      "subnet, and with it a route."}),
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
