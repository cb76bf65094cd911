"""What the kernel says is there: links, addresses, routes, neighbours and FDBs of every namespace, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field, fields
from typing import Any, ClassVar

from ipvkit.findings.table import Table


@dataclass(frozen=True)
class Record:
    """One thing in ``netns``; the first ``KEY`` fields name it, the others may change."""

    netns: str
    KEY: ClassVar[int] = 2
    WHAT: ClassVar[str] = ""
    BARE: ClassVar[str] = "there"  # said of one that has nothing beyond its key


@dataclass(frozen=True)
class LinkState(Record):
    """A device. ``on`` is the parent of a child or VLAN, the far end of a wire: ``namespace.device``.

    ``state`` is ``up``, ``down`` or ``no carrier``; ``promiscuity`` counts who asked for it, ``counters`` are packets
    and bytes both ways, dropped ones, as the kernel counts them (``ip -s link``).
    """

    device: str
    kind: str
    mode: str
    flag: str
    on: str
    mac: str
    mtu: int
    state: str
    master: str
    promiscuity: int = field(default=0)
    counters: dict[str, int] = field(default_factory=dict, compare=False, hash=False)
    WHAT: ClassVar[str] = "link"

    @property
    def driver(self) -> str:
        """``ipvlan l2``, ``ipvlan l3 private``, ``macvlan bridge``, ``veth``."""
        return " ".join(word for word in (self.kind, self.mode, self.flag if self.flag != "bridge" else "") if word)


@dataclass(frozen=True)
class AddressState(Record):
    """An address with prefix length on a device."""

    device: str
    address: str
    KEY: ClassVar[int] = 3
    WHAT: ClassVar[str] = "address"


@dataclass(frozen=True)
class RouteState(Record):
    """A route of the main table; ``by`` is who made it: ``kernel``, ``boot`` (ip route), ``bird``, …"""

    to: str
    via: str
    dev: str
    kind: str
    by: str
    KEY: ClassVar[int] = 4
    WHAT: ClassVar[str] = "route"


@dataclass(frozen=True)
class Neighbour(Record):
    """An entry that address resolution (ARP, neighbour discovery) made; ``mac`` is empty while or if it failed."""

    device: str
    address: str
    mac: str
    state: str = field(compare=False)
    KEY: ClassVar[int] = 3
    WHAT: ClassVar[str] = "neighbour"
    BARE: ClassVar[str] = "no answer"


@dataclass(frozen=True)
class FdbEntry(Record):
    """A MAC a switch has for one of its ports; ``vlan`` 0 where the switch is not VLAN-aware."""

    device: str
    mac: str
    vlan: int
    learned: bool
    KEY: ClassVar[int] = 4
    WHAT: ClassVar[str] = "fdb"


@dataclass(frozen=True)
class State:
    """One look at the kernel. ``lo``, present everywhere, is left out."""

    links: tuple[LinkState, ...]
    addresses: tuple[AddressState, ...]
    routes: tuple[RouteState, ...]
    neighbours: tuple[Neighbour, ...]
    fdb: tuple[FdbEntry, ...]

    def link(self, netns: str, device: str) -> LinkState:
        """Return one device. KeyError if it is not there."""
        for link in self.links:
            if (link.netns, link.device) == (netns, device):
                return link
        raise KeyError(f"there is no {device} in {netns}")

    def tables(self) -> Iterator[Table]:
        """Give a table for each kind of record that is there; addresses stand with their device."""
        held: dict[tuple[str, str], list[str]] = {}
        for address in self.addresses:
            held.setdefault((address.netns, address.device), []).append(address.address)
        yield Table("links, read from the kernel", ["netns", "device", "driver", "on", "mac", "state", "addresses"], [
            [link.netns, link.device, link.driver, link.on or link.master, link.mac, link.state,
             " ".join(held.get((link.netns, link.device), []))] for link in self.links])
        yield Table("routes", ["netns", "to", "via", "dev", "kind"],
                    [[route.netns, route.to, route.via, route.dev, route.kind] for route in self.routes])
        if self.neighbours:
            yield Table("neighbours", ["netns", "device", "address", "mac"],
                        [[n.netns, n.device, n.address, n.mac or "failed"] for n in self.neighbours])
        learned = [entry for entry in self.fdb if entry.learned]
        if learned:
            yield Table("learned by switches", ["netns", "port", "mac", "vlan"],
                        [[entry.netns, entry.device, entry.mac, entry.vlan or ""] for entry in learned])

    def __repr__(self) -> str:
        """Return the tables as text."""
        return "\n\n".join(repr(table) for table in self.tables())

    def _repr_html_(self) -> str:
        """Return the tables as HTML."""
        return "".join(table._repr_html_() for table in self.tables())

    def to_dataframe(self) -> Any:
        """Return the links as a data frame. ImportError where pandas is not installed."""
        names = [part.name for part in fields(LinkState)]
        return Table("", names, [astuple(link) for link in self.links]).to_dataframe()

    def changes_since(self, earlier: State) -> StateChanges:
        """Return what was added, vanished or changed; counters and ages of entries do not count."""
        rows: list[list[str]] = []
        for part in ("links", "addresses", "routes", "neighbours", "fdb"):
            rows += _differences(getattr(earlier, part), getattr(self, part))
        return StateChanges("what changed, read from the kernel", ["what", "where", "before", "now"], rows)


class StateChanges(Table):
    """What changed between two looks; true if anything did."""

    def __bool__(self) -> bool:
        """True if something changed."""
        return bool(self.rows)

    def __repr__(self) -> str:
        """Return the table, or that nothing changed."""
        return super().__repr__() if self.rows else f"{self.title}: nothing"


def _differences(before: Iterable[Record], now: Iterable[Record]) -> Iterator[list[str]]:
    old, new = ({astuple(record)[: record.KEY]: record for record in records} for records in (before, now))
    for key in [*old, *(key for key in new if key not in old)]:
        one, other = old.get(key), new.get(key)
        if one == other:
            continue
        record = one or other
        assert record is not None
        where = " ".join(str(word) for word in key if word)
        if one is None or other is None:
            rest = " ".join(name if value is True else str(value)
                            for name, value in _rest(record).items() if value) or record.BARE
            yield [record.WHAT, where, *(("", rest) if one is None else (rest, ""))]
            continue
        was, is_ = _rest(one), _rest(other)
        for name in was:
            if was[name] != is_[name]:
                yield [f"{record.WHAT} {name}", where, str(was[name]), str(is_[name])]


def _rest(record: Record) -> dict[str, Any]:
    """Give the fields that do not name the record and count in comparisons."""
    return {part.name: getattr(record, part.name) for part in fields(record)[record.KEY :] if part.compare}


def read_state(said: dict[str, Any]) -> State:
    """Make a ``State`` of what the agent says: namespace to part to records."""
    kinds: dict[str, type[Record]] = {"links": LinkState, "addresses": AddressState, "routes": RouteState,
                                      "neighbours": Neighbour, "fdb": FdbEntry}
    parts: dict[str, list[Any]] = {part: [] for part in kinds}
    for netns, records in said.items():
        for part, kind in kinds.items():
            wanted = {field_.name for field_ in fields(kind)}
            for record in records[part]:
                parts[part].append(kind(netns, **{name: record[name] for name in record if name in wanted}))
    return State(**{part: tuple(records) for part, records in parts.items()})
