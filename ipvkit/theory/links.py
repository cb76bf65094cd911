"""What the kernel does with requests about devices (``ip link``), refusals included.

One function for each request. A refused one changes nothing and raises `No`. A device tells those above it when it goes
up or down or its carrier changes (the kernel's notifier chain), and the drivers listen to different news: that alone
decides what a child can still do when its parent is down.
"""

from __future__ import annotations

from ipvkit.theory import addressing
from ipvkit.theory.refuse import No
from ipvkit.theory.state import Device, Namespace, Port, link_local

LEAST_MTU = 68
MOST_MTU = {"veth": 65535, "ipvlan": 65535, "vlan": 65535}

#: To which news of its parent a driver's device listens: ipvlan_device_event, macvlan_device_event, vlan_device_event.
LISTENS = {"ipvlan": ("up", "change"), "macvlan": ("up", "down", "change"), "vlan": ("up", "down", "change")}


def find(netns: Namespace, name: str) -> Device:
    """Return a device by name, or refuse."""
    if name not in netns.devices:
        raise No("device-missing", "no-such-device")
    return netns.devices[name]


def add_device(netns: Namespace, device: Device) -> Device:
    """Put a device into a namespace; a name is there once."""
    if device.name in netns.devices:
        raise No("name-taken", "name-once")
    device.netns, device.without_ipv6 = netns, device.too_small_for_ipv6
    netns.devices[device.name] = device
    return device


def add_child(parent: Device, device: Device, netns: Namespace, mode: str, flag: str) -> None:
    """Make a child of ``parent`` in ``netns``: ipvlan_link_new, macvlan_common_newlink."""
    if parent.kind == device.kind:
        parent = parent.parent  # a child of a child sits on the same parent
    elif parent.kind in ("ipvlan", "lo"):
        raise No("parent-cannot", "child-on-ipvlan-child")
    if parent.bridge or (parent.port and parent.port.kind != device.kind):
        raise No("parent-busy", "one-receive-handler")
    port = parent.port or Port(device.kind)
    if device.kind == "macvlan" and port.children and (port.passthru or mode == "passthru"):
        raise No("passthru-alone", "passthru-is-alone")
    if device.name in netns.devices:
        raise No("name-taken", "name-once")
    device.lower, device.mode, device.mtu = parent, mode, parent.mtu
    device.carrier = parent.carrier
    if device.kind == "ipvlan" or mode == "passthru":
        device.mac = parent.mac
    parent.port = port
    port.children.append(device)
    device.number = len(port.children) if device.kind == "ipvlan" else 0
    add_device(netns, device)
    if device.kind == "ipvlan":
        set_ipvlan_mode(port, mode, flag)


def set_ipvlan_mode(port: Port, mode: str, flag: str) -> None:
    """Set mode and flag of an ipvlan port, that is of all its children: ipvlan_set_port_mode."""
    port.mode, port.flag = mode, flag


def set_mode(device: Device, mode: str, flag: str) -> None:
    """Set a child's mode: ipvlan_nl_changelink, macvlan_changelink."""
    if device.kind == "ipvlan":
        set_ipvlan_mode(device.parent_port, mode, flag)
    elif (mode == "passthru") != (device.mode == "passthru"):
        raise No("passthru-fixed", "passthru-is-fixed")
    else:
        device.mode = mode


def set_up(device: Device, ipv6: bool) -> None:
    """Set a device up: its subnets become routes. A macvlan child whose MAC is taken cannot be set up.

    A cable has a carrier once both ends are up (veth_open).
    """
    if device.up:
        return
    if device.kind == "vlan" and not device.parent.up:
        raise No("parent-down", "vlan-needs-parent-up")
    if device.kind == "macvlan" and device.mode != "passthru":
        refuse_taken_mac(device, device.mac)
    device.up = True
    if device.kind == "vlan":
        device.carrier = device.parent.carrier
    if device.kind == "veth" and device.peer and device.peer.up:
        device.carrier = True
        change_carrier(device.peer, True, ipv6)
    for address in device.addresses:
        addressing.connect(device, address)
    _get_ready(device, ipv6)
    _tell(device, "up", ipv6)


def set_down(device: Device, ipv6: bool) -> None:
    """Set a device down: every route through it goes and does not come back; so do its IPv6 addresses."""
    if not device.up:
        return
    device.up = False
    addressing.drop_routes(device)
    device.link_local = 0
    device.addresses = [address for address in device.addresses if address.family == 4]  # keep_addr_on_down is 0
    if device.kind in ("veth", "vlan"):
        device.carrier = False
    if device.kind == "veth" and device.peer:
        change_carrier(device.peer, False, ipv6)
    _tell(device, "down", ipv6)


def change_carrier(device: Device, carrier: bool, ipv6: bool) -> None:
    """Give a device a carrier or take it; only a device that is up passes the news on (linkwatch_do_dev)."""
    if device.carrier == carrier:
        return
    device.carrier = carrier
    if device.up:
        _get_ready(device, ipv6)
        _tell(device, "change", ipv6)


def _get_ready(device: Device, ipv6: bool) -> None:
    """Make the link-local address once the device is up and has a carrier: addrconf_dev_config.

    At this moment the kernel also looks at the MTU.
    """
    if not (ipv6 and device.carrier) or device.link_local or device.kind == "lo" or device.bridge:
        return
    _look_at_mtu(device)
    if not device.without_ipv6:
        device.link_local = link_local(device.mac, device.number)


def _tell(device: Device, news: str, ipv6: bool) -> None:
    above = [*device.vlans.values(), *(device.port.children if device.port else ())]
    for upper in above:
        if upper.kind == "vlan" and news == "down":
            set_down(upper, ipv6)
        elif upper.kind == "vlan" and news == "up":
            set_up(upper, ipv6)
        elif news in LISTENS[upper.kind]:
            change_carrier(upper, device.carrier, ipv6)


def refuse_taken_mac(device: Device, mac: str) -> None:
    """Refuse a MAC that the parent or a sibling that is up has: macvlan_addr_busy."""
    siblings = [child for child in device.parent_port.children if child.up and child is not device]
    if mac in [device.parent.mac, *(child.mac for child in siblings)]:
        raise No("mac-taken", "mac-is-unique-on-parent")


def remove(device: Device, ipv6: bool) -> None:
    """Delete a device, what sits on it, and the far end of its cable."""
    for upper in [*device.vlans.values(), *(device.port.children if device.port else ())]:
        remove(upper, ipv6)
    set_down(device, ipv6)
    if device.kind == "vlan":
        device.parent.vlans.pop(device.vlan, None)
    elif device.lower is not None:
        device.parent_port.children.remove(device)
        if not device.parent_port.children:
            device.parent.port = None
    addressing.drop_addresses(device)
    device.netns.devices.pop(device.name, None)
    peer, device.peer = device.peer, None
    if peer is not None:
        peer.peer = None
        remove(peer, ipv6)


def move(device: Device, netns: Namespace, ipv6: bool) -> None:
    """Move a device into another namespace: it arrives down, without addresses and routes; its children stay."""
    if netns is device.netns:
        return
    if device.name in netns.devices:
        raise No("name-taken", "name-once")
    set_down(device, ipv6)
    addressing.drop_addresses(device)
    del device.netns.devices[device.name]
    device.netns, device.without_ipv6 = netns, device.too_small_for_ipv6
    netns.devices[device.name] = device


def set_mac(device: Device, mac: str) -> None:
    """Set a MAC; ipvlan children and VLAN sub-interfaces have their parent's and follow it."""
    if device.kind == "ipvlan":
        raise No("mac-of-parent", "ipvlan-mac-is-the-parents")
    if device.mac == mac:
        return
    if device.kind == "macvlan" and device.mode == "passthru":
        set_mac(device.parent, mac)
        return
    if device.kind == "macvlan":
        refuse_taken_mac(device, mac)
    _take_mac(device, mac)


def _take_mac(device: Device, mac: str) -> None:
    device.mac = mac
    for sub in device.vlans.values():
        if sub.up:
            _take_mac(sub, mac)
    for child in device.port.children if device.port else ():
        if child.kind == "ipvlan" or child.mode == "passthru":
            child.mac = mac


def _look_at_mtu(device: Device) -> None:
    """Take IPv6 from a device with an MTU below 1280, or give it back, without the addresses: addrconf_notify."""
    device.without_ipv6 = device.too_small_for_ipv6
    if device.without_ipv6:
        addressing.drop_ipv6(device)


def set_mtu(device: Device, mtu: int, ipv6: bool) -> None:
    """Set an MTU; macvlan children and VLAN sub-interfaces shrink with their parent, ipvlan children always have its.

    ipvlan writes the number without telling anybody (ipvlan_adjust_mtu): its children keep IPv6 when others lose it.
    """
    if mtu < LEAST_MTU or mtu > MOST_MTU.get(device.kind, 65535):
        raise No("mtu-out-of-range", "mtu-range")
    if device.kind in ("macvlan", "vlan") and mtu > device.parent.mtu:
        raise No("mtu-above-parent", "mtu-at-most-parents")
    _take_mtu(device, mtu, ipv6)


def _take_mtu(device: Device, mtu: int, ipv6: bool) -> None:
    if device.mtu == mtu:
        return
    device.mtu, had_ipv6 = mtu, not device.without_ipv6
    _look_at_mtu(device)
    if device.up and not had_ipv6:
        _get_ready(device, ipv6)
    for upper in [*(device.port.children if device.port else ()), *device.vlans.values()]:
        if upper.kind == "ipvlan":
            upper.mtu = mtu
        elif upper.mtu > mtu:
            _take_mtu(upper, mtu, ipv6)
