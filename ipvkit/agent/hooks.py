"""Which netfilter hooks a datagram passes, in every namespace: operation ``hooks``.

Law: hooks are counted, not deduced. iptables-legacy counts what each verdict ends, a rule's or the policy's, so asking
for the table ``mangle``, which is on all five hooks, is enough, without a rule; where the kernel has no
iptables-legacy, nftables counts with a rule on each hook, removed afterwards. One datagram goes one way, so nothing
that comes back is counted.
Sources: ``include/uapi/linux/netfilter_ipv4/ip_tables.h``, ``include/uapi/linux/netfilter.h``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol

from ipvkit.agent import deliver, iptables, places
from ipvkit.agent.iptables import HOOKS
from ipvkit.agent.jobs import Forked, Job
from ipvkit.agent.nftables import HookCounters
from ipvkit.agent.serve import Request
from ipvkit.errors import LabError


class Counters(Protocol):
    """What counts in one namespace."""

    def read(self) -> list[int]:
        """Give the packets counted so far on each of :data:`HOOKS`."""

    def remove(self) -> None:
        """Leave nothing behind."""


class TableCounters:
    """What iptables-legacy's table ``mangle`` counts; ``OSError`` where the kernel does not have it."""

    def __init__(self) -> None:
        self._table = iptables.Table("mangle")

    def read(self) -> list[int]:
        """Give the packets counted so far on each of :data:`HOOKS`."""
        return self._table.counted()

    def remove(self) -> None:
        """Leave nothing behind."""
        self._table.close()


def _nftables() -> Counters:
    return HookCounters(range(len(HOOKS)))


WAYS: dict[str, Callable[[], Counters]] = {"iptables-legacy": TableCounters, "nftables": _nftables}


def _choose(netns: str, ways: list[str]) -> str:
    """Find the first of ``ways`` that this kernel has, by using it; its modules are loaded afterwards."""
    problems = []
    with places.inside(netns):
        for way in ways:
            try:
                WAYS[way]().remove()
                return way
            except OSError as error:
                problems.append(f"{way} ({os.strerror(error.errno or 0)})")
    raise LabError(f"this kernel has nothing that counts on netfilter hooks: {', '.join(problems)}")


def _hooks(request: Request) -> dict[str, Any]:
    wanted = request.params
    way = _choose(wanted["netnses"][0], wanted["ways"])
    with iptables.no_module_requests(), ExitStack() as afterwards:
        counters: dict[str, Counters] = {}
        for netns in wanted["netnses"]:
            with places.inside(netns):
                counters[netns] = WAYS[way]()
            afterwards.callback(counters[netns].remove)
        before = {netns: counter.read() for netns, counter in counters.items()}
        delivered = deliver.send_all([wanted["flow"]])[0]
        after = {netns: counter.read() for netns, counter in counters.items()}
    counted = {netns: [now - then for now, then in zip(after[netns], before[netns], strict=True)] for netns in counters}
    return {"way": way, "counted": counted, "delivered": delivered}


def hooks(request: Request) -> Job:
    """Operation ``hooks``: send one datagram, ``flow`` as in ``deliver``, and count in every one of ``netnses``.

    ``ways`` are the names of :data:`WAYS` to try. Answers ``way``, ``counted`` (namespace to packets on each of
    :data:`HOOKS`) and ``delivered`` (as in ``deliver``). LabError where the kernel has neither.
    """
    deliver.prepare(request)
    return Forked(request, _hooks)
