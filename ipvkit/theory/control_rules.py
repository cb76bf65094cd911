"""What the kernel does with requests: what it refuses, and what it accepts with an effect one may not expect.

Imports nothing of ours but the shape of a rule.
"""

from ipvkit.theory.rule import Rule, table

_IPVLAN = "drivers/net/ipvlan/ipvlan_main.c"
_MACVLAN = "drivers/net/macvlan.c"

REQUESTS = table(
    Rule("no-such-device", "A device that is not there cannot be changed", "net/core/rtnetlink.c rtnl_dev_get"),
    Rule("name-once", "A device's name is in a namespace once", "net/core/dev.c register_netdevice"),
    Rule("one-receive-handler", "A device has one receive handler: one driver's children, or a bridge",
         f"net/core/dev.c netdev_rx_handler_register; {_IPVLAN} ipvlan_link_new; {_MACVLAN} macvlan_port_create",
         "3.19"),
    Rule("child-on-ipvlan-child",
         "An ipvlan child takes no receive handler, so only ipvlan children can be made of it",
         f"{_IPVLAN} ipvlan_link_new (IFF_NO_RX_HANDLER)", "4.14"),
    Rule("passthru-is-alone", "A passthru child is the only child of its parent",
         f"{_MACVLAN} macvlan_common_newlink"),
    Rule("passthru-is-fixed", "No child can be changed to or from passthru", f"{_MACVLAN} macvlan_changelink"),
    Rule("ipvlan-mac-is-the-parents", "An ipvlan child's MAC cannot be set",
         f"{_IPVLAN} ipvlan_netdev_ops (no ndo_set_mac_address)", "3.19"),
    Rule("mtu-at-most-parents", "The MTU cannot be larger than the parent's",
         f"{_MACVLAN} macvlan_change_mtu; net/8021q/vlan_dev.c vlan_dev_change_mtu"),
    Rule("mtu-range", "An MTU outside the device's range is refused", "net/core/dev.c dev_validate_mtu"),
    Rule("ipv6-needs-mtu", "A device with an MTU below 1280 takes no IPv6 address",
         "net/ipv6/addrconf.c ipv6_add_dev; RFC 8200 5"),
    Rule("address-once-on-ipvlan-parent", "Two ipvlan children of one parent cannot have the same address",
         f"{_IPVLAN} ipvlan_addr4_validator_event, ipvlan_addr6_validator_event", "4.13"),
    Rule("address-once-on-device", "A device has an address once", "net/ipv4/devinet.c __inet_insert_ifa"),
    Rule("address-must-be-there", "Only an address that is there can be removed",
         "net/ipv4/devinet.c inet_rtm_deladdr"),
    Rule("address-needs-ipv6", "From a device that has dropped IPv6 no address can be removed",
         "net/ipv6/addrconf.c inet6_addr_del (in6_dev_get)"),
    Rule("mac-is-unique-on-parent", "A macvlan child cannot be up with the MAC of its parent or of a sibling",
         f"{_MACVLAN} macvlan_open, macvlan_addr_busy"),
    Rule("gateway-on-link", "A gateway must be on a subnet the namespace is connected to",
         "net/ipv4/fib_semantics.c fib_check_nh_v4_gw"),
    Rule("route-needs-device-up", "A route needs a device that is up", "net/ipv4/fib_semantics.c fib_check_nh"),
    Rule("route-needs-ipv6", "For an IPv6 route, a device whose MTU is below 1280 is not there",
         "net/ipv6/route.c fib6_nh_init (in6_dev_get)"),
    Rule("route-once", "A destination has one route of the same metric", "net/ipv4/fib_trie.c fib_table_insert"),
    Rule("route-must-be-there", "Only a route that is there can be removed", "net/ipv4/fib_trie.c fib_table_delete"),
    Rule("vlan-needs-parent-up", "A VLAN sub-interface can be up only while its parent is",
         "net/8021q/vlan_dev.c vlan_dev_open"),
)
