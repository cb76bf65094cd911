"""Reachability as a picture: what is in the cells, and what stands out."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree

import pytest

from ipvkit.drawing import draw_matrix
from ipvkit.errors import BadQuestion
from ipvkit.findings import Answer
from ipvkit.theory import predict
from ipvkit.topology import ipvlan, macvlan
from tests.drawing.worlds import CLASSIC, LONG, crowd, leaking_labels, outside, overlapping_labels


@dataclass
class Seen:
    """What a measurement looks like."""

    pairs: dict[tuple[str, str], Answer] = field(default_factory=dict)


PREDICTED = predict(CLASSIC)
SAME = Seen({pair: Answer(verdict.verdict) for pair, verdict in PREDICTED.pairs.items()})
OTHER = Seen({**SAME.pairs, ("net1", "net2"): Answer("host unreachable", "says router")})


@pytest.mark.parametrize("number", [1, 4, 5, 20, 50])
def test_nothing_overlaps_leaks_or_leaves_the_canvas(number: int) -> None:
    prediction = predict(crowd(macvlan("bridge"), number))
    for drawing in (draw_matrix(prediction), draw_matrix(prediction, Seen(
            {pair: Answer("network unreachable") for pair in prediction.pairs}))):
        assert not overlapping_labels(drawing.scene) if number < 50 else True
        assert outside(drawing.scene) == []
        assert leaking_labels(drawing.scene) == []


def test_long_names() -> None:
    scene = draw_matrix(predict(LONG)).scene
    assert overlapping_labels(scene) == []
    assert outside(scene) == []
    assert {endpoint.name for endpoint in LONG.endpoints} <= {label.title for label in scene.labels}


def test_one_side_says_sign_word_and_reason() -> None:
    drawing = draw_matrix(predicted=PREDICTED)
    cell = next(box for box in drawing.scene.boxes if box.of == "net1→far")
    assert cell.title.startswith("net1 → far: timeout. ")
    assert PREDICTED["net1", "far"].why in cell.title
    texts = [label.text for label in drawing.scene.labels]
    words = [verdict.verdict for verdict in PREDICTED.values()]
    assert texts.count("✓ reply") == words.count("reply")
    assert texts.count("… timeout") == words.count("timeout")
    assert repr(drawing).startswith("Matrix: predicted, 30 pairs: ")


def test_only_a_disagreement_is_framed() -> None:
    assert not [box for box in draw_matrix(PREDICTED, SAME).scene.boxes if box.role == "loud"]
    drawing = draw_matrix(PREDICTED, OTHER)
    assert len([box for box in drawing.scene.boxes if box.role == "loud"]) == 1
    texts = [label.text for label in drawing.scene.labels]
    assert "✗ host unreachable" in texts
    assert "≠ predicted reply" in texts
    assert "1 disagreement" in repr(drawing)


def test_measured_alone_claims_no_prediction() -> None:
    drawing = draw_matrix(measured=OTHER)
    assert "predicted" not in repr(drawing) + drawing.svg
    assert "says router" in drawing.svg


def test_what_theory_does_not_model_is_no_disagreement() -> None:
    drawing = draw_matrix(Seen(), SAME)
    assert "0 disagreements, 30 not modelled" in repr(drawing)
    assert not [box for box in drawing.scene.boxes if box.role == "loud"]


def test_with_many_names_a_sign_stands_for_the_word_and_the_reason_hovers() -> None:
    prediction = predict(crowd(ipvlan("l2"), 20))
    root = ElementTree.fromstring(draw_matrix(prediction).svg)
    titles = {title.text for title in root.iter("{http://www.w3.org/2000/svg}title")}
    assert {f"{a} → {b}: {verdict.verdict}. {verdict.why}" for (a, b), verdict in prediction.pairs.items()} <= titles


def test_without_pairs_there_is_no_matrix() -> None:
    with pytest.raises(BadQuestion):
        draw_matrix()
