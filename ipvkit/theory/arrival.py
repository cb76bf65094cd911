"""What arrives without an answer having to come back: datagrams, broadcast, multicast; MACs and hooks on the way.

The functions mirror the lab's instruments ``deliver``, ``broadcast``, ``multicast``, ``mac_budget`` and
``hooks``.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from ipvkit.theory.exchange import Exchange
from ipvkit.theory.firewall import Firewall
from ipvkit.theory.frames import Frame, Packet, Point
from ipvkit.theory.judge import Verdict, judge
from ipvkit.theory.link import Carriage, Fdb
from ipvkit.theory.prediction import Theory, known_family
from ipvkit.theory.rules import RULES
from ipvkit.theory.sources import select_address
from ipvkit.theory.state import BROADCAST, Device, Namespace
from ipvkit.topology import Topology

#: A MAC that stands for a multicast group: every device of the lab is taken to be a member.
GROUP = "01:00:5e:00:00:01"
LIMITED_BROADCAST = 0xFFFFFFFF
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")


@dataclass(frozen=True)
class Receivers:
    """Who receives what ``source`` sends to all: names in the topology's order, each with the ``rules`` on its way.

    ``verdict`` is the error the sender sees at once, or "".
    """

    source: str
    received: tuple[str, ...]
    rules: dict[str, tuple[str, ...]]
    verdict: str = ""

    def __repr__(self) -> str:
        """Return one line."""
        said = f" ({self.verdict})" if self.verdict else ""
        return f"predicted to receive it from {self.source}: {', '.join(self.received) or 'nobody'}{said}"


def predict_delivery(topology: Topology, source: str, destination: str, kernel: str = "6.1",
                     family: int = 4) -> Verdict:
    """Return what becomes of a UDP datagram to a name's first address: arrived, lost, or what the sender is told.

    Raises KeyError for a name the topology does not have, ValueError if the target has no address of the family.
    """
    theory = Theory(topology, kernel)
    origin, target = (theory.world.namespaces[topology.netns(name)] for name in (source, destination))
    exchange = Exchange(theory.neighbourhood, origin)
    exchange.run(_address(theory, destination, family), family, "datagram", target)
    return theory.within_domain(exchange, judge(exchange, theory.world), family)


def _address(theory: Theory, name: str, family: int) -> int:
    found = theory.first_address(name, known_family(family))
    if found is None:
        raise ValueError(f"{name} has no IPv{family} address: give it one, or ask for the other family")
    return found


def predict_broadcast(topology: Topology, source: str, kernel: str = "6.1") -> Receivers:
    """Return who receives a datagram to 255.255.255.255 that ``source`` sends out of its own device."""
    return _spread(Theory(topology, kernel), source, BROADCAST, LIMITED_BROADCAST, 4)


def predict_multicast(topology: Topology, source: str, group: str = "224.0.0.1", kernel: str = "6.1") -> Receivers:
    """Return who receives a datagram to ``group``, of which every device is a member. ValueError for no group."""
    address = ip_address(group)
    if not address.is_multicast:
        raise ValueError(f"group: {group} is not a multicast address: write 224.0.0.1 or ff02::1")
    return _spread(Theory(topology, kernel), source, GROUP, int(address), address.version)


def _spread(theory: Theory, source: str, mac: str, destination: int, family: int) -> Receivers:
    topology = theory.topology
    netns = theory.world.namespaces[topology.netns(source)]
    device = netns.devices.get(topology.device(source))
    if device is None:  # deleted, moved away, or never made
        return Receivers(source, (), {}, "no such device")
    if not device.up or (family == 6 and not device.link_local):  # ip_route_output_key_hash_rcu, addrconf_add_mroute
        return Receivers(source, (), {}, "network unreachable")
    packet = Packet("datagram", _source_for_all(netns, device, destination, family), destination, family)
    firewall = Firewall()
    if dropped := firewall.stops(netns, packet, "output", "postrouting"):
        return Receivers(source, (), {}, RULES[dropped].sender_sees)
    packet, dropped = firewall.leaving(netns, packet, device, destination)
    if dropped:
        return Receivers(source, (), {}, RULES[dropped].sender_sees)
    journey = Carriage({}).send(device, Frame(device.mac, mac, packet), Point(None, device, "sends"))
    trails = {delivery.device: delivery.trail for delivery in journey.deliveries
              if delivery.device is not device and not _from_oneself(packet, delivery.device)
              and not firewall.stops(delivery.device.netns, packet, "prerouting", "input")}
    places = _places(topology)
    rules = {places[found.netns.name, found.name]: tuple(_rules(trail)) for found, trail in trails.items()
             if (found.netns.name, found.name) in places}
    errors = [RULES[loss.rule].sender_sees for loss in journey.losses if loss.device is device]
    errors = [error for error in errors if error != "no buffers"]  # udp_send_skb tells only who asked with IP_RECVERR
    received = tuple(name for name in topology.names if name in rules and name != source)
    return Receivers(source, received, rules, next(filter(None, errors), ""))


def _source_for_all(netns: Namespace, device: Device, destination: int, family: int) -> int:
    """Return the source of what is sent to all: for an IPv6 group of this link the link-local address (RFC 6724, 5)."""
    of_this_link = family == 6 and (destination >> 112) & 0xF <= 2  # the group's scope: RFC 4291, 2.7
    return (of_this_link and device.link_local) or select_address(netns, device, destination, family)


def _from_oneself(packet: Packet, device: Device) -> bool:
    """IPv4 drops what claims to come from one of the receiver's own addresses (martian source)."""
    return packet.family == 4 and packet.source in device.netns.local


def _rules(trail: Point | None) -> list[str]:
    found = []
    while trail is not None:
        found.append(trail.rule)
        trail = trail.before
    return found[::-1][1:]


def _places(topology: Topology) -> dict[tuple[str, str], str]:
    """Return whose device each is: an endpoint's child, a host's NIC or VLAN."""
    found = {(host.name, part.name): host.name for host in topology.hosts for part in host.interfaces}
    found |= {(host.name, vlan.name): host.name for host in topology.hosts for vlan in host.vlans}
    return found | {(endpoint.netns, endpoint.child): endpoint.name for endpoint in topology.all_endpoints}


def predict_macs(topology: Topology, listener: str, kernel: str = "6.1", family: int = 4) -> dict[str, tuple[str, ...]]:
    """Return the MACs each switch port (``switch.p1``) learns when every name sends one datagram to ``listener``."""
    theory = Theory(topology, kernel)
    target = _address(theory, listener, family)
    learned: Fdb = {}
    for name in topology.names:
        exchange = Exchange(theory.neighbourhood, theory.world.namespaces[topology.netns(name)])
        exchange.run(target, family, "datagram")
        learned |= exchange.fdb
    found: dict[str, set[str]] = {}
    for (switch, _, mac), port in learned.items():
        found.setdefault(f"{switch}.{port.name}", set()).add(mac)
    return {port: tuple(sorted(macs)) for port, macs in sorted(found.items())}


def predict_hooks(topology: Topology, source: str, destination: str, kernel: str = "6.1") -> dict[str, tuple[str, ...]]:
    """Return the netfilter hooks that a UDP datagram passes, by namespace, ICMP errors about it included. IPv4.

    Source: NF_HOOK in net/ipv4 ip_output.c, ip_input.c, ip_forward.c; an l3 child's packet is the parent's namespace's
    own (ip_local_out), an l3s child's arrives through that namespace's INPUT (ipvlan_nf_input).
    """
    theory = Theory(topology, kernel)
    origin = theory.world.namespaces[topology.netns(source)]
    exchange = Exchange(theory.neighbourhood, origin, keep=True)
    exchange.run(_address(theory, destination, 4), 4, "datagram")
    passed = exchange.firewall.passed
    return {netns.name: tuple(hook for hook in HOOKS if hook in hooks) for netns, hooks in passed.items()}
