"""What an exercise is: the answer that is right, and what to say about each that is not.

Law: an answer is read by its form first. One of another form than was asked for is told the form, with the words to
choose from; a wrong one of the right form gets something to think about. Neither gives the answer away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ipvkit.course import reading

#: What to say about a wrong answer: a text, or what makes one of the answer as it was read.
Hint = str | Callable[[Any], str]
#: What the first wrong condition overlooks, in the order they are looked at; nothing wrong: right.
Conditions = tuple[tuple[Callable[[Any], bool], Hint], ...]


@dataclass(frozen=True)
class Exercise:
    """``right`` is the word that counts, or ``conditions`` are what must hold; ``praise`` says why it is right.

    ``hints`` has the other words of the choice. An answer that is none of them is told the words, or ``form`` where
    they are no closed list; one that ``looks`` (a regular expression) like an answer all the same gets ``otherwise``.
    ``conditions`` are asked of what ``reads`` makes of the answer; where it makes nothing of it, ``form`` is said.
    """

    praise: str
    right: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)
    looks: str = ""
    otherwise: str = ""
    reads: Callable[[Any], Any] = reading.word
    conditions: Conditions = ()
    form: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The words to choose from, in an order that says nothing about which is right."""
        return tuple(sorted({self.right, *self.hints} - {""}))

    def judge(self, answer: Any) -> tuple[bool, str]:
        """Return whether ``answer`` is right, and what to say about it."""
        if answer is ...:
            return False, "Replace the dots by your answer, and run the cell again."
        read = self.reads(answer)
        wrong = self._wrong(read)
        if wrong is None:
            return True, self.praise
        return False, wrong if isinstance(wrong, str) else wrong(read)

    def _wrong(self, read: Any) -> Hint | None:
        """Return what to say about an answer as it was read; None if it is right."""
        if self.conditions:
            unmet = (hint for holds, hint in self.conditions if not holds(read))
            return self.form if read is None else next(unmet, None)
        if read == reading.word(self.right):
            return None
        hint = next((hint for word, hint in self.hints.items() if reading.word(word) == read), "")
        if not hint and self.looks and re.fullmatch(self.looks, read):
            hint = self.otherwise
        return hint or self.form or f"Write {_either(self.words)}."


def _either(words: tuple[str, ...]) -> str:
    quoted = [f'"{word}"' for word in words]
    return " or ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part)
