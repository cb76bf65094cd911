"""`./lab` for real: JupyterLab on 127.0.0.1, closed without the token, gone after Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.listening import wait_until_it_listens

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("IPVKIT_CACHE", "/nonexistent"))

pytestmark = pytest.mark.skipif(
    Path(sys.prefix).resolve() != (CACHE / "venv").resolve(),
    reason="only in the environment that ./lab made, which `./lab test` runs in: a test must not download one",
)


class Course:
    """A running ``./lab``."""

    def __init__(self, directory: Path) -> None:
        words = [ROOT / "lab", "--no-browser", "--dir", directory.name, "--", "--ServerApp.port=0"]
        self.directory = directory
        self.process = subprocess.Popen(
            words,
            cwd=directory.parent,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        self.said = ""
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", line):
                self.address, self.token = found.groups()
                wait_until_it_listens(self.address)
                return
        pytest.fail(f"./lab ended without printing an address:\n{self.said}")

    def interrupt(self, times: int) -> float:
        """Type Ctrl-C so many times and give the seconds until everything is gone."""
        began = time.monotonic()
        for _ in range(times):
            os.killpg(self.process.pid, signal.SIGINT)
            time.sleep(0.2)
        self.process.wait(timeout=30)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    course = Course(tmp_path_factory.mktemp("home") / "course")
    yield course
    if course.process.poll() is None:
        os.killpg(course.process.pid, signal.SIGKILL)
        course.process.wait()


def ask(course: Course, path: str, token: str) -> int:
    try:
        with urlopen(f"{course.address}{path}?token={token}", timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_it_listens_on_this_computer_only(course: Course) -> None:
    port = f"{int(course.address.rpartition(':')[2]):04X}"
    tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    listening = [line.split()[1] for line in tables.splitlines() if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_nothing_in_it_is_deprecated(course: Course) -> None:
    assert "Deprecat" not in course.said


def test_the_token_is_needed_and_is_enough(course: Course) -> None:
    assert ask(course, "/api/contents", course.token) == 200
    assert ask(course, "/api/contents", "guess") == 403


def test_the_course_is_what_it_shows_and_no_news_are_fetched(course: Course) -> None:
    with urlopen(f"{course.address}/api/contents?token={course.token}", timeout=20) as answer:
        names = {item["name"] for item in json.load(answer)["content"]}
    assert names == {path.name for path in course.directory.iterdir() if not path.name.startswith(".")}
    setting = f"{course.address}/lab/api/settings/@jupyterlab/apputils-extension:notification?token={course.token}"
    with urlopen(setting, timeout=20) as answer:
        assert json.load(answer)["schema"]["properties"]["fetchNews"]["default"] == "false"


def test_control_c_twice_ends_it(course: Course) -> None:
    assert course.interrupt(times=2) < 30
