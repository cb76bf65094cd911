"""What counts as an agreement, and that a lenient one says that it is."""

from __future__ import annotations

import pytest

from ipvkit.comparison import AGREEMENT, AMONG_OTHERS, DISAGREEMENT, NOT_MODELLED, Row, compare
from ipvkit.errors import BadQuestion
from ipvkit.findings import Answer, ReachabilityTable
from ipvkit.theory import Verdict, predict
from ipvkit.topology import Topology, macvlan

PASSTHRU = Topology.of(macvlan("passthru"), net1="10.0.1.11/24")
PAIR = ("host", "ext")  # its question is unanswered, but the child's question, overheard, tells it the answer


class Measured:
    """One pair of a matrix."""

    def __init__(self, verdict: str, pair: tuple[str, str] = PAIR) -> None:
        self.pairs = {pair: Verdict(verdict, "", "")}


def row(measured: Measured) -> Row:
    """Compare one pair."""
    (found,) = compare(predict(PASSTHRU), measured).rows
    return found


def test_what_theory_said_is_an_agreement_without_further_words() -> None:
    found = row(Measured("host unreachable"))
    assert found.outcome == AGREEMENT
    assert AMONG_OTHERS not in found.why


def test_what_depends_on_the_others_agrees_and_says_so() -> None:
    found = row(Measured("timeout"))
    assert (found.predicted, found.measured, found.outcome) == ("host unreachable", "timeout", AGREEMENT)
    assert AMONG_OTHERS in found.why


def test_anything_else_is_a_disagreement() -> None:
    assert row(Measured("reply")).outcome == DISAGREEMENT
    assert row(Measured("timeout", ("net1", "ext"))).outcome == DISAGREEMENT


def test_who_is_not_in_the_prediction_is_not_modelled() -> None:
    found = row(Measured("reply", ("host", "nobody")))
    assert (found.predicted, found.outcome) == (NOT_MODELLED, NOT_MODELLED)


def test_what_is_not_modelled_is_never_an_agreement() -> None:
    predicted = Measured("")
    predicted.pairs[PAIR] = Verdict(NOT_MODELLED, "", "", warm=frozenset({"reply"}))
    (found,) = compare(predicted, Measured("reply")).rows
    assert found.outcome == NOT_MODELLED


def test_what_is_no_table_or_stands_in_the_others_place_is_named() -> None:
    matrix = ReachabilityTable({PAIR: Answer("reply")}, PAIR, 4, "cold")
    with pytest.raises(BadQuestion, match=r"predicted: a Topology says nothing about pairs\. Write predict\(lan\)"):
        compare(PASSTHRU, matrix)  # type: ignore[arg-type]
    with pytest.raises(BadQuestion, match=r"measured: a Topology .* Write lab\.ping_matrix\(\)"):
        compare(predict(PASSTHRU), PASSTHRU)  # type: ignore[arg-type]
    with pytest.raises(BadQuestion, match="predicted: a ReachabilityTable is measured, no prediction"):
        compare(matrix, predict(PASSTHRU))
