"""Every claim holds on a real kernel, theory says the same, and docs/claims.md lists exactly these claims."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ipvkit.lab import Lab
from ipvkit.topology import Topology
from tests.theory.claims import CLAIMS, DOCUMENT, HOLDS, NOT_ASKED, Claim, row

BuildLab = Callable[[Topology], Lab]

each_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


def test_a_claim_has_a_name_of_its_own() -> None:
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)


@each_claim
def test_the_theory_says_so(claim: Claim) -> None:
    assert claim.predicted() == claim.shows


@pytest.mark.kernel
@each_claim
def test_the_kernel_does_so(build_lab: BuildLab, claim: Claim) -> None:
    assert claim.measured(build_lab(claim.topology)) == claim.shows


def test_the_document_lists_these_claims_and_each_was_seen() -> None:
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    remake = "python -m tests.theory.claims"
    assert len(lines) == len(CLAIMS), remake
    for line, claim in zip(lines, CLAIMS, strict=True):
        assert line.startswith(row(claim)), remake
        cells = [cell.strip() for cell in line.removeprefix(row(claim)).strip(" |").split("|")]
        assert HOLDS in cells, f"{claim.id}: no kernel showed it"
        assert set(cells) <= {HOLDS, NOT_ASKED}, f"{claim.id}: {cells}"


def test_every_correction_is_shown_by_claims_or_tests_that_exist() -> None:
    text = DOCUMENT.with_name("corrections.md").read_text(encoding="utf-8")
    corrections = re.split(r"\n\n", text)
    shown = [part.split("Shown by", 1)[1] for part in corrections if "**The kernel" in part]
    assert len(shown) >= 10
    for part in shown:
        named = re.findall(r"`([^`]+)`", part)
        assert named, part
        for name in named:
            path, _, function = name.partition("::")
            known = f"def {function}(" in (DOCUMENT.parents[1] / path).read_text() if function else any(
                claim.id == name for claim in CLAIMS)
            assert known, name
