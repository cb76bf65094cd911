"""Words on a terminal: styles, progress, width. Colour only on a terminal, and never the only sign.

``NO_COLOR`` (no-color.org) turns colour off; where standard output is not UTF-8, lines and arrows become ASCII.
Imports nothing of ours.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_STYLES = {"strong": "1", "dim": "2", "good": "32", "bad": "31"}
_ASCII = str.maketrans({
    **dict.fromkeys("┌┐└┘├┤┬┴┼", "+"), "─": "-", "│": "|", "→": ">", "≠": "!", "✓": "y", "…": ".", "·": ".",
})
_NARROWEST, _WIDEST = 20, 100

#: What the student types before a command: ``./lab run`` is ``python -m ipvkit run`` in the lab's own environment.
TYPED = os.environ.get("IPVKIT_TYPED") or "python -m ipvkit"


class NobodyReads(Exception):
    """Standard output or standard error goes to a program that has ended: ``| head`` has seen enough."""


class Terminal:
    """Where the command line writes: ``say`` for results, ``step`` for progress, ``complain`` for errors."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out, self.err = out or sys.stdout, err or sys.stderr
        self.colour = _is_terminal(self.out)
        self.width = max(_NARROWEST, min(shutil.get_terminal_size((80, 24)).columns, _WIDEST))

    def styled(self, style: str, text: str) -> str:
        """Return ``text`` in a style (strong, dim, good, bad), or as it is where there is no colour."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour else text

    def say(self, text: str = "", style: str = "") -> None:
        """Write lines to standard output."""
        _write(self.out, (self.styled(style, text) if style else text) + "\n")

    def heading(self, text: str) -> None:
        """Write a heading: a strong line with a blank one before it."""
        self.say()
        self.say(text, "strong")

    def paragraph(self, text: str, indent: str = "") -> None:
        """Write a sentence or more, wrapped."""
        self.say(self.wrapped(text, indent))

    def wrapped(self, text: str, indent: str = "") -> str:
        """Return ``text`` in lines that fit."""
        return textwrap.fill(text, self.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)

    def complain(self, text: str) -> None:
        """Write to standard error."""
        _write(self.err, text + "\n")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say on standard error what takes time while it does; on a terminal the line goes when it is done."""
        on_terminal = self.err.isatty()
        _write(self.err, f"{what} ..." + ("" if on_terminal else "\n"))
        try:
            yield
        finally:
            if on_terminal:
                _write(self.err, "\r\x1b[K")


def length(text: str) -> int:
    """Return how many columns a styled text takes."""
    return len(re.sub("\x1b\\[[0-9]*m", "", text))


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "ascii"
    if not encoding.lower().startswith("utf"):
        text = text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise NobodyReads from None
