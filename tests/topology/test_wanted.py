"""Whoever is asked about a topology says in one line that it got something else; a lab says where its topology is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ipvkit import draw, draw_path, explain, predict
from ipvkit.errors import BadQuestion, TopologyError
from ipvkit.theory import predict_broadcast, predict_delivery, predict_hooks, predict_macs, predict_multicast
from ipvkit.topology import Topology, ipvlan
from ipvkit.widgets import Predict, SideBySide

LAN = Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24")


class Lab(SimpleNamespace):
    """What every lab has, without a kernel."""


ASKED: dict[str, Callable[[Any], object]] = {
    "draw": draw,
    "draw_path": draw_path,
    "predict": predict,
    "explain": lambda given: explain(given, "net1", "net2"),
    "predict_delivery": lambda given: predict_delivery(given, "net1", "net2"),
    "predict_broadcast": lambda given: predict_broadcast(given, "net1"),
    "predict_multicast": lambda given: predict_multicast(given, "net1"),
    "predict_macs": lambda given: predict_macs(given, "net1"),
    "predict_hooks": lambda given: predict_hooks(given, "net1", "net2"),
    "Predict": lambda given: Predict(given, "net1→net2"),
    "SideBySide": lambda given: SideBySide(LAN, given),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_lab_is_no_topology_and_has_one(ask: Callable[[Any], object]) -> None:
    with pytest.raises(BadQuestion, match=r"^topology: a Lab is no topology\. Write lab\.topology\.$"):
        ask(Lab(topology=LAN))
    with pytest.raises(BadQuestion, match=r"^topology: 'lan' is not a topology\. Write Topology\.of\(…\)\.$"):
        ask("lan")


def test_the_default_world_is_made_by_of() -> None:
    with pytest.raises(TopologyError, match=r"Write Topology\.of\(ipvlan"):
        Topology(ipvlan("l2"), net1="10.0.1.11/24")  # type: ignore[arg-type, call-arg]
