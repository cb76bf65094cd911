"""The map of a topology: hosts with children at the left, switches in the middle, other hosts at the right.

Every wire to a switch is one straight line at the height of its NIC; a cable between two hosts runs in a gutter.
Switches stand side by side; a wire to a further one passes behind the nearer. Imports nothing of ours but the boxes.
"""

from __future__ import annotations

from ipvkit.drawing.declared import Declared, Key
from ipvkit.drawing.machines import BARE_MOST, PAD, HostBox, SwitchBox, nics
from ipvkit.drawing.scene import Point, Scene, Sketch
from ipvkit.drawing.text import Font
from ipvkit.drawing.words import change_lines, count, describe, macs_on
from ipvkit.topology import Topology

MARGIN = 20.0
COLUMN_GAP = 22.0
NEAR, BETWEEN, FAR = 92.0, 60.0, 60.0  # before the first switch, between two, behind the last
GUTTER, LANE = 26.0, 14.0
LEAST_WIDTH = 560.0
PILL, CAPTION, CAPTION_BOLD, COMMAND = Font(11.5, bold=True), Font(13), Font(13, bold=True), Font(12, mono=True)
HEAD = 30.0
SWITCH_ALONE = 180.0
CHANGES_SHOWN = 8


def topology_scene(topology: Topology) -> Scene:
    """Return the picture of a topology, its changes marked and listed."""
    drawn = Map(topology)
    drawn.place()
    drawn.caption("declared", repr(topology).removeprefix("Topology: "))
    drawn.list_changes()
    return drawn.finish(repr(topology), describe(drawn.declared))


class Map:
    """The layout of one topology; ``lane`` pixels of every device are kept free, for the path of a packet."""

    def __init__(self, topology: Topology, lane: float = 0.0) -> None:
        self.lane = lane
        self.topology, self.declared, self.sketch = topology, Declared(topology), Sketch()
        boxes = [HostBox(self.declared, host, lane) for host in topology.hosts]
        self.left = [box for box in boxes if box.has_children]
        self.right = self._in_wiring_order([box for box in boxes if not box.has_children])
        self.side = {key: "left" for box in self.left for key in nics(box)}
        self.side |= {key: "right" for box in self.right for key in nics(box)}
        self.edge: dict[Key, float] = {}
        self.lines: dict[tuple[Key, Key], list[Point]] = {}
        self.width = self.low = 0.0

    def place(self) -> None:
        """Draw hosts, wires and switches."""
        top = MARGIN + HEAD
        left_width = max((box.natural for box in self.left), default=0.0)
        right_width = min(max((box.natural for box in self.right), default=0.0), BARE_MOST)
        left_tall, right_tall = _column_height(self.left, left_width), _column_height(self.right, right_width)
        tall = max(left_tall, right_tall, SWITCH_ALONE if self.topology.switches else 0)
        inner, outer, lanes = self._cabled(outer=False), self._cabled(outer=True), self._lanes()
        edge = MARGIN + left_width
        start = edge + (NEAR if self.left else 0) + LANE * len(inner)
        end = start + sum(lanes) + BETWEEN * max(len(lanes) - 1, 0)
        right = end + (FAR if self.right and lanes else 0)
        self._column(self.left, MARGIN, top + (tall - left_tall) / 2, left_width, facing="right")
        self._column(self.right, right, top + (tall - right_tall) / 2, right_width, facing="left")
        self._cables(edge, right + right_width)
        low = self._switches(start, lanes, top + tall / 2)
        last = right + right_width + (GUTTER + LANE * (len(outer) - 1) + self.lane / 2 if outer else 0)
        self.width = max((last if self.right or lanes else edge) + MARGIN, LEAST_WIDTH)
        self.low = max(top + tall, low)

    # -- columns

    def _in_wiring_order(self, boxes: list[HostBox]) -> list[HostBox]:
        """Return the hosts so that cabled neighbours are neighbours in the column."""
        waiting, ordered = list(boxes), []
        while waiting:
            box = waiting.pop(0)
            ordered.append(box)
            ends = [self.topology.wires.get(key) for key in nics(box)]
            near = [one for one in waiting if any(end and end[0] == one.host.name for end in ends)]
            waiting = near + [one for one in waiting if one not in near]
        return ordered

    def _column(self, boxes: list[HostBox], x: float, y: float, width: float, facing: str) -> None:
        for box in boxes:
            box.draw(self.sketch, x, y, width)
            for key in nics(box):
                self.edge[key] = x + (width - PAD if facing == "right" else PAD)
            y += box.height(width) + COLUMN_GAP

    # -- switches and wires

    def _ports(self, name: str) -> dict[str, Key]:
        switch = self.topology.switch(name)
        return {switch.port_device(port): (port.host, port.interface) for port in switch.ports}

    def _lanes(self) -> list[float]:
        widths = []
        for switch in self.topology.switches:
            sides: dict[str, list[str]] = {"left": [], "right": []}
            for port, key in self._ports(switch.name).items():
                sides[self.side[key]].append(port)
            widths.append(SwitchBox(self.declared, switch, self.lane).width(sides["left"], sides["right"]))
        return widths

    def _switches(self, x: float, lanes: list[float], middle: float) -> float:
        """Draw wires, then switches on them; return the lowest point."""
        low = 0.0
        for switch, width in zip(self.topology.switches, lanes, strict=True):
            for port, key in self._ports(switch.name).items():
                self._wire(key, x if self.side[key] == "left" else x + width, f"{switch.name} {port}")
            x += width + BETWEEN
        x -= sum(lanes) + BETWEEN * len(lanes)
        for switch, width in zip(self.topology.switches, lanes, strict=True):
            sides = {port: (self.side[key], self.sketch.anchors[key][1])
                     for port, key in self._ports(switch.name).items()}
            low = max(low, SwitchBox(self.declared, switch, self.lane).draw(self.sketch, x, width, sides, middle)[1])
            x += width + BETWEEN
        return low

    def _wire(self, key: Key, x: float, to: str) -> None:
        near, y = self.edge[key], self.sketch.anchors[key][1]
        self._line([(near, y), (x, y)], key, f"wire from {key[0]} {key[1]} to {to}")
        if self.side[key] == "left" and self.declared.children(*key) and not self.lane and not self._cut(key):
            macs = count(macs_on(self.declared, *key), "MAC")
            self.sketch.pill(near + 14 + (NEAR - 14) / 2, y, macs, PILL,
                             title=f"{macs} on this wire: of {key[1]} and of those of its children that have their own")

    def _line(self, points: list[Point], key: Key, title: str) -> None:
        cut, far = self._cut(key), self.topology.wires[key]
        self.lines[key, far], self.lines[far, key] = points, points[::-1]
        self.sketch.wire(points, dashed=bool(cut), title=f"{title} {cut}".rstrip(), of=f"{key[0]}/{key[1]}")
        if cut:
            (x0, y0), (x1, y1) = points[len(points) // 2 - 1:][:2]
            self.sketch.pill((x0 + x1) / 2, (y0 + y1) / 2, "✗", PILL, title=cut)

    def _cut(self, key: Key) -> str:
        """Return why nothing can pass a wire: an end is unplugged or deleted, or its port is down; or nothing."""
        ports = {switch.name for switch in self.topology.switches}
        ends = [(end, self.declared.devices[end]) for end in (key, self.topology.wires[key])]
        return next((device.fault for (place, _), device in ends
                     if device.deleted or not device.plugged or (place in ports and not device.up)), "")

    # -- cables between hosts

    def _cabled(self, outer: bool) -> list[tuple[Key, Key]]:
        """Return the cables that run in the outer gutter (both ends at the right), or those in the inner one."""
        return [cable.ends for cable in self.topology.cables
                if all(self.side[end] == "right" for end in cable.ends) == outer]

    def _cables(self, inner: float, outer: float) -> None:
        for number, (a, b) in enumerate(self._cabled(outer=True)):
            self._cable(a, b, outer + GUTTER + LANE * number, outer - PAD)
        for number, (a, b) in enumerate(self._cabled(outer=False)):
            self._cable(a, b, inner + GUTTER + LANE * number)

    def _cable(self, a: Key, b: Key, lane: float, edge: float = 0.0) -> None:
        (_, ya), (_, yb) = self.sketch.anchors[a], self.sketch.anchors[b]
        points = [(edge or self.edge[a], ya), (lane, ya), (lane, yb), (edge or self.edge[b], yb)]
        self._line(points, a, f"cable between {'.'.join(a)} and {'.'.join(b)}")

    # -- what stands around it

    def caption(self, what: str, fact: str) -> None:
        """Say above the picture what kind of truth it is, and the fact it shows."""
        used = self.sketch.label(MARGIN, MARGIN + 6, what, CAPTION_BOLD)
        room = self.width - 2 * MARGIN - used - 10
        self.sketch.label(MARGIN + used + 10, MARGIN + 6, fact, CAPTION, room=room, role="muted")

    def list_changes(self) -> None:
        """List below the picture what was done since, as ``ip`` lines."""
        lines = change_lines(self.topology)
        self.low += 18 if lines else 0
        for number, line in enumerate(lines[:CHANGES_SHOWN], start=1):
            self.low += 19
            self.sketch.label(MARGIN, self.low, f"then {number}", CAPTION_BOLD)
            self.sketch.label(MARGIN + 70, self.low, line, COMMAND, room=self.width - 2 * MARGIN - 70)
        if len(lines) > CHANGES_SHOWN:
            self.low += 19
            self.sketch.label(MARGIN + 70, self.low, f"and {len(lines) - CHANGES_SHOWN} more", CAPTION, role="muted",
                              title="; ".join(lines[CHANGES_SHOWN:]))
        self.low += 12 if lines else 0

    def finish(self, title: str, description: str) -> Scene:
        """Return the scene."""
        return self.sketch.finish(self.width, self.low + MARGIN, title, description)


def _column_height(boxes: list[HostBox], width: float) -> float:
    return sum(box.height(width) for box in boxes) + COLUMN_GAP * max(len(boxes) - 1, 0)
