"""Names become namespaces and addresses, the agent's records become answers: shared by the lab and its instruments.

Every function takes the topology, which says what there is to ask about.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from typing import Any

from ipvkit.errors import BadQuestion
from ipvkit.findings import Answer, State
from ipvkit.topology import Topology

Place = tuple[str, str]  # namespace, device

ATTEMPTS = 3
"""How often something is sent before a no counts, while a yes counts at once: a work queue of a busy computer can be
later than ARP's patience, which is short in a lab (:data:`ipvkit.agent.caches.SHORTEST_MILLISECONDS`)."""

#: What an errno of a send, or of an ICMP error that came for it, is called.
WORDS = {
    "": "lost", "ENETUNREACH": "network unreachable", "EHOSTUNREACH": "host unreachable", "ENOBUFS": "no buffers",
    "EMSGSIZE": "message too long", "EACCES": "prohibited", "EPERM": "prohibited", "ENETDOWN": "network down",
    "ECONNREFUSED": "port unreachable", "EINVAL": "invalid argument",
    "ENODEV": "no such device",
}


def is_cold(caches: str) -> bool:
    """Return whether the caches are to be emptied first. Raises ``BadQuestion`` for a word that is not known."""
    if caches not in ("cold", "as they were"):
        raise BadQuestion("caches", f"{caches!r} is not known", 'Write "cold" or "as they were".')
    return caches == "cold"


def known_family(family: int) -> int:
    """Return ``family`` if it is 4 or 6. Raises ``BadQuestion``."""
    if family not in (4, 6):
        raise BadQuestion("family", f"{family!r} is no address family", "Write 4 or 6.")
    return family


def netns(topology: Topology, place: str, field: str = "src") -> str:
    """Return the namespace of a name. Raises ``BadQuestion`` naming ``field`` if the topology has no such name."""
    try:
        return topology.netns(place)
    except KeyError:
        raise BadQuestion(field, f"there is no {place!r} in this lab", f"It has: {_names(topology)}.") from None


def address(topology: Topology, dst: str, family: int | None, src: str = "") -> str:
    """Return the address a question about ``dst`` is asked of; a literal address is its own.

    Without ``family`` it is one that ``src`` has too, if there is one. Raises ``BadQuestion``.
    """
    if dst not in topology.names:
        try:
            return str(ip_address(dst))
        except ValueError:
            raise BadQuestion("dst", f"{dst!r} is neither a name of this lab nor an address",
                              f"It has: {_names(topology)}.") from None
    families = [known_family(family)] if family else [4, 6]
    if src in topology.names and not family:
        families.sort(key=lambda version: not topology.addresses(src, version))
    for version in families:
        for found in topology.addresses(dst, version):
            return str(ip_interface(found).ip)
    raise BadQuestion("dst", f"{dst} has no IPv{families[0]} address", "Give it one, or ask for the other family.")


def link_local_addresses(topology: Topology, state: State) -> dict[str, str]:
    """Return the link-local IPv6 address of each name's own device; a name whose device has none is left out."""
    found = {(one.netns, one.device): one.address.partition("/")[0] for one in state.addresses
             if ip_interface(one.address).is_link_local and ":" in one.address}
    places = {name: (topology.netns(name), topology.device(name)) for name in topology.names}
    return {name: found[place] for name, place in places.items() if place in found}


def owners(topology: Topology, link_local: dict[str, str] | None = None) -> dict[str, str]:
    """Return the name that has each declared address, or one of these link-local ones, by name; of two, the first."""
    found = {address: name for name, address in (link_local or {}).items()}
    for name in topology.names:
        for declared in topology.addresses(name):
            found.setdefault(str(ip_interface(declared).ip), name)
    return found


def answer(src: str, dst: str, asked: str, said: list[Any] | None, owners: dict[str, str]) -> Answer:
    """Turn the agent's record of an echo into an answer; an address that is known becomes a name."""
    if said is None:
        return Answer("timeout", src=src, dst=dst, address=asked)
    verdict, ttl, errno, sender = said
    from_ = owners.get(sender, sender)
    detail = f"ttl {ttl}" if ttl is not None else f"says {from_}" if from_ else ""
    if verdict == "reply" and sender != asked.partition("%")[0]:
        detail += f", from {from_}"
    return Answer(verdict, detail, ttl, errno, from_, src, dst, asked)


def stacks(topology: Topology) -> list[str]:
    """Return the namespaces whose IP stack counts: those of endpoints and hosts, not those of switches."""
    endpoints = [endpoint.netns for endpoint in topology.all_endpoints]
    return list(dict.fromkeys([*endpoints, *(host.name for host in topology.hosts)]))


def names_of_places(topology: Topology) -> dict[Place, str]:
    """Return whose device each one is: an endpoint's child, a host's NIC or VLAN."""
    found = {(host.name, nic.name): host.name for host in topology.hosts for nic in host.interfaces}
    found |= {(host.name, vlan.name): host.name for host in topology.hosts for vlan in host.vlans}
    return found | {(endpoint.netns, endpoint.child): endpoint.name for endpoint in topology.all_endpoints}


def _names(topology: Topology) -> str:
    return ", ".join(topology.names)
