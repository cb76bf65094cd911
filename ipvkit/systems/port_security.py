"""The one-MAC world: what a switch port lets through of the MACs behind it, and what an emulated one would.

Law: each macvlan child is one more source MAC at the port of its parent; children of ipvlan add none. A port that
counts, is locked, or knows one MAC only, stops macvlan and does not notice ipvlan; one that checks the source address
stops both. A frame that is stopped on its way in is not learned either.
The limit, the lock and the full table are the real thing: the lab's switch is a bridge of the kernel. What a virtual
switch, a cloud or an access point does is an emulation of its rule in that bridge, and says so (``label``).
Sources: bridge(8), nft(8), ``net/bridge/br_input.c``; IEEE 802.11 (11.3: class 3 frames).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Interface

from ipvkit.errors import BadQuestion, LabError
from ipvkit.findings import CommandResult
from ipvkit.lab import Lab
from ipvkit.systems.needed import need
from ipvkit.topology import Driver, Port, Topology

MOST_CHILDREN = 200
_FIRST = 11  # net1 has 10.0.1.11
_TABLE = "ipvkit_port"
_SWITCH = "switch"


def lan(driver: Driver, children: int = 3, *, locked: bool = False, learning: bool = True) -> Topology:
    """Return the default world with net1, net2, … on the host, and its port of the switch locked or not learning.

    Not learning is what a full table looks like: every frame to a MAC that found no room is sent to all ports.
    Raises ``BadQuestion`` for less than 1 or more than 200 children.
    """
    if not 1 <= children <= MOST_CHILDREN:
        raise BadQuestion("children", f"{children} is out of range", f"Write a number from 1 to {MOST_CHILDREN}.")
    endpoints = {f"net{number}": f"10.0.1.{_FIRST - 1 + number}/24" for number in range(1, children + 1)}
    topology = Topology.of(driver, routes="gateway", hairpin=False, **endpoints)
    switch = topology.switch(_SWITCH)
    port, *others = switch.ports
    changed = replace(port, locked=locked, learning=learning)
    return replace(topology, switches=(replace(switch, ports=(changed, *others)),))


def admit(lab: Lab, *macs: str) -> None:
    """Tell the locked port of the host that these MACs belong there.

    Raises ``LabError`` with bridge's words, ``BadQuestion`` for a lab whose host is on no ``switch``.
    """
    for mac in macs:
        _run(lab, ["bridge", "fdb", "replace", mac, "dev", _port_device(lab), "master", "static"])


class PortRule:
    """A rule on the host's port of the switch; as a context manager it ends with the block.

    ``label`` says what it is, and of what it is an emulation. Raises ``BadQuestion`` for a lab whose host is on no
    ``switch``; ``LabError`` with nft's own words, or what is to be installed; a kernel without the bridge family of
    nftables is one of them: ``Lab(…, machine="uml")`` has it.
    """

    def __init__(self, lab: Lab, label: str, chains: str) -> None:
        need("nft")
        self.label, self._lab = label, lab
        _run(lab, ["nft", f"create table bridge {_TABLE}; table bridge {_TABLE} {{ {chains} }}"])

    def dropped(self) -> tuple[str, ...]:
        """Return the source MACs of which a frame was stopped on its way in, sorted."""
        return self._members("dropped")

    def admitted(self) -> tuple[str, ...]:
        """Return the source MACs that were let in, sorted."""
        return self._members("seen")

    def _members(self, name: str) -> tuple[str, ...]:
        said = json.loads(_run(self._lab, ["nft", "-j", "list", "set", "bridge", _TABLE, name]).output)
        found = next(record["set"] for record in said["nftables"] if "set" in record)
        return tuple(sorted(found.get("elem", [])))

    def close(self) -> None:
        """Take the rule away; doing it again does no harm."""
        if self._lab.alive:
            self._lab.run(_SWITCH, ["nft", "delete", "table", "bridge", _TABLE], show=_silently)

    def __enter__(self) -> PortRule:
        """Return the rule."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self.close()

    def __repr__(self) -> str:
        """Return the label."""
        return f"PortRule: {self.label}"


def limit(lab: Lab, macs: int) -> PortRule:
    """Let the port admit the first ``macs`` MACs it sees, and drop what others send: port security.

    Raises ``BadQuestion`` for less than 1, and as ``PortRule`` does.
    """
    if macs < 1:
        raise BadQuestion("macs", f"{macs} is no limit", "Write 1 or more.")
    return PortRule(lab, f"port security, at most {macs} MAC{'s' * (macs > 1)}", _chains(
        _port_device(lab), ["ether saddr @seen accept", "add @seen { ether saddr } accept"], size=macs))


def virtual_switch(lab: Lab) -> PortRule:
    """Emulate a virtual switch under a virtual machine: it knows the one MAC that it gave to the machine's NIC.

    Frames from another MAC are dropped (VMware's "forged transmits", libvirt's "no-mac-spoofing"), and frames to
    another one are not handed over ("promiscuous mode: reject"). Raises as ``PortRule`` does.
    """
    return _one_mac(lab, "emulation of a virtual switch that drops foreign MACs")


def access_point(lab: Lab) -> PortRule:
    """Emulate an access point: it speaks with the MAC that has associated, and with no other behind that radio.

    The host's wire stands for the radio: there is no Wi-Fi in it. Raises as ``PortRule`` does.
    """
    return _one_mac(lab, "emulation of an access point, which drops MACs that are not associated; no radio")


def source_check(lab: Lab, *registered: str) -> PortRule:
    """Emulate the check of some clouds: the host's MAC, and of IPv4 the host's address or a ``registered`` one only.

    Raises ``BadQuestion`` for what is no IPv4 address, and as ``PortRule`` does.
    """
    addresses = [_ipv4_address(address) for address in (*lab.topology.addresses("host", 4), *registered)]
    known = f"{{ {', '.join(dict.fromkeys(addresses))} }}"
    mac = _host_mac(lab)
    admit_it = [f"ether saddr {mac} ip saddr {known} accept", f"ether saddr {mac} arp saddr ip {known} accept"]
    return PortRule(lab, "emulation of a cloud's source address check", _chains(_port_device(lab), admit_it))


def _one_mac(lab: Lab, label: str) -> PortRule:
    mac, device = _host_mac(lab), _port_device(lab)
    out = f"oifname {device} ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 ether daddr != {mac} drop"
    return PortRule(lab, label, _chains(device, [f"ether saddr {mac} accept"], out=f"{out};"))


def _chains(device: str, admit_it: Sequence[str], *, out: str = "", size: int = 1) -> str:
    """Return two sets of MACs and a chain that admits what a line of ``admit_it`` accepts, and drops the rest.

    On prerouting, which is before the bridge learns: ``br_handle_frame`` in ``net/bridge/br_input.c``.
    """
    admitting = " ".join(f"iifname {device} {line};" for line in admit_it)
    return (f"set seen {{ type ether_addr; flags dynamic; size {size}; }}; "
            "set dropped { type ether_addr; flags dynamic; size 4096; }; "
            f"chain in {{ type filter hook prerouting priority -300; {admitting} "
            f"iifname {device} add @dropped {{ ether saddr }}; iifname {device} drop; }}; "
            f"chain out {{ type filter hook postrouting priority 300; {out} }};")


def _ipv4_address(text: str) -> str:
    try:
        return str(IPv4Interface(text).ip)
    except ValueError:
        raise BadQuestion("registered", f"{text!r} is no IPv4 address", 'Write it like "10.0.1.11".') from None


def _port(lab: Lab) -> Port:
    ports = (port for switch in lab.topology.switches if switch.name == _SWITCH for port in switch.ports)
    port = next((port for port in ports if port.host == "host"), None)
    if port is None:
        raise BadQuestion("lab", f"its host has no port on a switch called {_SWITCH!r}",
                          "Build port_security.lan(driver), or the default world.")
    return port


def _port_device(lab: Lab) -> str:
    return lab.topology.switch(_SWITCH).port_device(_port(lab))


def _host_mac(lab: Lab) -> str:
    return next(nic.mac for nic in lab.topology.host("host").interfaces if nic.name == _port(lab).interface)


def _run(lab: Lab, command: Sequence[str]) -> CommandResult:
    said = lab.run(_SWITCH, command, show=_silently)
    if said.status:
        raise LabError(f"{command[0]} in {_SWITCH}: exit status {said.status}\n{said.output.strip()}")
    return said


def _silently(_: str) -> None:
    return None
