"""The steps a plan is made of: each one thing the kernel is asked, and the ``ip`` line that asks for the same.

A step knows nothing of topologies. Every command names the namespace it works in: none touches the shell's own
network. The lab's agent executes ``step.as_json()`` through netlink, so the two forms must mean the same:
a test pastes the commands into a root shell and compares.
Imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any, ClassVar


@dataclass(frozen=True)
class Step:
    """One thing asked of the kernel in the namespace ``netns``."""

    netns: str

    @property
    def command(self) -> str:
        """The line that asks for the same."""
        raise TypeError(f"{type(self).__name__} has no command of its own")

    def as_json(self) -> dict[str, Any]:
        """Return what the agent executes: the fields, and the step's name under ``do``."""
        return {"do": type(self).__name__, **vars(self)}


@dataclass(frozen=True)
class AddNetns(Step):
    """Make a namespace with its loopback up and ``settings`` (key=value below /proc/sys/net) written.

    A new namespace inherits some IPv4 settings of the machine it is made on (net.core.devconf_inherit_init_net,
    Documentation/admin-guide/sysctl/net.rst): written down, they are the same on every machine.
    """

    settings: tuple[str, ...]

    @property
    def command(self) -> str:
        """Three lines in one."""
        return self.command_for(self.netns)

    def command_for(self, name: str) -> str:
        """Return the command with ``name`` in the namespace's place: a shell variable, in a loop over many."""
        written = " ".join(f"net/{setting}" for setting in self.settings)
        return (f"ip netns add {name} && ip -n {name} link set lo up"
                f" && ip netns exec {name} sysctl -qw {written}")


@dataclass(frozen=True)
class Sysctl(Step):
    """Write one setting of a namespace below /proc/sys/net; ``key`` is written with slashes."""

    key: str
    value: str

    @property
    def command(self) -> str:
        """Through sysctl(8) inside the namespace."""
        return f"ip netns exec {self.netns} sysctl -qw net/{self.key}={self.value}"


@dataclass(frozen=True)
class AddBridge(Step):
    """Make a switch: a bridge without spanning tree and snooping, VLAN-aware or not."""

    device: str
    vlan_aware: bool

    @property
    def command(self) -> str:
        """An ip-link(8) line."""
        aware = " vlan_filtering 1 vlan_default_pvid 0" if self.vlan_aware else ""  # off is what it is made with
        return f"ip -n {self.netns} link add {self.device} type bridge stp_state 0 mcast_snooping 0{aware}"


@dataclass(frozen=True)
class AddWire(Step):
    """Make a wire: a veth pair between a device here and ``peer`` in ``peer_netns``. Empty MACs are the kernel's."""

    device: str
    mac: str
    peer_netns: str
    peer: str
    peer_mac: str

    @property
    def command(self) -> str:
        """An ip-link(8) line."""
        mac = f" address {self.mac}" if self.mac else ""
        peer_mac = f" address {self.peer_mac}" if self.peer_mac else ""
        return (f"ip -n {self.netns} link add {self.device}{mac} type veth"
                f" peer name {self.peer}{peer_mac} netns {self.peer_netns}")


@dataclass(frozen=True)
class AddDummy(Step):
    """Make a NIC that is wired to nothing."""

    device: str
    mac: str

    @property
    def command(self) -> str:
        """An ip-link(8) line."""
        return f"ip -n {self.netns} link add {self.device} address {self.mac} type dummy"


@dataclass(frozen=True)
class AddVlan(Step):
    """Make a VLAN sub-interface."""

    device: str
    parent: str
    id: int

    @property
    def command(self) -> str:
        """An ip-link(8) line."""
        return f"ip -n {self.netns} link add {self.device} link {self.parent} type vlan id {self.id}"


@dataclass(frozen=True)
class AddChild(Step):
    """Make an ipvlan or macvlan child of ``parent`` (in ``netns``), directly in ``child_netns``."""

    parent: str
    device: str
    child_netns: str
    kind: str
    mode: str
    flag: str
    mac: str

    @property
    def command(self) -> str:
        """An ip-link(8) line."""
        mac = f" address {self.mac}" if self.mac else ""
        there = f" netns {self.child_netns}" if self.child_netns != self.netns else ""
        return (f"ip -n {self.netns} link add {self.device} link {self.parent}{mac}{there}"
                f" type {self.kind} mode {self.mode}" + (f" {self.flag}" if self.flag else ""))


@dataclass(frozen=True)
class SetMaster(Step):
    """Plug a port into its bridge and set what the port may do."""

    device: str
    bridge: str
    hairpin: bool
    learning: bool
    locked: bool

    @property
    def command(self) -> str:
        """An ip-link(8) line; what is the default is left out."""
        extra = " hairpin on" * self.hairpin + " learning off" * (not self.learning) + " locked on" * self.locked
        line = f"ip -n {self.netns} link set {self.device} master {self.bridge}"
        return line + (f" && ip -n {self.netns} link set {self.device} type bridge_slave{extra}" if extra else "")


@dataclass(frozen=True)
class AddPortVlan(Step):
    """Admit a VLAN on a switch port; untagged ones are also the port's own (pvid)."""

    device: str
    id: int
    untagged: bool

    @property
    def command(self) -> str:
        """A bridge(8) line."""
        return f"bridge -n {self.netns} vlan add dev {self.device} vid {self.id}" + " pvid untagged" * self.untagged


@dataclass(frozen=True)
class SetLink(Step):
    """Change one property of a device: ``what`` is up, mac, mtu or mode; ``value`` its new value."""

    device: str
    what: str
    value: str

    _WORDS: ClassVar[dict[str, str]] = {"mac": "address ", "mtu": "mtu ", "up": "", "mode": "type "}

    @property
    def command(self) -> str:
        """An ip-link(8) line."""
        return f"ip -n {self.netns} link set {self.device} {self._WORDS[self.what]}{self.value}"


@dataclass(frozen=True)
class MoveLink(Step):
    """Move a device into another namespace."""

    device: str
    to: str

    @property
    def command(self) -> str:
        """An ip-link(8) line."""
        return f"ip -n {self.netns} link set {self.device} netns {self.to}"


@dataclass(frozen=True)
class DeleteLink(Step):
    """Delete a device."""

    device: str

    @property
    def command(self) -> str:
        """An ip-link(8) line."""
        return f"ip -n {self.netns} link del {self.device}"


@dataclass(frozen=True)
class SetAddress(Step):
    """Add an address to a device, or delete it. IPv6 without duplicate detection, which would take 1.8 s."""

    device: str
    address: str
    add: bool = True

    @property
    def command(self) -> str:
        """An ip-address(8) line."""
        nodad = " nodad" if self.add and ip_interface(self.address).version == 6 else ""
        verb = "add" if self.add else "del"
        return f"ip -n {self.netns} addr {verb} {self.address} dev {self.device}{nodad}"


@dataclass(frozen=True)
class SetRoute(Step):
    """Add a route to a namespace's main table, or delete it."""

    to: str
    via: str | None
    dev: str | None
    kind: str
    add: bool = True

    @property
    def command(self) -> str:
        """An ip-route(8) line."""
        six = "-6 " if self.to == "default6" or ":" in self.to else ""
        to = "default" if self.to == "default6" else self.to
        words = ["" if self.kind == "unicast" else f"{self.kind} ", to]
        words += [f" via {self.via}"] * bool(self.via) + [f" dev {self.dev}"] * bool(self.dev)
        return f"ip {six}-n {self.netns} route {'add' if self.add else 'del'} {''.join(words)}"


@dataclass(frozen=True)
class AddDrop(Step):
    """Append a rule that drops IPv4 packets at one of the five hooks; an empty field is any."""

    hook: str
    protocol: str
    source: str
    destination: str

    @property
    def command(self) -> str:
        """An iptables(8) line; ``mangle`` is the table that is on all five hooks."""
        words = f" -p {self.protocol}" * bool(self.protocol) + f" -s {self.source}" * bool(self.source)
        words += f" -d {self.destination}" * bool(self.destination)
        return f"ip netns exec {self.netns} iptables-legacy -t mangle -A {self.hook.upper()}{words} -j DROP"


@dataclass(frozen=True)
class AddMasquerade(Step):
    """Append a rule that puts the namespace's own address into what leaves by ``device``."""

    device: str

    @property
    def command(self) -> str:
        """An iptables(8) line."""
        return f"ip netns exec {self.netns} iptables-legacy -t nat -A POSTROUTING -o {self.device} -j MASQUERADE"
