"""A guess beside the kernel's answer, in one line: how every lesson compares the two.

A guess is whatever the student typed: a word, a number, several in a list, or the dots that stood there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

NO_GUESS = "(no guess)"


def versus(guess: Any, answer: Any) -> str:
    """Return ``you: timeout | kernel: reply, ttl 64``.

    Several words are listed with commas. Dots that were not replaced are no guess, and fail no cell.
    """
    return f"you: {_words(guess, NO_GUESS)} | kernel: {_words(answer, 'none')}"


def _words(said: Any, nothing: str) -> str:
    if isinstance(said, set | frozenset):
        said = sorted(said, key=str)
    several: Iterable[Any] = said if isinstance(said, list | tuple) else (said,)
    return ", ".join(str(word) for word in several if word is not ...) or nothing
