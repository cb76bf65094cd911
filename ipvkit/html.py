"""How tables look in a notebook: left-aligned text, and verdicts by sign and word as well as by colour.

Styles are inline and half transparent: they hold in light and dark themes, in a static page, and in an untrusted
notebook, where style sheets are stripped. Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

#: What stands before a verdict; whatever else a kernel says is a refusal of some sort.
SIGNS = {"reply": "✓", "arrived": "✓", "timeout": "…", "not modelled": "?", "not asked": "", "": "", ".": ""}
_REFUSED = "✗"
_BACKGROUND = {"✓": "rgba(46,160,67,.22)", "…": "rgba(130,130,130,.18)", "✗": "rgba(210,110,20,.22)",
               "?": "rgba(110,80,200,.18)"}
_TABLE = "border-collapse:collapse;margin:4px 0;line-height:1.4"
_CELL = "text-align:left;vertical-align:top;padding:3px 8px;border:1px solid rgba(130,130,130,.35)"
_WHOLE = "white-space:nowrap"  # a name, or a caption over a narrow table, is not broken into lines
_SHORT = 24  # characters that are never broken into two lines
_LOUD = "border:3px solid rgba(215,30,30,.9);font-weight:bold"


def sign(verdict: str) -> str:
    """Return the sign of a verdict: ✓ it arrived, … silence, ✗ somebody said no, ? not modelled."""
    return SIGNS.get(verdict, _REFUSED)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], code: frozenset[str] = frozenset()) -> str:
    """Return a table under ``title``; the cells of the columns named in ``code`` are set as code."""
    head = "".join(f"<th style='{_CELL}'>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(_cell(_text(cell), columns[number] in code) for number, cell in enumerate(row))
                   + "</tr>" for row in rows)
    return _whole(title, head, body)


def matrix(title: str, names: Sequence[str], verdict: Callable[[str, str], tuple[str, str, bool]]) -> str:
    """Return a table of ordered pairs: from the left to the top.

    ``verdict(source, destination)`` gives the word, what hovering shows, and whether the cell must stand out.
    """
    head = "".join(f"<th style='{_CELL};{_WHOLE}'>{escape(name)}</th>" for name in ("from ↓ to →", *names))
    body = "".join(
        f"<tr><th style='{_CELL};{_WHOLE}'>{escape(source)}</th>"
        + "".join(_verdict(*verdict(source, destination)) if source != destination else f"<td style='{_CELL}'></td>"
                  for destination in names) + "</tr>"
        for source in names)
    return _whole(title, head, body)


def text(words: str) -> str:
    """Return a text of several lines, too long ones broken at blanks: JupyterLab would break them within words."""
    return f"<pre style='white-space:pre-wrap;word-break:normal;overflow-wrap:break-word'>{escape(words)}</pre>"


def _whole(title: str, head: str, body: str) -> str:
    caption = f"<caption style='text-align:left;caption-side:top;{_WHOLE}'>{escape(title)}</caption>" if title else ""
    return (f"<div style='overflow-x:auto'><table class='ipvkit' style='{_TABLE}'>{caption}<thead><tr>{head}</tr>"
            f"</thead><tbody>{body}</tbody></table></div>")


def _cell(text: str, code: bool) -> str:
    short = f";{_WHOLE}" if len(text) <= _SHORT else ""
    return f"<td style='{_CELL}{short}'>{f'<code>{escape(text)}</code>' if code else escape(text)}</td>"


def _verdict(word: str, hover: str, loud: bool) -> str:
    mark = sign(word.partition(" ≠ ")[0].partition(" ? ")[0])  # what was predicted, before what was measured
    background = _BACKGROUND.get(mark, "none")
    style = f"{_CELL};background:{background}" + (f";{_LOUD}" if loud else "")
    said = f"{mark}&nbsp;{escape(word)}" if mark else escape(word)  # the sign stays at its word on a narrow page too
    return f"<td style='{style}' title='{escape(hover, quote=True)}'>{said}</td>"


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)
