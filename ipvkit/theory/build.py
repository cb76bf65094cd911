"""From a topology to the state its kernel would be in: the requests in the order a plan makes them, then the changes.

The order is the documented one of ``ipvkit.plan`` (namespaces, switches, wires, VLANs, hosts, children, their
addresses, up, routes); that both agree is what the conformance tests see. A refused request is noted and left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from ipvkit.theory import addressing, links
from ipvkit.theory.refuse import No
from ipvkit.theory.state import Device, Namespace, SwitchPort, World
from ipvkit.topology import Endpoint, Host, Interface, Port, Route, Switch, Topology


@dataclass(frozen=True)
class Refusal:
    """A request the kernel is predicted to refuse: an ``identifier`` of ``ipvkit.refusals``, the ``rule``, and what."""

    identifier: str
    rule: str
    request: str


@dataclass
class Builder:
    """Makes requests and notes which are refused."""

    topology: Topology
    world: World = field(default_factory=World)
    refusals: list[Refusal] = field(default_factory=list)
    absent: set[tuple[str, str]] = field(default_factory=set)

    def attempt(self, request: str, do: Callable[[], object], uses: tuple[str, str],
                makes: tuple[str, str] | None = None) -> None:
        """Make one request; ``request`` says it in words, ``uses`` and ``makes`` are devices as (netns, device).

        A request about a device that was refused when it should have been made is left out.
        """
        try:
            if uses not in self.absent:
                do()
                return
        except No as no:
            self.refusals.append(Refusal(no.identifier, no.rule, request))
        if makes:
            self.absent.add(makes)

    def netns(self, name: str) -> Namespace:
        """Return a namespace, made with its lo if it is not there yet."""
        if name not in self.world.namespaces:
            netns = self.world.namespaces[name] = Namespace(name)
            netns.devices["lo"] = Device("lo", netns, "lo", up=True)
        return self.world.namespaces[name]

    # -- the declaration

    def build(self) -> None:
        """Make everything declared (without the changes)."""
        topology = self.topology
        self.world.ipv6 = 6 in topology.families
        for name in [h.name for h in topology.hosts] + [s.name for s in topology.switches]:
            self.netns(name)
        for endpoint in topology.endpoints:
            self.netns(endpoint.netns)
        for host in topology.hosts:
            self.netns(host.name).forwarding = host.forwarding
            for nic in host.interfaces:
                self._nic(host, nic)
        self._wires()
        for host in topology.hosts:
            self._host(host)
        for endpoint in topology.endpoints:
            self.child(endpoint)
        for endpoint in topology.endpoints:
            self.settle(endpoint)
        for host in topology.hosts:
            for route in host.routes:
                self.route(host.name, route)
        for endpoint in topology.endpoints:
            self.routes(endpoint)

    def _nic(self, host: Host, nic: Interface) -> None:
        kind = "veth" if (host.name, nic.name) in self.topology.wires else "dummy"
        device = Device(nic.name, self.netns(host.name), kind, nic.mac, mtu=nic.mtu)
        links.add_device(device.netns, device)

    def _wires(self) -> None:
        for switch in self.topology.switches:
            netns = self.netns(switch.name)
            bridge = links.add_device(netns, Device("br0", netns, "bridge", up=True))
            for port in switch.ports:
                settings = switch_port(netns, bridge, switch, port)
                end = Device(switch.port_device(port), netns, "veth", up=True, bridge=settings)
                links.add_device(netns, end)
                _plug(end, self.netns(port.host).devices[port.interface])
        for cable in self.topology.cables:
            (a_host, a_device), (b_host, b_device) = cable.ends
            _plug(self.netns(a_host).devices[a_device], self.netns(b_host).devices[b_device])

    def _host(self, host: Host) -> None:
        netns = self.netns(host.name)
        for vlan in host.vlans:
            parent = netns.devices[vlan.parent]
            device = Device(vlan.name, netns, "vlan", parent.mac, mtu=parent.mtu, lower=parent, vlan=vlan.id,
                            carrier=parent.carrier)
            links.add_device(netns, device)
            parent.vlans[vlan.id] = device
        addressed = [(nic.name, nic.addresses) for nic in host.interfaces]
        addressed += [(vlan.name, vlan.addresses) for vlan in host.vlans]
        for name, addresses in addressed:
            for address in addresses:
                self.address(netns, name, address)
        for name in [nic.name for nic in host.interfaces if nic.up] + [vlan.name for vlan in host.vlans]:
            self.up(netns, name)

    # -- endpoints

    def child(self, endpoint: Endpoint) -> None:
        """Make an endpoint's child."""
        place = self.netns(self.topology.netns(endpoint.host))
        netns, driver = self.netns(endpoint.netns), endpoint.driver
        device = Device(endpoint.child, netns, driver.kind, endpoint.mac)
        mode = driver.mode, driver.flag
        self.attempt(f"{place.name}: add {endpoint.child} on {endpoint.parent}",
                     lambda: links.add_child(links.find(place, endpoint.parent), device, netns, *mode),
                     uses=(place.name, endpoint.parent), makes=(netns.name, endpoint.child))

    def settle(self, endpoint: Endpoint) -> None:
        """Give an endpoint its addresses and set it up."""
        netns = self.netns(endpoint.netns)
        for address in endpoint.addresses:
            self.address(netns, endpoint.child, address)
        if endpoint.up:
            self.up(netns, endpoint.child)

    def address(self, netns: Namespace, device: str, address: str) -> None:
        """Add an address to a device."""
        self.attempt(f"{netns.name}: add {address} to {device}",
                     lambda: addressing.add_address(links.find(netns, device), address), uses=(netns.name, device))

    def up(self, netns: Namespace, device: str) -> None:
        """Set a device up."""
        self.attempt(f"{netns.name}: set {device} up",
                     lambda: links.set_up(links.find(netns, device), self.world.ipv6), uses=(netns.name, device))

    def routes(self, endpoint: Endpoint) -> None:
        """Give an endpoint its routes."""
        for route in endpoint.routes:
            self.route(endpoint.netns, route)

    def route(self, name: str, route: Route, add: bool = True) -> None:
        """Add a route to a namespace, or remove it."""
        netns = self.netns(name)
        gateway = None if route.via is None else int(ip_address(route.via))
        network = ip_network({"default": "0.0.0.0/0", "default6": "::/0"}.get(route.to, route.to))
        value = int(network.network_address)

        def make() -> None:
            device = links.find(netns, route.dev) if route.dev else None
            if add:
                addressing.add_route(netns, route.family, value, network.prefixlen, gateway, device, route.kind)
            else:
                addressing.remove_route(netns, route.family, value, network.prefixlen, gateway, device, route.kind)

        self.attempt(f"{name}: {'add' if add else 'remove'} a route to {route.to}", make,
                     uses=(netns.name, route.dev or ""))


def switch_port(netns: Namespace, bridge: Device, switch: Switch, port: Port) -> SwitchPort:
    """Return a port's settings; a switch that is not VLAN-aware filters nothing."""
    vlans = dict.fromkeys(port.tagged, False)
    if port.untagged is not None:
        vlans[port.untagged] = True
    return SwitchPort(netns, bridge, port.hairpin, port.learning, port.locked, port.untagged or 0,
                      vlans if switch.vlan_aware else None)


def _plug(a: Device, b: Device) -> None:
    a.peer, b.peer = b, a
    a.carrier = b.carrier = False
