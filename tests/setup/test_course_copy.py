"""The student's working copy: what it has, what it has not, and that it is never overwritten."""

from __future__ import annotations

from errno import ENOSPC
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ipvkit.course import copy


@pytest.fixture(autouse=True)
def signatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A reference notebook with an answer, its output and a solution, a picture, and what is not for students."""
    directory = tmp_path / "notebooks"
    (directory / "pictures").mkdir(parents=True)
    (directory / ".ipynb_checkpoints").mkdir()
    code = new_code_cell("6 * 7", execution_count=3, outputs=[new_output("stream", name="stdout", text="42")])
    solution = new_code_cell("the_answer()", metadata={"tags": ["solution"]})
    notebook = new_notebook(cells=[new_markdown_cell("# Why?"), code, solution], metadata={"widgets": {"state": 1}})
    nbformat.write(notebook, directory / "03-why.ipynb")
    for name in ("pictures/wire.svg", "sanitize.cfg", ".ipynb_checkpoints/03-why.ipynb"):
        (directory / name).write_text("<svg/>")
    return directory


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_the_copy_has_the_notebooks_and_their_pictures_only(book: Path, tmp_path: Path) -> None:
    course = tmp_path / "course"
    new = copy.make(book, course)
    assert {str(path.relative_to(course)) for path in new} == {"03-why.ipynb", "pictures/wire.svg"}
    assert sorted(path for path in course.rglob("*") if path.is_file()) == sorted(new)


def test_no_answer_stands_under_a_question(book: Path, tmp_path: Path) -> None:
    copy.make(book, tmp_path / "course")
    notebook = read(tmp_path / "course" / "03-why.ipynb")
    assert [cell.source for cell in notebook.cells] == ["# Why?", "6 * 7"]
    assert (notebook.cells[1].outputs, notebook.cells[1].execution_count) == ([], None)
    assert "widgets" not in notebook.metadata
    nbformat.validate(notebook)


def test_the_copy_is_trusted(book: Path, tmp_path: Path) -> None:
    copy.make(book, tmp_path / "course")
    assert NotebookNotary().check_signature(read(tmp_path / "course" / "03-why.ipynb"))


def test_what_the_student_has_is_never_touched_and_what_is_new_is_added(book: Path, tmp_path: Path) -> None:
    course = tmp_path / "course"
    copy.make(book, course)
    (course / "03-why.ipynb").write_text("my work")
    nbformat.write(new_notebook(), book / "04-new.ipynb")
    assert copy.make(book, course) == [course / "04-new.ipynb"]
    assert (course / "03-why.ipynb").read_text() == "my work"


def test_reset_gives_a_fresh_one_and_keeps_the_old_one_beside_it(book: Path, tmp_path: Path) -> None:
    course = tmp_path / "course"
    copy.make(book, course)
    (course / "03-why.ipynb").write_text("my work")
    fresh, kept = copy.reset(book, course, "03")
    assert kept is not None
    assert kept.read_text() == "my work"
    assert kept.name.startswith("03-why.before-20")
    assert [cell.source for cell in read(fresh).cells] == ["# Why?", "6 * 7"]


def test_reset_brings_back_a_notebook_that_was_deleted(book: Path, tmp_path: Path) -> None:
    assert copy.reset(book, tmp_path / "course", "03") == (tmp_path / "course" / "03-why.ipynb", None)


def test_reset_twice_within_a_second_loses_nothing(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = tmp_path / "course"
    copy.make(book, course)

    class StoppedClock(copy.datetime):
        @classmethod
        def now(cls, tz: object = None) -> copy.datetime:
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(copy, "datetime", StoppedClock)
    _, kept = copy.reset(book, course, "03")
    with pytest.raises(FileExistsError):
        copy.reset(book, course, "03")
    assert kept is not None
    assert kept.exists()
    assert (course / "03-why.ipynb").exists()


@pytest.mark.parametrize(("number", "problem"), [("9", "no notebook begins so"), ("3", "more than one")])
def test_an_unclear_number_is_answered_with_what_there_is(
    book: Path, tmp_path: Path, number: str, problem: str
) -> None:
    nbformat.write(new_notebook(), book / "03-why-not.ipynb")
    with pytest.raises(copy.BadQuestion, match=problem) as refusal:
        copy.reset(book, tmp_path / "course", number)
    assert "03-why-not.ipynb, 03-why.ipynb" in str(refusal.value)


@pytest.mark.parametrize(("written", "left"), [
    ('guess = "reply"', "guess = ..."), ("guess = 3", "guess = ..."), ('guess = {"net1", "host"}', "guess = ..."),
    ('guess = {"l2": "reply", "net1→host": 3}', 'guess = {"l2": ..., "net1→host": ...}'),
    ('answer = "reply"', 'answer = "reply"')])
def test_a_guess_is_the_students_to_make(written: str, left: str) -> None:
    source = copy.stripped(new_notebook(cells=[new_code_cell(written)])).cells[0].source
    assert "".join(source) == left


def test_the_command_line_answers_bad_input_in_one_line(
    book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copy.main(["reset", str(book), str(tmp_path / "course"), "77"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_course_directory_that_cannot_be_made_is_told(
    book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert copy.main(["make", str(book), str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted; run ./lab again"),
        (OSError(ENOSPC, "No space left on device"), 1, "course: No space left on device; make room, or choose"),
    ],
)
@pytest.mark.parametrize("action", [["make"], ["reset", "03"]], ids=["make", "reset"])
def test_what_fails_half_way_leaves_everything_as_it_was(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    action: list[str], failure: BaseException, status: int, words: str,
) -> None:
    course = tmp_path / "course"
    if action[0] == "reset":
        copy.make(book, course)
        (course / "03-why.ipynb").write_text("my work")
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}

    def fail(notebook: Path) -> None:
        raise failure

    monkeypatch.setattr(copy, "_sign", fail)
    assert copy.main([action[0], str(book), str(course), *action[1:]]) == status
    assert {path: path.read_bytes() for path in course.rglob("*") if path.is_file()} == before
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
