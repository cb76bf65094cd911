"""The link layer: where a frame goes that a device sends, and who gets a frame that a device receives.

One method for each function of the kernel that decides: ``_send_ipvlan_l2`` is ipvlan_xmit_mode_l2, and so on; the rule
ids in the trail say which branch was taken. A `Carriage` carries one frame (with all its copies) to its ends:
``deliveries`` (handed to the network layer), ``outbound`` (l3 children: handed to the parent's routing) and ``losses``.
It knows no IP but what ipvlan itself looks at.
"""

from __future__ import annotations

from ipvkit.theory.frames import Arp, Delivery, Frame, Packet, Point, is_group
from ipvkit.theory.queues import Queues
from ipvkit.theory.state import Device, Port, SwitchPort

Fdb = dict[tuple[str, int, str], Device]


class Carriage:
    """The journey of one frame. ``fdb`` maps (switch, VLAN, MAC) to a port and learns on the way."""

    def __init__(self, fdb: Fdb) -> None:
        self.fdb = fdb
        self._behind: tuple[Device, ...] = ()  # the parents whose work queues the present copy went through
        self._out: list[Device] = []
        self._filled: list[Device] = []
        self._deliveries: list[Delivery] = []
        self.outbound: list[tuple[Device, Packet, Point]] = []
        self.losses: list[Point] = []

    @property
    def deliveries(self) -> list[Delivery]:
        """Where copies were handed to the network layer, in the order of their arrival: from work queues last."""
        return sorted(self._deliveries, key=lambda delivery: len(delivery.behind))

    @property
    def queues(self) -> Queues:
        """The work queues the frame went through."""
        return Queues(tuple(self._out), tuple(self._filled))

    def send(self, device: Device, frame: Frame, trail: Point | None) -> Carriage:
        """Let ``device`` transmit ``frame``; return self."""
        if not device.up:
            return self._lose(device, frame, trail, "device-down")
        if not device.carrier:
            return self._lose(device, frame, trail, "no-carrier")
        if device.kind == "veth":
            return self._send_veth(device, frame, trail)
        if device.kind == "vlan":
            return self.send(device.parent, frame._replace(vlan=device.vlan),
                             Point(trail, device, "vlan-tagged", frame))
        if device.kind == "ipvlan":
            sender = self._send_ipvlan_l2 if device.parent_port.mode == "l2" else self._send_ipvlan_l3
            return sender(device, device.parent, device.parent_port, frame, trail)
        if device.kind == "macvlan":
            return self._send_macvlan(device, device.parent, device.parent_port, frame, trail)
        return self._lose(device, frame, trail, "unwired")

    # -- cables and switches

    def _send_veth(self, device: Device, frame: Frame, trail: Point | None) -> Carriage:
        peer = device.peer
        assert peer is not None
        trail = Point(trail, device, "veth", frame)
        return self._switch(peer, peer.bridge, frame, trail) if peer.bridge else self.receive(peer, frame, trail)

    def _switch(self, entry: Device, settings: SwitchPort, frame: Frame, trail: Point) -> Carriage:
        if not settings.bridge.up:
            return self._lose(entry, frame, trail, "device-down")
        vlan = frame.vlan or settings.pvid
        if settings.vlans is not None and vlan not in settings.vlans:
            return self._lose(entry, frame, trail, "switch-vlan")
        name, group = settings.switch.name, is_group(frame.destination)
        key_vlan = vlan if settings.vlans is not None else 0
        if settings.locked and self.fdb.get((name, key_vlan, frame.source)) is not entry:
            return self._lose(entry, frame, trail, "switch-locked")
        if settings.learning:
            self.fdb[name, key_vlan, frame.source] = entry
        known = None if group else self.fdb.get((name, key_vlan, frame.destination))
        # br_add_if puts a new port at the head of the list, so the last one is flooded first
        exits = [known] if known else [d for d in reversed(settings.switch.devices.values()) if d.bridge]
        rule = "switch-forwards" if known else "switch-floods"
        for port in exits:
            self._switch_out(entry, port, vlan, frame, trail, rule)
        return self

    def _switch_out(self, entry: Device, port: Device, vlan: int, frame: Frame, trail: Point, rule: str) -> None:
        settings = port.bridge
        assert settings is not None
        if port is entry and not settings.hairpin:
            self._lose(port, frame, trail, "switch-no-hairpin")
            return
        if settings.vlans is not None:
            if vlan not in settings.vlans:
                self._lose(port, frame, trail, "switch-vlan")
                return
            frame = frame._replace(vlan=0 if settings.vlans[vlan] else vlan)
        trail = Point(trail, port, "switch-hairpin" if port is entry else rule, frame)
        if not port.carrier:
            self._lose(port, frame, trail, "no-carrier")
            return
        assert port.peer is not None
        self.receive(port.peer, frame, trail)

    # -- receiving

    def receive(self, device: Device, frame: Frame, trail: Point | None, cast: str = "") -> Carriage:
        """Let ``device`` receive ``frame``: the VLAN tag first, then the children, then the network layer."""
        if not device.up:
            return self._lose(device, frame, trail, "device-down")
        cast = cast or ("group" if is_group(frame.destination) else
                        "host" if frame.destination == device.mac else "other")
        if frame.vlan and frame.vlan in device.vlans:
            sub = device.vlans[frame.vlan]
            if not sub.up:
                return self._lose(sub, frame, trail, "device-down")
            cast = "host" if cast == "other" and frame.destination == sub.mac else cast
            return self.receive(sub, frame._replace(vlan=0), Point(trail, sub, "vlan-untagged", frame), cast)
        port = device.port
        if port and port.kind == "ipvlan" and port.mode != "l3s":
            return self._receive_ipvlan(device, port, frame, trail, cast)
        if port and port.kind == "macvlan":
            return self._receive_macvlan(device, port, frame, trail, cast)
        return self._up(device, frame, trail, cast)

    def _up(self, device: Device, frame: Frame, trail: Point | None, cast: str, rule: str = "") -> Carriage:
        """Hand a frame to the network layer of the device's namespace."""
        if frame.vlan:
            return self._lose(device, frame, trail, "vlan-nobody")
        if rule:
            trail = Point(trail, device, rule, frame)
        if cast == "other":
            return self._lose(device, frame, trail, "not-for-this-mac")
        if device.without_ipv6 and frame.payload.family == 6:
            return self._lose(device, frame, trail, "mtu-without-ipv6")
        assert trail is not None
        self._deliveries.append(Delivery(device, frame, cast, trail, self._behind))
        return self

    # -- ipvlan

    def _send_ipvlan_l2(self, child: Device, parent: Device, port: Port, frame: Frame, trail: Point | None) -> Carriage:
        if port.flag != "vepa" and frame.destination == frame.source:
            sibling = port.by_address.get(_destination(frame))
            if sibling is None:
                trail = Point(trail, child, "ipvlan-l2-to-parent", frame)
                return self.receive(parent, frame, trail)
            if port.flag == "private":
                return self._lose(child, frame, trail, "ipvlan-private-no-sibling")
            return self._to_child(sibling, frame, Point(trail, child, "ipvlan-l2-to-sibling", frame), "host")
        if is_group(frame.destination):
            trail = Point(trail, child, "ipvlan-l2-broadcast-out", frame)
            self._out.append(parent)
            for sibling in port.children:
                if sibling is not child and sibling.up:
                    self.receive(sibling, frame, trail, "group")
            return self.send(parent, frame, trail)
        rule = "ipvlan-vepa-out" if frame.destination == frame.source else "ipvlan-l2-out"
        return self.send(parent, frame, Point(trail, child, rule, frame))

    def _send_ipvlan_l3(self, child: Device, parent: Device, port: Port, frame: Frame, trail: Point | None) -> Carriage:
        if port.flag != "vepa" and (sibling := port.by_address.get(_destination(frame))):
            if port.flag == "private":
                return self._lose(child, frame, trail, "ipvlan-private-no-sibling")
            frame = frame._replace(destination=sibling.mac)
            return self._to_child(sibling, frame, Point(trail, child, "ipvlan-l3-to-sibling", frame), "host")
        if is_group(frame.destination) or isinstance(frame.payload, Arp):
            return self._lose(child, frame, trail, "ipvlan-l3-no-group")
        self.outbound.append((parent, frame.payload, Point(trail, child, "ipvlan-l3-out", frame)))
        return self

    def _receive_ipvlan(self, parent: Device, port: Port, frame: Frame, trail: Point | None, cast: str) -> Carriage:
        if port.mode == "l2" and is_group(frame.destination):
            if frame.source == parent.mac and _source(frame) in port.by_address:
                return self._up(parent, frame, trail, cast, "ipvlan-l2-own-broadcast-back")
            trail = Point(trail, parent, "ipvlan-l2-broadcast-in", frame)
            self._enter_queue(parent)
            for child in port.children:
                if child.up:
                    self.receive(child, frame, trail, cast)
            self._behind = self._behind[:-1]
            return self._up(parent, frame, trail, cast)
        child_there = port.by_address.get(_destination(frame))
        if child_there is None:
            return self._up(parent, frame, trail, cast, "ipvlan-in-to-host")
        return self._to_child(child_there, frame, Point(trail, parent, "ipvlan-in-by-address", frame), cast)

    def _to_child(self, child: Device, frame: Frame, trail: Point, cast: str) -> Carriage:
        if not child.up:
            return self._lose(child, frame, trail, "ipvlan-child-down")
        return self.receive(child, frame, trail, cast)

    # -- macvlan

    def _send_macvlan(self, child: Device, parent: Device, port: Port, frame: Frame, trail: Point | None) -> Carriage:
        if child.mode == "bridge":
            if is_group(frame.destination):
                trail = Point(trail, child, "macvlan-bridge-broadcast", frame)
                self._to_macvlans(port, child, ("bridge",), frame, trail)
                return self.send(parent, frame, trail)
            sibling = port.by_mac.get(frame.destination)
            if sibling and sibling.mode == "bridge":
                # the frame is received by the parent, whose rx handler finds the sibling
                return self.receive(parent, frame, Point(trail, child, "macvlan-bridge-to-sibling", frame))
        rule = {"private": "macvlan-private-alone", "vepa": "macvlan-vepa-out"}.get(child.mode, "macvlan-out")
        return self.send(parent, frame, Point(trail, child, rule, frame))

    def _receive_macvlan(self, parent: Device, port: Port, frame: Frame, trail: Point | None, cast: str) -> Carriage:
        if is_group(frame.destination):
            return self._receive_macvlan_group(parent, port, frame, trail, cast)
        child = port.children[0] if port.passthru else port.by_mac.get(frame.destination)
        if child is None or child.mode == "source":
            return self._up(parent, frame, trail, cast, "macvlan-source-in" if child else "macvlan-in-to-host")
        if not child.up:
            return self._lose(child, frame, trail, "macvlan-child-down")
        rule = "macvlan-passthru-in" if port.passthru else "macvlan-in-by-mac"
        return self.receive(child, frame, Point(trail, parent, rule, frame), "host")

    def _receive_macvlan_group(self, parent: Device, port: Port, frame: Frame, trail: Point | None,
                               cast: str) -> Carriage:
        origin = port.by_mac.get(frame.source)
        if origin and origin.mode not in ("vepa", "bridge"):
            return self.receive(origin, frame, Point(trail, parent, "macvlan-broadcast-back-own", frame), cast)
        rule, modes = _BACK[origin.mode if origin else ""]
        trail = Point(trail, parent, rule, frame)
        self._enter_queue(parent)
        self._to_macvlans(port, origin, modes, frame, trail)
        self._behind = self._behind[:-1]
        return self._up(parent, frame, trail, cast)

    def _to_macvlans(self, port: Port, origin: Device | None, modes: tuple[str, ...], frame: Frame,
                     trail: Point) -> None:
        for child in port.flooded:
            if child is not origin and child.mode in modes:
                self.receive(child, frame, trail, "group")

    def _enter_queue(self, parent: Device) -> None:
        if not self._behind and parent not in self._filled:
            self._filled.append(parent)
        self._behind += (parent,)

    def _lose(self, device: Device, frame: Frame, trail: Point | None, rule: str) -> Carriage:
        self.losses.append(Point(trail, device, rule, frame))
        return self


#: What a group frame that arrives at a macvlan parent is, by the mode of the child that sent it, and whom it reaches.
_BACK: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("macvlan-broadcast-in", ("private", "vepa", "passthru", "bridge")),
    "vepa": ("macvlan-broadcast-back-vepa", ("vepa", "bridge")),
    "bridge": ("macvlan-broadcast-back-bridge", ("vepa",)),
}


def _destination(frame: Frame) -> int:
    """Return the address ipvlan looks a frame up by: ipvlan_addr_lookup with use_dest."""
    payload = frame.payload
    if not isinstance(payload, Arp):
        return payload.destination
    # an IPv6 solicitation goes to a multicast address, which no child has in the table
    return payload.target if payload.family == 4 or payload.operation == "reply" else -1


def _source(frame: Frame) -> int:
    payload = frame.payload
    return payload.asker if isinstance(payload, Arp) else payload.source
