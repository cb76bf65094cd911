"""Run the reference notebooks and store what the kernel answered: the one way their outputs are made.

    python -m ipvkit.course.remake                       all of notebooks/
    python -m ipvkit.course.remake notebooks/01*.ipynb   these

Outputs are never edited by hand. What differs from run to run without meaning anything (time stamps, the
versions of the notebook's own tools) is left out, so that a diff shows what a lesson says.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from ipvkit.errors import on_a_page

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CELL_TIMEOUT_SECONDS = 120
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def remake(path: Path) -> float:
    """Run one notebook from top to bottom and write its outputs into it; return the seconds it took.

    A cell tagged ``raises-exception`` may fail; any other failure raises ``CellExecutionError`` and nothing is
    written.
    """
    notebook: Any = nbformat.read(path, as_version=4)
    began = time.monotonic()
    os.environ["PYTHONPATH"] = str(NOTEBOOKS.parent)  # the notebook's kernel uses this clone
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT_SECONDS, kernel_name="python3", coalesce_streams=True,
                            resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    notebook.metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"},
                         **{key: value for key, value in notebook.metadata.items() if key == "widgets"}}
    for number, cell in enumerate(notebook.cells, start=1):
        cell.metadata.pop("execution", None)
        cell.id = f"cell-{number:02d}"
        for output in cell.get("outputs", []):
            if output.output_type == "error":  # its words count; the way there names files of this machine
                output.traceback = list(on_a_page(f"{output.ename}: {output.evalue}"))
    nbformat.write(notebook, path)
    return time.monotonic() - began


def main(arguments: list[str] | None = None) -> int:
    """Remake the notebooks named; exit status 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog="python -m ipvkit.course.remake", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    chosen = parser.parse_args(arguments).notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    failed = 0
    for path in chosen:
        print(f"{path.name}: running …", file=sys.stderr, flush=True)
        try:
            print(f"{path.name}: {remake(path):.1f} s", file=sys.stderr, flush=True)
        except CellExecutionError as error:
            failed = 1
            print(f"{path.name}: not written\n{error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
