"""What a kernel may refuse, in words: identifier to reason and fix. No conditions live here.

Two halves use the identifiers and reach them independently: theory by its rules, the lab by errno, extended ack and
what netlink shows. Imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why the kernel says no (``because``), what to do instead (``fix``), and its usual ``errno`` by name."""

    because: str
    fix: str
    errno: str


REFUSALS: dict[str, Reason] = {
    "device-missing": Reason("There is no such device in this namespace (any more).",
                             "Look with `ip link`; a child vanishes with its parent.", "ENODEV"),
    "name-taken": Reason("A device of this name is in that namespace already.", "Give it another name.", "EEXIST"),
    "parent-busy": Reason(
        "The parent serves another driver already: it has one receive handler, and ipvlan children, macvlan children "
        "or a bridge hold it.", "Use one driver for each parent, or a VLAN sub-interface as a second parent.", "EBUSY"),
    "parent-cannot": Reason("This device cannot be a parent: lo is no Ethernet device, and an ipvlan child takes no "
                            "receive handler.", "Sit on the real NIC.", "EINVAL"),
    "passthru-alone": Reason("macvlan passthru gives the whole parent to one child, so there can be no other.",
                             "Delete the other children first, or use another mode.", "EINVAL"),
    "passthru-fixed": Reason("A macvlan child cannot be changed to or from passthru.", "Delete it and create it anew.",
                             "EINVAL"),
    "address-on-sibling": Reason(
        "Another ipvlan child of this parent has the address; ipvlan tells its children apart by address alone.",
        "Give each child its own address.", "EADDRINUSE"),
    "address-exists": Reason("The device has this address already.", "Leave it out.", "EEXIST"),
    "address-missing": Reason("The device does not have this address.", "Look with `ip addr`.", "EADDRNOTAVAIL"),
    "mtu-below-ipv6": Reason("An MTU below 1280 is too small for IPv6 (RFC 8200): the device takes no IPv6 address.",
                             "Give it a larger MTU first.", "EINVAL"),
    "address-without-ipv6": Reason("The device has dropped IPv6, addresses and all: its MTU was below 1280 (RFC 8200).",
                                   "There is nothing to remove; for IPv6, give it a larger MTU.", "ENXIO"),
    "mac-taken": Reason("The parent or another child of it has this MAC; macvlan tells its children apart by MAC.",
                        "Give each child its own MAC.", "EADDRINUSE"),
    "mac-of-parent": Reason("An ipvlan child has its parent's MAC: it cannot be set on the child.",
                            "Set it on the parent, or use macvlan.", "EOPNOTSUPP"),
    "gateway-unreachable": Reason("No device of the namespace is on the gateway's subnet.",
                                  "First add an address in that subnet, or a route to the gateway through a device.",
                                  "ENETUNREACH"),
    "route-device-down": Reason("The device the route goes through is down.", "Set it up first.", "ENETDOWN"),
    "route-exists": Reason("There is a route to this destination already.", "Replace it, or delete it first.",
                           "EEXIST"),
    "route-missing": Reason("There is no such route.", "Look with `ip route`.", "ESRCH"),
    "mtu-above-parent": Reason("A macvlan child or VLAN sub-interface cannot have a larger MTU than its parent.",
                               "Raise the parent's first.", "EINVAL"),
    "mtu-out-of-range": Reason("The device does not take this MTU.", "Look with `ip -d link`: minmtu, maxmtu.",
                               "EINVAL"),
    "parent-down": Reason("A VLAN sub-interface cannot be set up while its parent is down.", "Set the parent up first.",
                          "ENETDOWN"),
    "vlan-on-ipvlan": Reason("ipvlan children take no VLAN sub-interfaces.", "Put the VLAN below: on the parent.",
                             "EOPNOTSUPP"),
    "netns-taken": Reason("A namespace of this name is there already.", "Give it another name.", "EEXIST"),
    "namespaces-used-up": Reason("This machine allows no more network namespaces: user.max_net_namespaces, or memory.",
                                 "Use fewer endpoints, or close other labs.", "ENOSPC"),
    "no-vlan-filtering": Reason("This kernel's bridge cannot filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING).",
                                "Use another machine: IPVKIT_MACHINE=uml.", "EOPNOTSUPP"),
    "no-iptables": Reason("This kernel has no iptables-legacy, or not this table or target of it.",
                          "Use another machine: IPVKIT_MACHINE=uml.", "ENOPROTOOPT"),
    "not-permitted": Reason("The kernel does not permit it, not even to root in this lab.", "Look at the console.",
                            "EACCES"),
    "not-explained": Reason("The kernel gives no reason this kit knows.", "Look at errno and the kernel's sentence.",
                            ""),
}
