"""The boxes of a topology: hosts with their NICs one below the other, and switches with their ports at both sides.

Imports nothing of ours but the scene, what is declared, and stacks.
"""

from __future__ import annotations

from dataclasses import replace

from ipvkit.drawing.declared import Declared, Key, route_words
from ipvkit.drawing.density import density_for
from ipvkit.drawing.lines import Line, draw_lines, height_of, natural_width
from ipvkit.drawing.scene import Sketch
from ipvkit.drawing.stack import Tower
from ipvkit.drawing.text import Font, extent
from ipvkit.topology import Host, Port, Switch

PAD, GAP = 14.0, 12.0
TITLE, TAG, ROUTE = Font(16, bold=True), Font(11.5), Font(11.5, mono=True)
PORT, OPTION, SWITCH_NAME = Font(12, mono=True, bold=True), Font(11), Font(14, bold=True)
ROUTES_SHOWN = 2
BARE_MOST = 300.0  # pixels of a host without children
PORT_SIZE = 12.0
NOTE_MOST = 160.0  # pixels of a switch's note
OPTION_ROWS = 2  # of a port: more would reach down to the next


class HostBox:
    """A machine: its name, its own routes, and each NIC with whatever stands on it."""

    def __init__(self, declared: Declared, host: Host, lane: float = 0.0) -> None:
        self.host = host
        family = [child for nic in host.interfaces for child in declared.family(host.name, nic.name)]
        density = replace(density_for(len(family)), lane=lane)
        density = density if family else replace(density, row=BARE_MOST - 2 * PAD)
        self.has_children = bool(family)
        self.towers = [Tower(declared, (host.name, nic.name), density, first=number == 0)
                       for number, nic in enumerate(host.interfaces)]
        tag = "one machine, one kernel" if family else ""
        tag = "→ forwards no more" if host.forwarding else tag
        tag = "router: forwards" if declared.forwarding[host.name] else tag
        routes = list(map(route_words, declared.routes[host.name]))
        beside = not tag and len(routes) == 1
        note, font = (routes.pop(), ROUTE) if beside else (tag, TAG)
        self.lines = [Line(host.name, TITLE, "text", note, font, "muted")]
        self.lines += [Line(route, ROUTE, "muted") for route in routes[:ROUTES_SHOWN]]
        more = len(routes) - ROUTES_SHOWN
        self.lines += [Line(f"+ {more} more routes", TAG, "muted")] if more > 0 else []
        self.lines += [Line(rule, ROUTE, "changed") for rule in declared.notes(host.name)]

    @property
    def natural(self) -> float:
        """The width at which nothing is shortened; of the texts only a name of usual length counts."""
        return max([min(natural_width(self.lines), 260.0), *(tower.natural for tower in self.towers)]) + 2 * PAD

    def height(self, width: float) -> float:
        """Return the height at this width."""
        towers = [tower.height(width - 2 * PAD) for tower in self.towers]
        return height_of(self.lines) + sum(towers) + GAP * len(towers) + 2 * PAD - 4

    def draw(self, sketch: Sketch, x: float, y: float, width: float) -> None:
        """Draw it."""
        sketch.box(x, y, width, self.height(width), "host", radius=10, title=f"host {self.host.name}",
                   of=self.host.name)
        draw_lines(sketch, x + PAD, y + PAD - 4, width - 2 * PAD, self.lines)
        y += PAD - 4 + height_of(self.lines)
        for tower in self.towers:
            y += GAP
            tower.draw(sketch, x + PAD, y, width - 2 * PAD)
            y += tower.height(width - 2 * PAD)


class SwitchBox:
    """A switch: an upright bar; each port at the height of the NIC it is wired to. Below, what was done to it."""

    def __init__(self, declared: Declared, switch: Switch, lane: float = 0.0) -> None:
        self.switch, self.lane, self.declared = switch, lane, declared
        self.words = {name: [*declared.devices[switch.name, name].changed, *port_words(port)]
                      for name, port in ((switch.port_device(port), port) for port in switch.ports)}
        bridge, routes = declared.devices[switch.name, "br0"], declared.routes.get(switch.name, ())
        self.off, self.kind = bridge.off, bridge.fault or ("VLAN-aware" if switch.vlan_aware else "bridge")
        self.notes = [*bridge.marks, *map(route_words, routes), *declared.notes(switch.name)]
        self.role = "off-text" if self.off else "on-dark"

    def width(self, left: list[str], right: list[str]) -> float:
        """Return the width that keeps the labels of both sides apart."""
        sides = [max((extent(word, font) for name in side for word, font in self._texts(name)), default=0.0)
                 for side in (left, right)]
        notes = max((min(extent(note, OPTION), NOTE_MOST) for note in self.notes), default=0.0)
        return max(sum(sides) + 2 * PORT_SIZE + 30 + self.lane, extent(self.switch.name[:14], SWITCH_NAME) + 24, 84,
                   notes + 16)

    def _texts(self, name: str) -> list[tuple[str, Font]]:
        if self.lane:
            return [(" ".join([name, *self.words[name]]), PORT)]
        return [(name, PORT), *((row, OPTION) for row in _rows(self.words[name]))]

    def draw(self, sketch: Sketch, x: float, width: float, sides: dict[str, tuple[str, float]],
             middle: float) -> tuple[float, float]:
        """Draw it from its first to its last port; ``sides`` gives each port's side and y. Return top and bottom."""
        heights = [y for _, y in sides.values()] or [middle]
        lowest = max([y + 14 * len(_rows(self.words[name])) for name, (_, y) in sides.items()] or [middle])
        top, bottom = min(heights) - 62 - self.lane / 2, lowest + 26
        rows = [(top + 36, self.kind), *((bottom + 15 * number, note) for number, note in enumerate(self.notes))]
        bottom += 15 * len(self.notes)
        name = self.switch.name
        sketch.box(x, top, width, bottom - top, "off" if self.off else "switch", radius=10, dashed=self.off,
                   title=f"switch {name}", of=name)
        sketch.label(x + width / 2, top + 19, name, SWITCH_NAME, room=width - 16, role=self.role, anchor="middle")
        for y, text in rows:
            sketch.label(x + width / 2, y, text, OPTION, room=width - 16, role=self.role, anchor="middle")
        for port, (side, y) in sides.items():
            self._port(sketch, port, x if side == "left" else x + width, y, "start" if side == "left" else "end")
        return top, bottom

    def _port(self, sketch: Sketch, name: str, x: float, y: float, anchor: str) -> None:
        size, off = PORT_SIZE, self.declared.devices[self.switch.name, name].off
        words = ", ".join(self.words[name])
        sketch.box(x - size / 2, y - size / 2, size, size, "off" if off else "port", radius=2, dashed=off,
                   of=f"{self.switch.name}/{name}",
                   title=f"port {name} of {self.switch.name}{': ' + words if words else ''}")
        sketch.anchors[self.switch.name, name] = (x, y)
        y -= self.lane / 2 + 8 if self.lane else 0
        inside = x + (size if anchor == "start" else -size)
        for row, (word, font) in enumerate(self._texts(name)):
            sketch.label(inside, y + 14 * row, word, font, role=self.role, anchor=anchor)


def port_words(port: Port) -> list[str]:
    """Return what is special about a port, a word or two each."""
    words = ["hairpin"] if port.hairpin else []
    words += [] if port.learning else ["no learning"]
    words += ["locked"] if port.locked else []
    words += [f"VLAN {port.untagged}"] if port.untagged is not None else []
    return words + ([f"tagged {','.join(map(str, port.tagged))}"] if port.tagged else [])


def _rows(words: list[str]) -> list[str]:
    """Return what is special about a port in as many rows as there is room for."""
    half = (len(words) + 1) // 2
    return [", ".join(words[:half]), ", ".join(words[half:])] if len(words) > OPTION_ROWS else words


def nics(box: HostBox) -> list[Key]:
    """Return the keys of a host's NICs."""
    return [(box.host.name, nic.name) for nic in box.host.interfaces]
