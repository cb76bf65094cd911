"""The commands that need no kernel, and how each kind of failure ends: status, one line, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipvkit.cli.main import main
from ipvkit.plan import commands
from ipvkit.topology import Topology, ipvlan

ROOT = Path(__file__).resolve().parents[2]
CLASSIC = Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own; 80 columns, no colour."""
    monkeypatch.setenv("IPVKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text(CLASSIC.to_yaml())
    return tmp_path / "cache"


def test_help_has_examples_and_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert main([]) == 0
    assert capsys.readouterr().out == text
    for name in ("demo", "doctor", "run", "predict", "explain", "draw", "commands"):
        assert f"python -m ipvkit {name}" in text
        assert main([name, "--help"]) == 0
        assert f"example:\n  python -m ipvkit {name}" in capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80


def test_started_by_lab_it_says_what_one_types_there() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "IPVKIT_TYPED": "./lab"}
    for arguments in (["--help"], ["run", "--help"]):
        text = subprocess.run([sys.executable, "-m", "ipvkit", *arguments], env=environment, capture_output=True,
                              text=True, check=True).stdout
        assert "./lab run lab.yaml" in text
        assert "python -m ipvkit" not in text
    for command in ("commands", "draw", "explain", "predict", "run"):
        text = subprocess.run(["/bin/sh", str(ROOT / "lab"), command, "--help"], capture_output=True, text=True,
                              check=True).stdout
        assert f"./lab {command} lab.yaml" in text


def test_the_topology_in_the_help_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    text = capsys.readouterr().out
    assert Topology.from_yaml(text[text.index("  driver:"):text.index("and then:")]) == CLASSIC


def test_commands_are_the_plans(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["commands", "lab.yaml"]) == 0
    assert capsys.readouterr().out == commands(CLASSIC) + "\n"


def test_predict_prints_all_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "lab.yaml", "--kernel", "6.1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "predicted: IPv4, Linux 6.1, caches cold"
    assert lines[2].split() == ["from", "/", "to", "net1", "net2", "host", "ext", "router", "far"]
    assert max(map(len, lines)) <= 80
    assert main(["predict", "lab.yaml", "--json"]) == 0
    pairs = json.loads(capsys.readouterr().out)["pairs"]
    assert len(pairs) == 30
    assert {"family", "link_local", "from", "to", "predicted", "why", "rule"} == set(pairs[0])


def test_explain_tells_the_way_of_one_ping(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "lab.yaml", "net1", "net2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("predicted: net1 → net2: reply, Linux 6.1\n")
    assert "\necho request\n  net1/ipv1\n" in text
    assert main(["explain", "lab.yaml", "net1", "net2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "reply"
    assert all(step["source"] for step in told["steps"])


@pytest.mark.parametrize(("ending", "magic"), [("svg", b"<"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_draw_writes_a_picture(ending: str, magic: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "lab.yaml", "-o", f"lab.{ending}"]) == 0
    assert capsys.readouterr().out == f"lab.{ending}\n"
    assert Path(f"lab.{ending}").read_bytes().startswith(magic)


def test_draw_without_a_file_draws_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "lab.yaml"]) == 0
    assert "┌ net1 ─" in capsys.readouterr().out


BAD = [
    (["fly"], "invalid choice: 'fly'"),
    (["run"], "required: FILE.yaml. See: python -m ipvkit run --help"),
    (["run", "lab.yaml", "--machine", "vax"], "invalid choice: 'vax'"),
    (["run", "none.yaml"], "ipvkit: none.yaml: cannot be read (No such file or directory). Give the path"),
    (["commands", "not.yaml"], "ipvkit: not.yaml line 1 column 1: "),
    (["predict", "mode.yaml"], "ipvkit: mode.yaml: driver.mode: 'l4' is not known. Choose one of: l2, l3, l3s."),
    (["draw", "twice.yaml"], "ipvkit: twice.yaml line 4 column 3: 'net1' is here a second time. Give each its own"),
    (["draw", "lab.yaml", "-o", "lab.gif"], "ipvkit: -o: 'lab.gif' does not end in .svg, .png or .pdf"),
    (["draw", "lab.yaml", "-o", "no/lab.svg"], "ipvkit: -o: no/lab.svg cannot be written (No such file"),
    (["explain", "lab.yaml", "net1", "net9"], "ipvkit: lab.yaml: DST: there is no 'net9'. Name one of: net1, net2,"),
    (["predict", "lab.yaml", "--kernel", "six"], "ipvkit: --kernel: 'six' is not a kernel version"),
    (["predict", "lab.yaml", "--link-local"], "ipvkit: --link-local: the file has no IPv6 address"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=lambda part: " ".join(part) if isinstance(part, list) else "")
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("not.yaml").write_bytes(b"@\n")
    Path("mode.yaml").write_text("driver: ipvlan l4\nendpoints: {}\n")
    Path("twice.yaml").write_text("driver: ipvlan l2\nendpoints:\n  net1: 10.0.1.1/24\n  net1: 10.0.1.2/24\n")
    assert main(arguments) == 2
    seen = capsys.readouterr()
    lines = [line for line in seen.err.splitlines() if not line.endswith(" ...")]
    assert len(lines) == 1
    assert says in lines[0]
    assert not seen.out


def test_what_was_not_foreseen_is_one_line_and_in_the_log(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ipvkit.cli.report.read", lambda options: 1 / 0)
    assert main(["commands", "lab.yaml", "--verbose"]) == 1
    log = cache / "ipvkit.log"
    assert capsys.readouterr().err.splitlines() == [
        f"log: {log}", f"ipvkit: unforeseen: ZeroDivisionError: division by zero; {log} has the rest"]
    assert "Traceback" in log.read_text()


def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "ipvkit.topology.yaml_text", raising=False)
    monkeypatch.delattr("ipvkit.topology.yaml_text", raising=False)
    assert main(["commands", "lab.yaml"]) == 1
    assert capsys.readouterr().err == "ipvkit: this needs the Python package yaml. Type: ./lab setup\n"


def test_without_a_place_for_the_log_everything_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IPVKIT_CACHE", "/proc/nowhere")
    assert main(["commands", "lab.yaml", "--verbose"]) == 0
    assert capsys.readouterr().err == "log: none, the cache directory cannot be written\n"


@pytest.mark.parametrize(("line", "status"), [
    ("--help | true", 1), ("run --help | true", 1), ("predict lab.yaml >&-", 0), ("predict nobody.yaml 2>&-", 2),
    ("predict - <&-", 2), ("predict $(printf '\\377').yaml", 2),
])
def test_closed_streams_and_odd_bytes_are_no_traceback(tmp_path: Path, line: str, status: int) -> None:
    script = f'set -o pipefail; "$0" -m ipvkit {line}'
    done = subprocess.run(["bash", "-c", script, sys.executable], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert (done.returncode, "Traceback" in done.stderr, "unforeseen" in done.stderr) == (status, False, False)


def test_a_lab_in_which_nobody_has_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.yaml").write_text("hosts: {a: {}}\n")
    assert main(["predict", "empty.yaml"]) == 0
    assert "nobody has such an address" in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_is_no_failure_to_shout_about(tmp_path: Path) -> None:
    many = {f"net{number}": f"10.7.{number >> 8}.{number & 255}/16" for number in range(1, 1001)}
    (tmp_path / "many.yaml").write_text(Topology.of(ipvlan("l2"), **many).to_yaml())
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([sys.executable, "-m", "ipvkit", "commands", "many.yaml"], stdout=write_end,
                          stderr=subprocess.PIPE, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, b"")
