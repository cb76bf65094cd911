"""What a lesson prints of a guess, whatever the student typed for it."""

from __future__ import annotations

from typing import Any

import pytest

from ipvkit import versus
from ipvkit.findings import Answer


@pytest.mark.parametrize(("guess", "words"), [
    ("reply", "reply"),
    (3, "3"),
    (0, "0"),
    (..., "(no guess)"),
    ([...], "(no guess)"),
    ([], "(no guess)"),
    ("", "(no guess)"),
    ("net2, ext", "net2, ext"),
    (["net2", "ext"], "net2, ext"),
    (["net2", ...], "net2"),
    ({"net2", "ext"}, "ext, net2"),
    ({...}, "(no guess)"),
])
def test_any_guess_has_words(guess: Any, words: str) -> None:
    assert versus(guess, "timeout") == f"you: {words} | kernel: timeout"


@pytest.mark.parametrize(("answer", "words"), [
    (Answer("reply", "ttl 62", 62), "reply, ttl 62"),
    ((), "none"),
    (("net2", "router"), "net2, router"),
    (4, "4"),
])
def test_an_answer_is_shown_as_the_kernel_gave_it(answer: Any, words: str) -> None:
    assert versus(..., answer) == f"you: (no guess) | kernel: {words}"
