"""How every run of the tests and of the notebooks is judged, so that bare ``pytest`` and ``pytest --nbval`` are right.

A test that needs a kernel, a browser or a notebook and was skipped has shown nothing: the run fails, unless
``tests/allowed-skips.txt`` names the test and says why that is no loss. Notebooks are compared with one sanitising file
and one cell time-out, and their kernels find the package in this clone; all three hold wherever pytest is started.
"""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
ALLOWED_SKIPS = ROOT / "tests" / "allowed-skips.txt"
MUST_RUN = ("kernel", "browser", "notebook")
CELL_TIMEOUT_SECONDS = 180.0  # a hang is what it is for: a cell of lesson 11 takes 20 s, on a busy computer far more
NBVAL_CELL_TIMEOUT_SECONDS = 2000.0


class Skips:
    """Remembers what was skipped although it had to run, from the reports: several processes may have run the tests."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a skipped test that had to run; an expected failure is not a skip."""
        if report.skipped and not hasattr(report, "wasxfail") and any(name in report.keywords for name in MUST_RUN):
            self.reasons[report.nodeid] = _reason(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember a module that skipped itself whole: what it would have run is unknown."""
        if report.skipped:
            self.reasons[report.nodeid] = _reason(report)


SKIPS = pytest.StashKey[Skips]()


def pytest_configure(config: pytest.Config) -> None:
    """Give nbval our sanitising file and time-out where the command line gives none."""
    config.stash[SKIPS] = Skips()
    config.pluginmanager.register(config.stash[SKIPS])
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    option = config.option
    if getattr(option, "nbval", False) or getattr(option, "nbval_lax", False):
        option.nbval_sanitize_with = option.nbval_sanitize_with or str(ROOT / "notebooks" / "sanitize.cfg")
        if option.nbval_cell_timeout == NBVAL_CELL_TIMEOUT_SECONDS:
            option.nbval_cell_timeout = CELL_TIMEOUT_SECONDS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cells that nbval collected, so that ``-m notebook`` and the rule about skips see them.

    A lesson whose programs are not on this computer is skipped, saying how to get them; in CI it is run, and fails.
    """
    cells = [item for item in items if item.path.suffix == ".ipynb"]
    absent = {path: "" if os.environ.get("CI") else _absent_programs(path) for path in {item.path for item in cells}}
    for item in cells:
        item.add_marker("notebook")
        if absent[item.path]:
            item.add_marker(pytest.mark.skip(reason=absent[item.path]))


def _absent_programs(notebook: Path) -> str:
    from ipvkit.systems.lessons import lacks

    return lacks(notebook.name.partition("-")[0])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a run with a skip that is not allowed into a failed one."""
    if _not_allowed(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which skips failed the run."""
    wrong = _not_allowed(config)
    if wrong:
        terminalreporter.section("skipped, and not listed with a reason in tests/allowed-skips.txt: this run fails")
        for nodeid, reason in wrong.items():
            terminalreporter.write_line(f"{nodeid}: {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def _not_allowed(config: pytest.Config) -> dict[str, str]:
    lines = ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines()
    allowed = [line.partition(" # ")[0].strip() for line in lines if " # " in line and not line.startswith("#")]
    return {
        nodeid: reason
        for nodeid, reason in config.stash[SKIPS].reasons.items()
        if not any(fnmatch.fnmatchcase(nodeid, pattern) for pattern in allowed)
    }
