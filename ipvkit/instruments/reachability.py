"""``lab.ping``, ``lab.ping_matrix``: who gets an answer from whom."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from ipvkit.errors import BadQuestion
from ipvkit.findings import Answer, ReachabilityTable, State, read_state
from ipvkit.instruments import asking

if TYPE_CHECKING:
    from ipvkit.lab import Lab

QUIET = 0.015
"""Seconds without an answer, while no address is being resolved, that count as silence by default."""

_DEADLINE, _SECONDS_PER_PAIR, _SECONDS_PER_NAME = 20.0, 0.02, 0.2


def ping(
    lab: Lab, src: str, dst: str, *, family: int | None = None, link_local: bool = False, caches: str = "cold",
    size: int = 56, ttl: int = 64, fragment: bool = True, quiet: float = QUIET,
) -> Answer:
    """Send an echo request from ``src`` to ``dst``, a name or a literal address, and return what became of it.

    ``link_local``: to the IPv6 address that the device of ``dst`` gave itself, through the device of ``src``; a
    literal one is written with that device, ``fe80::1%eth0``. ``caches="cold"`` empties neighbour tables and FDB
    first, ``"as they were"`` does not. ``size`` in bytes of payload, 8 at least; ``fragment=False`` forbids to cut the
    packet. ``quiet``: seconds of silence that mean time-out. Raises ``BadQuestion`` for a name the topology does not
    have, or a device without link-local address.
    """
    netns, address, known = question(lab, src, dst, family, link_local)
    asked = {"questions": [(netns, address)], "size": _whole("size", size, 8, 65_000),
             "ttl": _whole("ttl", ttl, 1, 255), "fragment": fragment}
    return _reach(lab, [(src, dst, address)], ip_address(address).version, caches, quiet, asked, known)[0]


def ping_matrix(
    lab: Lab, family: int = 4, *, link_local: bool = False, caches: str = "cold", quiet: float = QUIET
) -> ReachabilityTable:
    """Ask all ordered pairs of names that have an address of ``family`` (4 or 6), all at once.

    Parameters as for :func:`ping`. Between cold pairs, what address resolution itself learns is kept.
    """
    if link_local:
        return _link_local_matrix(lab, caches, quiet)
    topology = lab.topology
    names = [name for name in topology.names if topology.addresses(name, asking.known_family(family))]
    addresses = {name: asking.address(topology, name, family) for name in names}
    questions = [(src, dst, addresses[dst]) for src in names for dst in names if src != dst]
    among = [(topology.netns(name), addresses[name]) for name in names]
    answers = _reach(lab, questions, family, caches, quiet, {"among": among}, {})
    return ReachabilityTable({(answer.src, answer.dst): answer for answer in answers}, names, family, caches)


def question(lab: Lab, src: str, dst: str, family: int | None, link_local: bool) -> tuple[str, str, dict[str, str]]:
    """Return the namespace that asks, the address it asks, and the link-local address of each name if asked for these.

    Raises ``BadQuestion``.
    """
    netns, known = asking.netns(lab.topology, src), _link_local_addresses(lab) if link_local else {}
    address = _through(lab, src, known, dst) if link_local else asking.address(lab.topology, dst, family, src)
    _refuse_unknown_device(lab, netns, dst)
    return netns, address, known


def _link_local_matrix(lab: Lab, caches: str, quiet: float) -> ReachabilityTable:
    known = _link_local_addresses(lab)
    asked = [(src, dst, _through(lab, src, known, dst)) for src in known for dst in known if src != dst]
    questions = [(lab.topology.netns(src), address) for src, _, address in asked]
    answers = _reach(lab, asked, 6, caches, quiet, {"questions": questions}, known)
    pairs = {(answer.src, answer.dst): answer for answer in answers}
    return ReachabilityTable(pairs, list(known), 6, caches, link_local=True)


def _link_local_addresses(lab: Lab) -> dict[str, str]:
    """Return the link-local address of each name's own device, as the kernel has it."""
    return asking.link_local_addresses(lab.topology, _look(lab))


def _look(lab: Lab) -> State:
    """Return what is there, without making it the look that ``lab.diff`` compares with."""
    deadline = _DEADLINE + _SECONDS_PER_NAME * len(lab.topology.names)
    return read_state(lab.machine.wire.request("state", deadline=deadline)["state"])


def _refuse_unknown_device(lab: Lab, netns: str, dst: str) -> None:
    """Raise ``BadQuestion`` for ``fe80::1%DEVICE`` if ``netns`` has no such device: the kernel would take another."""
    _, asked, device = dst.partition("%")
    if not asked:
        return
    there = [link.device for link in _look(lab).links if link.netns == netns]
    if device not in there:
        raise BadQuestion("dst", f"{netns} has no device {device!r}", f"It has: {', '.join(there)}.")


def _through(lab: Lab, src: str, known: dict[str, str], dst: str) -> str:
    """Return the address of ``dst`` with the device it is asked through."""
    if dst not in known:
        raise BadQuestion("dst", f"{dst!r} has no device with a link-local address",
                          f"These have: {', '.join(known) or 'nobody; declare an IPv6 address'}.")
    return f"{known[dst]}%{lab.topology.device(src)}"


def _reach(lab: Lab, triples: list[tuple[str, str, str]], family: int, caches: str, quiet: float,
           asked: dict[str, Any], link_local: dict[str, str]) -> list[Answer]:
    """Ask. ``triples`` are source, destination and the address asked for, ``link_local`` the addresses of names."""
    owners = asking.owners(lab.topology, link_local)
    homes = {address: lab.topology.netns(name) for address, name in owners.items()}
    if link_local:
        homes |= {address: lab.topology.netns(dst) for _, dst, address in triples}
    said = lab.machine.wire.request(
        "reach", deadline=_DEADLINE + len(triples) * _SECONDS_PER_PAIR + 20 * quiet, homes=homes,
        family=family, quiet=quiet, cold=asking.is_cold(caches), **asked)
    return [asking.answer(*triple, record, owners) for triple, record in zip(triples, said["answers"], strict=True)]


def _whole(field: str, value: int, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise BadQuestion(field, f"{value!r} is not a whole number from {least} to {most}", "Write one.")
    return value
