"""A table of findings: aligned text for the terminal and for comparison, HTML for the notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipvkit import html


class Table:
    """Rows under ``columns``, with a ``title``; cells are shown as they are written."""

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.title, self.columns = title, tuple(columns)
        self.rows = tuple(tuple(row) for row in rows)

    def __repr__(self) -> str:
        """Return the title and the rows, columns aligned."""
        cells = [self.columns, *[[_text(cell) for cell in row] for row in self.rows]]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.columns))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                 for row in cells]
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        """Return the same as an HTML table."""
        return html.table(self.title, self.columns, self.rows)

    def __eq__(self, other: object) -> bool:
        """Compare what is shown."""
        return isinstance(other, Table) and (self.title, self.columns, self.rows) == (
            other.title, other.columns, other.rows)

    def __hash__(self) -> int:
        """Agree with ``==``."""
        return hash((self.title, self.columns, self.rows))

    def to_dataframe(self) -> Any:
        """Return a ``pandas.DataFrame``; ImportError where pandas is not installed (nothing here needs it)."""
        import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]

        return pandas.DataFrame([list(row) for row in self.rows], columns=list(self.columns))


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)
