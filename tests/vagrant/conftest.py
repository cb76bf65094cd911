"""The boxes under test, built once, and the record of the run."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Record:
    """What was seen, line by line; written to the file that ``IPVKIT_RECORD`` names, for docs/vagrant-record.md."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, what: str, seen: str) -> None:
        """Keep one row of the record's table."""
        self.lines.append(f"| {what} | {seen} |")

    def write(self, file: Path) -> None:
        """Write the dated record."""
        head = f"# The last run of `tests/vagrant/`\n\n{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, on "
        machine = f"{os.cpu_count()} cores without KVM: QEMU translates every instruction (TCG).\n\n"
        file.write_text(head + machine + "| what | seen |\n|---|---|\n" + "\n".join(self.lines) + "\n")


@pytest.fixture(scope="session")
def record() -> Generator[Record]:
    """The record, printed at the end and kept where ``IPVKIT_RECORD`` says."""
    record = Record()
    yield record
    if record.lines and "IPVKIT_RECORD" in os.environ:
        record.write(Path(os.environ["IPVKIT_RECORD"]))


@pytest.fixture(scope="session")
def boxes(tmp_path_factory: pytest.TempPathFactory, record: Record) -> Path:
    """The directory with the boxes: built now by ``./lab box build``, or the one that ``IPVKIT_BOXES`` names.

    ``IPVKIT_BOX_CA`` is handed on as ``--ca``. Skips where this computer cannot build a box, saying why.
    """
    if "IPVKIT_BOXES" in os.environ:
        return Path(os.environ["IPVKIT_BOXES"])
    output = tmp_path_factory.mktemp("boxes")
    authority = ["--ca", os.environ["IPVKIT_BOX_CA"]] if "IPVKIT_BOX_CA" in os.environ else []
    words = [str(ROOT / "lab"), "box", "build", "--output", str(output), *authority]
    began = time.monotonic()
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    if answer.returncode == 2:
        pytest.skip(answer.stderr.strip())
    assert answer.returncode == 0, answer.stdout + answer.stderr
    record.add("`./lab box build`", f"{time.monotonic() - began:.0f} s")
    return output
