"""A topology as a small drawing in characters: the children's boxes above their parent, the wires below.

As in the drawing of the notebooks, what sits on something stands above it. Imports topology only.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from ipvkit.topology import Endpoint, Topology

_GAP = 2
_MARGIN = "  "
_MOST_ROWS = 3  # of boxes; below them a line says how many more children there are


def sketch(topology: Topology, width: int = 80) -> str:
    """Return the drawing, at most ``width`` columns wide; what does not fit ends in …"""
    lines: list[str] = []
    for place, device, about in _parents(topology):
        children = [e for e in topology.all_endpoints if (e.host, e.parent) == (place, device)]
        if children:
            lines += [*_family(place, device, about, children, width - len(_MARGIN)), ""]
    lines += _wires(topology, width - len(_MARGIN))
    if topology.changes:
        lines += textwrap.wrap("then: " + "; ".join(map(_change, topology.changes)), width - len(_MARGIN),
                               subsequent_indent="      ")
    shown = [(_MARGIN + line).rstrip() for line in lines]
    return "\n".join(line if len(line) <= width else line[: width - 1] + "…" for line in shown).rstrip("\n")


def _parents(topology: Topology) -> Iterator[tuple[str, str, str]]:
    """Every device that may have children: its place, its name, and what its box says."""
    for host in topology.hosts:
        for nic in host.interfaces:
            yield host.name, nic.name, "  ".join([nic.name, *nic.addresses, nic.mac])
        for vlan in host.vlans:
            yield host.name, vlan.name, "  ".join([vlan.name, *vlan.addresses, f"VLAN {vlan.id} on {vlan.parent}"])
    for endpoint in topology.all_endpoints:
        yield endpoint.name, endpoint.child, f"{endpoint.child}  itself a child of {endpoint.host} {endpoint.parent}"


def _family(place: str, device: str, about: str, children: list[Endpoint], width: int) -> list[str]:
    """The children of one parent in rows of boxes, and the parent's box below them."""
    boxes = [_box(child.name, [f"{child.child}  {child.driver}", *child.addresses]) for child in children]
    height = max(len(box) for box in boxes)
    rows = _rows([_stretched(box, height) for box in boxes], width)
    lines = [line for row in rows[:_MOST_ROWS] for line in _side_by_side(row)]
    hidden = sum(len(row) for row in rows[_MOST_ROWS:])
    lines += [f"… and {hidden} more children of {place} {device}"] if hidden else []
    stems = _stems(rows[0]) if len(rows) == 1 else _stems(rows[0])[:1]
    if len(rows) == 1:
        lines[-1] = _marked(lines[-1], stems, "┬")
    else:
        lines.append(f"{_marked('', stems, '│')}  all {len(children)} on {device}")
    below = _box(place, [about])
    trunk = (stems[0] + stems[-1]) // 2
    lines += [_joint(stems, trunk)] if len(stems) > 1 else []
    shift = " " * max(0, trunk - len(below[0]) // 2)
    return [*lines, _marked(shift + below[0], [trunk], "┴"), *(shift + line for line in below[1:])]


def _box(title: str, lines: list[str]) -> list[str]:
    inner = max(len(title) + 1, *map(len, lines))
    return [f"┌ {title} {'─' * (inner - len(title))}┐", *(f"│ {line:<{inner}} │" for line in lines),
            f"└{'─' * (inner + 2)}┘"]


def _stretched(box: list[str], height: int) -> list[str]:
    blank = "│" + " " * (len(box[0]) - 2) + "│"
    return [*box[:-1], *[blank] * (height - len(box)), box[-1]]


def _rows(boxes: list[list[str]], width: int) -> list[list[list[str]]]:
    rows: list[list[list[str]]] = [[]]
    used = 0
    for box in boxes:
        if rows[-1] and used + len(box[0]) > width:
            rows.append([])
            used = 0
        rows[-1].append(box)
        used += len(box[0]) + _GAP
    return rows


def _side_by_side(boxes: list[list[str]]) -> list[str]:
    return [(" " * _GAP).join(parts) for parts in zip(*boxes, strict=True)]


def _stems(boxes: list[list[str]]) -> list[int]:
    """The columns below the middle of each box of a row."""
    found, left = [], 0
    for box in boxes:
        found.append(left + len(box[0]) // 2)
        left += len(box[0]) + _GAP
    return found


def _marked(line: str, columns: Iterable[int], mark: str) -> str:
    for column in columns:
        line = f"{line:<{column + 1}}"
        line = line[:column] + mark + line[column + 1:]
    return line


def _joint(stems: list[int], trunk: int) -> str:
    """The line that joins the stems to the trunk."""
    line = " " * stems[0] + "└" + "─" * (stems[-1] - stems[0] - 1) + "┘"
    line = _marked(line, stems[1:-1], "┴")
    return _marked(line, [trunk], "┼" if trunk in stems else "┬")


def _wires(topology: Topology, width: int) -> list[str]:
    """Each switch with what is plugged into it, then the cables between two hosts."""
    lines = []
    for switch in topology.switches:
        marks = ["┬", *["├"] * (len(switch.ports) - 2), "└"] if len(switch.ports) > 1 else ["─"]
        for index, (port, mark) in enumerate(zip(switch.ports, marks, strict=False)):
            head = f"{switch.name} ─" if index == 0 else " " * (len(switch.name) + 2)
            extra = ", hairpin" * port.hairpin + ", locked" * port.locked
            lines.append(f"{head}{mark}─ {_plug(topology, port.host, port.interface)}{extra}")
    for cable in topology.cables:
        near, far = (_plug(topology, *end) for end in cable.ends)
        line = f"{near} ─── {far}"
        lines += [line] if len(line) <= width else [near, f"└─── {far}"]
    return lines


def _plug(topology: Topology, host: str, device: str) -> str:
    here = topology.host(host)
    addresses = next(nic.addresses for nic in here.interfaces if nic.name == device)
    return "  ".join([f"{host} {device}", *addresses]) + ", forwards" * here.forwarding


def _change(change: object) -> str:
    fields = [str(value) for value in vars(change).values() if value != ""]
    return f"{type(change).__name__} {' '.join(fields)}"
