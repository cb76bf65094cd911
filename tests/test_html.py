"""How a table looks: a sign stays at its word, a name is one line, and what is too wide scrolls."""

from __future__ import annotations

import re

from ipvkit import html


def styles(page: str, tag: str) -> list[str]:
    """The style of every element with this tag."""
    return re.findall(rf"<{tag} style='([^']*)'", page)


def test_a_sign_stays_at_its_word_names_are_one_line_and_a_wide_matrix_scrolls() -> None:
    page = html.matrix("ping", ("net1", "host"), lambda a, b: ("host unreachable", f"{a} {b}", True))
    assert page.startswith("<div style='overflow-x:auto'><table")
    assert all("white-space:nowrap" in style for style in styles(page, "th"))
    assert page.count(">✗&nbsp;host unreachable</td>") == 2


def test_a_caption_is_not_broken_by_a_narrow_table() -> None:
    page = html.table("what everybody hears, measured in the kernel", ("a",), [("b",)])
    assert "white-space:nowrap" in styles(page, "caption")[0]
