"""What devices do with frames: ipvlan, macvlan, veth, VLAN sub-interfaces and the switch.

Imports nothing of ours but the shape of a rule.
"""

from ipvkit.theory.rule import Rule, table

_CORE = "drivers/net/ipvlan/ipvlan_core.c"
_MACVLAN = "drivers/net/macvlan.c"

IPVLAN = table(
    Rule("ipvlan-l2-to-sibling",
         "A frame to the parent's own MAC is looked up by its IP destination among the children and handed to the "
         "one that has it, without touching the wire", f"{_CORE} ipvlan_xmit_mode_l2", "3.19"),
    Rule("ipvlan-l2-to-parent",
         "A frame to the parent's own MAC whose destination no child has is handed to the parent's host",
         f"{_CORE} ipvlan_xmit_mode_l2", "3.19"),
    Rule("ipvlan-l2-out", "A frame to another MAC leaves through the parent onto the wire",
         f"{_CORE} ipvlan_xmit_mode_l2", "3.19"),
    Rule("ipvlan-l2-broadcast-out",
         "A broadcast of a child is copied to its siblings and sent onto the wire, but not to the parent's host",
         f"{_CORE} ipvlan_process_multicast", "3.19"),
    Rule("ipvlan-l2-broadcast-in",
         "A broadcast from the wire is copied to the children, and the parent's host gets it too",
         f"{_CORE} ipvlan_handle_mode_l2", "3.19"),
    Rule("ipvlan-l2-own-broadcast-back",
         "A broadcast that comes back with the parent's MAC and a child's address as source is not given to the "
         "children again; the parent's host gets it", f"{_CORE} ipvlan_external_frame", "3.19"),
    Rule("ipvlan-in-by-address", "A frame that arrives at the parent goes to the child that has its IP destination",
         f"{_CORE} ipvlan_handle_mode_l3", "3.19"),
    Rule("ipvlan-in-to-host", "A frame whose destination no child has stays with the parent's host",
         f"{_CORE} ipvlan_handle_mode_l3", "3.19"),
    Rule("ipvlan-private-no-sibling", "With the private flag a packet to a sibling is dropped",
         f"{_CORE} ipvlan_xmit_mode_l2, ipvlan_xmit_mode_l3", "4.15", sender_sees="no buffers"),
    Rule("ipvlan-vepa-out", "With the vepa flag siblings are not looked up: even their packets go to the wire",
         f"{_CORE} ipvlan_xmit_mode_l2", "4.15"),
    Rule("ipvlan-l3-to-sibling",
         "The destination is looked up among the children and the packet handed over, whatever its subnet",
         f"{_CORE} ipvlan_xmit_mode_l3", "3.19"),
    Rule("ipvlan-l3-out",
         "The packet is stripped to layer 3 and routed in the namespace of the parent, which must send it through "
         "the parent", f"{_CORE} ipvlan_process_v4_outbound", "3.19"),
    Rule("ipvlan-l3-no-group", "Broadcast and multicast cannot leave an l3 child: the packet is dropped",
         f"{_CORE} ipvlan_process_outbound", "3.19", sender_sees="no buffers"),
    Rule("ipvlan-l3-noarp", "A child in l3 or l3s mode neither asks nor answers ARP (IFF_NOARP)",
         "drivers/net/ipvlan/ipvlan_main.c ipvlan_open; net/ipv4/arp.c arp_rcv", "3.19"),
    Rule("ipvlan-l3s-in",
         "The packet passes the host's PREROUTING and is routed by the child's table, then enters the child "
         "through the host's INPUT hook", "drivers/net/ipvlan/ipvlan_l3s.c ipvlan_l3_rcv, ipvlan_nf_input", "4.9"),
    Rule("ipvlan-child-down", "The child is down: the packet is dropped", f"{_CORE} ipvlan_rcv_frame", "3.19"),
)

MACVLAN = table(
    Rule("macvlan-bridge-to-sibling",
         "A frame to the MAC of another child in bridge mode is handed to it without touching the wire",
         f"{_MACVLAN} macvlan_queue_xmit", "2.6.34"),
    Rule("macvlan-bridge-broadcast", "A broadcast is copied to the siblings in bridge mode and sent onto the wire",
         f"{_MACVLAN} macvlan_queue_xmit", "2.6.34"),
    Rule("macvlan-out", "The frame leaves through the parent onto the wire", f"{_MACVLAN} macvlan_queue_xmit"),
    Rule("macvlan-in-by-mac", "A frame that arrives at the parent goes to the child that has its destination MAC",
         f"{_MACVLAN} macvlan_handle_frame"),
    Rule("macvlan-in-to-host", "A frame for no child's MAC stays with the parent's host",
         f"{_MACVLAN} macvlan_handle_frame"),
    Rule("macvlan-broadcast-in",
         "A broadcast from outside is copied to every child but those in source mode, and to the parent's host",
         f"{_MACVLAN} macvlan_process_broadcast", "2.6.34"),
    Rule("macvlan-broadcast-back-vepa",
         "A broadcast of a child in vepa mode that the switch sends back is copied to its siblings in vepa and "
         "bridge mode, and to the parent's host", f"{_MACVLAN} macvlan_process_broadcast", "2.6.34"),
    Rule("macvlan-broadcast-back-bridge",
         "A broadcast of a child in bridge mode that the switch sends back is copied to its siblings in vepa mode, "
         "and to the parent's host", f"{_MACVLAN} macvlan_process_broadcast", "2.6.34"),
    Rule("macvlan-broadcast-back-own",
         "A broadcast of a child in another mode that the switch sends back is given to that child only, not to "
         "the parent's host", f"{_MACVLAN} macvlan_handle_frame", "2.6.34"),
    Rule("macvlan-passthru-in",
         "With a passthru child every unicast frame that arrives goes to the child, none to the host",
         f"{_MACVLAN} macvlan_handle_frame", "2.6.38"),
    Rule("macvlan-source-in", "A child in source mode hears only MACs on its list, and the list is empty",
         f"{_MACVLAN} macvlan_handle_frame, macvlan_forward_source", "3.17"),
    Rule("macvlan-private-alone", "A child in private mode hands nothing to its siblings and gets nothing from them",
         f"{_MACVLAN} macvlan_queue_xmit, macvlan_broadcast", "2.6.34"),
    Rule("macvlan-vepa-out", "A child in vepa mode sends everything to the switch, even what is for a sibling",
         f"{_MACVLAN} macvlan_queue_xmit", "2.6.34"),
    Rule("macvlan-bridge-to-bridge",
         "A child in bridge mode hands what it sends to siblings in bridge mode only: one in vepa mode must get it "
         "from the switch", f"{_MACVLAN} macvlan_queue_xmit, macvlan_broadcast", "2.6.34"),
    Rule("macvlan-child-down", "The child is down: the frame is dropped", f"{_MACVLAN} macvlan_handle_frame"),
)

WIRE = table(
    Rule("parent-sends-past-children",
         "What the host sends through the parent goes to the wire: children get only what the parent receives",
         "net/core/dev.c __netif_receive_skb_core (rx_handler), __dev_queue_xmit has none", "2.6.36"),
    Rule("child-sends-past-host",
         "What a child asks of all goes to siblings and to the wire, never up into the parent's own host",
         f"{_CORE} ipvlan_process_multicast; {_MACVLAN} macvlan_queue_xmit", "2.6.34"),
    Rule("veth", "The cable carries the frame to its other end", "drivers/net/veth.c veth_xmit"),
    Rule("device-down", "The device is down: nothing passes", "net/core/dev.c __dev_queue_xmit; dev_forward_skb"),
    Rule("no-carrier", "The far end is down or unplugged: the device has no carrier and sends nothing",
         "net/sched/sch_generic.c dev_deactivate (noop_qdisc)"),
    Rule("unwired", "The NIC is wired to nothing", "drivers/net/dummy.c dummy_xmit"),
    Rule("vlan-tagged", "The sub-interface adds its VLAN tag", "net/8021q/vlan_dev.c vlan_dev_hard_start_xmit"),
    Rule("vlan-untagged", "The tag leads to the sub-interface of that VLAN, which takes it off",
         "net/8021q/vlan_core.c vlan_do_receive"),
    Rule("vlan-nobody", "No sub-interface has this VLAN tag: the host ignores the frame",
         "net/core/dev.c __netif_receive_skb_core"),
    Rule("switch-forwards", "The switch knows the port of this MAC and sends the frame there",
         "net/bridge/br_input.c br_handle_frame_finish"),
    Rule("switch-floods", "The switch sends the frame to every other port", "net/bridge/br_forward.c br_flood"),
    Rule("switch-no-hairpin", "A switch port does not send a frame back where it came from (hairpin off)",
         "net/bridge/br_forward.c should_deliver"),
    Rule("switch-hairpin", "The switch port has hairpin on: the frame comes back where it came from",
         "net/bridge/br_forward.c should_deliver"),
    Rule("switch-locked", "A locked port drops frames of a MAC it has not been told",
         "net/bridge/br_input.c br_handle_frame_finish (BR_PORT_LOCKED)", "5.18"),
    Rule("switch-vlan", "The switch port does not admit this VLAN", "net/bridge/br_vlan.c br_allowed_ingress"),
    Rule("not-for-this-mac", "The frame is for another MAC: the IP layer ignores it",
         "net/ipv4/ip_input.c ip_rcv_core; net/ipv4/arp.c arp_rcv (PACKET_OTHERHOST)"),
)
