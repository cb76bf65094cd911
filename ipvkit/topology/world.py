"""The default world, the same in every lesson: its addresses are fixed, for they decide half of the verdicts.

    host    eth0  10.0.1.2/24   fd00:1::2/64    default route: the router      the children sit on its eth0
    ext     eth0  10.0.1.3/24   fd00:1::3/64    default route: the router      another machine on the switch
    router  eth0  10.0.1.1/24   fd00:1::1/64    forwards; with ``routes="gateway"`` also .1 of every other subnet
            eth1  10.0.9.1/24   fd00:9::1/64
    far     eth0  10.0.9.2/24   fd00:9::2/64    default route: the router      behind the router
    switch  p1 host, p2 ext, p3 router

IPv6 is there only if an endpoint has an IPv6 address: without it the wire is quiet.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_interface
from itertools import islice

from ipvkit.errors import TopologyError
from ipvkit.topology import checks
from ipvkit.topology.drivers import DRIVER_EXAMPLE, Driver
from ipvkit.topology.parts import Cable, Endpoint, Host, Interface, Port, Route, Switch
from ipvkit.topology.whole import Topology, child_name

WAYS_OUT = ("device", "gateway", "none")
OPTIONS = ("routes", "hairpin", "driver")


def default_world(driver: Driver, *, routes: str, hairpin: bool, endpoints: Mapping[str, str]) -> Topology:
    """Return the default world with these endpoints; an endpoint's addresses are separated by spaces."""
    checks.instance("driver", driver, Driver, DRIVER_EXAMPLE)
    checks.one_of("routes", routes, WAYS_OUT)
    checks.truth("hairpin", hairpin)
    made = tuple(_endpoint(number, driver, routes, name, given)
                 for number, (name, given) in enumerate(endpoints.items(), start=1))
    used = [ip_interface(address) for endpoint in made for address in endpoint.addresses]
    six = any(address.version == 6 for address in used)
    gateways = [_gateway(str(address)) for address in used] if routes == "gateway" else []
    return Topology(
        hosts=(
            Host("host", (Interface("eth0", _both("10.0.1.2/24", "fd00:1::2/64", six)),), routes=_by_router(six)),
            Host("ext", (Interface("eth0", _both("10.0.1.3/24", "fd00:1::3/64", six)),), routes=_by_router(six)),
            Host("router", (
                Interface("eth0", tuple(dict.fromkeys([*_both("10.0.1.1/24", "fd00:1::1/64", six), *gateways]))),
                Interface("eth1", _both("10.0.9.1/24", "fd00:9::1/64", six)),
            ), forwarding=True),
            Host("far", (Interface("eth0", _both("10.0.9.2/24", "fd00:9::2/64", six)),),
                 routes=_by_router(six, "10.0.9.1", "fd00:9::1")),
        ),
        switches=(Switch("switch", (Port("host", "eth0", hairpin=hairpin), Port("ext", "eth0"),
                                    Port("router", "eth0"))),),
        cables=(Cable("router.eth1", "far.eth0"),),
        endpoints=made,
    )


def _endpoint(number: int, driver: Driver, routes: str, name: str, given: str) -> Endpoint:
    field = f"endpoints.{name}"
    _refuse_misspelt_option(field, name, given)
    if not isinstance(given, str):
        raise TopologyError(field, f"{checks.shown(given)} is not an address",
                            'Write it with its prefix length, in quotes in Python: "10.0.1.11/24".')
    addresses = tuple(checks.interface_address(field, address) for address in given.split())
    child = child_name(driver, number)
    ways: list[Route] = []
    for address in addresses if routes != "none" else ():
        to = "default" if ip_interface(address).version == 4 else "default6"
        way = Route(to, dev=child) if routes == "device" else Route(to, via=_gateway(address).split("/")[0])
        if to not in {earlier.to for earlier in ways}:
            ways.append(way)
    return Endpoint(name, driver, addresses, tuple(ways), child=child)


def _refuse_misspelt_option(field: str, name: str, given: object) -> None:
    """What is nearly the name of an option, with nothing of an address in it, was meant to be that option."""
    meant = get_close_matches(name, OPTIONS, n=1)
    words = str(given).split()  # none at all: an endpoint without an address
    if meant and words and not any(sign in words[0] for sign in ".:/"):
        raise TopologyError(field, f"{checks.shown(given)} is not an address with a prefix length",
                            f"Is the option {meant[0]} meant? Else write 10.0.1.11/24.")


def _gateway(address: str) -> str:
    """Return .1 (or ::1) of the address's subnet, with the prefix length."""
    network = ip_interface(address).network
    return f"{next(islice(network, 1, None), network.network_address)}/{network.prefixlen}"


def _both(four: str, six: str, with_six: bool) -> tuple[str, ...]:
    return (four, six) if with_six else (four,)


def _by_router(six: bool, four: str = "10.0.1.1", gateway6: str = "fd00:1::1") -> tuple[Route, ...]:
    return (Route("default", via=four), Route("default6", via=gateway6)) if six else (Route("default", via=four),)
