"""What the kernel does with requests about addresses and routes (``ip addr``, ``ip route``), refusals included.

One function for each request. A refused one changes nothing and raises `No`.
"""

from __future__ import annotations

from ipvkit.theory.refuse import No
from ipvkit.theory.state import BITS, Address, Device, FibRoute, Namespace, is_link_local


def add_address(device: Device, text: str) -> None:
    """Add an address; of all ipvlan children of a parent, this one included, one may have it once: ipvlan_addr_busy.

    An IPv6 address is on a device once, whatever its prefix length; an IPv4 one once with each.
    """
    address = Address.parse(text)
    if address.family == 6 and device.without_ipv6:
        if device.too_small_for_ipv6:
            raise No("mtu-below-ipv6", "ipv6-needs-mtu")
        device.without_ipv6 = False  # ipv6_find_idev
    there = [a for a in device.addresses if a.value == address.value and address.family in (6, a.family)]
    if any(address.family == 6 or a.prefix == address.prefix for a in there):
        raise No("address-exists", "address-once-on-device")
    if device.kind == "ipvlan":
        for child in device.parent_port.children:
            if any(a.value == address.value for a in child.addresses):
                raise No("address-on-sibling", "address-once-on-ipvlan-parent")
    device.addresses.append(address)
    if device.up:
        connect(device, address)


def remove_address(device: Device, text: str) -> None:
    """Remove an address, its subnet's route, what was added after it in the same subnet, and routes that need it.

    A later IPv4 address in the subnet of an earlier one is secondary and goes with it (promote_secondaries is 0); the
    last IPv4 address of a device takes all IPv4 routes through it along (fib_disable_ip).
    """
    address = Address.parse(text)
    if address.family == 6 and device.without_ipv6:
        raise No("address-without-ipv6", "address-needs-ipv6")
    if address not in device.addresses:
        raise No("address-missing", "address-must-be-there")
    subnet = [a for a in device.addresses if (a.network, a.prefix, a.family) == (
        address.network, address.prefix, address.family)]
    gone = subnet if address is subnet[0] or address == subnet[0] else [address]
    gone = gone if address.family == 4 else [address]
    device.addresses = [a for a in device.addresses if a not in gone]
    _forget_sources(device.netns)
    if address.family == 4 and not any(a.family == 4 for a in device.addresses):
        drop_routes(device, 4)


def drop_addresses(device: Device) -> None:
    """Take every address off a device."""
    device.addresses, device.link_local = [], 0
    drop_routes(device)
    _forget_sources(device.netns)


def drop_ipv6(device: Device) -> None:
    """Take every IPv6 address off a device: addrconf_ifdown."""
    device.link_local = 0
    device.addresses = [address for address in device.addresses if address.family == 4]
    drop_routes(device, 6)
    _forget_sources(device.netns)


def drop_routes(device: Device, family: int = 0) -> None:
    """Remove the routes through a device (of one family)."""
    netns = device.netns
    netns.routes = [r for r in netns.routes if r.device is not device or family not in (0, r.family)]


def _forget_sources(netns: Namespace) -> None:
    """Remove routes whose source address is gone: fib_sync_down_addr."""
    there = {(a.value, a.prefix) for device in netns.devices.values() for a in device.addresses}
    netns.routes = [r for r in netns.routes if r.source is None or (r.source, r.prefix) in there]


def add_route(netns: Namespace, family: int, network: int, prefix: int, gateway: int | None, device: Device | None,
              kind: str) -> None:
    """Add a route to the main table: fib_check_nh wants its gateway on a connected subnet and its device up."""
    if family == 6 and device is not None and device.without_ipv6:
        raise No("device-missing", "route-needs-ipv6")
    if kind == "unicast":
        if device is None:
            assert gateway is not None
            device = _device_towards(netns, gateway, family)
        if not device.up:
            raise No("route-device-down", "route-needs-device-up")
        if gateway is not None:
            _refuse_far_gateway(netns, gateway, family, device)
    # a connected IPv6 route has another metric than one that is added
    taken = [(r.family, r.network, r.prefix) for r in netns.routes if family == 4 or r.source is None]
    if (family, network, prefix) in taken:
        raise No("route-exists", "route-once")
    own = family == 4 and gateway is not None and _own(netns, gateway) is not None
    netns.routes.append(FibRoute(family, network, prefix, kind, gateway, device, gateway_is_own=own))


def remove_route(netns: Namespace, family: int, network: int, prefix: int, gateway: int | None,
                 device: Device | None, kind: str) -> None:
    """Remove the first route to a destination that goes through the gateway and device named.

    IPv4 compares the kind as well (fib_table_delete); IPv6 does not, and takes the smallest metric first.
    """
    for route in sorted(netns.routes, key=lambda route: family == 6 and route.source is None):
        same = (route.family, route.network, route.prefix) == (family, network, prefix)
        same = same and (family == 6 or route.kind == kind)
        if same and gateway in (None, route.gateway) and device in (None, route.device):
            netns.routes.remove(route)
            return
    raise No("route-missing", "route-must-be-there")


def connect(device: Device, address: Address) -> None:
    """Add the route to an address's own subnet: fib_add_ifaddr. A single address has none."""
    if address.prefix < BITS[address.family]:
        device.netns.routes.append(FibRoute(address.family, address.network, address.prefix, "unicast", None, device,
                                            address.value))


def _on_link(netns: Namespace, gateway: int, family: int) -> list[FibRoute]:
    rows = [r for r in netns.routes if r.family == family and r.kind == "unicast" and r.covers(gateway)]
    longest = max((r.prefix for r in rows), default=0)
    return [r for r in rows if r.prefix == longest and r.gateway is None]


def _own(netns: Namespace, gateway: int) -> Device | None:
    return next((d for d in netns.devices.values() for a in d.addresses if a.value == gateway), None)


def _device_towards(netns: Namespace, gateway: int, family: int) -> Device:
    own = _own(netns, gateway) if family == 4 else None
    if own is not None:
        return own  # IPv4 takes one's own address for a gateway
    for row in _on_link(netns, gateway, family) if not is_link_local(gateway) else ():  # every link has such addresses
        if row.device is not None:
            return row.device
    raise No("gateway-unreachable", "gateway-on-link")


def _refuse_far_gateway(netns: Namespace, gateway: int, family: int, device: Device) -> None:
    if is_link_local(gateway):  # on every link, and only there: ip6_validate_gw asks no more than the device
        if gateway in device.values:
            raise No("gateway-unreachable", "gateway-on-link")
        return
    own = _own(netns, gateway)
    if own is not None and (family == 6 or own is device):
        if family == 6:
            raise No("gateway-unreachable", "gateway-on-link")
        return
    if not any(row.device is device for row in _on_link(netns, gateway, family)):
        raise No("gateway-unreachable", "gateway-on-link")
