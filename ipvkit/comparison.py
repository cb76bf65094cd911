"""Predicted against measured: where theory and kernel meet.

Each side is a mapping ``pairs`` from (from, to) to an object with a ``verdict`` word; neither side knows the other, and
nothing here decides who is right. If they disagree, the kernel is.
Imports nothing of ours but errors and how a table looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ipvkit import html
from ipvkit.errors import BadQuestion

AGREEMENT, DISAGREEMENT, NOT_MODELLED = "agreement", "disagreement", "not modelled"
AMONG_OTHERS = "Among others who ask at the same time the answer may be another, for they are overheard"
_SIGNS = {AGREEMENT: "=", DISAGREEMENT: "≠", NOT_MODELLED: "?"}


class Table(Protocol):
    """A finding about ordered pairs: each value has a ``verdict`` word, and ``why`` or ``detail``."""

    @property
    def pairs(self) -> Mapping[tuple[str, str], Any]:
        """The verdicts by (from, to)."""


@dataclass(frozen=True)
class Row:
    """One pair: ``outcome`` is agreement, disagreement or not modelled; ``why`` is theory's reason."""

    source: str
    destination: str
    predicted: str
    measured: str
    outcome: str
    why: str
    detail: str = ""

    def __str__(self) -> str:
        """Return the pair and both words."""
        sign = _SIGNS[self.outcome]
        return f"{self.source} → {self.destination}: predicted {self.predicted} {sign} measured {self.measured}"


@dataclass(frozen=True, repr=False)
class Comparison:
    """Every pair both sides speak about. True (`bool`) if nothing disagrees and everything is modelled."""

    rows: tuple[Row, ...]

    def of(self, outcome: str) -> tuple[Row, ...]:
        """Return the rows with this outcome."""
        return tuple(row for row in self.rows if row.outcome == outcome)

    @property
    def disagreements(self) -> tuple[Row, ...]:
        """The rows in which the kernel did something else."""
        return self.of(DISAGREEMENT)

    def __bool__(self) -> bool:
        """Return True if theory and kernel say the same about every pair."""
        return len(self.of(AGREEMENT)) == len(self.rows)

    def __repr__(self) -> str:
        """Return the counts, then each pair that is not an agreement, with its why."""
        lines = [self._counts()]
        for row in self.rows:
            if row.outcome != AGREEMENT:
                lines += [str(row), *(f"  {label}: {text}" for label, text in (("theory", row.why),
                                                                             ("kernel", row.detail)) if text)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the counts, the matrix of outcomes, and every pair with its why, folded."""
        names = tuple(dict.fromkeys(name for row in self.rows for name in (row.source, row.destination)))
        pairs = {(row.source, row.destination): row for row in self.rows}
        reasons = [(f"{row.source} → {row.destination}", row.predicted, row.measured,
                    f"{_SIGNS[row.outcome]} {row.outcome}", row.why) for row in self.rows]
        columns = ("pair", "predicted", "measured", "outcome", "why")
        return (html.matrix(self._counts(), names, lambda *pair: _look(pairs.get(pair)))
                + f"<details><summary>why, pair by pair</summary>{html.table('', columns, reasons)}</details>")

    def _counts(self) -> str:
        counts = ((self.of(outcome), outcome) for outcome in _SIGNS)
        return "compared: " + ", ".join(
            f"{len(rows)} {outcome if outcome == NOT_MODELLED or len(rows) == 1 else outcome + 's'}"
            for rows, outcome in counts)


def _look(row: Row | None) -> tuple[str, str, bool]:
    if row is None:
        return "not asked", "", False
    if row.outcome == AGREEMENT:
        return row.measured, f"agreement. {row.why}", False
    return f"{row.predicted} {_SIGNS[row.outcome]} {row.measured}", f"{row.outcome}. theory: {row.why}", True


def compare(predicted: Table, measured: Table) -> Comparison:
    """Return, for every pair that was measured and predicted, whether the kernel did as theory said.

    A pair that was measured and not predicted is "not modelled"; one that was not measured is left out. Where theory
    says that the answer depends on what others asked before (``warm``), either answer agrees, and the row's ``why``
    says so: a matrix is asked all at once. Asked alone, such a pair must do as predicted: the conformance tests see to
    it. Raises ``BadQuestion`` for what is no such table, and where the two have changed places.
    """
    _refuse_what_is_no_table(predicted, measured)
    rows = []
    for (source, destination), seen in measured.pairs.items():
        said = predicted.pairs.get((source, destination))
        word = said.verdict if said else NOT_MODELLED
        outcome = NOT_MODELLED if word == NOT_MODELLED else DISAGREEMENT
        why = said.why if said else "theory was not asked about this pair"
        if word != NOT_MODELLED and seen.verdict == word:
            outcome = AGREEMENT
        elif word != NOT_MODELLED and seen.verdict in getattr(said, "warm", ()):
            outcome, why = AGREEMENT, f"{why}. {AMONG_OTHERS}"
        rows.append(Row(source, destination, word, seen.verdict, outcome, why, str(getattr(seen, "detail", "") or "")))
    return Comparison(tuple(rows))


def _refuse_what_is_no_table(predicted: Any, measured: Any) -> None:
    for field, table, fix in (("predicted", predicted, "predict(lan)"), ("measured", measured, "lab.ping_matrix()")):
        if not isinstance(getattr(table, "pairs", None), Mapping):
            raise BadQuestion(field, f"a {type(table).__name__} says nothing about pairs", f"Write {fix}.")
    if not all(hasattr(said, "why") for said in predicted.pairs.values()):
        raise BadQuestion("predicted", f"a {type(predicted).__name__} is measured, no prediction",
                          "Write compare(predict(lan), lab.ping_matrix()): what theory says comes first.")
