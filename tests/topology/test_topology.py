"""What a topology is, what it assigns by itself, and what it refuses when it is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ipvkit.errors import TopologyError
from ipvkit.topology import (
    AddAddress,
    AddEndpoint,
    AddRoute,
    Cable,
    Driver,
    Drop,
    Endpoint,
    Host,
    Interface,
    LinkDown,
    Masquerade,
    Move,
    Plug,
    Port,
    RemoveLink,
    Route,
    SetForwarding,
    SetMac,
    SetMode,
    SetMtu,
    Switch,
    Topology,
    Vlan,
    ipvlan,
    macvlan,
)
from ipvkit.topology.changes import DeviceChange

CLASSIC = Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")
HOST = Host("host", (Interface("eth0", "10.0.1.2/24"),))


def test_one_line_of_fact() -> None:
    assert repr(CLASSIC) == "Topology: host eth0, ipvlan l3, 2 children, 1 MAC on the uplink"
    three = Topology.of(macvlan("bridge"), a="10.0.1.11/24", b="10.0.1.12/24").after(LinkDown("a"))
    assert repr(three) == "Topology: host eth0, macvlan bridge, 2 children, 3 MACs on the uplink; 1 change"
    assert repr(Topology((HOST,))) == "Topology: 1 host, no children"


def test_the_default_world_has_the_documented_addresses() -> None:
    assert CLASSIC.names == ("net1", "net2", "host", "ext", "router", "far")
    assert {name: CLASSIC.addresses(name) for name in CLASSIC.names} == {
        "net1": ("10.0.1.10/24",), "net2": ("192.168.1.10/24",), "host": ("10.0.1.2/24",), "ext": ("10.0.1.3/24",),
        "router": ("10.0.1.1/24", "10.0.9.1/24"), "far": ("10.0.9.2/24",),
    }  # fmt: skip
    assert CLASSIC.host("router").forwarding
    assert CLASSIC.endpoint("net2").routes == (Route("default", dev="ipv2"),)
    assert CLASSIC.families == {4}


def test_ipv6_is_there_as_soon_as_an_endpoint_has_it() -> None:
    world = Topology.of(ipvlan("l2"), net1="10.0.1.11/24 fd00:1::11/64")
    assert world.addresses("router", 6) == ("fd00:1::1/64", "fd00:9::1/64")
    assert world.endpoint("net1").routes == (Route("default", dev="ipv1"), Route("default6", dev="ipv1"))
    assert world.families == {4, 6}


def test_routes_by_gateway_make_the_router_the_gateway_of_each_subnet() -> None:
    world = Topology.of(ipvlan("l3"), routes="gateway", net1="10.0.1.10/24", net2="192.168.1.10/24 fd07::9/64")
    assert world.endpoint("net2").routes == (Route("default", via="192.168.1.1"), Route("default6", via="fd07::1"))
    assert world.addresses("router") == (
        "10.0.1.1/24", "fd00:1::1/64", "192.168.1.1/24", "fd07::1/64", "10.0.9.1/24", "fd00:9::1/64")  # fmt: skip
    none = Topology.of(ipvlan("l3"), routes="none", net1="10.0.1.10/24")
    assert none.endpoint("net1").routes == ()


def test_macs_are_assigned_in_declared_order() -> None:
    world = Topology.of(macvlan("bridge"), a="10.0.1.11/24", b="10.0.1.12/24")
    nics = [nic.mac for host in world.hosts for nic in host.interfaces]
    assert nics == [f"02:00:00:00:00:0{number}" for number in range(1, 6)]
    assert [endpoint.mac for endpoint in world.endpoints] == ["02:00:00:01:00:01", "02:00:00:01:00:02"]
    assert [endpoint.child for endpoint in world.endpoints] == ["macv1", "macv2"]


@pytest.mark.parametrize("driver", [ipvlan("l2"), macvlan("passthru")])
def test_children_that_use_their_parents_mac_get_none(driver: Driver) -> None:
    assert Topology.of(driver, net1="10.0.1.11/24").endpoint("net1").mac == ""


def test_a_thousand_endpoints_have_a_name_and_a_mac_each() -> None:
    world = Topology.of(macvlan("bridge"), **{f"n{i}": f"10.7.{i >> 8}.{i & 255}/16" for i in range(1, 1001)})
    assert len({endpoint.mac for endpoint in world.endpoints}) == 1000
    assert world.endpoints[999].mac == "02:00:00:01:03:e8"
    assert world.endpoints[999].child == "macv1000"


def test_a_change_keeps_the_declaration_and_adds_history() -> None:
    later = CLASSIC.after(AddEndpoint("host", Endpoint("net3", ipvlan("l3"), "10.0.1.13/24")), LinkDown("net3"))
    assert later.endpoints == CLASSIC.endpoints
    assert later.names[:3] == ("net1", "net2", "net3")
    assert later.endpoint("net3").child == "ipv3"
    assert later == CLASSIC.after(later.changes[0]).after(later.changes[1])
    assert replace(later, changes=()) == CLASSIC
    assert hash(later) != hash(CLASSIC)


def test_an_added_endpoint_sits_where_the_change_says() -> None:
    added = AddEndpoint("ext", Endpoint("net3", ipvlan("l3")))
    assert added.endpoint.host == "ext"
    assert CLASSIC.after(added).endpoint("net3").host == "ext"


def test_a_child_may_sit_on_an_endpoints_child_whatever_namespace_that_is_in() -> None:
    first = Endpoint("first", macvlan("bridge"), netns="shared")
    second = Endpoint("second", macvlan("bridge"), host="first", parent="macv1")
    world = Topology((HOST,), (first, second))
    assert (world.netns("first"), world.netns("second"), world.device("second")) == ("shared", "second", "macv2")


def test_a_moved_device_may_be_a_parent_where_it_went() -> None:
    moved = CLASSIC.after(Move("ext", "host", "eth0"), LinkDown("host", "eth0"))
    assert moved.after(AddEndpoint("host", Endpoint("net3", ipvlan("l2"), parent="eth0")))


def test_what_only_a_kernel_can_judge_is_a_topology() -> None:
    """Two drivers on one parent, an address twice, a MAC twice, a second passthru child, routes to nowhere."""
    twice = (
        Endpoint("a", ipvlan("l2"), "10.0.1.2/24"), Endpoint("b", macvlan("passthru"), mac="02:00:00:00:00:01"),
        Endpoint("c", macvlan("passthru")), Endpoint("d", ipvlan("l3"), "10.0.1.2/24", Route("default", dev="none0")),
    )  # fmt: skip
    assert len(Topology((HOST,), twice).endpoints) == 4


@pytest.mark.parametrize(
    ("topology", "needs"),
    [
        (Topology((HOST,)), {"dummy"}),
        (CLASSIC, {"veth", "bridge", "ipvlan"}),
        (CLASSIC.after(SetMode("net1", ipvlan("l3s"))), {"veth", "bridge", "ipvlan", "ipvlan:l3s"}),
        (CLASSIC.after(AddAddress("net1", "fd00:1::9/64")), {"veth", "bridge", "ipvlan", "ipv6"}),
        (Topology((replace(HOST, vlans=Vlan("eth0.5", "eth0", 5)),), Endpoint("a", macvlan("vepa"))),
         {"dummy", "vlan", "macvlan"}),
        (Topology((HOST,), switches=Switch("s", Port("host", "eth0", untagged=5))), {"veth", "bridge", "vlan"}),
    ],
)  # fmt: skip
def test_needs_are_the_words_of_doctor(topology: Topology, needs: set[str]) -> None:
    assert topology.needs == needs


@pytest.mark.parametrize("text", ["default via 10.0.1.1", "default6 via fd00:1::1", "default dev ipv1",
                                  "10.0.9.0/24 via 10.0.1.1 dev eth0", "fd00:9::/64 dev eth0",
                                  "blackhole 10.7.0.0/16"])  # fmt: skip
def test_a_route_is_written_as_ip_writes_it(text: str) -> None:
    assert str(Route.parse(text)) == text


def test_one_route_has_one_form() -> None:
    assert Route("0.0.0.0/0", dev="eth0") == Route("default", dev="eth0")
    assert Route("default", via="fd00:1:0::1") == Route("::/0", via="fd00:1::1") == Route("default6", via="fd00:1::1")
    assert Route("10.0.9.2", dev="eth0").to == "10.0.9.2/32"


@pytest.mark.parametrize("driver", [ipvlan("l2"), ipvlan("l3s", "vepa"), macvlan("bridge"), macvlan("source")])
def test_a_driver_is_written_in_words(driver: Driver) -> None:
    assert Driver.parse(str(driver)) == driver


def endpoint(**fields: Any) -> Topology:
    return Topology((HOST,), (Endpoint("a", ipvlan("l2"), **fields),))


REFUSED: list[tuple[Callable[[], object], str, str, str]] = [
    (lambda: ipvlan("l4"), "driver.mode", "'l4' is not known", "l2, l3, l3s"),
    (lambda: ipvlan("bridge"), "driver.mode", "'bridge' is not known", "l2, l3, l3s"),
    (lambda: ipvlan("l2", "passthru"), "driver.flag", "'passthru'", "bridge, private, vepa"),
    (lambda: macvlan(None), "driver.mode", "None", "bridge, private"),  # type: ignore[arg-type]
    (lambda: Topology.of("ipvlan l2", a="10.0.1.1/24"), "driver", "is not a Driver", "ipvlan("),  # type: ignore[arg-type]
    (lambda: Topology.of(ipvlan("l2"), a="ten/24"), "endpoints.a", "'ten/24'", "10.0.1.11/24"),
    (lambda: Topology.of(ipvlan("l2"), a="10.0.1.11"), "endpoints.a", "prefix length", "10.0.1.11/24"),
    (lambda: Topology.of(ipvlan("l2"), a=10), "endpoints.a", "10 is not", "10.0.1.11/24"),  # type: ignore[arg-type]
    (lambda: Topology.of(ipvlan("l2"), ext="10.0.1.9/24"), "endpoints.ext", "taken", "its own"),
    (lambda: Topology((HOST, HOST)), "hosts.host", "taken", "its own"),
    (lambda: Topology((HOST,), (Endpoint("a", ipvlan("l2")), Endpoint("a", ipvlan("l2")))),
     "endpoints.a", "taken", "its own"),
    (lambda: Topology(HOST, switches=Switch("host")), "switches.host", "taken", "its own"),  # type: ignore[arg-type]
    (lambda: Topology(("host",)), "hosts[0]", "'host' is not a Host", "Host"),  # type: ignore[arg-type]
    (lambda: Topology(None), "hosts", "None is not a list", "Host"),  # type: ignore[arg-type]
    (lambda: Host("host", "eth0"), "host.host.interfaces", "is not a list", "Interface"),  # type: ignore[arg-type]
    (lambda: Interface("sixteen-letters-"), "interface.name", "16 characters", "15"),
    (lambda: Interface("eth 0"), "interface.name", "not an interface name", "letters"),
    (lambda: Interface("eth0;reboot"), "interface.name", "not an interface name", "letters"),
    (lambda: Interface("eth0", mtu=67), "interface.eth0.mtu", "67", "68 to 65535"),
    (lambda: Interface("eth0", mtu=True), "interface.eth0.mtu", "True", "68 to 65535"),
    (lambda: Interface("eth0", mac="02:00:00:00:00"), "interface.eth0.mac", "not a MAC", "six bytes"),
    (lambda: Interface("eth0", mac="01:00:00:00:00:01"), "interface.eth0.mac", "one station", "even"),
    (lambda: Host("net/1"), "host.name", "'net/1'", "letters"),
    (lambda: Host("x" * 61), "host.name", "…", "60"),
    (lambda: Vlan("v", "eth0", 4095), "vlan.v.id", "4095", "1 to 4094"),
    (lambda: Topology((replace(HOST, vlans=Vlan("v", "eth7", 5)),)),
     "hosts.host.vlans.v.parent", "no device 'eth7'", "eth0"),
    (lambda: Topology((replace(HOST, vlans=Vlan("v", "lo", 5)),)),
     "hosts.host.vlans.v.parent", "lo takes no VLAN", "eth0"),
    (lambda: Topology((replace(HOST, vlans=(Vlan("v", "eth0", 5), Vlan("w", "eth0", 5))),)),
     "hosts.host.vlans.w.id", "v has VLAN 5 of eth0 already", "another number"),
    (lambda: Topology((replace(HOST, vlans=(Vlan("v", "eth0", 5), Vlan("w", "v", 6))),)),
     "hosts.host.vlans.w.parent", "v is a VLAN itself", "eth0"),
    *((lambda text=text: Interface("eth0", text), "interface.eth0.addresses[0]", "one station on a", "10.0.1.11")
      for text in ("224.0.0.5/24", "255.255.255.255/32", "127.0.0.5/8", "0.0.0.0/0", "::1/128", "ff02::11/64")),
    (lambda: endpoint(addresses="fe80::11/64"), "endpoint.a.addresses[0]", "link-local", "link_local=True"),
    (lambda: endpoint(addresses="::10.0.1.11/96"), "endpoint.a.addresses[0]", "clothes", "10.0.1.11/24"),
    (lambda: CLASSIC.after(AddAddress("switch", "10.0.1.9/24")), "changes[0].place", "no address of their own", "net1"),
    (lambda: CLASSIC.after(SetMac("switch", "02:00:00:00:09:09", "p1")), "changes[0].place", "no address", "net1"),
    (lambda: CLASSIC.after(DeviceChange("net1")), "changes[0]", "not what to change", "LinkDown"),
    (lambda: CLASSIC.after(Move("switch", "ext", "br0")), "changes[0].place", "cannot leave", "net1"),
    (lambda: Topology((Host("h", Interface("lo")),)),  # type: ignore[arg-type]
     "hosts.h.interfaces.lo", "has a device 'lo' already", "another name"),
    (lambda: Interface("eth0", mac=0), "interface.eth0.mac", "0 is not a MAC", "six bytes"),  # type: ignore[arg-type]
    (lambda: LinkDown("net1", []), "linkdown.device", "[] is not an interface", "letters"),  # type: ignore[arg-type]
    (lambda: Drop("net1", "input", source=0), "drop.source", "0 is not an IPv4", "10.0.1.0/24"),  # type: ignore[arg-type]
    (lambda: SetMtu("net1", 10**5000), "setmtu.mtu", "far too large", "1 to 65535"),
    (lambda: CLASSIC.after(RemoveLink("net1", "lo")), "changes[0].device", "lo stays", "another device"),
    (lambda: CLASSIC.after(Move("net1", "host", "lo")), "changes[0].device", "lo stays", "another device"),
    (lambda: endpoint(mac=0), "endpoint.a.mac", "0 is not a MAC", "six bytes"),
    (lambda: endpoint(netns=False), "endpoint.a.netns", "False is not a name", "letters"),
    (lambda: Route("10.0.9.1/24", dev="eth0"), "route.to", "not a destination", "10.0.9.0/24"),
    (lambda: Route(10, dev="eth0"), "route.to", "10 is not", "default"),  # type: ignore[arg-type]
    (lambda: Route("default"), "route", "is not a route", "via or dev"),
    (lambda: Route("default", dev="eth0", kind="blackhole"), "route", "is not a route", "take neither"),
    (lambda: Route("10.0.9.0/24", via="fd00::1"), "route.via", "family", "IPv4 gateway"),
    (lambda: Cable("router", "far.eth0"), "cable.a", "'router'", "router.eth1"),
    (lambda: Topology((HOST,), cables=Cable("host.eth0", "host.eth0")), "cables[0]", "a wire already", "one"),
    (lambda: Topology((HOST,), cables=Cable("host.eth0", "host.eth1")), "cables[0]", "no NIC host.eth1", "host.eth0"),
    (lambda: endpoint(parent="eth7"), "endpoints.a.parent", "host has no device 'eth7'", "eth0"),
    (lambda: endpoint(host="there"), "endpoints.a.host", "no host 'there'", "host"),
    (lambda: endpoint(mac="02:00:00:00:09:09"), "endpoint.a.mac", "its parent's MAC", "macvlan"),
    (lambda: endpoint(child="a-name-too-long-"), "endpoint.a.child", "16 characters", "15"),
    (lambda: endpoint(child="eth0", netns="host"), "endpoints.a.child", "already", "another"),
    (lambda: Topology((HOST,), Endpoint("a", ipvlan("l2"), netns="s"), Switch("s")),
     "endpoints.a.netns", "s is a switch", "its own"),
    (lambda: CLASSIC.after("down"), "changes[0]", "'down' is not a Change", "Change"),  # type: ignore[arg-type]
    (lambda: CLASSIC.after(LinkDown("net7")), "changes[0].place", "no place 'net7'", "host, ext"),
    (lambda: CLASSIC.after(LinkDown("ext", "eth1")), "changes[0].device", "no device 'eth1'", "eth0"),
    (lambda: Topology(Host("bare"), changes=LinkDown("bare")),  # type: ignore[arg-type]
     "changes[0].device", "no device of its own", "Name one"),
    (lambda: CLASSIC.after(Plug("net1")), "changes[0].device", "has no cable", "host.eth0"),
    (lambda: CLASSIC.after(Move("net1", "nowhere")), "changes[0].to", "no place 'nowhere'", "net1"),
    (lambda: CLASSIC.after(SetMode("host", ipvlan("l2"))), "changes[0].place", "not an endpoint", "net1, net2"),
    (lambda: CLASSIC.after(SetMode("net1", macvlan("vepa"))), "changes[0].driver", "keeps its driver", "ipvlan"),
    (lambda: SetMode("net1", "l2"), "setmode.driver", "not a Driver", "ipvlan("),  # type: ignore[arg-type]
    (lambda: AddRoute("net1", "default"), "addroute.route", "not a Route", "Route("),  # type: ignore[arg-type]
    (lambda: AddAddress("net1", "10.0.1.1"), "addaddress.address", "prefix length", "10.0.1.11/24"),
    (lambda: SetMac("net1", "x"), "setmac.mac", "not a MAC", "six bytes"),
    (lambda: SetMtu("net1", 0), "setmtu.mtu", "0 is out of range", "1 to 65535"),
    (lambda: Drop("net1", "INPUT"), "drop.hook", "'INPUT' is not known", "prerouting, input"),
    (lambda: Drop("net1", "input", "tcp"), "drop.protocol", "'tcp' is not known", "none at all, icmp, udp"),
    (lambda: Drop("net1", "input", source="fd00::/64"), "drop.source", "not an IPv4 network", "10.0.1.0/24"),
    (lambda: Drop("net1", "input", destination="10.0.1.1/24"), "drop.destination", "not an IPv4", "10.0.1.0/24"),
    (lambda: Masquerade("net1", "a/b"), "masquerade.device", "not an interface name", "letters"),
    (lambda: SetForwarding("net1", 1), "setforwarding.on", "neither true nor false", "true"),  # type: ignore[arg-type]
    (lambda: Topology.of(ipvlan("l2"), route="none"), "endpoints.route", "'none' is not an address", "option routes"),
    (lambda: Topology.of(ipvlan("l2"), hair_pin=True), "endpoints.hair_pin", "True is not", "option hairpin meant"),
    (lambda: Topology.of(ipvlan("l2"), router="10.0.1.300/24"), "endpoints.router", "Octet 300 (> 255)", "1.11/24"),
    (lambda: Topology.of(ipvlan("l2"), net1="10.0.1.3/33"), "endpoints.net1", "'33' is not a valid netmask", "/24"),
    (lambda: Topology.of(ipvlan("l2"), net1="fd00::g/64"), "endpoints.net1", "Only hex digits permitted", "/64"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[1]} {case[2]}")
def test_a_refusal_names_field_and_fix(case: tuple[Callable[[], object], str, str, str]) -> None:
    make, field, problem, fix = case
    with pytest.raises(TopologyError) as caught:
        make()
    assert caught.value.field == field
    assert problem in caught.value.problem
    assert fix in caught.value.fix
    assert str(caught.value).count("\n") == 0


def test_more_endpoints_than_macs_are_refused() -> None:
    many = tuple(Endpoint(f"n{number}", macvlan("bridge")) for number in range(65_536))
    with pytest.raises(TopologyError, match="endpoints: 65536 endpoints are too many"):
        Topology((HOST,), many)


@pytest.mark.parametrize("ask", [lambda: CLASSIC.host("net9"), lambda: CLASSIC.endpoint("host"),
                                 lambda: CLASSIC.switch("host"), lambda: CLASSIC.netns("net9"),
                                 lambda: CLASSIC.addresses("net9"), lambda: CLASSIC.device("net9")])  # fmt: skip
def test_asking_for_what_is_not_there_is_a_key_error_that_names_it(ask: Callable[[], object]) -> None:
    with pytest.raises(KeyError, match=r"there is no .* '(net9|host)'"):
        ask()
