"""The topologies that drawings are tested with, and what must hold of every scene."""

from __future__ import annotations

from itertools import combinations

from ipvkit.drawing.scene import Bounds, Label, Scene
from ipvkit.systems.trunk import trunk
from ipvkit.topology import (
    AddAddress,
    AddEndpoint,
    AddRoute,
    Cable,
    Driver,
    Endpoint,
    Host,
    Interface,
    LinkDown,
    Move,
    Port,
    RemoveLink,
    Route,
    SetForwarding,
    SetMode,
    SetMtu,
    Switch,
    Topology,
    Unplug,
    Vlan,
    ipvlan,
    macvlan,
)


def crowd(driver: Driver, number: int) -> Topology:
    """The default world with so many endpoints."""
    return Topology.of(driver, **{f"net{n}": f"10.0.{1 + n // 200}.{n % 200 + 10}/24" for n in range(1, number + 1)})


CLASSIC = Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")
LONG = Topology.of(macvlan("bridge"), **{
    letter * 59 + "1": f"2001:db8:1234:5678:9abc:def0:1234:567{letter}/64 10.0.1.1{number}/24"
    for number, letter in enumerate("abcd")})
CHANGED = CLASSIC.after(
    LinkDown("net1"), Unplug("ext"), SetMode("net2", ipvlan("l2")), AddAddress("net2", "10.0.7.1/24"),
    Move("net2", "ext"), SetMtu("router", 1400, "eth1"), Unplug("router", "eth1"),
    AddEndpoint("host", Endpoint("net3", ipvlan("l3"), ("10.0.1.13/24",))))
DELETED = CLASSIC.after(RemoveLink("host"))
NESTED = Topology(
    hosts=(
        Host("alpha", (Interface("eth0", ("10.0.1.2/24",)), Interface("eth1", ("10.0.8.2/24",))),
             vlans=(Vlan("eth0.10", "eth0", 10, ("10.0.10.2/24",)), Vlan("eth0.20", "eth0", 20))),
        Host("beta", (Interface("eth0", ("10.0.1.4/24",), up=False),)),
        Host("ext", (Interface("eth0", ("10.0.1.3/24",)), Interface("eth1"))),
        Host("lone", (Interface("dummy0", ("10.9.0.1/24",)),)),
        Host("bare"),
    ),
    switches=(
        Switch("switch", (Port("alpha", "eth0", tagged=(10, 20), untagged=1), Port("beta", "eth0", locked=True),
                          Port("ext", "eth0", untagged=1, hairpin=True, learning=False))),
        Switch("second", (Port("alpha", "eth1"),)),
        Switch("third"),
    ),
    endpoints=(
        Endpoint("web", ipvlan("l2"), ("10.0.1.11/24",), host="alpha"),
        Endpoint("db", ipvlan("l2"), ("10.0.10.11/24",), host="alpha", parent="eth0.10"),
        Endpoint("outer", macvlan("bridge"), ("10.0.1.21/24",), host="beta"),
        Endpoint("inner1", macvlan("bridge"), ("10.0.1.22/24",), host="outer", parent="macv3"),
        Endpoint("inner2", macvlan("vepa"), ("10.0.1.23/24",), host="outer", parent="macv3"),
        Endpoint("shim", macvlan("bridge"), ("10.0.1.24/24",), host="beta", netns="beta"),
        Endpoint("alone", ipvlan("l2"), host="lone", parent="dummy0"),
    ))
CABLED = Topology(
    hosts=tuple(Host(name, (Interface("eth0"), Interface("eth1"))) for name in "abcd"),
    cables=(Cable("a.eth0", "b.eth0"), Cable("a.eth1", "c.eth0"), Cable("c.eth1", "d.eth1")),
    endpoints=(Endpoint("x", ipvlan("l2"), host="a"), Endpoint("y", macvlan("vepa"), host="b", parent="eth1")))
OPTIONS = Topology(  # every option at neighbouring ports
    hosts=(Host("host", tuple(Interface(f"eth{n}") for n in range(4))), Host("ext", (Interface("eth0"),))),
    switches=(Switch("switch", (*(Port("host", f"eth{n}", hairpin=True, learning=False, locked=True, untagged=20,
                                       tagged=(30, 40)) for n in range(4)), Port("ext", "eth0"))),),
    endpoints=(Endpoint("net1", macvlan("bridge"), ("10.0.1.11/24",)),))
TALL = Topology(  # each child on the one before it
    hosts=(Host("host", (Interface("eth0"),)),),
    endpoints=(Endpoint("net1", macvlan("bridge")),
               *(Endpoint(f"net{n}", macvlan("bridge"), host=f"net{n - 1}", parent=f"macv{n - 1}")
                 for n in range(2, 16))))
SWITCHED = NESTED.after(  # what can be done to a switch, to a loopback device and to a namespace
    LinkDown("switch", "p1"), Unplug("switch", "p2"), RemoveLink("switch", "p3"), RemoveLink("second"),
    LinkDown("third"), SetMtu("switch", 1300), SetMtu("switch", 1400, "p1"), SetMtu("second", 1280, "p1"),
    AddRoute("switch", Route("default", via="10.0.1.1")), SetForwarding("switch", True),
    AddAddress("web", "10.8.0.1/32", "lo"), SetForwarding("web", True), LinkDown("web", "lo"),
    SetForwarding("outer", True), AddAddress("ext", "10.8.0.2/32", "lo"), SetForwarding("lone", True))
TWO_SWITCHES = Topology(  # the wires of each pass behind the other, and so does a cable
    hosts=(Host("h1", tuple(Interface(f"eth{n}", (f"10.0.{n}.1/24",)) for n in range(3))),
           *(Host(f"h{number}", tuple(Interface(f"eth{n}", (f"10.0.{n}.{number}/24",)) for n in range(2)))
             for number in (8, 9)),
           Host("end", (Interface("eth0", ("10.0.2.4/24",)),)), Host("last", (Interface("eth0", ("10.0.1.5/24",)),))),
    switches=(Switch("sw-a", tuple(Port(host, "eth0") for host in ("h1", "h8", "h9"))),
              Switch("sw-b", (*(Port(host, "eth1") for host in ("h1", "h8", "h9")), Port("last", "eth0")))),
    cables=(Cable("h1.eth2", "end.eth0"),),
    endpoints=(Endpoint("net1", macvlan("bridge"), ("10.0.1.11/24",), host="h1", parent="eth1"),))
TRUNK = trunk({10: ipvlan("l2"), 20: ipvlan("l3")})
EMPTY = Topology(hosts=())

WORLDS = {"classic": CLASSIC, "long": LONG, "changed": CHANGED, "deleted": DELETED, "nested": NESTED,
          "cabled": CABLED, "options": OPTIONS, "tall": TALL, "switched": SWITCHED, "two switches": TWO_SWITCHES,
          "trunk": TRUNK, "empty": EMPTY}


def overlap(one: Bounds, other: Bounds) -> bool:
    """Whether two rectangles share more than a hair."""
    return (min(one[2], other[2]) - max(one[0], other[0]) > 0.5
            and min(one[3], other[3]) - max(one[1], other[1]) > 0.5)


def overlapping_labels(scene: Scene) -> list[tuple[str, str]]:
    """The pairs of texts that lie on each other."""
    return [(a.text, b.text) for a, b in combinations(scene.labels, 2) if overlap(a.bounds, b.bounds)]


def outside(scene: Scene) -> list[object]:
    """The elements that leave the canvas."""
    return [e for e in scene.elements
            if e.bounds[0] < -0.01 or e.bounds[1] < -0.01 or e.bounds[2] > scene.width + 0.01
            or e.bounds[3] > scene.height + 0.01]


def leaking_labels(scene: Scene) -> list[str]:
    """The texts that begin in a box and end outside of it."""
    def leaks(label: Label) -> bool:
        left, top, right, bottom = label.bounds
        ground = [box for box in scene.boxes
                  if box.bounds[0] <= label.x <= box.bounds[2] and box.bounds[1] <= label.y <= box.bounds[3]]
        if not ground:
            return False
        inner = ground[-1].bounds
        return left < inner[0] or right > inner[2] or top < inner[1] - 2 or bottom > inner[3] + 2
    return [label.text for label in scene.labels if leaks(label)]
