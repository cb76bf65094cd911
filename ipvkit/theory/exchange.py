"""One question and everything it causes: routing, ARP, forwarding, answering, ICMP errors, until silence.

A packet is handled the way the kernel's IP layer does it (ip_output, ip_forward, ip_rcv, icmp): the method names say
which. The world learns during the exchange. Nothing loops: a packet carries a TTL, and the
number of packets handled is bounded.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ipvkit.theory.frames import Delivery, Frame, Packet, Point
from ipvkit.theory.link import Carriage, Fdb
from ipvkit.theory.neighbours import Neighbourhood, Question, Resolution
from ipvkit.theory.rules import RULES
from ipvkit.theory.sources import asks_with, source_address
from ipvkit.theory.state import Device, FibRoute, Namespace, is_link_local

MOST_PACKETS = 1000
MOST_NESTED = 8  # XMIT_RECURSION_LIMIT, include/linux/netdevice.h
QUESTIONS = ("echo request", "datagram")

FAILED = {4: "arp-failed", 6: "nd-failed"}
OWN_MAC = {4: "noarp-own-mac", 6: "noarp-own-mac6"}

#: What a router tells the sender of a packet it cannot forward; a blackhole tells nothing.
FORWARD_ERRORS = {"forward-no-route": "network unreachable", "forward-unreachable": "host unreachable",
                  "forward-prohibit": "prohibited", "forward-blackhole": ""}


class Event(NamedTuple):
    """A piece of the walk: a packet's or a question's trail, and what it was part of."""

    phase: str
    trail: Point
    packet: Packet | None = None


class Loss(NamedTuple):
    """A packet that got no further; ``rule`` says why. ``failed`` is the question nobody answered, if that was it."""

    packet: Packet
    trail: Point
    rule: str
    failed: Resolution | None = None


class Exchange:
    """What one packet sent by ``origin`` causes. Read ``outcome``, ``losses`` and (if kept) ``events`` afterwards.

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
        self.hooks: dict[Namespace, set[str]] = {}
        self._keep = keep
        self._nested = 0  # devices that are sending inside one another
        self._target: Namespace | None = None
        self._at_once = not waits  # still inside the sender's own system call
        self._todo: deque[tuple[Delivery, Packet]] = deque()

    def run(self, destination: int, family: int, kind: str = "echo request",
            target: Namespace | None = None) -> Exchange:
        """Send the packet and follow everything it causes; return self. A datagram must arrive in ``target``."""
        self._target = target
        start = Point(None, self.origin.devices["lo"], "sends")
        route = self.origin.lookup(destination, family)
        packet = Packet(kind, source_address(self.origin, route, destination, family), destination, family)
        self._output(self.origin, packet, start, None)
        self._at_once = False
        for _ in range(MOST_PACKETS):
            if not self._todo or (self._settled and not self._keep):
                break
            self._input(*self._todo.popleft())
        return self

    def learned(self) -> dict[tuple[Device, int], str]:
        """Return what everybody's neighbour tables learned."""
        return {(device, address): mac for found in self.asked for device, address, mac in found.learned}

    @property
    def unanswered(self) -> list[Question]:
        """The questions that got no answer."""
        return [found.asked for found in self.asked if found.mac is None]

    # -- sending: ip_local_out, ip_output

    def _output(self, netns: Namespace, packet: Packet, trail: Point, through: Device | None) -> None:
        """Route a packet made here. ``through``: an l3 child's packet, which must leave by that device."""
        # an l3 child's IPv4 packet takes rows of the parent only; IPv6 takes the parent for a wish
        route = netns.lookup(packet.destination, packet.family, through if packet.family == 4 else None)
        if through is not None and not through.up and packet.family == 4:
            self._stop(netns, packet, trail, "outbound-parent-down")
        elif through is not None and packet.family == 4 and (route is None or route.kind not in ("unicast", "local")):
            self._passes(netns, "output")
            trail = Point(trail, through, "route-assumed-on-link")
            self._transmit(netns, packet, trail, through, packet.destination)
        elif route is None:
            self._stop(netns, packet, trail, "route-missing")
        elif route.kind == "local":
            self._passes(netns, "output")
            lo = netns.devices["lo"]
            self._passes(netns, "postrouting", "prerouting", "input")
            self._local(netns, lo, packet, Point(trail, lo, "route-local"))
        elif route.kind != "unicast":
            self._stop(netns, packet, trail, f"route-{route.kind}")
        else:
            self._passes(netns, "output")
            self._follow(netns, packet, trail, route)

    def _follow(self, netns: Namespace, packet: Packet, trail: Point, route: FibRoute) -> None:
        assert route.device is not None
        rule = "route-on-link" if route.gateway is None else "route-gateway"
        hop = packet.destination if route.gateway is None else route.gateway
        self._transmit(netns, packet, Point(trail, route.device, rule), route.device, hop)

    def _transmit(self, netns: Namespace, packet: Packet, trail: Point, device: Device, hop: int) -> None:
        """Find the next hop's MAC and let the device send: ip_finish_output2."""
        self._passes(netns, "postrouting")
        mac = self._neighbour(netns, packet, device, hop)
        if isinstance(mac, Resolution):
            self._link_failure(netns, packet, Point(trail, device, FAILED[packet.family]), mac)
            return
        if device.noarp:
            trail = Point(trail, device, OWN_MAC[packet.family])
        journey = Carriage(self.fdb).send(device, Frame(device.mac, mac, packet), trail)
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
        found = self.neighbourhood.resolve(Question(device, asker, hop, packet.family))
        self.asked.append(found)
        self.fdb.update(found.fdb)
        for holder, address, mac in found.learned:
            self.neighbours[holder, address] = mac
        if self._keep:
            self.events.append(Event("question", found.question))
            if found.answer:
                self.events.append(Event("answer" if found.mac else "no answer", found.answer))
        return found.mac or found

    # -- receiving: ip_rcv, ip_route_input, ip_forward

    def _input(self, delivery: Delivery, packet: Packet) -> None:
        device, netns, trail = delivery.device, delivery.device.netns, delivery.trail
        self._passes(netns, "prerouting")
        if device.port and device.port.mode == "l3s" and packet.destination in device.port.by_address:
            self._passes(netns, "input")
            device = device.port.by_address[packet.destination]
            netns, trail = device.netns, Point(trail, device, "ipvlan-l3s-in")
        if packet.family == 4 and (packet.source in netns.local or packet.source == 0):
            rule = "martian-source" if packet.source else "martian-nobody"
            self._lose(packet, Point(trail, device, rule), rule)
        elif packet.destination in netns.local:
            self._passes(delivery.device.netns, "input")
            self._local(netns, device, packet, trail)
        elif self._rejects(netns, packet):
            self._forward(netns, device, packet, trail)
        elif not netns.forwarding:
            self._lose(packet, Point(trail, device, "forward-off"), "forward-off")
        elif is_link_local(packet.source) and not self._goes_back(netns, device, packet):
            self._lose(packet, Point(trail, device, "forward-link-local"), "forward-link-local")
            self._error(netns, packet, "host unreachable", "forward-link-local", Point(trail, device, "forward"))
        else:
            self._forward(netns, device, packet, trail)

    @staticmethod
    def _goes_back(netns: Namespace, device: Device, packet: Packet) -> bool:
        """Tell whether a packet leaves by the device it came by: then ip6_forward lets a link-local source pass."""
        route = netns.lookup(packet.destination, packet.family)
        return route is not None and route.device is device

    @staticmethod
    def _rejects(netns: Namespace, packet: Packet) -> bool:
        """Tell whether IPv6 rejects a packet: without a route it does, forwarding or not (ip6_pkt_drop)."""
        route = netns.lookup(packet.destination, packet.family) if packet.family == 6 else None
        return packet.family == 6 and (route is None or route.kind != "unicast")

    def _forward(self, netns: Namespace, device: Device, packet: Packet, trail: Point) -> None:
        route = netns.lookup(packet.destination, packet.family)
        kind = route.kind if route else "no-route"
        if kind != "unicast":
            rule = f"forward-{kind}"
            last = Point(trail, device, rule)
            self._lose(packet, last, rule)
            self._error(netns, packet, FORWARD_ERRORS[rule], rule, last)
        elif packet.ttl <= 1:
            last = Point(trail, device, "ttl-exceeded")
            self._lose(packet, last, "ttl-exceeded")
            self._error(netns, packet, "ttl exceeded", "ttl-exceeded", last)
        else:
            assert route is not None
            self._passes(netns, "forward")
            self._follow(netns, packet._replace(ttl=packet.ttl - 1), Point(trail, device, "forward"), route)

    def _passes(self, netns: Namespace, *hooks: str) -> None:
        self.hooks.setdefault(netns, set()).update(hooks)

    # -- answering

    def _local(self, netns: Namespace, device: Device, packet: Packet, trail: Point) -> None:
        """Hand a packet to the programs of a namespace that has its address."""
        trail = Point(trail, device, "delivered")
        if self._keep:
            self.events.append(Event(packet.kind, trail, packet))
        if packet.kind == "echo request":
            if self.arrived is None:
                self.arrived, self.way = packet, trail
            self._reply(netns, device, packet, trail)
        elif packet.kind == "datagram" and self._target in (None, netns):
            self.arrived, self.way = packet, trail
            self._finish("arrived", "delivered", trail)
        elif packet.kind == "datagram":  # nobody listens there
            self._lose(packet, trail, "wrong-owner")
            self._error(netns, packet, "port unreachable", "wrong-owner", trail)
        elif netns is not self.origin:
            self._lose(packet, trail, "wrong-owner")
        elif packet.kind == "echo reply":
            self._finish("reply", "echo-reply-arrives", trail)
        else:
            self._finish(packet.kind, "error-reaches-sender", trail)

    def _reply(self, netns: Namespace, device: Device, packet: Packet, trail: Point) -> None:
        answer = Packet("echo reply", packet.destination, packet.source, packet.family)
        start = Point(None, trail.device, "echo-answered")
        if is_link_local(packet.source) and device.kind != "lo":
            self._transmit(netns, answer, Point(start, device, "route-on-link"), device, packet.source)
        elif packet.family == 6 and (back := self._way_back(netns, device, packet.source)):
            self._follow(netns, answer, start, back)
        else:
            self._output(netns, answer, start, None)

    @staticmethod
    def _way_back(netns: Namespace, device: Device, value: int) -> FibRoute | None:
        """Of equal IPv6 routes take that through the device the request came by: icmpv6_echo_reply, rt6_check_dev."""
        first, near = netns.lookup(value, 6), netns.lookup(value, 6, device)
        equal = first and near and near.device is device and near.kind == first.kind == "unicast" and (
            near.prefix == first.prefix and (near.source is None) == (first.source is None))
        return near if equal else None

    # -- failing

    def _stop(self, netns: Namespace, packet: Packet, trail: Point, rule: str) -> None:
        """A packet made here finds no way out: the program that sent it gets an error at once."""
        rule = "reply-has-no-route" if (packet.kind, rule) == ("echo reply", "route-missing") else rule
        last = Point(trail, trail.device, rule)
        self._tell_sender(packet, last)
        self._lose(packet, last, rule)

    def _tell_sender(self, packet: Packet, last: Point) -> None:
        """A question dropped inside the sender's own system call is an error the sender sees; a reply is not."""
        error = RULES[last.rule].sender_sees
        if error and self._at_once and packet.kind in QUESTIONS:
            self._finish(error, last.rule, last)

    def _link_failure(self, netns: Namespace, packet: Packet, trail: Point, failed: Resolution) -> None:
        """ARP failed: the sender is told, by itself or by the router on the way.

        An error to 0.0.0.0 is routed to 127.0.0.1 (ip_route_output_key_hash_rcu), so who has no address hears of its
        own failure all the same. IPv6 sends no error to the unspecified address (icmp6_send).
        """
        nobody = packet.family == 4 and packet.source == 0
        own = netns is self.origin and (nobody or packet.source in netns.local)
        rule = FAILED[packet.family] if own else "forward-arp-failed"
        self._lose(packet, trail, rule, failed)
        if own and packet.kind in QUESTIONS:
            self._passes(netns, "output", "postrouting", "prerouting", "input")  # the ICMP error to itself, through lo
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
        self.losses.append(Loss(packet, trail, rule, failed))

    @property
    def _settled(self) -> bool:
        return self.outcome is not None and self.outcome[0] in ("reply", "arrived")

    def _finish(self, verdict: str, rule: str, trail: Point) -> None:
        """Note what the sender sees: the first thing, but a reply counts more than an error (of a flooded copy)."""
        if self.outcome is None or verdict in ("reply", "arrived"):
            self.outcome = (verdict, rule, trail)
