"""What the course claims about the kernel: one claim, one topology, one question, one outcome.

Law: a claim is written by hand, not by the theory; theory and kernel are both asked, and neither may differ.
docs/claims.md is made from them on every kernel this computer can run:

    python -m tests.theory.claims
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ipvkit.errors import NoMachine
from ipvkit.lab import Lab
from ipvkit.theory import predict
from ipvkit.topology import (
    HOOKS,
    AddAddress,
    AddRoute,
    Driver,
    Drop,
    Endpoint,
    LinkDown,
    LinkUp,
    Masquerade,
    RemoveAddress,
    RemoveRoute,
    Route,
    SetForwarding,
    SetMac,
    SetMode,
    SetMtu,
    Topology,
    Unplug,
    ipvlan,
    macvlan,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "claims.md"
HOLDS, NOT_ASKED = "✓", "–"
MACHINES = {"uml": "Debian's User-Mode Linux", "native": "the kernel of the computer"}
NET1, NET2, NET3 = "10.0.1.11/24", "10.0.1.12/24", "10.0.2.13/24"


@dataclass(frozen=True)
class Claim:
    """``says`` a sentence; asked ``ask`` (from, to) in ``topology``, the kernel ``shows`` this.

    ``link_local``: asked is the address the other's device gave itself.

    Without ``ask``, ``shows`` is what the kernel refuses (identifiers of ``ipvkit.refusals``), or "accepted".
    """

    id: str
    says: str
    topology: Topology
    shows: str
    ask: tuple[str, str] | None = None
    family: int = 4
    link_local: bool = False

    @property
    def question(self) -> str:
        """What is asked, in words."""
        return (" → ".join(self.ask) if self.ask else "build") + " (fe80::…)" * self.link_local

    def predicted(self) -> str:
        """Return what the theory says."""
        prediction = predict(self.topology, family=self.family, link_local=self.link_local)
        if self.ask is None:
            return _refused([refusal.identifier for refusal in prediction.refusals])
        verdict = prediction[self.ask]
        return self._with_ttl(verdict.verdict, verdict.ttl)

    def measured(self, lab: Lab) -> str:
        """Return what the kernel did, in a lab in which ``topology`` was just built."""
        if self.ask is None:
            return _refused([refusal.identifier for refusal in lab.refusals])
        answer = lab.ping(*self.ask, family=self.family, link_local=self.link_local)
        return self._with_ttl(answer.verdict, answer.ttl or 0)

    def _with_ttl(self, verdict: str, ttl: int) -> str:
        return f"{verdict}, TTL {ttl}" if "TTL" in self.shows else verdict


def _refused(identifiers: list[str]) -> str:
    return ", ".join(identifiers) or "accepted"


def world(driver: Driver, routes: str = "device", hairpin: bool = False, **endpoints: str) -> Topology:
    """Give the default world; without endpoints net1 and net2 are in the host's subnet, net3 is in another."""
    return Topology.of(driver, routes=routes, hairpin=hairpin,
                       **(endpoints or {"net1": NET1, "net2": NET2, "net3": NET3}))


def six(driver: Driver) -> Topology:
    """Give the default world with IPv6 addresses only on its children."""
    return world(driver, net1="fd00:1::11/64", net2="fd00:1::12/64", net3="fd00:2::13/64")


def _also(topology: Topology, endpoint: Endpoint) -> Topology:
    return replace(topology, endpoints=(*topology.endpoints, endpoint))


def _second(first: Driver, second: Driver) -> Topology:
    """Give the default world with two children on one parent, each in a mode of its own."""
    topology = world(first, net1=NET1, net2=NET2)
    net1, net2 = topology.endpoints
    return replace(topology, endpoints=(net1, replace(net2, driver=second)))


def _unaddressed(driver: Driver) -> Topology:
    """Give the default world with a child, net2, that has a route and no address."""
    topology = world(driver, net1=NET1, net2=NET2)
    again = Route("default", dev=topology.device("net2"))  # the last address takes all routes along
    return topology.after(RemoveAddress("net2", NET2), AddRoute("net2", again))


def _ipvlan() -> list[Claim]:
    l2, l3, l3s = ipvlan("l2"), ipvlan("l3"), ipvlan("l3s")
    private, vepa = ipvlan("l2", "private"), ipvlan("l2", "vepa")
    back = AddRoute("ext", Route("10.0.2.0/24", via="10.0.1.2"))
    hole = world(l3).after(back, AddRoute("host", Route("10.0.1.3/32", kind="blackhole")))
    return [
        Claim("l2-siblings", "l2: children of one parent reach each other", world(l2), "reply", ("net1", "net2")),
        Claim("l2-subnets", "l2: with the default route through the device, children of different subnets reach each "
              "other; no router has a part in it", world(l2), "reply, TTL 64", ("net1", "net3")),
        Claim("l2-subnets-gateway", "l2: with a gateway, what is for another subnet goes out to it and comes back",
              world(l2, "gateway"), "reply, TTL 63", ("net1", "net3")),
        Claim("l2-host", "l2: a child does not reach its host: nobody hands its question up", world(l2),
              "host unreachable", ("net1", "host")),
        Claim("l2-from-host", "l2: nor does the host reach a child", world(l2), "host unreachable", ("host", "net1")),
        Claim("l2-host-hairpin", "l2: it does, if the switch sends frames back where they came from",
              world(l2, hairpin=True), "reply", ("net1", "host")),
        Claim("l2-host-router", "l2: a child of another subnet reaches its host, through the router",
              world(l2, "gateway"), "reply, TTL 63", ("net3", "host")),
        Claim("l2-from-host-router", "l2: and the host reaches that child", world(l2, "gateway"), "reply, TTL 63",
              ("host", "net3")),
        Claim("l2-external", "l2: a child reaches another machine on the switch", world(l2), "reply", ("net1", "ext")),
        Claim("l2-far", "l2: and one behind the router, if its default route is the gateway", world(l2, "gateway"),
              "reply, TTL 63", ("net1", "far")),
        Claim("l2-far-device", "l2: but not if its default route is the device", world(l2), "host unreachable",
              ("net1", "far")),
        Claim("l2-private", "l2 private: siblings do not reach each other", world(private), "host unreachable",
              ("net1", "net2")),
        Claim("l2-private-hairpin", "l2 private: not even if the switch sends their frames back",
              world(private, hairpin=True), "host unreachable", ("net1", "net2")),
        Claim("l2-private-router", "l2 private: siblings of different subnets do, through the router",
              world(private, "gateway"), "reply, TTL 63", ("net1", "net3")),
        Claim("l2-vepa", "l2 vepa: siblings do not reach each other through an ordinary switch", world(vepa),
              "host unreachable", ("net1", "net2")),
        Claim("l2-vepa-hairpin", "l2 vepa: they do, if the switch sends their frames back", world(vepa, hairpin=True),
              "reply", ("net1", "net2")),
        Claim("l3-siblings", "l3: children reach each other", world(l3), "reply", ("net1", "net2")),
        Claim("l3-subnets", "l3: whatever their subnets", world(l3), "reply, TTL 64", ("net1", "net3")),
        Claim("l3-gateway", "l3: a child's gateway is not asked: siblings hand packets over as if there were none",
              world(l3, "gateway"), "reply, TTL 64", ("net1", "net3")),
        Claim("l3-host", "l3: a child does not reach its host: the request arrives, the reply goes out to the wire",
              world(l3), "timeout", ("net1", "host")),
        Claim("l3-from-host", "l3: nor does the host reach a child", world(l3), "host unreachable", ("host", "net1")),
        Claim("l3-external", "l3: a child in the host's subnet gets no answer from outside: nobody answers ARP for it",
              world(l3), "timeout", ("net1", "ext")),
        Claim("l3-from-external", "l3: and cannot be reached from outside", world(l3), "host unreachable",
              ("ext", "net1")),
        Claim("l3-external-no-route", "l3: in another subnet neither, as long as the others have no route to it",
              world(l3), "timeout", ("net3", "ext")),
        Claim("l3-external-route", "l3: with a route to its subnet through the host, it is reached",
              world(l3).after(back), "reply", ("ext", "net3")),
        Claim("l3-to-external-route", "l3: and reaches", world(l3).after(back), "reply", ("net3", "ext")),
        Claim("l3-private", "l3 private: a packet to a sibling is an error for its sender",
              world(ipvlan("l3", "private")), "no buffers", ("net1", "net2")),
        Claim("l3s-siblings", "l3s: children reach each other", world(l3s), "reply", ("net1", "net3")),
        Claim("l3s-host", "l3s: a child does not reach its host", world(l3s), "timeout", ("net1", "host")),
        Claim("l3s-external-route", "l3s: with a route to its subnet through the host, a child is reached",
              world(l3s).after(back), "reply", ("ext", "net3")),
        Claim("l3-blackhole", "l3: a blackhole in the host's routing table does not stop a child's packet: it must "
              "leave through the parent, so it is taken to be on that link",
              hole, "reply", ("net3", "ext")),
        Claim("l3-blackhole-host", "l3: while the host's own packet vanishes there",
              hole, "invalid argument", ("host", "ext")),
        Claim("l2-no-address", "l2: a child without an address gets no answer to its question, and its own kernel "
              "says so: the answer, to no address, is the host's", _unaddressed(l2), "host unreachable",
              ("net2", "ext")),
        Claim("l2-six", "l2, IPv6: siblings reach each other", six(l2), "reply", ("net1", "net2"), 6),
        Claim("l2-host-six", "l2, IPv6: a child does not reach its host", six(l2), "host unreachable",
              ("net1", "host"), 6),
        Claim("l3-six", "l3, IPv6: children reach each other, whatever their subnets", six(l3), "reply",
              ("net1", "net3"), 6),
    ]


def _two_owners(swapped: bool = False) -> Topology:
    """Give a world in which net3 has the host's address, and the host hears ARP through a child of its own."""
    topology = world(macvlan("bridge"), net1=NET1, net2="10.0.2.12/24", net3="10.0.1.2/24")
    net1, net2, net3 = topology.endpoints
    macs = (net3.mac, net2.mac) if swapped else (net2.mac, net3.mac)
    return replace(topology, endpoints=(net1, replace(net2, netns="host", routes=(), mac=macs[0]),
                                        replace(net3, mac=macs[1])))


def _macvlan() -> list[Claim]:
    bridge, private, vepa = macvlan("bridge"), macvlan("private"), macvlan("vepa")
    return [
        Claim("bridge-siblings", "bridge: children of one parent reach each other", world(bridge), "reply",
              ("net1", "net2")),
        Claim("bridge-host", "bridge: a child does not reach its host", world(bridge), "host unreachable",
              ("net1", "host")),
        Claim("bridge-from-host", "bridge: nor does the host reach a child", world(bridge), "host unreachable",
              ("host", "net1")),
        Claim("bridge-host-hairpin", "bridge: it does, if the switch sends frames back where they came from",
              world(bridge, hairpin=True), "reply", ("net1", "host")),
        Claim("bridge-host-router", "bridge: a child of another subnet reaches its host, through the router",
              world(bridge, "gateway"), "reply, TTL 63", ("net3", "host")),
        Claim("bridge-external", "bridge: a child reaches another machine on the switch", world(bridge), "reply",
              ("net1", "ext")),
        Claim("private-siblings", "private: siblings do not reach each other", world(private), "host unreachable",
              ("net1", "net2")),
        Claim("private-hairpin", "private: not even if the switch sends their frames back",
              world(private, hairpin=True), "host unreachable", ("net1", "net2")),
        Claim("private-router", "private: siblings of different subnets do, through the router",
              world(private, "gateway"), "reply, TTL 63", ("net1", "net3")),
        Claim("vepa-siblings", "vepa: siblings do not reach each other through an ordinary switch", world(vepa),
              "host unreachable", ("net1", "net2")),
        Claim("vepa-hairpin", "vepa: they do, if the switch sends their frames back", world(vepa, hairpin=True),
              "reply", ("net1", "net2")),
        Claim("vepa-router", "vepa: or through a router, if their subnets differ", world(vepa, "gateway"),
              "reply, TTL 63", ("net1", "net3")),
        Claim("passthru", "passthru: the one child reaches the others on the switch",
              world(macvlan("passthru"), net1=NET1), "reply", ("net1", "ext")),
        Claim("passthru-host", "passthru: its host does not any more", world(macvlan("passthru"), net1=NET1),
              "host unreachable", ("host", "ext")),
        Claim("source-empty", "source: with an empty list of MACs a child hears nobody", world(macvlan("source")),
              "host unreachable", ("net1", "ext")),
        Claim("bridge-two-owners", "bridge: of two owners of an address the one answers first that comes first in "
              "macvlan's hash table of MACs: here net3", _two_owners(), "reply", ("net1", "net3")),
        Claim("bridge-two-owners-swapped", "bridge: with their MACs swapped it is the other, the host through a "
              "child of its own, whose answer goes out to the wire", _two_owners(swapped=True), "timeout",
              ("net1", "net3")),
        Claim("bridge-no-address", "bridge: a child without an address gets the answer, by its own MAC; its packet "
              "from 0.0.0.0 is dropped where it arrives", _unaddressed(bridge), "timeout", ("net2", "ext")),
        Claim("bridge-to-vepa", "bridge: what a child sends is handed to siblings in bridge mode only, so not to one "
              "in vepa mode", _second(bridge, vepa), "host unreachable", ("net1", "net2")),
        Claim("vepa-to-bridge", "vepa: and what that one sends is handed to nobody", _second(bridge, vepa),
              "host unreachable", ("net2", "net1")),
        Claim("bridge-six", "bridge, IPv6: children reach each other", six(bridge), "reply", ("net1", "net2"), 6),
    ]


def _changes() -> list[Claim]:
    two = world(ipvlan("l2"), net1=NET1, net2=NET2)
    apart = replace(two.endpoints[0], name="net7", addresses=("10.0.7.17/24",), host="ext", child="", netns="net7",
                    routes=(Route("default", dev="ipv3"),))
    loop = _also(two, apart).after(SetForwarding("host", True), AddRoute("host", Route("10.0.7.0/24", via="10.0.1.1")),
                                   AddRoute("router", Route("10.0.7.0/24", via="10.0.1.2")))
    shim = _also(two, Endpoint("shim", ipvlan("l2"), ("10.0.1.50/24",), child="shim", netns="host"))
    on_net1 = Endpoint("net3", ipvlan("l3"), ("10.0.1.13/24",), host="net1", parent="ipv1", child="ipv3")
    return [
        Claim("mode-of-all", "A mode set through one ipvlan child is that of its siblings too: net2, made in l2, is "
              "deaf to ARP", two.after(SetMode("net1", ipvlan("l3"))), "host unreachable", ("ext", "net2")),
        Claim("mode-of-one", "A macvlan child's mode is its own: net2 stays a bridge child and is reached",
              world(macvlan("bridge")).after(SetMode("net1", macvlan("private"))), "reply", ("net2", "net3")),
        Claim("parent-down-ipvlan", "ipvlan l2: with the parent set down, siblings still reach each other",
              two.after(LinkDown("host", "eth0")), "reply", ("net1", "net2")),
        Claim("parent-down-outside", "ipvlan l2: but nobody outside", two.after(LinkDown("host", "eth0")),
              "host unreachable", ("net1", "ext")),
        Claim("cable-pulled", "ipvlan l2: with the cable pulled, nobody outside is reached",
              two.after(Unplug("host", "eth0")), "host unreachable", ("net1", "ext")),
        Claim("mode-by-grandchild", "A child made on an ipvlan child sits on the same parent, and sets the mode of all",
              _also(two, on_net1), "host unreachable", ("ext", "net2")),
        Claim("no-route-six", "IPv6: who has no route to it says so, even if it forwards nothing",
              six(ipvlan("l2")).after(SetForwarding("router", False)), "network unreachable", ("ext", "net3"), 6),
        Claim("child-in-host", "A child kept in the host's own namespace, with a route through it, makes the host "
              "reach its siblings", shim.after(AddRoute("host", Route("10.0.1.11/32", dev="shim"))), "reply",
              ("host", "net1")),
        Claim("child-in-host-no-route", "Without the route it does not help the host", shim, "host unreachable",
              ("host", "net1")),
        Claim("routes-in-a-circle", "Two routes that point at each other end when the TTL is used up", loop,
              "ttl exceeded", ("far", "net7")),
    ]


def _link_local(id: str, says: str, topology: Topology, shows: str, *ask: str) -> Claim:
    return Claim(id, says, topology, shows, (ask[0], ask[1]), 6, link_local=True)


def _six() -> list[Claim]:
    l2, l3, bridge = six(ipvlan("l2")), six(ipvlan("l3")), six(macvlan("bridge"))
    small = SetMtu("host", 1200, "eth0")
    return [
        _link_local("own-l2-siblings", "l2: children share a MAC, but each gives itself an IPv6 address of its own, "
                    "and siblings reach each other by it", l2, "reply", "net1", "net2"),
        _link_local("own-l2-subnets", "l2: whatever their subnets, for a link has no subnets", l2, "reply",
                    "net1", "net3"),
        _link_local("own-l2-external", "l2: so does another machine on the switch", l2, "reply", "net1", "ext"),
        _link_local("own-l2-host", "l2: the host does not", l2, "host unreachable", "net1", "host"),
        _link_local("own-l2-far", "l2: nor does anybody behind a router", l2, "host unreachable", "net1", "far"),
        _link_local("own-l3-siblings", "l3: siblings reach each other by it too", l3, "reply", "net1", "net3"),
        _link_local("own-l3-external", "l3: nobody outside can answer: the question for a child's address is not "
                    "handed down", l3, "timeout", "net1", "ext"),
        _link_local("own-bridge-siblings", "bridge: children reach each other by it", bridge, "reply", "net1", "net2"),
        _link_local("own-bridge-host", "bridge: the host does not", bridge, "host unreachable", "net1", "host"),
        _link_local("own-passthru-host", "passthru: child and host have one MAC and so give themselves one address: "
                    "who asks for the other's gets an answer from itself",
                    world(macvlan("passthru"), net1="fd00:1::11/64"), "reply, TTL 64", "net1", "host"),
        Claim("own-gateway", "The router may be named by its own address, with the device it is on", l2.after(
              RemoveRoute("net1", Route("default6", dev="ipv1")),
              AddRoute("net1", Route("default6", via="fe80::ff:fe00:3", dev="ipv1"))), "reply", ("net1", "far"), 6),
        Claim("own-gateway-no-device", "Without the device it is refused: every link has such addresses", l2.after(
              AddRoute("net1", Route("fd00:9::/64", via="fe80::ff:fe00:3"))), "gateway-unreachable"),
        Claim("mtu-six-bridge", "bridge: with the parent's MTU below 1280 the children's shrinks too, and they lose "
              "IPv6", bridge.after(small), "network unreachable", ("net1", "net2"), 6),
        Claim("mtu-six-l2", "l2: the children's MTU shrinks without anybody being told, and they keep IPv6",
              l2.after(small), "reply", ("net1", "net2"), 6),
        Claim("mtu-six-l2-up", "l2: until they are set down and up", l2.after(
              small, LinkDown("net2"), LinkUp("net2")), "host unreachable", ("net1", "net2"), 6),
        Claim("mtu-six-back", "bridge: raising the MTU of parent and child again does not bring their addresses back",
              bridge.after(small, SetMtu("host", 1500, "eth0"), SetMtu("net1", 1500), SetMtu("net2", 1500)),
              "network unreachable", ("net1", "net2"), 6),
        _link_local("mtu-six-back-own", "bridge: but those they give themselves", bridge.after(
                    small, SetMtu("host", 1500, "eth0"), SetMtu("net1", 1500), SetMtu("net2", 1500)), "reply",
                    "net1", "net2"),
        Claim("mtu-six-address", "A device with an MTU below 1280 takes no IPv6 address",
              bridge.after(small, AddAddress("host", "fd00:1::99/64", "eth0")), "mtu-below-ipv6"),
        Claim("mtu-six-remove", "and none can be removed from it: it has dropped them all",
              bridge.after(small, RemoveAddress("host", "fd00:1::2/64", "eth0")), "address-without-ipv6"),
    ]


def _rules() -> list[Claim]:
    l2, l3, l3s, bridge = world(ipvlan("l2"), "gateway"), ipvlan("l3"), ipvlan("l3s"), world(macvlan("bridge"))
    back = AddRoute("ext", Route("10.0.2.0/24", via="10.0.1.2"))
    routed, symmetric = world(l3).after(back), world(l3s).after(back)
    everywhere = [Drop("host", hook) for hook in HOOKS]
    no_way_back = RemoveRoute("far", Route("default", via="10.0.9.1"))
    out, home = ("net3", "ext"), ("ext", "net3")
    kept = Endpoint("shim", l3, ("10.0.2.50/24",), child="shim", netns="host")
    shim = _also(world(l3, net1=NET1), kept).after(AddRoute("host", Route("10.0.9.0/24", dev="shim")),
                                                   Masquerade("shim"))
    return [
        Claim("rules-l2", "l2: no rule of the host sees a child's packets, on whichever hook it is",
              l2.after(*everywhere), "reply", ("net1", "far")),
        Claim("rules-macvlan", "macvlan: nor those of a macvlan child", bridge.after(*everywhere), "reply",
              ("net1", "ext")),
        Claim("rules-siblings", "l3s: nor does any see what siblings send each other",
              world(l3s).after(*everywhere), "reply", ("net1", "net2")),
        Claim("rules-forward", "l3s: FORWARD is never asked: nobody forwards",
              symmetric.after(Drop("host", "forward")), "reply", out),
        Claim("rules-output", "l3: what a child sends is the host's own OUTPUT, and the child is told that it did not "
              "get out", routed.after(Drop("host", "output")), "no buffers", out),
        Claim("rules-postrouting", "l3: the same in POSTROUTING", routed.after(Drop("host", "postrouting")),
              "no buffers", out),
        Claim("rules-input-l3", "l3: what comes for a child passes no hook of the host",
              routed.after(Drop("host", "prerouting"), Drop("host", "input")), "reply", out),
        Claim("rules-input-l3s", "l3s: it passes INPUT, and a rule there stops it",
              symmetric.after(Drop("host", "input")), "timeout", home),
        Claim("rules-prerouting-l3s", "l3s: and PREROUTING before", symmetric.after(Drop("host", "prerouting")),
              "timeout", home),
        Claim("rules-child-l3", "l3: a rule in the child's own INPUT stops what comes from outside",
              routed.after(Drop("net3", "input")), "timeout", home),
        Claim("rules-child-l3s", "l3s: it does not: what comes from outside has passed the host's INPUT instead",
              symmetric.after(Drop("net3", "prerouting"), Drop("net3", "input")), "reply", home),
        Claim("rules-child-l3s-sibling", "l3s: it stops what comes from a sibling",
              symmetric.after(Drop("net3", "input")), "timeout", ("net1", "net3")),
        Claim("rules-child-output", "Who is stopped by a rule of its own namespace is told that it is prohibited",
              l2.after(Drop("net1", "output")), "prohibited", ("net1", "net2")),
        Claim("rules-narrow", "A rule for UDP leaves a ping alone", l2.after(Drop("net1", "output", "udp")), "reply",
              ("net1", "net2")),
        Claim("masquerade-l3s", "l3s: a masquerading host lends its address, and no route back is needed",
              world(l3s).after(Masquerade("host")), "reply", out),
        Claim("masquerade-l3", "l3: the reply gets the child's address back only in the host's PREROUTING, behind the "
              "parent that should have handed it over", world(l3).after(Masquerade("host")), "timeout", out),
        Claim("masquerade-moved", "l3: a child kept in the host's namespace whose own device masquerades sends nothing "
              "outside: what was masqueraded for one device must not leave by another", shim, "no buffers",
              ("host", "far")),
        Claim("masquerade-router", "A masquerading router hides its subnets from who is behind it: no route back is "
              "needed", l2.after(no_way_back, Masquerade("router", "eth1")), "reply, TTL 63", ("net1", "far")),
        Claim("masquerade-not", "Without it nobody there knows the way back", l2.after(no_way_back), "timeout",
              ("net1", "far")),
    ]


def _refusals() -> list[Claim]:
    l2, bridge = world(ipvlan("l2"), net1=NET1), world(macvlan("bridge"), net1=NET1)
    far_gateway = AddRoute("net1", Route("10.0.8.0/24", via="10.0.9.1"))
    on_child = Endpoint("net2", macvlan("bridge"), (NET2,), host="net1", parent="ipv1", child="macv2")
    return [
        Claim("both-drivers", "ipvlan and macvlan children cannot share a parent",
              _also(l2, Endpoint("net2", macvlan("bridge"), (NET2,))), "parent-busy"),
        Claim("passthru-two", "A passthru child has no siblings", world(macvlan("passthru"), net1=NET1, net2=NET2),
              "passthru-alone"),
        Claim("address-twice-ipvlan", "ipvlan: siblings cannot have the same address",
              world(ipvlan("l2"), net1=NET1, net2=NET1), "address-on-sibling"),
        Claim("address-twice-macvlan", "macvlan: they can, and the kernel says nothing",
              world(macvlan("bridge"), net1=NET1, net2=NET1), "accepted"),
        Claim("address-of-host", "ipvlan: a child can take its host's own address, and the kernel says nothing",
              world(ipvlan("l2"), net1="10.0.1.2/24"), "accepted"),
        Claim("mac-of-ipvlan", "An ipvlan child's MAC cannot be set", l2.after(SetMac("net1", "02:00:00:00:00:99")),
              "mac-of-parent"),
        Claim("mac-of-macvlan", "A macvlan child's MAC can", bridge.after(SetMac("net1", "02:00:00:00:00:99")),
              "accepted"),
        Claim("mac-taken", "But not to that of its parent", bridge.after(SetMac("net1", "02:00:00:00:00:01")),
              "mac-taken"),
        Claim("mtu-macvlan", "macvlan: an MTU above the parent's is refused", bridge.after(SetMtu("net1", 9000)),
              "mtu-above-parent"),
        Claim("mtu-ipvlan", "ipvlan: it is accepted", l2.after(SetMtu("net1", 9000)), "accepted"),
        Claim("gateway-off-link", "A gateway that is on no subnet of the child's is refused",
              world(ipvlan("l2"), "none", net1=NET1).after(far_gateway), "gateway-unreachable"),
        Claim("gateway-by-device", "It is accepted once the default route is the device: that makes everything on-link",
              l2.after(far_gateway), "accepted"),
        Claim("macvlan-on-ipvlan", "An ipvlan child cannot be the parent of a macvlan child", _also(l2, on_child),
              "parent-cannot"),
        Claim("passthru-later", "No macvlan child becomes passthru later",
              bridge.after(SetMode("net1", macvlan("passthru"))), "passthru-fixed"),
        Claim("second-address", "A second address is no problem", l2.after(AddAddress("net1", "10.0.1.99/24")),
              "accepted"),
    ]


SECTIONS: dict[str, list[Claim]] = {
    "ipvlan": _ipvlan(), "macvlan": _macvlan(), "Changes and repairs": _changes(),
    "IPv6 of a device": _six(), "Rules of a firewall": _rules(),
    "What the kernel refuses, and what it does not": _refusals(),
}
CLAIMS = [claim for claims in SECTIONS.values() for claim in claims]


# -- the document

def document(cells: dict[str, dict[str, str]]) -> str:
    """Return docs/claims.md; ``cells`` holds for each kernel the outcome of each claim by its id."""
    lines = ["# What the kernel does: single claims", "",
             "Each line is asked of a real kernel by `tests/theory/test_claims.py`, and the theory must say the same.",
             "Names are those of the default world (`ipvkit/topology/world.py`); where nothing else is said, a child's",
             "default route is its device and the switch has hairpin off.", "",
             f"`{HOLDS}` the kernel shows it, `{NOT_ASKED}` the kernel lacks the driver; else what it shows instead.",
             "Made by `python -m tests.theory.claims`.", ""]
    for title, claims in SECTIONS.items():
        lines += [f"## {title}", "", "| claim | it says | asked | shows | " + " | ".join(cells) + " |",
                  "|---|---|---|---|" + "---|" * len(cells)]
        lines += [f"{row(claim)} " + " | ".join(found[claim.id] for found in cells.values()) + " |" for claim in claims]
        lines.append("")
    return "\n".join(lines)


def row(claim: Claim) -> str:
    """Return the part of a claim's line that does not come from a kernel."""
    return f"| `{claim.id}` | {claim.says} | {claim.question} | {claim.shows} |"


def measure(machine: str, say: Callable[[str], object] = print) -> tuple[str, dict[str, str]]:
    """Ask all claims of one machine; return its name with the kernel's version, and the cells of its column."""
    cells, kernel, lab = {claim.id: NOT_ASKED for claim in CLAIMS}, "", None
    try:
        for claim in CLAIMS:
            if machine == "native" and "ipvlan" in claim.topology.needs:
                continue
            if lab is None:
                lab = Lab(claim.topology, machine=machine, on_refusal="record")
            else:
                lab.rebuild(claim.topology)
            kernel = lab.machine.kernel
            found = claim.measured(lab)
            cells[claim.id] = HOLDS if found == claim.shows else found
            if found != claim.shows:
                say(f"{machine}: {claim.id} shows {found}, not {claim.shows}")
    finally:
        if lab:
            lab.close()
    return f"{MACHINES[machine]}, Linux {kernel.partition('-')[0]}", cells


def main() -> None:
    """Ask every kernel there is, and write the document."""
    columns: dict[str, dict[str, str]] = {}
    for machine in MACHINES:
        try:
            name, cells = measure(machine)
        except NoMachine as error:
            print(f"{machine}: {error}")
        else:
            columns[name] = cells
    DOCUMENT.write_text(document(columns), encoding="utf-8")


if __name__ == "__main__":
    main()
