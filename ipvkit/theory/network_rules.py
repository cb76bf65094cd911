"""What namespaces do with packets: routes, ARP, forwarding, ICMP.

Imports nothing of ours but the shape of a rule.
"""

from ipvkit.theory.rule import Rule, table

ARP = table(
    Rule("arp-asks", "The address is on this link and not known yet: ARP asks for it by broadcast",
         "net/ipv4/arp.c arp_solicit; RFC 826"),
    Rule("arp-answers", "ARP is answered by a namespace that has the address, on whichever device it hears it",
         "net/ipv4/arp.c arp_process (arp_ignore 0)"),
    Rule("arp-learns-asker", "Whoever answers ARP learns the asker's MAC and need not ask back",
         "net/ipv4/arp.c arp_process (neigh_event_ns)"),
    Rule("arp-martian", "ARP from one of our own addresses is not answered",
         "net/ipv4/fib_frontend.c fib_validate_source"),
    Rule("arp-not-mine", "Who hears the question and does not have the address says nothing",
         "net/ipv4/arp.c arp_process"),
    Rule("arp-nobody", "Nobody who hears the question has the address", "net/ipv4/arp.c arp_process"),
    Rule("arp-failed", "Three questions without an answer: the packet is given up as host unreachable",
         "net/ipv4/arp.c arp_error_report; net/core/neighbour.c neigh_timer_handler"),
    Rule("noarp-own-mac", "The device does not use ARP (IFF_NOARP): the frame gets the device's own MAC",
         "net/ipv4/arp.c arp_constructor"),
)

DISCOVERY = table(
    Rule("nd-asks", "The address is on this link and not known yet: neighbour discovery asks for it by multicast",
         "net/ipv6/ndisc.c ndisc_solicit; RFC 4861"),
    Rule("nd-answers", "A neighbour solicitation is answered if the device that hears it has the address",
         "net/ipv6/ndisc.c ndisc_recv_ns"),
    Rule("nd-learns-asker", "Whoever answers learns the MAC of the address the question came from",
         "net/ipv6/ndisc.c ndisc_recv_ns"),
    Rule("nd-not-mine", "A device that hears the question and does not have the address says nothing",
         "net/ipv6/ndisc.c ndisc_recv_ns"),
    Rule("nd-nobody", "No device that hears the question has the address", "net/ipv6/ndisc.c ndisc_recv_ns"),
    Rule("nd-failed", "Three questions without an answer: the packet is given up as host unreachable",
         "net/ipv6/ndisc.c ndisc_error_report; net/core/neighbour.c neigh_timer_handler"),
    Rule("noarp-own-mac6",
         "The device does not use neighbour discovery (IFF_NOARP): the frame gets the device's own MAC",
         "net/ipv6/ndisc.c ndisc_constructor"),
)

ROUTING = table(
    Rule("route-on-link", "The route says the destination is on this link",
         "net/ipv4/route.c ip_route_output_key_hash; net/ipv6/route.c ip6_route_output"),
    Rule("route-gateway", "The route leads through a gateway",
         "net/ipv4/route.c ip_route_output_key_hash; net/ipv6/route.c ip6_route_output"),
    Rule("route-local", "The destination is one of the namespace's own addresses: it goes through lo",
         "net/ipv4/route.c ip_route_output_key_hash (RTN_LOCAL); net/ipv6/route.c"),
    Rule("route-assumed-on-link",
         "The parent has no route to it, or one that says no, but the packet must leave through the parent: it is "
         "taken to be on that link", "net/ipv4/route.c ip_route_output_key_hash (flowi4_oif)"),
    Rule("route-missing", "The namespace has no route to the destination",
         "net/ipv4/route.c ip_route_output_key_hash; net/ipv6/route.c ip6_route_output",
         sender_sees="network unreachable"),
    Rule("route-blackhole", "The route is a blackhole: the packet vanishes",
         "net/ipv4/fib_semantics.c fib_props; net/ipv6/route.c ip6_rt_type_to_error", sender_sees="invalid argument"),
    Rule("route-unreachable", "The route says unreachable",
         "net/ipv4/fib_semantics.c fib_props; net/ipv6/route.c ip6_rt_type_to_error", sender_sees="host unreachable"),
    Rule("route-prohibit", "The route says prohibited",
         "net/ipv4/fib_semantics.c fib_props; net/ipv6/route.c ip6_rt_type_to_error", sender_sees="prohibited"),
    Rule("outbound-circle",
         "The route in the parent's namespace leads into an l3 child again, and so on: the kernel drops the packet",
         "net/core/dev.c __dev_queue_xmit (dev_xmit_recursion)", "3.19", sender_sees="no buffers"),
    Rule("outbound-parent-down",
         "The parent is down, so nothing can be routed out of it: the l3 child's packet is dropped",
         "net/ipv4/route.c ip_route_output_key_hash (IFF_UP)", "3.19", sender_sees="no buffers"),
)

FORWARDING = table(
    Rule("forward", "The router passes the packet on, with one taken from its TTL",
         "net/ipv4/ip_forward.c ip_forward; net/ipv6/ip6_output.c ip6_forward"),
    Rule("forward-off", "The packet is for somebody else and forwarding is off: it is ignored",
         "net/ipv4/route.c ip_route_input_slow, ip_error; net/ipv6/ip6_output.c ip6_forward"),
    Rule("forward-no-route", "The router has no route and tells the sender: network unreachable",
         "net/ipv4/route.c ip_error (ICMP_NET_UNREACH); net/ipv6/route.c ip6_pkt_discard"),
    Rule("forward-unreachable", "The router's route says unreachable and it tells the sender",
         "net/ipv4/route.c ip_error (ICMP_HOST_UNREACH)"),
    Rule("forward-prohibit", "The router's route says prohibited and it tells the sender",
         "net/ipv4/route.c ip_error (ICMP_PKT_FILTERED)"),
    Rule("forward-blackhole", "The router's route is a blackhole: the packet vanishes",
         "net/ipv4/route.c ip_error (EINVAL)"),
    Rule("forward-arp-failed",
         "The last hop's question (ARP, neighbour discovery) gets no answer, and the router tells the sender: host "
         "unreachable", "net/ipv4/route.c ipv4_link_failure; net/ipv6/route.c ip6_link_failure"),
    Rule("ttl-exceeded", "The TTL is used up: the packet goes round in a circle, and the router tells the sender",
         "net/ipv4/ip_forward.c ip_forward; net/ipv6/ip6_output.c ip6_forward"),
    Rule("martian-nobody",
         "A packet from 0.0.0.0, sent by a namespace without an address, is dropped where it arrives",
         "net/ipv4/route.c ip_route_input_slow"),
    Rule("forward-link-local", "A link-local address is known on its own link only: the router sends the packet back",
         "net/ipv6/ip6_output.c ip6_forward"),
    Rule("martian-source", "A packet from one of our own addresses that comes from outside is dropped",
         "net/ipv4/fib_frontend.c fib_validate_source"),
)

FIREWALL = table(
    Rule("drop-prerouting", "A rule drops the packet as it comes in, before it is routed",
         "net/ipv4/ip_input.c ip_rcv (NF_INET_PRE_ROUTING)"),
    Rule("drop-input", "A rule drops the packet where it would be handed to the programs of the namespace",
         "net/ipv4/ip_input.c ip_local_deliver (NF_INET_LOCAL_IN)"),
    Rule("drop-forward", "A rule of the router drops the packet", "net/ipv4/ip_forward.c ip_forward (NF_INET_FORWARD)"),
    Rule("drop-output", "A rule drops the packet where it is sent, and a program that sends it is told",
         "net/ipv4/ip_output.c __ip_local_out (NF_INET_LOCAL_OUT, EPERM)", sender_sees="prohibited"),
    Rule("drop-postrouting", "A rule drops the packet as it leaves the namespace, before it asks for a MAC",
         "net/ipv4/ip_output.c ip_output (NF_INET_POST_ROUTING, EPERM)", sender_sees="prohibited"),
    Rule("outbound-dropped",
         "A rule of the parent's namespace drops the l3 child's packet, which is that namespace's own output",
         "drivers/net/ipvlan/ipvlan_core.c ipvlan_process_v4_outbound (ip_local_out)", "3.19",
         sender_sees="no buffers"),
    Rule("masquerade", "The namespace puts the address of the device the packet leaves by into its source",
         "net/netfilter/nf_nat_masquerade.c nf_nat_masquerade_ipv4"),
    Rule("masquerade-nobody", "The namespace has no address to lend, and drops the packet",
         "net/netfilter/nf_nat_masquerade.c nf_nat_masquerade_ipv4 (NF_DROP)", sender_sees="prohibited"),
    Rule("masquerade-moved",
         "A connection that was masqueraded for one device must not leave by another: its packet is dropped",
         "net/netfilter/nf_nat_core.c nf_nat_inet_fn (nf_nat_oif_changed)", sender_sees="no buffers"),
    Rule("masquerade-back", "The answer to a masqueraded packet gets the address back that was taken out",
         "net/netfilter/nf_nat_core.c nf_nat_packet; net/netfilter/nf_nat_proto.c nf_nat_icmp_reply_translation"),
)

ANSWERING = table(
    Rule("delivered", "The packet reaches a namespace that has its destination address",
         "net/ipv4/ip_input.c ip_local_deliver; net/ipv6/ip6_input.c ip6_input"),
    Rule("echo-answered", "An echo request is answered, from the address it was sent to",
         "net/ipv4/icmp.c icmp_echo; net/ipv6/icmp.c icmpv6_echo_reply; RFC 792, RFC 4443"),
    Rule("echo-reply-arrives", "The reply reaches the sender", "net/ipv4/ping.c ping_rcv"),
    Rule("reply-has-no-route", "The one that should answer has no route back: the reply is never sent",
         "net/ipv4/icmp.c icmp_reply; net/ipv6/icmp.c icmpv6_echo_reply"),
    Rule("error-reaches-sender", "The ICMP error reaches the sender",
         "net/ipv4/icmp.c icmp_unreach; net/ipv6/icmp.c icmpv6_notify"),
    Rule("wrong-owner", "The packet reaches another owner of the same address",
         "net/ipv4/ip_input.c ip_local_deliver; net/ipv6/ip6_input.c ip6_input"),
    Rule("mtu-too-small", "An MTU is too small for IPv6 (1280), or for an ICMP error in one piece",
         "net/ipv4/ip_output.c ip_fragment; net/core/dev.c is_skb_forwardable; "
         "net/ipv6/addrconf.c addrconf_notify (IPV6_MIN_MTU); RFC 8200 5"),
    Rule("no-address", "The destination has no address of this family", "ipvkit/topology"),
)
