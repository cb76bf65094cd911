"""The commands that build a lab, in a real kernel, as a student starts them: a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ipvkit.cli.main import main
from ipvkit.theory import predict
from ipvkit.topology import Endpoint, Host, Interface, Topology, ipvlan

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).resolve().parents[2]
CLASSIC = Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}


def ipvkit(*arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ipvkit", *arguments], cwd=at, env=ENVIRONMENT, capture_output=True,
                          encoding="utf-8", timeout=90, check=False)


def test_the_demo_shows_the_ping_the_control_and_what_does_tell(tmp_path: Path) -> None:
    done = ipvkit("demo", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "net1 → net2 (192.168.1.10): reply, ttl 64" in done.stdout
    assert "ipvlan l3       nobody                reply, ttl 64" in done.stdout
    assert "ipvlan l2       192.168.1.10          reply, ttl 63" in done.stdout
    assert "macvlan bridge  192.168.1.10          reply, ttl 63" in done.stdout
    assert "Lab machine: " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_run_measures_all_pairs_and_agrees_with_the_theory(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(CLASSIC.to_yaml())
    done = ipvkit("run", "lab.yaml", "--json", at=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    said = json.loads(done.stdout)
    assert said["agreement"] is True
    assert {(pair["from"], pair["to"]): pair["measured"] for pair in said["pairs"]}["net1", "net2"] == "reply"
    assert len(said["pairs"]) == 30
    assert said["kernel"]


def test_run_asks_for_link_local_addresses(tmp_path: Path) -> None:
    six = Topology.of(ipvlan("l3"), net1="fd00:1::11/64", net2="fd00:2::12/64")
    (tmp_path / "lab.yaml").write_text(six.to_yaml())
    done = ipvkit("run", "lab.yaml", "--link-local", at=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "measured: IPv6 link-local, one ping each" in done.stdout
    assert "compared: 30 agreements, 0 disagreements" in done.stdout
    assert "explain lab.yaml net1 host --link-local" in done.stdout


def test_run_shows_what_the_kernel_refuses(tmp_path: Path) -> None:
    host = Host("host", (Interface("eth0", "10.0.1.2/24"),))
    twice = Topology((host,), (Endpoint("a", ipvlan("l2"), "10.0.1.5/24"), Endpoint("b", ipvlan("l2"), "10.0.1.5/24")))
    (tmp_path / "lab.yaml").write_text(twice.to_yaml())
    done = ipvkit("run", "lab.yaml", at=tmp_path)
    assert "refused: ip -n b addr add 10.0.1.5/24 dev ipv2" in done.stdout
    assert "Another ipvlan child of this parent has the address" in done.stdout
    assert "compared: " in done.stdout


def test_a_lab_that_disagrees_ends_with_status_1_and_shows_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kernel builds l3, and the theory is asked about l2."""
    (tmp_path / "lab.yaml").write_text(CLASSIC.to_yaml())
    other = Topology.of(ipvlan("l2"), net1="10.0.1.10/24", net2="192.168.1.10/24")
    monkeypatch.setattr("ipvkit.theory.predict", lambda topology, **asked: predict(other, **asked))
    assert main(["run", str(tmp_path / "lab.yaml")]) == 1
    said = capsys.readouterr().out
    assert "timeout≠" in said
    assert "net1 → ext: predicted reply ≠ measured timeout" in said


def test_doctor_says_where_ipvlan_is(tmp_path: Path) -> None:
    done = ipvkit("doctor", at=tmp_path)
    assert done.returncode == 0
    assert "Ready: labs with ipvlan run on machine " in done.stdout
    report = json.loads(ipvkit("doctor", "--json", at=tmp_path).stdout)
    assert any(not machine["problem"] and machine["capabilities"]["ipvlan"] == "" for machine in report.values())


def test_a_machine_that_cannot_be_had_is_status_1_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(CLASSIC.to_yaml())
    empty = ENVIRONMENT | {"IPVKIT_CACHE": str(tmp_path / "cache"), "IPVKIT_MACHINE": "uml"}
    done = subprocess.run([sys.executable, "-m", "ipvkit", "run", "lab.yaml"], cwd=tmp_path, env=empty,
                          capture_output=True, encoding="utf-8", timeout=90, check=False)
    assert done.returncode == 1
    assert "no machine here covers" in done.stderr
    assert "fix: " in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_lab_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(CLASSIC.to_yaml())
    process = subprocess.Popen([sys.executable, "-m", "ipvkit", "run", "lab.yaml"], cwd=tmp_path, env=ENVIRONMENT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "starting a machine and building the lab ...\n"
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted; nothing is left"
    assert "Traceback" not in said
