"""The words of a picture: for the pointer that rests on a device, for screen readers, and for the notes on devices.

Imports nothing of ours but topology and what it declares.
"""

from __future__ import annotations

from ipvkit.drawing.declared import Declared, Device, Key, route_words
from ipvkit.plan import plan_change
from ipvkit.topology import Topology


def count(number: int, word: str, plural: str = "") -> str:
    """Return ``1 child``, ``2 children``."""
    return f"{number} {word if number == 1 else plural or word + 's'}"


def mac_words(declared: Declared, key: Key) -> str:
    """Return a device's MAC, or whose it has: ipvlan children and VLANs use their parent's."""
    mac = declared.devices[key].mac
    return f"MAC {mac}" if mac else f"MAC of {parent_name(declared, key)}"


def parent_name(declared: Declared, key: Key) -> str:
    """Return the name of the device that a child or VLAN sits on."""
    return declared.below(*key)[1]


def macs_on(declared: Declared, netns: str, device: str) -> int:
    """Return how many MACs send through a NIC: its own, and one for each child above it that has one of its own."""
    return 1 + sum(child.driver is not None and child.driver.own_mac
                   for child in declared.family(netns, device) if not child.deleted)


def parent_note(declared: Declared, key: Key) -> str:
    """Return what a device is to those above it: ``parent of 2, ipvlan l3``; empty if nothing is above."""
    above = [declared.devices[child] for child in declared.children(*key)]
    endpoints = [device for device in above if device.driver]
    if not endpoints:
        return ""
    return f"parent of {len(endpoints)}, {drivers_of(endpoints)}"


def drivers_of(devices: list[Device]) -> str:
    """Return the drivers in use: ``ipvlan l3``, or ``ipvlan l2 and macvlan bridge``."""
    return " and ".join(dict.fromkeys(str(device.driver) for device in devices if device.driver))


def device_words(declared: Declared, key: Key) -> str:
    """Return one device in a sentence of facts."""
    device = declared.devices[key]
    facts = [f"{device.name} in namespace {device.netns}"]
    facts += [f"{device.driver} child of {parent_name(declared, key)}"] if device.driver else []
    facts += [f"VLAN {device.vlan} on {parent_name(declared, key)}"] if device.vlan else []
    facts += [", ".join(device.addresses) or "no address", mac_words(declared, key)]
    facts += [parent_note(declared, key)] if parent_note(declared, key) else []
    return "; ".join([*facts, *filter(None, [device.fault]), *device.marks])


def describe(declared: Declared) -> str:
    """Return the whole picture in sentences, for who cannot see it."""
    topology = declared.topology
    sentences = []
    for host in topology.hosts:
        kind = "Router" if declared.forwarding[host.name] else "Host"
        nics = [device_words(declared, (host.name, nic.name)) for nic in host.interfaces]
        sentences.append(f"{kind} {host.name}: {' | '.join(nics) or 'no interfaces'}.")
        sentences += [f"On {host.name}: {device_words(declared, (host.name, vlan.name))}." for vlan in host.vlans]
    for endpoint in topology.all_endpoints:
        routes = "; ".join(route_words(route) for route in endpoint.routes)
        routes = f"; routes: {routes}" if routes else ""
        sentences.append(f"On {endpoint.host}: {device_words(declared, (endpoint.netns, endpoint.child))}{routes}.")
    for switch in topology.switches:
        ports = [f"{_changed(declared, switch.name, switch.port_device(port))} to {port.host} {port.interface}"
                 for port in switch.ports]
        bridge = _changed(declared, switch.name, "br0").removeprefix("br0")
        sentences.append(f"Switch {switch.name}{bridge}: {', '.join(ports) or 'no ports'}.")
    sentences += [f"Cable between {cable.a} and {cable.b}." for cable in topology.cables]
    return " ".join(sentences + [f"Then: {line}." for line in change_lines(topology)])


def _changed(declared: Declared, switch: str, device: str) -> str:
    """Return a switch's device, and in brackets what was done to it: ``p1``, ``p1 (✗ down)``."""
    done = ", ".join(declared.devices[switch, device].changed)
    return f"{device} ({done})" if done else device


def change_lines(topology: Topology) -> list[str]:
    """Return each change as the ``ip`` lines that make it."""
    return [step.command for change in topology.changes for step in plan_change(topology, change)]
