"""Every reference notebook has the shape our students know, whatever it teaches (docs/teaching.md).

These are checks of the files; that the outputs are what a kernel answers is nbval's part.
"""

from __future__ import annotations

import re
import statistics
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
#: What strict nbval cannot see or trips over, and what a lesson must not do.
FORBIDDEN = ("widgets.Output", "interact(", "clear_output", "plt.show", "tqdm", "pip install", "import *")
LINE = 75  # characters of code: what is seen of a cell at 1280 pixels, beside JupyterLab's file browser


def cells(notebook: Any, kind: str) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request: pytest.FixtureRequest) -> Any:
    return nbformat.read(request.param, as_version=4)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


def test_it_asks_one_question_and_says_what_one_learns(notebook: Any) -> None:
    opening = notebook.cells[0].source
    assert re.match(r"# .*\?", opening), "the title is the question"
    everything = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    for heading in ("You will be able to", "## Recap", "## Under the hood"):
        assert heading in everything, heading


def test_code_cells_are_short(notebook: Any) -> None:
    lines = [len(cell.source.splitlines()) for cell in cells(notebook, "code")]
    assert statistics.median(lines) <= 3
    assert statistics.quantiles(lines, n=10)[-1] <= 8
    assert 20 <= len(notebook.cells) <= 48


def test_code_is_seen_whole(notebook: Any) -> None:
    lines = [line for cell in cells(notebook, "code") for line in cell.source.splitlines()]
    assert not [line for line in lines if len(line) > LINE]


def test_a_guess_is_shown_whatever_it_is(notebook: Any) -> None:
    for cell in cells(notebook, "code"):
        assert "you:" not in cell.source, "print(versus(guess, …)): dots that were left are then no guess"


def test_no_number_is_broken_in_two(notebook: Any) -> None:
    for cell in cells(notebook, "markdown"):
        assert not re.search(r"\d \d{3}\b", cell.source), "put a no-break space (U+00A0) between thousands"


def test_text_carries_the_lesson(notebook: Any) -> None:
    text = sum(len(cell.source.split()) for cell in cells(notebook, "markdown"))
    code = sum(len(cell.source.split()) for cell in cells(notebook, "code"))
    assert text >= code


def test_outputs_are_committed_in_order(notebook: Any) -> None:
    counts = [cell.execution_count for cell in cells(notebook, "code")]
    assert counts == list(range(1, len(counts) + 1)), "remake it: python -m ipvkit.course.remake"


def test_only_a_lesson_about_errors_fails(notebook: Any) -> None:
    for cell in cells(notebook, "code"):
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == ("raises-exception" in cell.metadata.get("tags", [])), cell.source


def test_every_drawing_has_a_png_beside_it(notebook: Any) -> None:
    for cell in cells(notebook, "code"):
        for output in cell.outputs:
            data = output.get("data", {})
            assert ("image/svg+xml" in data) == ("image/png" in data), cell.source


def test_no_output_is_ignored_lightly(notebook: Any) -> None:
    ignored = [cell for cell in cells(notebook, "code") if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    assert len(ignored) <= 3


def test_nothing_forbidden(notebook: Any) -> None:
    for cell in cells(notebook, "code"):
        assert not [word for word in FORBIDDEN if word in cell.source], cell.source


def test_every_exercise_has_a_folded_solution(notebook: Any) -> None:
    tags = [tag for cell in cells(notebook, "code") for tag in cell.metadata.get("tags", [])]
    assert tags.count("exercise") == tags.count("solution")
    assert 2 <= tags.count("exercise") <= 3
