"""All rules by id, in the order of their tables."""

from ipvkit.theory import control_rules, link_rules, network_rules
from ipvkit.theory.rule import Rule

TABLES: dict[str, dict[str, Rule]] = {
    "ipvlan": link_rules.IPVLAN, "macvlan": link_rules.MACVLAN, "wire": link_rules.WIRE,
    "arp": network_rules.ARP, "neighbour discovery": network_rules.DISCOVERY,
    "routing": network_rules.ROUTING, "forwarding": network_rules.FORWARDING,
    "firewall": network_rules.FIREWALL, "answering": network_rules.ANSWERING, "requests": control_rules.REQUESTS,
}

RULES: dict[str, Rule] = {identifier: rule for rules in TABLES.values() for identifier, rule in rules.items()}
