"""From one device to the next on the map: the line a frame takes, along slabs, shelves, wires and through switches.

A wire that passes behind a switch to somewhere else is not in it: a line along it has a gap there.
Imports nothing of ours but the map.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ipvkit.drawing.declared import Key
from ipvkit.drawing.map import Map
from ipvkit.drawing.scene import Bounds, Point


class Ways:
    """The ways of one map. Places that are not on it are left out."""

    def __init__(self, drawn: Map) -> None:
        declared, self.anchors, self.risers, self.lines = drawn.declared, *_geometry(drawn)
        self.parent: dict[Key, Key] = {}
        self.near: dict[Key, list[Key]] = {key: [] for key in self.anchors}
        for key in declared.devices:
            for child in declared.children(*key):
                self.parent[child] = key
                self._join(key, child)
        for one, other in self.lines:
            self._join(one, other)
        for one in self.anchors:
            for other in self.anchors:
                if one[0] == other[0] and one != other:
                    self._join(one, other)
        self.switches = {switch.name for switch in drawn.topology.switches}
        self.bars = [box.bounds for box in drawn.sketch.boxes if box.of in self.switches]
        self.lane = drawn.lane
        self.first = {netns: (netns, name) for netns, name in reversed(declared.devices)
                      if (netns, name) in self.anchors}

    def _join(self, one: Key, other: Key) -> None:
        if one in self.near and other in self.near and other not in self.near[one]:
            self.near[one].append(other)
            self.near[other].append(one)

    def between(self, start: Key, goal: Key) -> list[Key]:
        """Return the devices from one to the other, both included: the fewest there are."""
        before: dict[Key, Key] = {start: start}
        waiting = deque([start])
        while waiting and goal not in before:
            here = waiting.popleft()
            for there in self.near[here]:
                if there not in before:
                    before[there] = here
                    waiting.append(there)
        if goal not in before:
            return [start, goal]
        way = [goal]
        while way[-1] != start:
            way.append(before[way[-1]])
        return way[::-1]

    def shown(self, place: Key) -> Key:
        """Return the place, or for a loopback device, which is not on the map, the first device of its namespace."""
        return self.first.get(place[0], place) if place[1] == "lo" else place

    def ends(self, places: Sequence[Key]) -> list[Key]:
        """Return those of the places that are on the way from the first to none of the others."""
        known = [place for place in places if place in self.anchors]
        passed = {place for goal in known[1:] for place in self.between(known[0], goal)[:-1]}
        return [place for place in known[1:] if place not in passed]

    def along(self, places: Sequence[Key]) -> list[Point]:
        """Return the line through these places, in order; of a frame that never leaves its namespace, a point."""
        known = self._known(places)
        if not known:
            return []
        points = [self.anchors[known[0]]]
        for here, there in self._hops(known):
            points += self._hop(points[-1], here, there)
        points.append(self.anchors[known[-1]])
        return _straightened(points)

    def hidden(self, places: Sequence[Key]) -> list[Bounds]:
        """Return where the line through these places passes behind a switch, all its lanes included."""
        gaps = []
        for hop in self._hops(self._known(places)):
            for (x0, y), (x1, level) in pairwise(self.lines.get(hop, [])):
                gaps += [(left, y - self.lane / 2, right, y + self.lane / 2) for left, top, right, bottom in self.bars
                         if y == level and top < y < bottom and min(x0, x1) < left and right < max(x0, x1)]
        return gaps

    def _known(self, places: Sequence[Key]) -> list[Key]:
        known = [place for place in places if place in self.anchors]
        return known or [place for place in map(self.shown, places) if place in self.anchors]

    def _hops(self, known: Sequence[Key]) -> Iterator[tuple[Key, Key]]:
        """Give each pair of neighbours on the way through these places."""
        for start, goal in pairwise(known):
            yield from pairwise(self.between(start, goal))

    def _hop(self, at: Point, here: Key, there: Key) -> Iterator[Point]:
        """Give the corners from ``at``, which is on ``here``, to the device ``there``."""
        goal = self.anchors[there]
        if self.parent.get(here) == there:
            yield self.anchors[here][0], at[1]
            yield from self._down(here, there)
        elif self.parent.get(there) == here:
            yield from [*self._down(there, here)][::-1]
            yield goal
        elif (here, there) in self.lines:
            yield from self.lines[here, there]
        elif here[0] in self.switches and here[0] == there[0]:
            middle = (at[0] + goal[0]) / 2 if abs(at[0] - goal[0]) > 1 else at[0] + self._inward(here)
            yield from [(middle, at[1]), (middle, goal[1]), goal]
        else:
            yield from [(goal[0], at[1]), goal]

    def _down(self, child: Key, parent: Key) -> Iterator[Point]:
        y, left = self.anchors[parent][1], self.anchors[child][0]
        if child in self.risers:
            spine, shelf = self.risers[child]
            yield from [(left, shelf), (spine, shelf), (spine, y)]
        else:
            yield left, y

    def _inward(self, port: Key) -> float:
        """Return how far, and to which side, the inside of a switch is from a port."""
        wired = next(other for one, other in self.lines if one == port)
        return 40.0 if self.anchors[wired][0] < self.anchors[port][0] else -40.0


def _geometry(drawn: Map) -> tuple[dict[Key, Point], dict[Key, Point], dict[tuple[Key, Key], list[Point]]]:
    return drawn.sketch.anchors, drawn.sketch.risers, drawn.lines


def _straightened(points: list[Point]) -> list[Point]:
    """Return the line without repeated points and without points in the middle of a straight piece."""
    kept: list[Point] = []
    for point in points:
        if kept and abs(kept[-1][0] - point[0]) < 0.1 and abs(kept[-1][1] - point[1]) < 0.1:
            continue
        if len(kept) > 1 and (_between(0, kept[-2], kept[-1], point) or _between(1, kept[-2], kept[-1], point)):
            kept.pop()
        kept.append(point)
    return kept


def _between(axis: int, a: Point, b: Point, c: Point) -> bool:
    """Whether b lies between a and c on a line along one axis."""
    other = 1 - axis
    level = abs(a[other] - b[other]) < 0.1 and abs(b[other] - c[other]) < 0.1
    return level and (a[axis] <= b[axis] <= c[axis] or a[axis] >= b[axis] >= c[axis])


def without(line: list[Point], gaps: Sequence[Bounds]) -> list[list[Point]]:
    """Return the pieces of a line that are left when its level pieces are cut out where there are gaps."""
    pieces = [line[:1]]
    for (x0, y0), (x1, y1) in pairwise(line):
        cuts = [(left, right) for left, top, right, bottom in gaps
                if y0 == y1 and top <= y0 <= bottom and min(x0, x1) < left and right < max(x0, x1)]
        for left, right in sorted(cuts, reverse=x0 > x1):
            near, far = (left, right) if x0 < x1 else (right, left)
            pieces[-1].append((near, y0))
            pieces.append([(far, y0)])
        pieces[-1].append((x1, y1))
    return pieces
