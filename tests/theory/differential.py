"""Theory against kernel on topologies nobody thought of.

Law: a disagreement counts only if a second measurement, in a fresh build, shows it again; one that does not is counted
apart and printed. "Not modelled" is a disagreement. Neither side is told what the other said.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from time import monotonic

from ipvkit.comparison import AGREEMENT, compare
from ipvkit.errors import IpvkitError, TopologyError
from ipvkit.instruments.asking import WORDS
from ipvkit.lab import Lab
from ipvkit.theory import Prediction, predict, predict_broadcast, predict_delivery, predict_multicast
from ipvkit.topology import Route, Topology, ipvlan

EACH = 4
"""One of so many topologies is also asked about datagrams: they take as long as its whole matrix."""

SHRINKING = 120.0
"""Seconds spent on making a disagreeing topology smaller."""


@dataclass(frozen=True)
class Difference:
    """One thing theory and kernel disagree about; ``why`` is theory's reason and does not make a difference another."""

    about: str
    predicted: str
    measured: str
    why: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Return both sides in a line."""
        because = f" ({self.why})" if self.why else ""
        return f"{self.about}: predicted {self.predicted} ≠ kernel {self.measured}{because}"


@dataclass(frozen=True)
class Disagreement:
    """What theory and kernel disagree about in a topology, and the smallest one found that still shows some of it."""

    topology: Topology
    family: int
    differences: list[Difference]
    smallest: Topology

    def __str__(self) -> str:
        """Return the differences and the smallest topology, written so that it can be built again."""
        return "\n".join([f"IPv{self.family}:", *map(str, self.differences), self.smallest.to_yaml()])


@dataclass
class Differential:
    """Predicts and measures topologies, one after the other, in one machine.

    ``topologies``, ``pairs`` and ``refusals`` count what was compared; ``unrepeated`` are the disagreements that a
    second measurement did not show; ``alone`` counts pairs that do as predicted alone, not among all the others.
    With IPv6 also the addresses that devices give themselves are asked: ``link_local`` counts these among ``pairs``.
    In one of :data:`EACH` topologies also a datagram from one name to another, and a broadcast or multicast from it:
    ``arrivals`` counts these.
    """

    machine: str = "uml"
    topologies: int = 0
    pairs: int = 0
    link_local: int = 0
    refusals: int = 0
    alone: int = 0
    arrivals: int = 0
    unrepeated: list[Difference] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    kernel: str = ""
    _lab: Lab | None = None
    _way: tuple[str, str] | None = None

    def run(self, worlds: Iterable[tuple[Topology, int]], seconds: float, most: int = 3,
            show: Callable[[str], object] = lambda _: None) -> None:
        """Compare until the topologies or the seconds are used up, or ``most`` disagreements were found.

        ``show`` is told of each disagreement, and of the counts now and then.
        """
        end = monotonic() + seconds
        for topology, family in worlds:
            known = len(self.disagreements)
            self.check(topology, family)
            for disagreement in self.disagreements[known:]:
                show(f"disagreement {len(self.disagreements)}\n{disagreement}")
            if self.topologies % 100 == 0:
                show(str(self))
            if monotonic() > end or len(self.disagreements) >= most:
                return

    def check(self, topology: Topology, family: int) -> None:
        """Compare one topology; what disagrees twice is made smaller and noted."""
        self.topologies += 1
        names = [name for name in topology.names if topology.addresses(name, family)]
        asks = self.topologies % EACH == 0 and len(names) > 1
        self._way = tuple(Random(self.topologies).sample(names, 2)) if asks else None
        found = self._repeated(topology, family)
        if found:
            smallest = self._smallest(topology, family, set(found))
            self.disagreements.append(Disagreement(topology, family, found, smallest))

    def close(self) -> None:
        """End the machine."""
        if self._lab:
            self._lab.close()

    def __str__(self) -> str:
        """Return the counts."""
        return (f"{self.topologies} topologies, {self.pairs} pairs ({self.link_local} of link-local addresses) and "
                f"{self.refusals} refusals compared on Linux {self.kernel}: "
                f"{len(self.disagreements)} disagreements, {len(self.unrepeated)} that did not repeat, "
                f"{self.alone} pairs as predicted only when asked alone, {self.arrivals} datagrams to one or to all")

    # -- one topology

    def _repeated(self, topology: Topology, family: int) -> list[Difference]:
        first = self._differences(topology, family)
        if not first:
            return []
        again = self._differences(topology, family)
        both = [difference for difference in first if difference in again]
        if not both:
            self.unrepeated += first
        return both

    def _differences(self, topology: Topology, family: int) -> list[Difference]:
        try:
            return self._compared(self._built(topology), topology, family)
        except IpvkitError as error:
            self.close()
            return [Difference("the lab", "an answer", f"{type(error).__name__}: {str(error).splitlines()[0]}")]

    def _built(self, topology: Topology) -> Lab:
        if self._lab is None or not self._lab.alive:
            self._lab = Lab(Topology.of(ipvlan("l2"), net1="10.0.1.11/24"), machine=self.machine, on_refusal="record")
            self.kernel = self._lab.machine.kernel
        self._lab.rebuild(topology)
        return self._lab

    def _compared(self, lab: Lab, topology: Topology, family: int) -> list[Difference]:
        predicted = predict(topology, kernel=lab.machine.kernel, family=family)
        expected = [refusal.identifier for refusal in predicted.refusals]
        refused = [refusal.identifier for refusal in lab.refusals]
        self.refusals += len(refused)
        if expected != refused:
            return [Difference("refusals", ", ".join(expected) or "none", ", ".join(refused) or "none")]
        differences = self._pairs(lab, predicted, family)
        if family == 6:
            predicted = predict(topology, kernel=lab.machine.kernel, link_local=True)
            differences += self._pairs(lab, predicted, family, link_local=True)
        return differences + list(self._one_way(lab, topology, family))

    def _pairs(self, lab: Lab, predicted: Prediction, family: int, link_local: bool = False) -> list[Difference]:
        """Compare all pairs at once; what disagrees is asked again alone."""
        measured = lab.ping_matrix(family, link_local=link_local)
        if measured.names != predicted.names:
            return [Difference("who has an address", ", ".join(predicted.names), ", ".join(measured.names))]
        rows = compare(predicted, measured).rows
        self.pairs += len(rows)
        self.link_local += len(rows) * link_local
        differences = []
        for row in rows:
            if row.outcome == AGREEMENT:
                continue
            alone = lab.ping(row.source, row.destination, family=family, link_local=link_local)
            if alone.verdict == row.predicted:
                self.alone += 1
            else:
                pair = f"{row.source} → {row.destination}{' link-local' * link_local}"
                differences.append(Difference(pair, row.predicted, alone.verdict, row.why))
        return differences

    def _one_way(self, lab: Lab, topology: Topology, family: int) -> Iterator[Difference]:
        """Compare what becomes of one datagram, and who hears what its sender says to all."""
        if self._way is None or not all(name in topology.names and topology.addresses(name, family)
                                        for name in self._way):
            return
        source, destination = self._way
        lost = predict_delivery(topology, source, destination, lab.machine.kernel, family)
        measured = lab.deliver(source, destination, family=family).verdict.partition(",")[0]
        self.arrivals += 1
        if measured != lost.verdict:
            yield Difference(f"datagram {source} → {destination}", lost.verdict, measured, lost.why)
        try:
            heard = (predict_broadcast(topology, source, lab.machine.kernel) if family == 4
                     else predict_multicast(topology, source, "ff02::1", lab.machine.kernel))
        except KeyError:  # a refusal or a change took its device away
            return
        spread = lab.broadcast(source) if family == 4 else lab.multicast(source, group="ff02::1")
        self.arrivals += 1
        said = [f"{', '.join(names) or 'nobody'}{f', {error}' * bool(error)}" for names, error in (
            (heard.received, heard.verdict), (spread.received, spread.errno and WORDS.get(spread.errno, spread.errno)))]
        if said[0] != said[1]:
            yield Difference(f"from {source} to all", *said)

    # -- smaller

    def _smallest(self, topology: Topology, family: int, wanted: set[Difference]) -> Topology:
        """Take away one thing after the other, as long as one of the same differences stays."""
        end = monotonic() + SHRINKING
        candidates = simpler(topology)
        while (candidate := next(candidates, None)) and monotonic() < end:
            if wanted.intersection(self._repeated(candidate, family)):
                topology, candidates = candidate, simpler(candidate)
        return topology


def simpler(topology: Topology) -> Iterator[Topology]:
    """Give every topology that is this one with one thing less; what is no topology then is left out."""
    changes, endpoints, hosts = topology.changes, topology.endpoints, topology.hosts
    for number in range(len(changes)):
        with suppress(TopologyError, KeyError):
            yield replace(topology, changes=changes[:number] + changes[number + 1:])
    for number in range(len(endpoints)):
        with suppress(TopologyError, KeyError):
            yield replace(topology, endpoints=endpoints[:number] + endpoints[number + 1:])
    for host in hosts:
        with suppress(TopologyError, KeyError):
            yield _without_host(topology, host.name)
    for number, endpoint in enumerate(endpoints):
        routes: tuple[Route, ...] = ()
        for plain in (replace(endpoint, routes=routes), replace(endpoint, netns=endpoint.name, up=True)):
            if plain != endpoint:
                with suppress(TopologyError, KeyError):
                    yield replace(topology, endpoints=(*endpoints[:number], plain, *endpoints[number + 1:]))
    for number, switch in enumerate(topology.switches):
        plain_ports = tuple(replace(port, hairpin=False, learning=True, locked=False) for port in switch.ports)
        if plain_ports != switch.ports:
            before, after = topology.switches[:number], topology.switches[number + 1:]
            yield replace(topology, switches=(*before, replace(switch, ports=plain_ports), *after))


def _without_host(topology: Topology, name: str) -> Topology:
    switches = tuple(replace(switch, ports=tuple(port for port in switch.ports if port.host != name))
                     for switch in topology.switches)
    cables = tuple(cable for cable in topology.cables if name not in {host for host, _ in cable.ends})
    hosts = tuple(host for host in topology.hosts if host.name != name)
    return replace(topology, hosts=hosts, switches=switches, cables=cables)


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, file=sys.stdout, flush=True)
