"""What students write: a wrong answer of any kind gets a hint, a measured answer counts as its word."""

from __future__ import annotations

from typing import Any

import pytest

from ipvkit.course.exercises import check
from ipvkit.findings import Answer
from ipvkit.topology import Topology, ipvlan, macvlan

SIX = {"net1": "fd00:1::11/64", "net2": "fd00:1::12/64"}


@pytest.mark.parametrize(("exercise", "answer", "hint"), [
    ("01-b", Topology.of(ipvlan("l2"), routes="none", **SIX), "net1 does not reach net2 yet"),
    ("03-b", Topology.of(macvlan("bridge"), **SIX), "net1 does not reach net2"),
    ("05-b", Topology.of(ipvlan("l2", "vepa"), hairpin=True, **SIX), "net1 does not reach the host yet"),
    ("02-b", "net1→net2→net1", "Write a pair"),
    ("02-b", 7, "Write a pair"),
    ("09-a", ["reply"], "That is not one of the words"),
])
def test_a_wrong_answer_of_any_kind_gets_a_hint(exercise: str, answer: Any, hint: str) -> None:
    said = check(exercise, answer)
    assert not said
    assert hint in said.text


def test_a_measured_answer_counts_as_its_word() -> None:
    measured = Answer("reply", "ttl 62", 62)
    assert check("09-a", measured)
