"""One question and everything it causes: routing, ARP, forwarding, answering, ICMP errors, until silence.

A packet is handled the way the kernel's IP layer does it (ip_output, ip_forward, ip_rcv, icmp): the method names say
which. The world learns during the exchange. Nothing loops: a packet carries a TTL, and the
number of packets handled is bounded.
"""

from __future__ import annotations

from ipvkit.theory.frames import Delivery, Packet, Point
from ipvkit.theory.neighbours import Question
from ipvkit.theory.outgoing import Event, Outgoing
from ipvkit.theory.sources import source_address
from ipvkit.theory.state import Device, FibRoute, Namespace, is_link_local

MOST_PACKETS = 1000

#: What a router tells the sender of a packet it cannot forward; a blackhole tells nothing.
FORWARD_ERRORS = {"forward-no-route": "network unreachable", "forward-unreachable": "host unreachable",
                  "forward-prohibit": "prohibited", "forward-blackhole": ""}


class Exchange(Outgoing):
    """What one packet sent by ``origin`` causes. Read ``outcome``, ``losses`` and (if kept) ``events`` afterwards."""

    def run(self, destination: int, family: int, kind: str = "echo request",
            target: Namespace | None = None, through: Device | None = None) -> Exchange:
        """Send the packet and follow everything it causes; return self. A datagram must arrive in ``target``.

        ``through``: the device that a link-local destination is asked through.
        """
        self._target = target
        start = Point(None, self.origin.devices["lo"], "sends")
        route = self.origin.lookup(destination, family, through)
        source = through.link_local if through else source_address(self.origin, route, destination, family)
        self._output(self.origin, Packet(kind, source, destination, family), start, through)
        self._at_once = False
        for _ in range(MOST_PACKETS):
            if self._settled and not self._keep:
                break
            if self._todo:
                self._input(*self._todo.popleft())
            elif self._unresolved:
                self._link_failure(*self._unresolved.popleft())
            else:
                break
        return self

    def learned(self) -> dict[tuple[Device, int], str]:
        """Return what everybody's neighbour tables learned."""
        return {(device, address): mac for found in self.asked for device, address, mac in found.learned}

    @property
    def unanswered(self) -> list[Question]:
        """The questions that got no answer."""
        return [found.asked for found in self.asked if found.mac is None]

    # -- receiving: ip_rcv, ip_route_input, ip_forward

    def _input(self, delivery: Delivery, packet: Packet) -> None:
        device, netns, trail = delivery.device, delivery.device.netns, delivery.trail
        dropped = self.firewall.stops(netns, packet, "prerouting")
        if not dropped:
            packet, trail = self._arriving(device, netns, packet, trail)
            if device.port and device.port.mode == "l3s" and packet.destination in device.port.by_address:
                dropped = self.firewall.stops(netns, packet, "input")
                device = device.port.by_address[packet.destination]
                trail = Point(trail, device, "ipvlan-l3s-in")
        if dropped:
            self._lose(packet, Point(delivery.trail, delivery.device, dropped), dropped)
        else:
            self._received(netns, device, packet, trail)

    def _received(self, outer: Namespace, device: Device, packet: Packet, trail: Point) -> None:
        """Decide what becomes of a packet: ip_route_input. ``outer`` has the hooks an l3s child's packet passes."""
        netns = device.netns
        if packet.family == 4 and (packet.source in netns.local or packet.source == 0):
            rule = "martian-source" if packet.source else "martian-nobody"
            self._lose(packet, Point(trail, device, rule), rule)
        elif netns.has(packet.destination, device):
            if dropped := self.firewall.stops(outer, packet, "input"):
                self._lose(packet, Point(trail, device, dropped), dropped)
            else:
                self._local(netns, device, packet, trail)
        elif self._rejects(netns, device, packet):
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
        route = _row(netns, packet, device)
        return route is not None and route.device is device

    @staticmethod
    def _rejects(netns: Namespace, device: Device, packet: Packet) -> bool:
        """Tell whether IPv6 rejects a packet: without a route it does, forwarding or not (ip6_pkt_drop)."""
        route = _row(netns, packet, device) if packet.family == 6 else None
        return packet.family == 6 and (route is None or route.kind != "unicast")

    def _forward(self, netns: Namespace, device: Device, packet: Packet, trail: Point) -> None:
        route = _row(netns, packet, device)
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
            if dropped := self.firewall.stops(netns, packet, "forward"):
                self._lose(packet, Point(trail, device, dropped), dropped)
            else:
                self._follow(netns, packet._replace(ttl=packet.ttl - 1), Point(trail, device, "forward"), route)

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
            self._output(netns, answer, start, device)
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

    @property
    def _settled(self) -> bool:
        return self.outcome is not None and self.outcome[0] in ("reply", "arrived")


def _row(netns: Namespace, packet: Packet, device: Device) -> FibRoute | None:
    """Return the row for a packet that ``device`` received: a link-local destination is one on that very link."""
    return netns.lookup(packet.destination, packet.family, device if is_link_local(packet.destination) else None)
