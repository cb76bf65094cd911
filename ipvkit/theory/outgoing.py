"""What a namespace sends: routing, the hooks on the way out, ARP, the device; and what the sender is told if it fails.

The way of a packet through ip_local_out, ip_output and ip_finish_output2; an l3 child's packet goes through them twice,
the second time in its parent's namespace. What arrives is for :mod:`ipvkit.theory.exchange`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import NamedTuple

from ipvkit.theory.firewall import Firewall
from ipvkit.theory.frames import QUESTIONS, Delivery, Frame, Packet, Point
from ipvkit.theory.link import Carriage, Fdb
from ipvkit.theory.neighbours import Neighbourhood, Question, Resolution
from ipvkit.theory.rules import RULES
from ipvkit.theory.sources import asks_with, source_address
from ipvkit.theory.state import Device, FibRoute, Namespace, is_link_local

MOST_NESTED = 8  # XMIT_RECURSION_LIMIT, include/linux/netdevice.h

FAILED = {4: "arp-failed", 6: "nd-failed"}
OWN_MAC = {4: "noarp-own-mac", 6: "noarp-own-mac6"}


class Event(NamedTuple):
    """A piece of the walk: a packet's or a question's trail, and what it was part of."""

    phase: str
    trail: Point
    packet: Packet | None = None


class Loss(NamedTuple):
    """A packet that got no further; ``rule`` says why. ``failed`` is the question nobody answered, if that was it.

    ``events`` is how many events of the exchange came before.
    """

    packet: Packet
    trail: Point
    rule: str
    failed: Resolution | None = None
    events: int = 0


class Outgoing(ABC):
    """The sending half of an exchange, and everything it takes note of.

    ``known``: neighbours that are known at the start; without it the world is cold. ``waits``: they only become known
    while the packet waits, when the sender's system call is over.
    """

    def __init__(self, neighbourhood: Neighbourhood, origin: Namespace, keep: bool = False,
                 known: dict[tuple[Device, int], str] | None = None, waits: bool = False) -> None:
        self.neighbourhood, self.origin = neighbourhood, origin
        self.neighbours: dict[tuple[Device, int], str] = dict(known or {})
        self.fdb: Fdb = {}
        self.events: list[Event] = []
        self.losses: list[Loss] = []
        self.asked: list[Resolution] = []
        self.outcome: tuple[str, str, Point] | None = None
        self.arrived: Packet | None = None
        self.way: Point | None = None
        self.firewall = Firewall()
        self.outside = ""  # the rule that says why the theory does not follow a packet of this exchange
        self._keep = keep
        self._nested = 0  # devices that are sending inside one another
        self._target: Namespace | None = None
        self._at_once = not waits  # still inside the sender's own system call
        self._todo: deque[tuple[Delivery, Packet]] = deque()
        # what waits in vain for an answer is given up seconds later, after all else
        self._unresolved: deque[tuple[Namespace, Packet, Point, Resolution]] = deque()

    @abstractmethod
    def _local(self, netns: Namespace, device: Device, packet: Packet, trail: Point) -> None:
        """Hand a packet to the programs of a namespace that has its address."""

    # -- sending: ip_local_out, ip_output

    def _output(self, netns: Namespace, packet: Packet, trail: Point, through: Device | None) -> None:
        """Route a packet made here. ``through``: an l3 child's packet, or one to a link-local address of that link."""
        # an l3 child's IPv4 packet takes rows of the parent only; IPv6 takes the parent for a wish
        forced = through if packet.family == 4 else None
        strict = through if is_link_local(packet.destination) else forced
        route = netns.lookup(packet.destination, packet.family, strict)
        nowhere = "outbound-parent-down" if forced and not forced.up else _leads_nowhere(route, forced)
        if nowhere:
            self._stop(netns, packet, trail, nowhere)
        elif dropped := self.firewall.stops(netns, packet, "output"):
            self._drop(packet, Point(trail, through or trail.device, dropped))
        else:
            packet, trail = self._arriving(trail.device, netns, packet, trail)
            if trail.rule == "masquerade-back":  # ip_route_me_harder
                route = netns.lookup(packet.destination, packet.family, forced)
            self._routed(netns, packet, trail, route, forced)

    def _routed(self, netns: Namespace, packet: Packet, trail: Point, route: FibRoute | None,
                forced: Device | None) -> None:
        """Send what has passed the output hook by its route."""
        if nowhere := _leads_nowhere(route, forced):  # after a new look-up
            self._stop(netns, packet, trail, nowhere)
        elif forced is not None and (route is None or route.kind not in ("unicast", "local")):
            self._transmit(netns, packet, Point(trail, forced, "route-assumed-on-link"), forced, packet.destination)
        elif route is not None and route.kind == "local":
            self._loop(netns, packet, trail, route)
        else:
            assert route is not None
            self._follow(netns, packet, trail, route)

    def _loop(self, netns: Namespace, packet: Packet, trail: Point, route: FibRoute) -> None:
        """Send to an own address: out of lo and in again, behind the sender's back.

        An answer to a link-local address goes by the device the address asked for is on (icmp6_dev).
        """
        lo = netns.devices["lo"]
        self._wants_lo_up(netns)
        trail = Point(trail, lo, "route-local")
        if dropped := self.firewall.stops(netns, packet, "postrouting"):
            self._drop(packet, Point(trail, lo, dropped))
        elif dropped := self.firewall.stops(netns, packet, "prerouting", "input"):
            self._lose(packet, Point(trail, lo, dropped), dropped)
        else:
            assert route.device is not None
            self._local(netns, route.device if is_link_local(packet.destination) else lo, packet, trail)

    def _wants_lo_up(self, netns: Namespace) -> None:
        if not netns.devices["lo"].up:
            self.outside = "route-through-lo"

    def _follow(self, netns: Namespace, packet: Packet, trail: Point, route: FibRoute) -> None:
        assert route.device is not None
        on_link = route.gateway is None or route.gateway_is_own
        rule = "route-on-link" if on_link else "route-gateway"
        hop = packet.destination if on_link or route.gateway is None else route.gateway
        if route.device.kind == "lo":
            self.outside = "route-through-lo"
            self._lose(packet, Point(trail, route.device, self.outside), self.outside)
        else:
            self._transmit(netns, packet, Point(trail, route.device, rule), route.device, hop)

    def _transmit(self, netns: Namespace, packet: Packet, trail: Point, device: Device, hop: int) -> None:
        """Find the next hop's MAC and let the device send: ip_output, ip_finish_output2."""
        if dropped := self.firewall.stops(netns, packet, "postrouting"):
            self._drop(packet, Point(trail, device, dropped))
            return
        leaving, dropped = self.firewall.leaving(netns, packet, device, hop)
        if dropped:
            self._drop(packet, Point(trail, device, dropped))
            return
        if leaving.source != packet.source:
            packet, trail = leaving, Point(trail, device, "masquerade")
        mac = self._neighbour(netns, packet, device, hop)
        if isinstance(mac, Resolution):
            self._unresolved.append((netns, packet, Point(trail, device, FAILED[packet.family]), mac))
            return
        if device.noarp:
            trail = Point(trail, device, OWN_MAC[packet.family])
        self._send(device, Frame(device.mac, mac, packet), packet, trail)

    def _send(self, device: Device, frame: Frame, packet: Packet, trail: Point) -> None:
        """Let the device send, and take note of where the frame ends."""
        journey = Carriage(self.fdb).send(device, frame, trail)
        for delivery in journey.deliveries:
            self._todo.append((delivery, packet))
        for parent, inner, inner_trail in journey.outbound:
            self._outbound(parent, inner, inner_trail)
        if not journey.deliveries and not journey.outbound:
            last = journey.losses[-1] if journey.losses else trail
            self._tell_sender(packet, last)
            self._lose(packet, last, last.rule)

    def _outbound(self, parent: Device, packet: Packet, trail: Point) -> None:
        """Route an l3 child's packet in its parent's namespace, which may lead into the child again."""
        self._nested += 1
        if self._nested > MOST_NESTED:
            self._stop(parent.netns, packet, trail, "outbound-circle")
        else:
            self._output(parent.netns, packet, trail, parent)
        self._nested -= 1

    def _neighbour(self, netns: Namespace, packet: Packet, device: Device, hop: int) -> str | Resolution:
        """Return the MAC of the next hop, or the question nobody answered."""
        if device.noarp:
            return device.mac
        known = self.neighbours.get((device, hop))
        if known:
            return known
        self._at_once = False  # the packet waits for the answer, the sender does not
        asker = asks_with(netns, device, hop, packet)
        found = self.neighbourhood.resolve(Question(device, asker, hop, packet.family), self.asked)
        self.asked.append(found)
        self.fdb.update(found.fdb)
        for holder, address, mac in found.learned:
            self.neighbours[holder, address] = mac
        if self._keep and found.mac is None and found.ends:  # their trails begin with the question
            self.events += [Event("no answer", end) for end in found.ends]
        elif self._keep and found.mac is None and found.answer:
            self.events += [Event("question", found.question), Event("no answer", found.answer)]
        elif self._keep:
            self.events.append(Event("question", found.question))
            if found.answer:
                self.events.append(Event("answer", found.answer))
        return found.mac or found

    def _arriving(self, device: Device, netns: Namespace, packet: Packet, trail: Point) -> tuple[Packet, Point]:
        """Take a translation back, at ``device``."""
        arriving = self.firewall.arriving(netns, packet)
        return arriving, trail if arriving is packet else Point(trail, device, "masquerade-back")

    # -- failing

    def _drop(self, packet: Packet, last: Point) -> None:
        """A rule drops what is being sent; who asks through its parent's namespace is told otherwise than a program."""
        outbound = self._nested and packet.kind in QUESTIONS and last.rule != "masquerade-moved"
        rule = "outbound-dropped" if outbound else last.rule
        last = last._replace(rule=rule)
        self._tell_sender(packet, last)
        self._lose(packet, last, rule)

    def _stop(self, netns: Namespace, packet: Packet, trail: Point, rule: str) -> None:
        """A packet made here finds no way out: the program that sent it gets an error at once."""
        rule = "reply-has-no-route" if (packet.kind, rule) == ("echo reply", "route-missing") else rule
        last = Point(trail, trail.device, rule)
        self._tell_sender(packet, last)
        self._lose(packet, last, rule)

    def _tell_sender(self, packet: Packet, last: Point) -> None:
        """A question dropped inside the sender's own system call is an error the sender sees; a reply is not.

        What a child's packet meets that leaves by another child is for the first one just a packet not sent.
        """
        error = RULES[last.rule].sender_sees
        error = "no buffers" if error and self._nested > 1 else error
        if error and self._at_once and packet.kind in QUESTIONS:
            self._finish(error, last.rule, last)

    def _link_failure(self, netns: Namespace, packet: Packet, trail: Point, failed: Resolution) -> None:
        """ARP failed: the sender is told, by itself or by the router on the way.

        An error to 0.0.0.0 is routed to 127.0.0.1 (ip_route_output_key_hash_rcu), so who has no address hears of its
        own failure all the same. IPv6 sends no error to the unspecified address (icmp6_send).
        """
        nobody = packet.family == 4 and packet.source == 0
        own = netns is self.origin and (nobody or netns.has(packet.source, trail.device))
        rule = FAILED[packet.family] if own else "forward-arp-failed"
        self._lose(packet, trail, rule, failed)
        if own and packet.kind in QUESTIONS:  # an ICMP error to itself, through lo
            self._wants_lo_up(netns)
            error = Packet("host unreachable", packet.source, packet.source, packet.family)
            if not self.firewall.stops(netns, error, "output", "postrouting", "prerouting", "input"):
                self._finish("host unreachable", rule, trail)
        elif not own:
            self._error(netns, packet, "host unreachable", rule, trail)

    def _error(self, netns: Namespace, packet: Packet, word: str, rule: str, trail: Point) -> None:
        """Send an ICMP error, unless it would be about one."""
        if not word or packet.kind not in QUESTIONS:
            return  # an error about a reply changes nothing for the sender
        route = netns.lookup(packet.source, packet.family)
        error = Packet(word, source_address(netns, route, packet.source, packet.family), packet.source, packet.family)
        start = Point(None, trail.device, rule)
        if is_link_local(packet.source):
            self._transmit(netns, error._replace(source=trail.device.link_local), start, trail.device, packet.source)
        else:
            self._output(netns, error, start, None)

    def _lose(self, packet: Packet, trail: Point, rule: str, failed: Resolution | None = None) -> None:
        self.losses.append(Loss(packet, trail, rule, failed, len(self.events)))

    def _finish(self, verdict: str, rule: str, trail: Point) -> None:
        """Note what the sender sees: the first thing, but a reply counts more than an error (of a flooded copy)."""
        if self.outcome is None or verdict in ("reply", "arrived"):
            self.outcome = (verdict, rule, trail)


def _leads_nowhere(route: FibRoute | None, forced: Device | None) -> str:
    """Return the rule that stops a packet with this route; one that must leave by ``forced`` needs none."""
    if forced is not None or (route is not None and route.kind in ("local", "unicast")):
        return ""
    return "route-missing" if route is None else f"route-{route.kind}"
