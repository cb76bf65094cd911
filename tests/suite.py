"""Everything `./lab test` checks, one part after the other, with what each part took.

Every part runs even when an earlier one failed: one run shows all there is to mend. With arguments only pytest runs,
with those arguments. A part that saw no test has failed: it proved nothing. The network of this computer is compared
before and after (`tests/snapshot.py`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import ordinary_user, snapshot  # noqa: E402  (the path above is what finds it)

SHELL_SCRIPTS = (
    *("lab", ".ci/run", "box/customize.sh"),
    *(f"provision/{name}" for name in ("provision.sh", "install.sh", "start.sh", "ipvkit-address")),
)
NO_BROWSER = "no Chromium here; on Debian: apt-get install chromium"
OUTCOMES = ("passed", "failed", "skipped")
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")
"""Two test files at a time: a test mostly waits for its kernel. More would crowd this kernel's one neighbour table."""


@dataclass
class Outcome:
    """What one part showed: ``problem`` is empty when all was well; ``tests`` counts what pytest ran."""

    problem: str = ""
    tests: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Part:
    """One part of the suite, and how many seconds it should take at most (a longer one is reported, not failed)."""

    name: str
    budget: int
    run: Callable[[], Outcome]


def command(*words: str) -> Outcome:
    """Run one command in the clone; its exit status is the outcome."""
    status = subprocess.run(words, cwd=ROOT, check=False).returncode
    return Outcome(f"exit status {status}" if status else "")


def pytest(*arguments: str, python: str = sys.executable, cwd: Path = ROOT, **process: object) -> Outcome:
    """Run pytest and count from its own report; no report or no test is a failure."""
    with TemporaryDirectory(prefix="ipvkit-report-") as directory:
        os.chmod(directory, 0o777)  # an ordinary user writes the report when root started the suite
        report = Path(directory, "report.xml")
        words = [python, "-m", "pytest", f"--junitxml={report}", *arguments]
        status = subprocess.run(words, cwd=cwd, check=False, **process).returncode  # type: ignore[call-overload]
        tests = count(report) if report.exists() else Counter()
    if not sum(tests.values()):
        return Outcome("no test was run", tests)
    return Outcome(f"pytest's exit status {status}" if status else "", tests)


def count(report: Path) -> Counter[str]:
    """How many tests passed, failed and were skipped, from a JUnit report."""
    tests: Counter[str] = Counter()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        tests["failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"] += 1
    return tests


def shellcheck() -> Outcome:
    """Check the shell scripts; without shellcheck that is a failure only in CI."""
    if shutil.which("shellcheck"):
        return command("shellcheck", *SHELL_SCRIPTS)
    print("shellcheck is not installed: the shell scripts were not checked")
    return Outcome("shellcheck is not installed" if os.environ.get("CI") else "")


def browser(*options: str) -> Outcome:
    """Run the browser tests where there is a Chromium."""
    if not (shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")):
        print(NO_BROWSER)
        return Outcome(NO_BROWSER)
    return pytest("tests", *options)


def as_ordinary_user(*options: str) -> Outcome:
    """Run the kernel tests once more, without root's rights, from a copy an ordinary user can read."""
    try:
        with ordinary_user.copy_of(ROOT) as copy:
            return pytest("tests", *options, python=str(copy.python), cwd=copy.root, **copy.process)
    except RuntimeError as error:
        return Outcome(str(error))


def parts(long: bool) -> list[Part]:
    """What runs on this computer, in order: the quick checks first.

    Units and kernel have 6 minutes, systems 10, random topologies 3: what root does, and an ordinary user once more.
    """
    and_not_long = "" if long else " and not long"
    chosen = [
        Part("ruff", 20, lambda: command(sys.executable, "-m", "ruff", "check", ".")),
        Part("mypy --strict", 60, lambda: command(sys.executable, "-m", "mypy")),
        Part("shellcheck", 10, shellcheck),
        Part("tests", 720, lambda: pytest("tests", *SIDE_BY_SIDE, "-m", f"not browser{and_not_long}")),
    ]
    if os.geteuid() == 0:
        options = (*SIDE_BY_SIDE, "-m", f"kernel and not browser and not once{and_not_long}")
        chosen.append(Part("kernel tests as an ordinary user", 420, lambda: as_ordinary_user(*options)))
    chosen.append(Part("notebooks", 240, lambda: pytest("--nbval", "notebooks")))
    if (ROOT / "tests" / "browser").is_dir():
        chosen.append(Part("browser", 180, lambda: browser("-m", f"browser{and_not_long}")))
    return chosen


def run_all(long: bool) -> int:
    """Run every part, print the summary; 0 when all is well and the network is as it was, else 1."""
    start, before = time.monotonic(), snapshot.take()
    total: Counter[str] = Counter()
    summary, bad = [], 0
    for part in parts(long):
        print(f"\n======== {part.name}", flush=True)
        began = time.monotonic()
        outcome = part.run()
        seconds = time.monotonic() - began
        over = f", over its budget of {part.budget} s" if seconds > part.budget else ""
        summary.append(f"{part.name:34} {seconds:6.1f} s{over}   {outcome.problem or 'good'}")
        total += outcome.tests
        bad += bool(outcome.problem)
    changed = snapshot.differences(before, snapshot.take())
    summary.append(f"{'network before and after':34}            {'CHANGED' if changed else 'good'}")
    print("\n======== summary", *summary, *changed, sep="\n")
    counts = ", ".join(f"{total[name]} {name}" for name in OUTCOMES if total[name])
    verdict = f"{bad + bool(changed)} parts failed" if bad or changed else "everything is good"
    print(f"======== {verdict}: {counts} in {time.monotonic() - start:.1f} s ========")
    return 1 if bad or changed else 0


def main(arguments: list[str]) -> int:
    """Read the command line of ``./lab test`` and run all parts, or pytest with the arguments that were given."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--long", action="store_true")
    options, rest = parser.parse_known_args(arguments)
    if rest:
        return subprocess.run([sys.executable, "-m", "pytest", *rest], cwd=ROOT, check=False).returncode
    return run_all(options.long)


if __name__ == "__main__":
    # Started in the background a shell makes us deaf to Ctrl-C, and the programs our tests interrupt with us.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("interrupted")
