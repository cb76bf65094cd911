"""The student's working copy of the course: made once, never overwritten.

The notebooks in the clone carry outputs and solutions: they are the book, and the regression test. The copy has
neither, so that no answer stands under a question. A notebook the student already has is never touched; ``reset``
puts a fresh one in its place and keeps the old one beside it. Fresh notebooks are signed where there is nbformat to do
it, so that JupyterLab trusts them; all else needs Python alone.

Run by ``./lab`` as ``python -m ipvkit.course.copy make|reset NOTEBOOKS COURSE [NUMBER]``.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from contextlib import suppress
from datetime import datetime
from errno import EDQUOT, EEXIST, ENOSPC
from pathlib import Path
from typing import Any

from ipvkit.errors import BadQuestion, IpvkitError

SOLUTION = "solution"
_GUESSED = re.compile(r"""(?<=: )("[^"]*"|\d+)""")  # a word or number behind the colon of a mapping
NOT_FOR_STUDENTS = frozenset({"sanitize.cfg", "conftest.py"})


def make(notebooks: Path, course: Path) -> list[Path]:
    """Copy what ``course`` does not have yet from ``notebooks``; return the new files.

    Raises ``OSError`` as the file system gives it (EACCES, ENOSPC, ...).
    """
    course.mkdir(parents=True, exist_ok=True)
    new = []
    for source in sorted(path for path in notebooks.rglob("*") if path.is_file() and _is_for_students(path, notebooks)):
        target = course / source.relative_to(notebooks)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(source, target)
            new.append(target)
    return new


def reset(notebooks: Path, course: Path, number: str) -> tuple[Path, Path | None]:
    """Give the notebook whose name begins with ``number`` afresh; return it, and where the old one is kept.

    Raises ``BadQuestion`` when no notebook, or more than one, begins so.
    """
    found = sorted(notebooks.glob("*.ipynb"))
    matches = [path for path in found if path.name.startswith(number.zfill(2))]
    if len(matches) != 1:
        names = ", ".join(path.name for path in matches or found)
        problem = "more than one notebook begins so" if matches else "no notebook begins so"
        raise BadQuestion(f"notebook {number}", problem, f"There is: {names}")
    target = course / matches[0].name
    course.mkdir(parents=True, exist_ok=True)
    return target, _place(matches[0], target)


def stripped(notebook: Any) -> Any:
    """The notebook without outputs, counts, saved widgets, cells tagged ``solution``, and the guesses made in it."""
    notebook["cells"] = [cell for cell in notebook["cells"] if SOLUTION not in cell["metadata"].get("tags", [])]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            source = "".join(cell["source"])
            if source.startswith("guess = "):  # the student's to make
                source = _GUESSED.sub("...", source) if ":" in source else "guess = ..."
                cell["source"] = source.splitlines(keepends=True)
    notebook["metadata"].pop("widgets", None)
    return notebook


def _is_for_students(path: Path, notebooks: Path) -> bool:
    parts = path.relative_to(notebooks).parts
    hidden = any(part.startswith((".", "__")) for part in parts)
    return not hidden and path.name not in NOT_FOR_STUDENTS


def _place(source: Path, target: Path) -> Path | None:
    """Write the student's form of ``source``; return where what was there before is kept.

    It appears under its name only when it is complete, and what was there keeps that name until then.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        if source.suffix == ".ipynb":
            text = json.dumps(stripped(json.loads(source.read_text())), ensure_ascii=False, indent=1, sort_keys=True)
            part.write_text(text + "\n")
            _sign(part)
        else:
            shutil.copyfile(source, part)
        kept = _set_aside(target) if target.exists() else None
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return kept


def _sign(notebook: Path) -> None:
    try:
        import sqlite3

        import nbformat
        from nbformat.sign import NotebookNotary
    except ModuleNotFoundError:
        return
    with suppress(sqlite3.Error):  # no room for the signature: a notebook that is not trusted is better than none
        NotebookNotary().sign(nbformat.read(notebook, as_version=4))


def _set_aside(target: Path) -> Path:
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    kept = target.with_name(f"{target.stem}.before-{stamp}{target.suffix}")
    if kept.exists():  # two resets within one second: rename would replace the first one's
        raise FileExistsError(EEXIST, "is there already; try again in a second", kept)
    return target.rename(kept)


def main(arguments: list[str]) -> int:
    """Do what ``./lab`` asks and say what was done.

    Returns 0 good, 1 the file system refused, 2 no such notebook, 130 interrupted.
    """
    action, notebooks, course = arguments[0], Path(arguments[1]), Path(arguments[2])
    try:
        if action == "make":
            new = make(notebooks, course)
            print(f"Your course is in {course} ({len(new)} new file{'' if len(new) == 1 else 's'}).")
        else:
            fresh, kept = reset(notebooks, course, arguments[3])
            print(f"{fresh} is fresh." + (f" Yours is kept in {kept}." if kept else ""))
    except IpvkitError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        advice = f"{'make room, or ' if error.errno in (ENOSPC, EDQUOT) else ''}choose another place with --dir"
        print(f"lab: {error.filename or course}: {error.strerror}; {advice}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run ./lab again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
