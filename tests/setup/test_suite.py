"""What `./lab test` counts as failed, and that its ordinary user really is one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import ordinary_user, suite

ROOT = Path(__file__).resolve().parents[2]


def test_a_part_that_saw_no_test_has_failed(tmp_path: Path) -> None:
    assert suite.pytest(str(tmp_path)).problem == "no test was run"


def test_a_part_counts_what_pytest_reports(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "def test_broken(no_such_fixture): pass\n"
        "def test_skipped(): pytest.skip('why')\n"
    )
    outcome = suite.pytest("-p", "no:cacheprovider", str(tmp_path))
    assert outcome.problem == "pytest's exit status 1"
    assert dict(outcome.tests) == {"passed": 1, "failed": 2, "skipped": 1}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_ordinary_user_has_a_clone_and_packages_and_no_rights(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("root's")
    (tmp_path / "secret").chmod(0o600)
    script = f"""
import os, pytest, ipvkit
assert os.getuid() == os.getgid() == {ordinary_user.USER}, os.getuid()
assert ipvkit.__file__.startswith(os.getcwd()), ipvkit.__file__
assert pytest.__file__.startswith(os.path.dirname(os.getcwd())), pytest.__file__
try:
    open({str(tmp_path / "secret")!r})
except PermissionError:
    print("no rights")
"""
    with ordinary_user.copy_of(ROOT) as copy:
        answer = subprocess.run(
            [copy.python, "-c", script], cwd=copy.root, capture_output=True, text=True, check=False, **copy.process
        )
        assert answer.stdout == "no rights\n", answer.stderr
    assert not copy.root.exists()
