"""A topology in one line of fact: for each NIC who stands on it, and how many MACs that makes on its wire.

Children on the VLANs of a NIC, and on other children, are counted where their frames leave: at the NIC.
Imports nothing of ours but the parts and changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvkit.topology.changes import RemoveLink
from ipvkit.topology.parts import Endpoint

if TYPE_CHECKING:
    from ipvkit.topology.whole import Topology

Key = tuple[str, str]  # namespace, device


def line_of_fact(topology: Topology) -> str:
    """Return ``host eth0, ipvlan l3, 2 children, 1 MAC on the uplink``: what a drawing of it shows."""
    lines = []
    for nic, children in _by_nic(topology).items():
        macs = _count(1 + sum(child.driver.own_mac for child in children), "MAC")
        lines.append(_parents(nic, children) + (f", {macs} on the uplink" if nic in topology.wires else ", no wire"))
    changed = f"; {_count(len(topology.changes), 'change')}" if topology.changes else ""
    return ("; ".join(lines) or f"{_count(len(topology.hosts), 'host')}, no children") + changed


def _parents(nic: Key, children: list[Endpoint]) -> str:
    """Return what stands on each parent above a NIC; a place is named where it is another one than the NIC's."""
    parents: dict[Key, list[Endpoint]] = {}
    for child in children:
        parents.setdefault((child.host, child.parent), []).append(child)
    said: list[str] = []
    for (place, parent), above in parents.items():
        drivers = ", ".join(dict.fromkeys(str(child.driver) for child in above))
        where = parent if said and place == nic[0] else f"{place} {parent}"
        said.append(f"{where}, {drivers}, {_count(len(above), 'child', 'children')}")
    return ", and ".join(said)


def _by_nic(topology: Topology) -> dict[Key, list[Endpoint]]:
    """Return the endpoints above each NIC, however high, without those that were removed, or refused for their name."""
    gone = {(topology.netns(change.place), topology.device(change.place, change.device))
            for change in topology.changes if isinstance(change, RemoveLink)}
    vlans = [((host.name, vlan.name), (host.name, vlan.parent)) for host in topology.hosts for vlan in host.vlans]
    taken = {(host.name, nic.name) for host in topology.hosts for nic in host.interfaces} | {key for key, _ in vlans}
    ends = [((end.netns, end.child), (topology.netns(end.host), end.parent)) for end in topology.all_endpoints]
    below: dict[Key, Key] = {}  # the NIC below a VLAN or child
    for key, parent in [*vlans, *ends]:
        below.setdefault(key, below.get(parent, parent))
        gone |= {key} if parent in gone else set()  # with a parent the kernel deletes its children
    found: dict[Key, list[Endpoint]] = {}
    for endpoint, (key, _) in zip(topology.all_endpoints, ends, strict=True):
        if key not in gone | taken:
            found.setdefault(below[key], []).append(endpoint)
    return found


def _count(number: int, word: str, plural: str = "") -> str:
    return f"{number} {word if number == 1 else plural or word + 's'}"
