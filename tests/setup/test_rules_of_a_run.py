"""The rules every run is judged by: no skip without a listed reason, one cell time-out, and a snapshot that sees."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests import snapshot
from tests.namespaces import own_network

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """An empty clone, the package excepted, that is judged by our rules."""
    (tmp_path / "ipvkit").symlink_to(ROOT / "ipvkit")
    (tmp_path / "tests").mkdir()
    (tmp_path / "notebooks").mkdir()
    for name in ("conftest.py", "pyproject.toml", "notebooks/sanitize.cfg"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "tests" / "allowed-skips.txt").write_text("")
    return tmp_path


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONPATH"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


def write_tests(clone: Path, *marks: str) -> None:
    lines = ["import pytest"]
    for mark in marks:
        lines += [f"@pytest.mark.{mark}", f"def test_{mark}(): pytest.skip('no machine here')"]
    (clone / "tests" / "test_skipped.py").write_text("\n".join(lines))


def test_each_skip_of_what_had_to_run_fails_the_run_and_is_named(clone: Path) -> None:
    write_tests(clone, "kernel", "browser", "notebook")
    (clone / "tests" / "test_module.py").write_text("import pytest\npytest.importorskip('no_such_module')")
    answer = run(clone)
    assert answer.returncode == 1
    for mark in ("kernel", "browser", "notebook"):
        assert f"tests/test_skipped.py::test_{mark}: Skipped: no machine here" in answer.stdout
    assert "tests/test_module.py: Skipped: could not import 'no_such_module'" in answer.stdout


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("tests/test_skipped.py::* # this kernel is older than the feature", 0),
        ("tests/test_skipped.py::*", 1),
        ("tests/test_other.py::* # another test", 1),
    ],
)
def test_only_a_line_with_a_reason_allows_a_skip(clone: Path, line: str, status: int) -> None:
    write_tests(clone, "kernel")
    (clone / "tests" / "allowed-skips.txt").write_text(f"{line}\n")
    assert run(clone).returncode == status


def test_a_skip_of_anything_else_is_allowed(clone: Path) -> None:
    write_tests(clone, "vagrant")
    assert run(clone).returncode == 0


def write_notebook(clone: Path, cells: list[tuple[str, str]]) -> None:
    """A notebook whose cells print one text and are said to have printed another."""
    written = [
        new_code_cell(f"print({prints!r})", execution_count=1, outputs=[new_output("stream", name="stdout", text=said)])
        for prints, said in cells
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=written, metadata=kernel), clone / "notebooks" / "01-it.ipynb")


@pytest.mark.parametrize(("directory", "arguments"), [(".", ["notebooks/"]), ("notebooks", [])])
def test_bare_nbval_is_strict_and_sanitises_wherever_it_is_started(
    clone: Path, directory: str, arguments: list[str]
) -> None:
    same = [
        ("Lab machine: uml, Linux 6.1", "Lab machine: native, Linux 6.18\n"),
        ("after 3.5 ms", "after 12 ms\n"),
        ("from 36:9c:11:5e:70:51 s", "from aa:9c:11:5e:70:52 s\n"),
    ]
    different = [("from 02:00:00:00:00:02", "from 02:00:00:00:00:01\n"), ("3 children", "4 children\n")]
    write_notebook(clone, same + different)
    answer = run(clone / directory, "--nbval", *arguments)
    assert "2 failed, 3 passed" in answer.stdout
    assert re.findall(r"^FAILED .*::(Cell \d)", answer.stdout, re.MULTILINE) == ["Cell 3", "Cell 4"]


def test_every_allowed_skip_names_a_file_that_exists() -> None:
    for line in (ROOT / "tests" / "allowed-skips.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, _, reason = line.partition(" # ")
            assert reason
            assert list(ROOT.glob(pattern.partition("::")[0])), pattern


def test_the_snapshot_sees_links_addresses_routes_settings_and_servers_and_not_the_time() -> None:
    """In a namespace of its own, so that this computer's network is not what is changed."""
    script = """
import socket
from pathlib import Path
from subprocess import check_call
from tests import snapshot
from tests.namespaces import own_network
empty = snapshot.take()
assert snapshot.differences(empty, snapshot.take()) == []
check_call(["ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1"])
check_call(["ip", "address", "add", "192.0.2.1/24", "dev", "wire0"])
check_call(["ip", "link", "set", "wire0", "up"])
check_call(["ip", "rule", "add", "from", "192.0.2.7", "table", "7"])
Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
web, dhcp = socket.socket(type=socket.SOCK_STREAM), socket.socket(type=socket.SOCK_DGRAM)
web.bind(("", 179)), web.listen(), dhcp.bind(("", 67))
for line in snapshot.differences(empty, snapshot.take()):
    print(line)
"""
    words = [*own_network(), sys.executable, "-c", script]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    seen = {line.partition(":")[0] for line in answer.stdout.splitlines()}
    assert {"links", "addresses", "routes", "rules", "sysctls"} <= seen
    served = [line for line in answer.stdout.splitlines() if line.startswith("services: + ")]
    assert served == ["services: + tcp serves 00000000:00B3", "services: + udp serves 00000000:0043"]


def test_the_timers_of_a_bridge_that_is_up_are_no_change() -> None:
    script = """
import time
from subprocess import check_call
from tests import snapshot
check_call(["ip", "link", "add", "bridge0", "type", "bridge"])
check_call(["ip", "link", "set", "bridge0", "up"])
before = snapshot.take()
time.sleep(0.5)
assert snapshot.differences(before, snapshot.take()) == []
check_call(["ip", "link", "set", "bridge0", "type", "bridge", "forward_delay", "400"])
assert len(snapshot.differences(before, snapshot.take())) == 2
"""
    words = [*own_network(), sys.executable, "-c", script]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_a_service_that_is_started_on_demand_is_no_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What systemctl prints, from one that prints only that."""
    (tmp_path / "systemctl").write_text("""#!/bin/sh
case "$*" in
*list-unit-files*static*) printf '%s\n' 'packagekit.service static -' 'user@.service static -' ;;
*list-units*running*) printf '%s\n' 'packagekit.service loaded active running PackageKit' \
    'user@1000.service loaded active running User 1000' 'dnsmasq.service loaded active running dnsmasq' ;;
esac
""")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    assert [name for name in snapshot._services() if " serves " not in name] == ["dnsmasq.service"]


def test_a_setting_that_only_appeared_is_no_change() -> None:
    nothing = dict.fromkeys(snapshot.take(), frozenset[str]())
    before = nothing | {"sysctls": frozenset({"net/a = 1"})}
    loaded = nothing | {"sysctls": frozenset({"net/a = 1", "net/bridge/b = 1"})}
    changed = nothing | {"sysctls": frozenset({"net/a = 2"})}
    assert snapshot.differences(before, loaded) == []
    assert snapshot.differences(before, changed) == ["sysctls: - net/a = 1", "sysctls: + net/a = 2"]


def test_a_lesson_whose_programs_are_absent_is_skipped_with_the_way_to_get_them(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook(clone, [("one", "one\n")])
    (clone / "notebooks" / "01-it.ipynb").rename(clone / "notebooks" / "09-it.ipynb")
    lesson = clone / "ipvkit" / "systems" / "lessons.py"
    (clone / "ipvkit").unlink()
    lesson.parent.mkdir(parents=True)
    lesson.write_text("def lacks(lesson):\n    return f'lesson {lesson}: apt-get install it'\n")
    monkeypatch.delenv("CI", raising=False)
    answer = run(clone, "--nbval", "notebooks/")
    assert answer.returncode == 1
    assert "notebooks/09-it.ipynb::Cell 0: Skipped: lesson 09: apt-get install it" in answer.stdout
    (clone / "tests" / "allowed-skips.txt").write_text("notebooks/09-*.ipynb::* # CI has it\n")
    assert run(clone, "--nbval", "notebooks/").returncode == 0
    monkeypatch.setenv("CI", "true")
    assert "1 passed" in run(clone, "--nbval", "notebooks/").stdout
