"""A VLAN trunk: one network card, one network for each VLAN, and a mode of its own for each.

Law: ipvlan keeps one mode for each *parent*, and macvlan refuses a parent that ipvlan has. A VLAN sub-interface is a
parent of its own, so sub-interfaces of one card may differ. The switch keeps the VLANs apart by their tag; from one to
the other leads a router only.
Sources: ip-link(8), bridge(8), ``net/8021q/vlan_core.c``, ``net/bridge/br_vlan.c``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ipvkit.errors import BadQuestion
from ipvkit.topology import Driver, Endpoint, Host, Interface, Port, Route, Switch, Topology, Vlan

VLANS = range(2, 255)
"""The VLANs of a trunk: number V is the network 10.0.V.0/24."""

_LETTERS = "ab"  # of two children of a VLAN


def trunk(networks: Mapping[int, Driver], *, tagged: Iterable[int] | None = None) -> Topology:
    """Return a host whose eth0 is a trunk: for each VLAN V of ``networks`` a sub-interface eth0.V with two children.

    The children netVa and netVb have 10.0.V.11 and .12; the machine extV, .3, is on an access port of that VLAN; the
    router, .1, is on a trunk too. ``tagged`` are the VLANs that the host's port of the switch admits, all by default.
    Raises ``BadQuestion`` for a VLAN that is not from 2 to 254.
    """
    for vlan in networks:
        if vlan not in VLANS:
            raise BadQuestion("networks", f"VLAN {vlan} is out of range", "Write numbers from 2 to 254.")
    vlans = tuple(networks)
    admitted = vlans if tagged is None else tuple(tagged)
    ports = (Port("host", "eth0", tagged=admitted), Port("router", "eth0", tagged=vlans),
             *(Port(f"ext{vlan}", "eth0", untagged=vlan) for vlan in vlans))
    return Topology(
        hosts=(Host("host", (Interface("eth0"),), _sub_interfaces(vlans)),
               Host("router", (Interface("eth0"),), _sub_interfaces(vlans, ".1/24"), forwarding=True),
               *(Host(f"ext{vlan}", (Interface("eth0", (f"10.0.{vlan}.3/24",)),),
                      routes=(Route("default", via=f"10.0.{vlan}.1"),)) for vlan in vlans)),
        switches=(Switch("switch", ports),),
        endpoints=tuple(_endpoint(vlan, driver, number) for vlan, driver in networks.items()
                        for number in range(len(_LETTERS))),
    )


def _sub_interfaces(vlans: Iterable[int], last: str = "") -> tuple[Vlan, ...]:
    return tuple(Vlan(f"eth0.{vlan}", "eth0", vlan, (f"10.0.{vlan}{last}",) if last else ()) for vlan in vlans)


def _endpoint(vlan: int, driver: Driver, number: int) -> Endpoint:
    return Endpoint(f"net{vlan}{_LETTERS[number]}", driver, (f"10.0.{vlan}.{11 + number}/24",),
                    (Route("default", via=f"10.0.{vlan}.1"),), parent=f"eth0.{vlan}")
