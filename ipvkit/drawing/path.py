"""The path of a packet on the picture of the topology: every message a numbered line, ARP, request and reply.

    draw_path(lan, walk=explain(lan, "net1", "far"))             what theory says
    draw_path(lan, trace=lab.trace("net1", "far"))               where frames were seen
    draw_path(lan, walk=…, trace=…)                              theory's lines, squares where frames were seen
    draw_path(lan, walk=…, step=7)                               one step of the walk, to be played

Dashed: who has an address, and the answer. Solid: the packets. ✗ where one ends that gets no further. All steps of one
walk have the same size, so that they can be played. Imports nothing of ours but the map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ipvkit.drawing.legs import Leg, Trace, Walk, legs_of_trace, legs_of_walk
from ipvkit.drawing.map import MARGIN, Map
from ipvkit.drawing.picture import Drawing
from ipvkit.drawing.scene import Bounds, Box, Point
from ipvkit.drawing.text import Font, wrap
from ipvkit.drawing.way import Ways, without
from ipvkit.drawing.words import count, describe
from ipvkit.errors import BadQuestion
from ipvkit.topology import Topology, want_topology

LISTED = 14
LANES = 8
APART = 5.0  # pixels between lines that share a wire
BADGE, HEAD, TEXT, MONO = Font(12, bold=True), Font(13, bold=True), Font(13), Font(12, mono=True)
RADIUS = 10.0
SEEN = 11.0

Line = list[list[Point]]  # in pieces: nothing is drawn between two of them


def draw_path(topology: Topology, walk: Walk | None = None, trace: Trace | None = None,
              step: int | None = None) -> Drawing:
    """Return the picture of a packet's path; ``step`` counts the walk's steps from 1.

    BadQuestion if neither walk nor trace is given, or there is no such step.
    """
    want_topology(topology)
    if walk is None and trace is None:
        raise BadQuestion("path", "there is nothing to draw", "Give walk=explain(...) or trace=lab.trace(...).")
    if step is not None and (walk is None or not 1 <= step <= len(walk.steps)):
        steps = len(walk.steps) if walk is not None else 0
        raise BadQuestion("step", f"{step!r} is not a step of this walk", f"It has {count(steps, 'step')}, from 1.")
    return _Path(topology, walk, trace, step).drawing()


class _Path:
    def __init__(self, topology: Topology, walk: Walk | None, trace: Trace | None, step: int | None) -> None:
        self.walk, self.trace, self.step = walk, trace, step
        self.legs = legs_of_walk(walk) if walk is not None else legs_of_trace(trace) if trace is not None else []
        self.lanes = min(max(len(self.legs), 2), LANES)
        self.map = Map(topology, lane=self.lanes * APART + 6)
        self.map.place()
        self.sketch, self.ways = self.map.sketch, Ways(self.map)
        self.crosses: list[Point] = []
        self.taken: list[Bounds] = [label.bounds for label in self.sketch.labels]

    def drawing(self) -> Drawing:
        fact = self._fact()
        self.map.caption(self._kind(), fact)
        shown = [leg for leg in self.legs if self.step is None or leg.first < self.step]
        lines = [self._line(leg, number) for number, leg in enumerate(shown)]
        for leg, parts in zip(shown, lines, strict=True):
            self._draw_line(leg, parts)
        if self.walk is not None and self.trace is not None:
            self._draw_seen(self.trace)
        for leg, parts in zip(shown, lines, strict=True):
            self._cross(leg, parts)
        for number, (leg, parts) in enumerate(zip(shown, lines, strict=True), start=1):
            if parts:
                self._disc(*self._free_place(max(parts[0], key=_length)), str(number), leg)
        self._mark_now()
        self._list()
        title = f"{self._kind()}: {fact}" + (f", step {self.step}" if self.step else "")
        words = [f"{number}: {leg.words}, {leg.route}: {leg.end}." for number, leg in enumerate(self.legs, start=1)]
        return Drawing(self.map.finish(title, " ".join([*words, describe(self.map.declared)])), f"Path, {title}")

    def _kind(self) -> str:
        sides = (("predicted", self.walk), ("measured", self.trace))
        return " and ".join(word for word, side in sides if side is not None)

    def _fact(self) -> str:
        """Return who asked whom, the verdicts, and how many messages it took."""
        messages = count(len(self.legs), "message")
        answer = self.trace.answer if self.trace is not None else None
        if self.walk is not None:
            said = self.walk.verdict.verdict
            if answer is not None:
                said = f"predicted {said} {'=' if answer.verdict == said else '≠'} measured {answer.verdict}"
            return f"{self.walk.source} → {self.walk.destination}: {said}, {messages}"
        return f"{answer.src} → {answer.dst}: {answer.verdict}, {messages}" if answer is not None else messages

    # -- lines

    def _line(self, leg: Leg, number: int) -> list[Line]:
        """Return the line of a leg, or one line to each copy, beside the lines of the other legs."""
        places: Sequence[tuple[str, str]] = leg.places
        if self.walk is not None and self.step is not None and self.step <= leg.last:
            places = [(step.netns, step.device) for step in self.walk.steps[leg.first:self.step]]
        ways = [(places[0], place) for place in self.ways.ends(places)] if leg.spread else [tuple(places)]
        shift = APART * (number % self.lanes - (self.lanes - 1) / 2)
        return [without(_beside(line, shift), self.ways.hidden(way)) for way in ways if (line := self.ways.along(way))]

    def _draw_line(self, leg: Leg, parts: list[Line]) -> None:
        drawn = [(points, points is line[-1]) for line in parts for points in line if len(points) > 1]
        for points, _ in drawn:
            self.sketch.wire(points, "halo", width=6)
        for points, last in drawn:
            self.sketch.wire(points, f"path-{leg.kind}", width=3, dashed=leg.kind == "arp",
                             arrow=last and not leg.lost, title=f"{leg.words}: {leg.route}", of=leg.words)

    def _cross(self, leg: Leg, parts: list[Line]) -> None:
        """Mark where a leg ends that got no further; all are drawn before the numbers, which keep clear of them."""
        if not (parts and leg.lost and (self.step is None or self.step > leg.last)):
            return
        x, y = parts[-1][-1][-1]
        while any(abs(x - other) < 2 * RADIUS and abs(y - height) < 2 * RADIUS for other, height in self.crosses):
            x += 2.4 * RADIUS  # a question and what waited for its answer end in the same place
        self.crosses.append((x, y))
        self._disc(x, y, "✗", leg)

    def _disc(self, x: float, y: float, text: str, leg: Leg) -> None:
        title = f"{leg.words}: {leg.route}: {leg.end}"
        self.sketch.box(x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS, f"badge-{leg.kind}", radius=RADIUS, title=title,
                        of=f"badge {text}")
        self.sketch.label(x, y, text, BADGE, role="badge-text", anchor="middle", title=title)
        self.taken.append((x - RADIUS - 2, y - RADIUS - 2, x + RADIUS + 2, y + RADIUS + 2))

    def _free_place(self, points: list[Point]) -> Point:
        """Return the place on a line where a badge hides least of what is written there."""
        def hidden(at: Point) -> float:
            x, y = at
            return sum(max(0.0, min(right, x + RADIUS + 1) - max(left, x - RADIUS - 1))
                       * max(0.0, min(bottom, y + RADIUS + 1) - max(top, y - RADIUS - 1))
                       for left, top, right, bottom in self.taken)
        return min(_stations(points), key=hidden)

    def _draw_seen(self, trace: Trace) -> None:
        seen: dict[tuple[str, str], list[str]] = {}
        for leg in legs_of_trace(trace):
            for place in leg.places:
                seen.setdefault(place, []).append(leg.words)
        for place, words in seen.items():
            if place in self.ways.anchors:
                self._square(place, f"measured on {'/'.join(place)}: {', '.join(dict.fromkeys(words))}")

    def _square(self, place: tuple[str, str], title: str) -> None:
        """Draw the sign of a measurement on the lower right corner of a device."""
        box = self._box(place)
        if box is not None:
            x, y = box.bounds[2] - SEEN / 2 - 1, box.bounds[3] - SEEN / 2 - 1
            self.sketch.box(x, y, SEEN, SEEN, "seen", radius=2, title=title, of=f"seen {'/'.join(place)}")
            self.taken.append((x - 2, y - 2, x + SEEN + 2, y + SEEN + 2))

    def _box(self, place: tuple[str, str]) -> Box | None:
        return next((box for box in self.sketch.boxes if box.of == "/".join(place)), None)

    def _mark_now(self) -> None:
        if self.walk is None or self.step is None:
            return
        now = self.walk.steps[self.step - 1]
        box = self._box(self.ways.shown((now.netns, now.device)))
        if box is not None:
            self.sketch.box(box.x - 4, box.y - 4, box.width + 8, box.height + 8, "now", radius=box.radius + 4,
                            of="now", title=now.what)

    # -- the list below

    def _list(self) -> None:
        width = self.map.width - 2 * MARGIN
        self.map.low += 14
        for number, leg in enumerate(self.legs[:LISTED], start=1):
            self._entry(number, leg, width)
        if len(self.legs) > LISTED:
            self._say(f"and {len(self.legs) - LISTED} more", width, 1)
        if self.walk is not None and self.trace is not None:
            self.map.low += 24
            self.sketch.box(MARGIN + RADIUS - SEEN / 2, self.map.low - SEEN / 2, SEEN, SEEN, "seen", radius=2)
            self.sketch.label(MARGIN + 2 * RADIUS + 10, self.map.low, "measured: a frame was seen here", HEAD)
        if self.walk is not None and self.step is not None:
            now = self.walk.steps[self.step - 1]
            self._say(f"step {self.step} of {len(self.walk.steps)}, {now.netns}/{now.device}: {now.what} "
                      f"[{now.rule}: {now.source}]", width, 2)
        elif self.walk is not None:
            self._say(f"{self.walk.verdict.verdict}: {self.walk.verdict.why}", width, 2)

    def _entry(self, number: int, leg: Leg, width: float) -> None:
        self.map.low += 24
        y, x = self.map.low, MARGIN
        self._disc(x + RADIUS, y, str(number), leg)
        x += 2 * RADIUS + 10
        x += self.sketch.label(x, y, leg.words, HEAD, room=width * 0.36) + 12
        x += self.sketch.label(x, y, leg.route, MONO, room=width * 0.34) + 12
        text = f"✗ {leg.end}" if leg.lost else leg.end
        self.sketch.label(x, y, text, TEXT, room=MARGIN + width - x, role="alarm" if leg.lost else "muted")

    def _say(self, text: str, width: float, lines: int) -> None:
        """Write below in a fixed number of lines."""
        wrapped = wrap(text, width, TEXT)
        self.map.low += 8
        for number in range(lines):
            self.map.low += 21
            if number < len(wrapped):
                last = number == lines - 1
                self.sketch.label(MARGIN, self.map.low, " ".join(wrapped[number:]) if last else wrapped[number], TEXT,
                                  room=width)


def _stations(points: list[Point]) -> Iterator[Point]:
    """Give places along a line, from its middle outwards, a step of ten pixels."""
    if len(points) == 1:  # a message that never leaves its device: beside its end
        ((x, y),) = points
        yield from ((x + RADIUS * away, y) for away in (-2.5, -3, -5.5, 2.5, 5.5, -8, 8))
        return
    found = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(int(max(abs(x1 - x0), abs(y1 - y0)) / 10), 1)
        found += [(x0 + (x1 - x0) * n / steps, y0 + (y1 - y0) * n / steps) for n in range(1, steps + 1)]
    middle = len(found) // 2
    yield from sorted(found, key=lambda point: abs(found.index(point) - middle))


def _length(points: list[Point]) -> float:
    return sum(abs(x1 - x0) + abs(y1 - y0) for (x0, y0), (x1, y1) in pairwise(points))


def _beside(line: list[Point], shift: float) -> list[Point]:
    """Return the line moved sideways; its ends stay at the height of the devices they are in."""
    moved = [(x + shift, y + shift) for x, y in line]
    for end, inner in ((0, 1), (-1, -2)) if len(line) > 1 else ():
        upright = line[end][0] == line[inner][0]
        moved[end] = (moved[end][0], line[end][1]) if upright else (line[end][0], moved[end][1])
    return moved
