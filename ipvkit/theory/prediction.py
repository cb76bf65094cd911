"""`predict` and `explain`: the questions one asks the theory.

Imports topology and the theory's own parts: no lab, machine or agent; no kernel, no root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape

from ipvkit import html
from ipvkit.theory import links
from ipvkit.theory.build import Builder, Refusal
from ipvkit.theory.changes import make_changes
from ipvkit.theory.exchange import Exchange
from ipvkit.theory.frames import Point, points
from ipvkit.theory.judge import Verdict, judge
from ipvkit.theory.neighbours import Neighbourhood, Question
from ipvkit.theory.rule import version_of
from ipvkit.theory.rules import RULES
from ipvkit.theory.state import Address, Device, Namespace, World
from ipvkit.theory.walk import Walk, tell
from ipvkit.topology import SetMtu, Topology, want_topology

NOT_MODELLED = "not modelled"
LEAST_MTU = {4: 112, 6: 152}
"""Bytes, by family: an ICMP error about an echo request of 84 or 104, in one piece."""


@dataclass(frozen=True, repr=False)
class Prediction(Mapping[tuple[str, str], Verdict]):
    """A verdict for every ordered pair of names, for one kernel version and address family, from a cold world.

    ``prediction["net1", "host"]`` is a `Verdict`; ``refusals`` are the requests the kernel is predicted to refuse.
    ``link_local``: the addresses asked are those that devices give themselves, not those of the topology.
    """

    names: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Verdict]
    kernel: str
    family: int
    refusals: tuple[Refusal, ...] = ()
    link_local: bool = False

    def __getitem__(self, pair: tuple[str, str]) -> Verdict:
        """Return the verdict for (from, to). KeyError names the names there are."""
        if pair not in self.pairs:
            raise KeyError(f"no pair {pair!r}: the names are {', '.join(self.names)}")
        return self.pairs[pair]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Go through the pairs, by sender."""
        return iter(self.pairs)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def __repr__(self) -> str:
        """Return the table as aligned text: a row for each sender, a word for each target."""
        words = {pair: verdict.verdict for pair, verdict in self.pairs.items()}
        side = max(map(len, ("from ↓ to →", *self.names)))
        columns = {to: max([len(to), *(len(words.get((a, to), "")) for a in self.names)]) for to in self.names}
        lines = [self._title()]
        lines.append("  ".join([f"{'from ↓ to →':<{side}}", *(f"{to:<{w}}" for to, w in columns.items())]).rstrip())
        for origin in self.names:
            cells = (f"{words.get((origin, to), '·'):<{width}}" for to, width in columns.items())
            lines.append("  ".join([f"{origin:<{side}}", *cells]).rstrip())
        lines += [f"refused: {refusal.request} ({refusal.identifier})" for refusal in self.refusals]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the table as HTML; each cell's title is its why."""
        refused = "".join(f"<p>refused: {escape(r.request)} ({escape(r.identifier)})</p>" for r in self.refusals)
        return html.matrix(self._title(), self.names, self._look) + refused

    def _title(self) -> str:
        return f"predicted (IPv{self.family}{' link-local' * self.link_local}, Linux {self.kernel}, cold)"

    def _look(self, origin: str, target: str) -> tuple[str, str, bool]:
        verdict = self.pairs.get((origin, target))
        return (verdict.verdict, verdict.why, False) if verdict else ("not asked", "", False)


class Theory:
    """A topology as the theory sees it; `predict` and `explain` make one each time they are called."""

    def __init__(self, topology: Topology, kernel: str, exact: bool = False) -> None:
        want_topology(topology)
        version_of(kernel)
        builder = Builder(topology)
        builder.build()
        make_changes(builder)
        builder.world.settle()
        self.topology, self.kernel, self.refusals = topology, kernel, tuple(builder.refusals)
        self.world: World = builder.world
        self.neighbourhood = Neighbourhood(self.world, exact)
        self._mtu = min(_mtus(topology), default=LEAST_MTU[6])
        self._addresses: dict[tuple[str, int], int | None] = {}
        self._for_many = _for_many(self.world)
        self._unknown = {rule.id for rule in RULES.values() if not rule.holds_for(kernel)}

    def link_local_device(self, name: str) -> Device | None:
        """Return a name's own device if it is there and has a link-local address."""
        netns = self.world.namespaces[self.topology.netns(name)]
        device = netns.devices.get(self.topology.device(name))
        return device if device and device.link_local else None

    def ask_all(self, names: tuple[str, ...], family: int,
                link_local: bool = False) -> dict[tuple[str, str], Verdict]:
        """Return the verdict for every ordered pair, each from a cold world, and what differs in a warm one."""
        pairs: dict[tuple[str, str], Verdict] = {}
        learned: dict[tuple[Device, int], str] = {}
        failed: list[tuple[tuple[str, str], list[Question]]] = []
        for pair in ((a, b) for a in names for b in names if a != b):
            exchange, pairs[pair] = self.ask(*pair, family, link_local=link_local)
            if exchange:
                learned |= exchange.learned()
                if exchange.unanswered:
                    failed.append((pair, exchange.unanswered))
        overheard = learned | self.neighbourhood.overheard() if family == 4 else learned
        for pair, unanswered in failed:
            if any((question.device, question.target) in overheard for question in unanswered):
                before = self.ask(*pair, family, known=learned, link_local=link_local)[1].verdict
                meanwhile = self.ask(*pair, family, known=overheard, waits=True, link_local=link_local)[1].verdict
                pairs[pair] = replace(pairs[pair], warm=frozenset((before, meanwhile)) - {pairs[pair].verdict})
        return pairs

    def ask(self, source: str, destination: str, family: int, keep: bool = False,
            known: dict[tuple[Device, int], str] | None = None, waits: bool = False,
            link_local: bool = False) -> tuple[Exchange | None, Verdict]:
        """Return what an echo request from one name to another's first address causes, and the verdict.

        ``link_local``: to the address its device gave itself, through the sender's own device.
        """
        through, target = None, None
        if link_local:
            through, there = self.link_local_device(source), self.link_local_device(destination)
            target = there.link_local if through and there else None
        elif {self.first_address(name, family) for name in (source, destination)} & self._for_many:
            return None, Verdict(NOT_MODELLED, RULES["address-for-many"].says, "address-for-many")
        else:
            target = self.first_address(destination, family)
        if target is None:
            what = f"{source} or {destination} has no link-local" if link_local else f"{destination} has no IPv{family}"
            return None, Verdict(NOT_MODELLED, f"{what} address", "no-address")
        origin: Namespace = self.world.namespaces[self.topology.netns(source)]
        exchange = Exchange(self.neighbourhood, origin, keep, known, waits)
        exchange.run(target, family, through=through)
        return exchange, self.within_domain(exchange, judge(exchange, self.world), family)

    def first_address(self, name: str, family: int) -> int | None:
        """Return the address that a question about ``name`` is asked of; looked up once, as reading one takes time."""
        if (name, family) not in self._addresses:
            declared = self.topology.addresses(name, family)
            self._addresses[name, family] = Address.parse(declared[0]).value if declared else None
        return self._addresses[name, family]

    def within_domain(self, exchange: Exchange, verdict: Verdict, family: int) -> Verdict:
        """Return the verdict, or "not modelled" if a rule on the way is not known for this kernel, or an MTU matters.

        The theory does not follow fragments.
        """
        outside = exchange.outside or ("mtu-too-small" if self._mtu < LEAST_MTU[family] else "")
        if outside:
            return Verdict(NOT_MODELLED, RULES[outside].says, outside)
        trails = self._trails(exchange) if self._unknown else []
        for trail in trails:
            for point in points(trail):
                if point.rule in self._unknown:
                    why = f"Rule {point.rule} is not known to hold in Linux {self.kernel}"
                    return Verdict(NOT_MODELLED, why, point.rule)
        return verdict

    @staticmethod
    def _trails(exchange: Exchange) -> list[Point | None]:
        found: list[Point | None] = [exchange.way, *(loss.trail for loss in exchange.losses)]
        for resolution in exchange.asked:
            found += [resolution.question, resolution.answer]
        return found


def known_family(family: int) -> int:
    """Return ``family``. ValueError if it is neither 4 nor 6."""
    if family not in (4, 6):
        raise ValueError(f"family: {family!r} is no address family: write 4 or 6")
    return family


def _for_many(world: World) -> frozenset[int]:
    """Return the addresses that are not one station's in some subnet: broadcast, and anycast of the routers there."""
    found = set[int]()
    for device in world.devices():
        for address in device.addresses:
            if address.family == 4 and address.prefix < 31:
                found.add(address.network | (1 << 32 - address.prefix) - 1)
            elif address.family == 6 and address.prefix < 127 and device.netns.forwarding:
                found.add(address.network)
    return frozenset(found)


def _mtus(topology: Topology) -> list[int]:
    """Return every MTU that somebody asks for; one below what any device may have is refused and changes nothing."""
    changed = [change.mtu for change in topology.changes if isinstance(change, SetMtu)]
    declared = [nic.mtu for host in topology.hosts for nic in host.interfaces]
    return [*declared, *(mtu for mtu in changed if mtu >= links.LEAST_MTU)]


def predict(topology: Topology, kernel: str = "6.1", family: int = 4, *, link_local: bool = False) -> Prediction:
    """Return the verdict of an echo request for every ordered pair of ``topology.names``, from a cold world.

    The request has 56 bytes of payload, as that of ``lab.ping``; an MTU too small for it makes it "not modelled".
    ``link_local``: to the IPv6 address the other's device gave itself (fe80::…), through the sender's own device.
    Raises ValueError if ``kernel`` is no version or ``family`` neither 4 nor 6. Pairs whose target has no address to
    ask are left out.
    """
    theory = Theory(topology, kernel)
    known_family(family)
    if link_local:
        family, names = 6, tuple(name for name in topology.names if theory.link_local_device(name))
    else:
        names = tuple(name for name in topology.names if topology.addresses(name, family))
    return Prediction(names, theory.ask_all(names, family, link_local), kernel, family, theory.refusals, link_local)


def explain(topology: Topology, source: str, destination: str, kernel: str = "6.1", family: int | None = None, *,
            link_local: bool = False) -> Walk:
    """Return the walk of an echo request from one name to another, step by step, ARP and the way back included.

    Without ``family`` it is the first that both have, or that the destination has. ``link_local`` as for `predict`.
    Raises KeyError if a name is not one of ``topology.names``, ValueError as `predict` does.
    """
    want_topology(topology)
    for name in (source, destination):
        if name not in topology.names:
            raise KeyError(f"no name {name!r}: the names are {', '.join(topology.names)}")
    family = _common_family(topology, source, destination) if family is None else known_family(family)
    exchange, verdict = Theory(topology, kernel, exact=True).ask(source, destination, 6 if link_local else family,
                                                                 keep=True, link_local=link_local)
    if exchange is None:
        return Walk(source, destination, (), verdict, ())
    return tell(exchange, source, destination, verdict)


def _common_family(topology: Topology, source: str, destination: str) -> int:
    there = [family for family in (4, 6) if topology.addresses(destination, family)]
    return next((family for family in there if topology.addresses(source, family)), there[0] if there else 4)
