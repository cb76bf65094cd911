"""The MAC budget: how many MACs a switch sees on a host's wire, for one child to fifty, with each driver.

Why it matters: switches with port security, many clouds and every Wi-Fi access point allow a port few MACs, often one.
Drawn as counted from the declarations (the NIC's MAC, and one for each macvlan child); measured counts are put on top
as squares. Imports nothing of ours but the scene.
"""

from __future__ import annotations

from collections.abc import Mapping

from ipvkit.drawing.picture import Drawing
from ipvkit.drawing.scene import Point, Scene, Sketch
from ipvkit.drawing.text import Font
from ipvkit.errors import BadQuestion

WIDTH, HEIGHT = 760.0, 440.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 150.0, 62.0, 62.0
AXIS, TITLE, TITLE_BOLD, SERIES = Font(12), Font(13), Font(13, bold=True), Font(13, bold=True)
DOT = 8.0
DRIVERS = ("ipvlan", "macvlan")


def macs(driver: str, children: int) -> int:
    """Return how many MACs so many children of one parent need: macvlan one each and the parent's, ipvlan one."""
    return 1 + children if driver == "macvlan" else 1


def draw_mac_budget(most: int = 50, limit: int | None = None,
               measured: Mapping[str, Mapping[int, int]] | None = None) -> Drawing:
    """Return the chart for 1 to ``most`` children.

    ``limit`` draws the number of MACs a switch port allows; ``measured`` gives, for ``ipvlan`` and ``macvlan``, the
    number of MACs that were seen by the number of children.
    Raises BadQuestion if a number is out of range or a driver unknown.
    """
    measured = measured or {}
    if not 2 <= most <= 1000:
        raise BadQuestion("most", f"{most!r} is out of range", "Write a whole number from 2 to 1000.")
    if limit is not None and not 1 <= limit <= most + 1:
        raise BadQuestion("limit", f"{limit!r} is out of range", f"Write a whole number from 1 to {most + 1}.")
    for driver in measured:
        if driver not in DRIVERS:
            raise BadQuestion("measured", f"{driver!r} is not a driver", "Write ipvlan or macvlan.")
    fact = f"1 to {most} children: ipvlan 1 MAC, macvlan 2 to {most + 1} MACs"
    fact += f"; limit {limit}: reached by {limit - 1} macvlan children" if limit is not None else ""
    points = sum(len(counts) for counts in measured.values())
    fact += f"; {points} measured" if points else ""
    return Drawing(_Chart(most, limit, measured).scene(fact), f"MAC budget: {fact}")


class _Chart:
    def __init__(self, most: int, limit: int | None, measured: Mapping[str, Mapping[int, int]]) -> None:
        self.most, self.limit, self.measured = most, limit, measured
        self.top = max([most + 1, *(n for counts in measured.values() for n in counts.values())])
        self.sketch = Sketch()

    def at(self, children: float, number: float) -> Point:
        """Return the place of a count of MACs at a count of children."""
        x = LEFT + (WIDTH - LEFT - RIGHT) * (children - 1) / (self.most - 1)
        return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * number / self.top

    def scene(self, fact: str) -> Scene:
        """Draw everything."""
        sketch = self.sketch
        said = "counted from the declaration" + (", squares measured" if self.measured else "")
        used = sketch.label(20, 24, "MACs on the host's wire", TITLE_BOLD)
        sketch.label(20 + used + 10, 24, said, TITLE, role="muted")
        self._grid()
        self._limit()
        for driver in DRIVERS:
            line = [self.at(n, macs(driver, n)) for n in (1, self.most)]
            sketch.wire(line, f"series-{driver}", width=3.5, dashed=driver == "ipvlan", of=driver,
                        title=f"{driver}: {macs(driver, self.most)} MAC at {self.most} children")
            x, y = line[-1]
            sketch.label(x + 22, y - 9, driver, SERIES, role=f"{driver}-text")
            number = macs(driver, self.most)
            sketch.label(x + 22, y + 8, f"{number} MAC{'s' if number > 1 else ''}", AXIS, role=f"{driver}-text")
        self._measured()
        return sketch.finish(WIDTH, HEIGHT, f"MAC budget: {fact}", f"A chart. Across: children of one parent. {fact}.")

    def _grid(self) -> None:
        for number in _ticks(self.top):
            (x0, y), (x1, _) = self.at(1, number), self.at(self.most, number)
            self.sketch.wire([(x0, y), (x1, y)], "grid", width=1)
            self.sketch.label(x0 - 12, y, str(number), AXIS, role="muted", anchor="end")
        for children in sorted({1, *_ticks(self.most)} - {0}):
            x, y = self.at(children, 0)
            self.sketch.label(x, y + 16, str(children), AXIS, role="muted", anchor="middle")
        middle = (LEFT + WIDTH - RIGHT) / 2
        self.sketch.label(middle, HEIGHT - 20, "children of one parent", AXIS, role="muted", anchor="middle")

    def _limit(self) -> None:
        if self.limit is None:
            return
        (x0, y), (x1, _) = self.at(1, self.limit), self.at(self.most, self.limit)
        self.sketch.wire([(x0, y), (x1, y)], "limit", width=2, dashed=True, of="limit")
        low = self.limit <= self.top / 2  # the macvlan line is far from this end of the limit's line
        self.sketch.label(x1 - 8 if low else x0 + 8, y - 11, f"✗ limit of the port: {self.limit}", AXIS, role="alarm",
                          anchor="end" if low else "start")

    def _measured(self) -> None:
        for driver, counts in self.measured.items():
            for children, number in sorted(counts.items()):
                x, y = self.at(children, number)
                title = f"measured: {children} {driver} children, {number} MACs"
                self.sketch.box(x - DOT / 2, y - DOT / 2, DOT, DOT, f"dot-{driver}", radius=1,
                                of=f"{driver} {children}", title=title)


def _ticks(most: int) -> list[int]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200) if most / step <= 6)
    return list(range(0, most + 1, step))
