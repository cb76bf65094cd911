"""What sits on what: a parent is a slab, its children stand on it with a foot, each in the box of its namespace.

    Card      a child that carries nothing: its namespace, its addresses, and the device as a chip at the bottom
    Slab      a device seen as ground to stand on: a NIC, a VLAN, a child with children of its own
    Tower     a slab and the rows of cards and towers on it; more than one row: each on a shelf of the same parent

An ipvlan chip has the colour of its parent and says "MAC of eth0": it is the same station. A macvlan chip has another
colour and a MAC of its own. Imports nothing of ours but the scene and the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ipvkit.drawing.declared import Declared, Key, route_words
from ipvkit.drawing.density import Density
from ipvkit.drawing.lines import Line, draw_lines, height_of, natural_width
from ipvkit.drawing.scene import Sketch
from ipvkit.drawing.text import Font, extent, flow
from ipvkit.drawing.words import device_words, drivers_of, mac_words, parent_name, parent_note

PAD = 12.0
FOOT, FOOT_WIDTH = 10.0, 28.0
SHELF, SPINE = 6.0, 8.0
ROW_GAP = 12.0
CHIP_LANE = 16.0
BETWEEN = " · "  # SVG makes one space of many
NAME, NOTE, DETAIL = Font(14, mono=True, bold=True), Font(11.5), Font(12, mono=True)


class Slab:
    """A device to stand on or to wire: name and note above, addresses and MAC below as they fit."""

    def __init__(self, declared: Declared, key: Key, lane: float, lane_above: bool) -> None:
        device = declared.devices[key]
        self.lane, self.lane_above = lane, lane_above
        self.key, self.title, self.off = key, device_words(declared, key), device.off
        self.name, self.role = device.name, self._role(declared)
        self.text = "on-dark" if self.role in ("parent", "vlan") else "off-text" if self.off else "text"
        self.note, self.note_font, self.note_role = " · ".join(self._notes(declared)), NOTE, self.text
        self.details = [*device.addresses, mac_words(declared, key)]
        if self.role == "nic" and not self.note and len(device.addresses) == 1:
            self.note, self.note_font = self.details.pop(0), DETAIL
        self.namespace = declared.notes_at(key)
        if device.fault and self.role not in ("parent", "vlan"):
            self.note_role = "alarm"

    def _notes(self, declared: Declared) -> list[str]:
        device, wired = declared.devices[self.key], declared.topology.wires
        notes = [*filter(None, [device.fault]), *device.marks]
        notes += [f"VLAN {device.vlan}"] if device.vlan else []
        notes += [f"in {device.netns}: {device.driver} child"] if device.driver else []
        notes += [parent_note(declared, self.key)] if parent_note(declared, self.key) else []
        dummy = not device.vlan and not device.driver and self.key not in wired
        return notes + (["no wire"] if dummy else [])

    def _role(self, declared: Declared) -> str:
        device = declared.devices[self.key]
        if self.off:
            return "off"
        if device.driver:
            return device.driver.kind
        if device.vlan:
            return "vlan"
        return "parent" if declared.children(*self.key) else "nic"

    @property
    def natural(self) -> float:
        """The width at which no line has to be shortened."""
        widest = max(extent(detail, DETAIL) for detail in self.details)
        return max(natural_width([self._header()]), widest) + 2 * PAD

    def _header(self) -> Line:
        return Line(self.name, NAME, self.text, self.note, self.note_font, self.note_role)

    def _lines(self, width: float) -> list[Line]:
        rows = flow(self.details, width - 2 * PAD, DETAIL, extent(BETWEEN, DETAIL))
        return [self._header(), *(Line(BETWEEN.join(row), DETAIL, self.text) for row in rows),
                *(Line(note, DETAIL, "changed") for note in self.namespace)]

    def height(self, width: float) -> float:
        """Return the height at this width."""
        return height_of(self._lines(width)) + 14 + self.lane

    def draw(self, sketch: Sketch, x: float, y: float, width: float) -> None:
        """Draw it; its anchor is in its lane, or without one its middle."""
        tall = self.height(width)
        sketch.box(x, y, width, tall, self.role, dashed=self.off, title=self.title, of="/".join(self.key))
        above = self.lane if self.lane_above else 0.0
        draw_lines(sketch, x + PAD, y + 7 + above, width - 2 * PAD, self._lines(width))
        middle = y + self.lane / 2 if self.lane_above else y + tall - self.lane / 2
        sketch.anchors[self.key] = (x + width / 2, middle if self.lane else y + tall / 2)


class Card:
    """A child that carries nothing, in the box of its namespace."""

    def __init__(self, declared: Declared, key: Key, name: str, density: Density) -> None:
        device = declared.devices[key]
        assert device.driver, key
        self.key, self.density, self.off, self.deleted = key, density, device.off, device.deleted
        self.title = device_words(declared, key)
        self.role = "off" if device.off else device.driver.kind
        self.foot_role, self.wide_foot = self.role, False
        where = "" if device.netns == name else f"in {device.netns}"
        where = where or ("namespace" if density.words else "")
        self.top = [Line(name, density.title, "text", where, density.small, "muted")]
        shown = device.addresses[:density.addresses] or ("no address",)
        hidden = len(device.addresses) - density.addresses
        self.top += [Line(address, density.address, "text") for address in shown]
        self.top += [Line(f"+ {hidden} more", density.small, "muted")] if hidden > 0 else []
        routes = dict.fromkeys(map(route_words, declared.routes[name] if device.netns == name else ()))
        self.top += [Line(route, density.route, "muted") for route in list(routes)[:density.routes]]
        self.top += [Line(note, density.route, "changed") for note in declared.notes_at(key)]
        self.chip = self._chip(declared)

    def _chip(self, declared: Declared) -> list[Line]:
        device, density = declared.devices[self.key], self.density
        role = f"{self.role}-text"
        siblings = [declared.devices[k] for k in declared.children(*declared.below(*self.key))]
        mixed = " and " in drivers_of(siblings)
        driver = str(device.driver) if density.words or mixed else ""
        mac = mac_words(declared, self.key)
        if not density.words:
            mac = device.mac or f"{parent_name(declared, self.key)}'s MAC"
        signs = [Line(device.fault, density.small, "alarm")] if device.fault else []
        signs += [Line(mark, density.mark, "changed") for mark in device.marks]
        if density.one_line and not driver:
            short = f"…{device.mac[-5:]}" if device.mac else mac
            return [Line(device.name, density.chip, role, short, density.small, role), *signs]
        mac_font = density.mac if device.mac else Font(density.small.size, italic=True)
        return [Line(device.name, density.chip, role, driver, density.small, role), Line(mac, mac_font, role), *signs]

    @property
    def natural(self) -> float:
        """The width at which nothing is shortened, within what the density allows."""
        wide = max(natural_width(self.top), natural_width(self.chip)) + 2 * self.density.pad
        return min(max(wide, self.density.narrow), self.density.wide)

    def height(self, _width: float) -> float:
        """Return the height it needs."""
        return height_of(self.top) + height_of(self.chip) + self.density.pad + 14 + self._lane()

    def draw(self, sketch: Sketch, x: float, y: float, width: float, height: float) -> None:
        """Draw it ``height`` tall: the chip is at the bottom."""
        pad, of = self.density.pad, "/".join(self.key)
        sketch.box(x, y, width, height, "netns", title=self.title)
        draw_lines(sketch, x + pad, y + pad - 3, width - 2 * pad, self.top)
        tall = height_of(self.chip) + 8 + self._lane()
        sketch.box(x, y + height - tall, width, tall, self.role, dashed=self.off, title=self.title, of=of)
        draw_lines(sketch, x + pad, y + height - tall + 4, width - 2 * pad, self.chip)
        sketch.anchors[self.key] = (x + width / 2, y + height - (self._lane() / 2 or tall / 2))

    def _lane(self) -> float:
        return CHIP_LANE if self.density.lane else 0.0


@dataclass(frozen=True)
class _Row:
    rooms: tuple[Card | Tower, ...]
    widths: tuple[float, ...]
    height: float


class Tower:
    """A slab and everything that stands on it."""

    def __init__(self, declared: Declared, key: Key, density: Density, *, first: bool) -> None:
        above = declared.children(*key)
        self.slab = Slab(declared, key, density.lane, lane_above=bool(above) or not first)
        self.density, self.key = density, key
        device = declared.devices[key]
        self.foot_role, self.wide_foot, self.deleted = self.slab.role, not device.driver, device.deleted
        names = {(e.netns, e.child): e.name for e in declared.topology.all_endpoints}
        self.rooms = [Tower(declared, child, density, first=False) if declared.children(*child) or child not in names
                      else Card(declared, child, names[child], density) for child in above]
        self.shelf_role = "nic" if self.slab.role == "off" else self.slab.role
        self.even = all(isinstance(room, Card) for room in self.rooms)

    @cached_property
    def natural(self) -> float:
        """The width at which nothing is shortened; kept, for each storey below asks for it more than once."""
        rows = self._grouped()
        if not rows:
            return self.slab.natural
        card = max(room.natural for room in self.rooms)
        gap = self.density.gap
        widths = [sum(card if self.even else room.natural for room in row) + gap * (len(row) - 1) for row in rows]
        return max(self.slab.natural, max(widths) + self._indent() + 2 * gap)

    def _grouped(self) -> list[list[Card | Tower]]:
        rows: list[list[Card | Tower]] = []
        for room in self.rooms:
            if rows and len(rows[-1]) < self.density.columns and self._fits([*rows[-1], room]):
                rows[-1].append(room)
            else:
                rows.append([room])
        return rows

    def _fits(self, row: list[Card | Tower]) -> bool:
        used = sum(room.natural for room in row) + self.density.gap * (len(row) + 1)
        return self.even or used <= self.density.row

    def _indent(self) -> float:
        return SPINE if len(self._grouped()) > 1 else 0.0

    def _rows(self, width: float) -> list[_Row]:
        grouped, gap = self._grouped(), self.density.gap
        room = width - self._indent() - 2 * gap
        rows = []
        for group in grouped:
            columns = len(grouped[0]) if self.even else len(group)
            free = room - gap * (columns - 1)
            if self.even:
                widths = [min(free / columns, self.density.wide)] * len(group)
            else:
                spare = (free - sum(one.natural for one in group)) / len(group)
                widths = [one.natural + spare for one in group]
            tall = max(one.height(wide) for one, wide in zip(group, widths, strict=True))
            rows.append(_Row(tuple(group), tuple(widths), tall))
        return rows

    def height(self, width: float) -> float:
        """Return the height at this width."""
        rows = self._rows(width)
        above = sum(row.height + FOOT for row in rows) + (SHELF + ROW_GAP) * max(len(rows) - 1, 0)
        return above + self.slab.height(width)

    def draw(self, sketch: Sketch, x: float, y: float, width: float, height: float = 0.0) -> None:
        """Draw it, the slab's foot on the ground: at ``y + height`` if that is given."""
        y += max(height - self.height(width), 0.0)
        rows = self._rows(width)
        ground = y + self.height(width) - self.slab.height(width)
        if len(rows) > 1:
            sketch.box(x, y + rows[0].height + FOOT, SPINE, ground - y - rows[0].height - FOOT + 8,
                       self.shelf_role, radius=3)
        for number, row in enumerate(rows, start=1):
            self._draw_row(sketch, x, y, width, row, last=number == len(rows))
            y += row.height + FOOT
            if number < len(rows):
                sketch.box(x, y, width, SHELF, self.shelf_role, radius=3, title=self.slab.title)
                y += SHELF + ROW_GAP
        self.slab.draw(sketch, x, ground, width)

    def _draw_row(self, sketch: Sketch, x: float, y: float, width: float, row: _Row, last: bool) -> None:
        left, gap = x, self.density.gap
        columns = len(self._grouped()[0]) if self.even else len(row.rooms)
        used = (row.widths[0] * columns if self.even else sum(row.widths)) + gap * (columns - 1)
        x += self._indent() + (width - self._indent() - used) / 2
        for room, wide in zip(row.rooms, row.widths, strict=True):
            foot = wide - 2 * PAD if room.wide_foot else FOOT_WIDTH
            if not room.deleted:
                sketch.box(x + (wide - foot) / 2, y + row.height - 4, foot, FOOT + 5, room.foot_role, radius=1)
            if not last:
                sketch.risers[room.key] = (left + SPINE / 2, y + row.height + FOOT + SHELF / 2)
            room.draw(sketch, x, y, wide, row.height)
            x += wide + gap
