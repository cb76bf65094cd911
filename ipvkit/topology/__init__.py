"""What to build: a frozen description of hosts, switches, wires and the children on a host's NIC.

The law of this package: a `Topology` refuses only what is not a topology (types, names, ranges,
dangling references). Whatever a kernel has an opinion on goes to the kernel, because its refusals
are lessons. So ipvlan and macvlan on one parent is a topology; an unknown mode is not.

A topology is a declaration plus the `changes` made to it since, in order: what that amounts to is for
the kernel (``Lab``) or for theory (``predict``) to say.

Imports nothing of ours but the errors.
"""

from ipvkit.topology.changes import (
    HOOKS,
    PROTOCOLS,
    AddAddress,
    AddEndpoint,
    AddRoute,
    Change,
    Drop,
    LinkDown,
    LinkUp,
    Masquerade,
    Move,
    Plug,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    SetForwarding,
    SetMac,
    SetMode,
    SetMtu,
    Unplug,
)
from ipvkit.topology.drivers import FLAGS, MODES, Driver, ipvlan, macvlan
from ipvkit.topology.parts import Cable, Endpoint, Host, Interface, Port, Route, Switch, Vlan
from ipvkit.topology.wanted import want_topology
from ipvkit.topology.whole import Topology

__all__ = [
    "FLAGS", "HOOKS", "MODES", "PROTOCOLS", "AddAddress", "AddEndpoint", "AddRoute", "Cable", "Change", "Driver",
    "Drop", "Endpoint", "Host", "Interface", "LinkDown", "LinkUp", "Masquerade", "Move", "Plug", "Port",
    "RemoveAddress", "RemoveLink", "RemoveRoute", "Route", "SetForwarding", "SetMac", "SetMode", "SetMtu", "Switch",
    "Topology", "Unplug", "Vlan", "ipvlan", "macvlan", "want_topology",
]
