"""A program in a lab is ready when it says so, its failure comes with its log, its end ends all that it began."""

from __future__ import annotations

import time
from collections.abc import Callable
from shutil import which

import pytest

from ipvkit.errors import BadQuestion, DeadlineExceeded, LabError
from ipvkit.lab import Lab
from ipvkit.topology import Topology, macvlan

pytestmark = pytest.mark.kernel
BuildLab = Callable[[Topology], Lab]
LAN = Topology.of(macvlan("bridge"), net1="10.0.1.11/24", net2="10.0.1.12/24")
SERVER = "import socket,time; s=socket.socket({family}); time.sleep(0.3); s.bind(('', 7007)); {listen}time.sleep(99)"


@pytest.fixture
def lab(build_lab: BuildLab) -> Lab:
    return build_lab(LAN)


def running(lab: Lab, mark: str) -> bool:
    found = lab.run("ext", f"cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '{mark}[ ]'", show=lambda _: None)
    return found.status == 0


def test_ready_by_its_log(lab: Lab) -> None:
    slow = "echo starting; sleep 0.2; echo now serving; sleep 4711"
    with lab.start("ext", ["sh", "-c", slow], ready="now serving") as it:
        assert it.log == "starting\nnow serving\n"
        assert it.running
        assert it.status is None
        assert running(lab, "4711")
    assert not it.running
    assert not running(lab, "4711")


def test_a_lab_that_is_built_anew_has_ended_its_programs(lab: Lab) -> None:
    with lab.start("ext", ["sleep", "4713"]) as it:
        lab.rebuild(LAN)
        assert not it.running
        with pytest.raises(BadQuestion, match="the lab was rebuilt"):
            _ = it.log
        assert not running(lab, "4713")


def test_one_whose_readiness_cannot_be_asked_is_ended(lab: Lab) -> None:
    with pytest.raises(ZeroDivisionError):
        lab.start("ext", ["sh", "-c", "sleep 4712; true"], ready=lambda: bool(1 / 0))
    assert not running(lab, "4712")


@pytest.mark.parametrize(("protocol", "family", "listen"), [("udp", "2, 2", ""), ("tcp", "2, 1", "s.listen(); ")])
def test_ready_by_its_port(lab: Lab, protocol: str, family: str, listen: str) -> None:
    command = ["python3", "-c", SERVER.format(family=family, listen=listen)]
    with lab.start("ext", command, ready=(protocol, 7007)):
        taken = lab.run("ext", f"cat /proc/net/{protocol}", show=lambda _: None)
        assert f":{7007:04X} " in taken.output
    with pytest.raises(DeadlineExceeded), lab.start("net1", ["sleep", "9"], ready=(protocol, 7007), deadline=0.3):
        pass


def test_ready_by_a_function(lab: Lab) -> None:
    asked = []

    def third_time() -> bool:
        asked.append(1)
        return len(asked) == 3

    with lab.start("ext", ["sleep", "99"], ready=third_time) as program:
        assert program.running
    with pytest.raises(DeadlineExceeded):
        lab.start("ext", ["sleep", "99"], ready=lambda: False, deadline=0.5)


def test_one_that_dies_is_told_with_its_log(lab: Lab) -> None:
    began = time.monotonic()
    with pytest.raises(LabError, match=r"ended with exit status 3\nlog:\nno such interface"):
        lab.start("ext", ["sh", "-c", "echo no such interface; exit 3"], ready="serving", deadline=30)
    assert time.monotonic() - began < 15


def test_one_that_is_never_ready_is_ended(lab: Lab) -> None:
    stubborn = "trap '' TERM; echo waiting; (trap '' TERM; setsid sleep 4712) & while :; do sleep 0.1; done"
    with pytest.raises(DeadlineExceeded, match=r"not ready in 2 s; it was ended\nlog:\nwaiting"):
        lab.start("ext", ["sh", "-c", stubborn], ready="serving", deadline=2)
    assert not running(lab, "4712")


def test_one_that_is_not_installed_is_named(lab: Lab) -> None:
    with pytest.raises(LabError, match="no-such-program: No such file or directory") as failed:
        lab.start("ext", ["no-such-program"])
    assert "apt-get install no-such-program" in str(failed.value)


def test_a_daemon_that_detaches_is_ended_too(lab: Lab) -> None:
    program = lab.start("ext", ["sh", "-c", "setsid sleep 4713 >/dev/null & echo detached"], ready="detached")
    assert program.running
    program.stop()
    program.stop()
    assert not program.running
    assert not running(lab, "4713")


def test_it_runs_where_it_was_started(lab: Lab) -> None:
    with lab.start("net2", ["sh", "-c", "ip -o addr; echo done; sleep 99"], ready="done") as program:
        assert "10.0.1.12/24" in program.log
    assert repr(program) == "Program: sh -c ip -o addr; echo done; sleep 99 in net2, ended"


def test_a_rebuilt_lab_has_no_programs(build_lab: BuildLab) -> None:
    lab = build_lab(LAN)
    program = lab.start("ext", ["sleep", "4714"])
    lab.rebuild(LAN)
    assert not running(lab, "4714")
    assert not program.running


def test_bad_questions(lab: Lab) -> None:
    for place, command, ready in (("nobody", ["sleep", "1"], None), ("ext", "sleep 1", None), ("ext", [], None),
                                  ("ext", ["sleep", "1"], ("sctp", 5)), ("ext", ["sleep", "1"], 7)):
        with pytest.raises(BadQuestion):
            lab.start(place, command, ready=ready)  # type: ignore[arg-type]
    assert lab.ping("net1", "net2")


def test_throughput_or_the_package_it_needs(lab: Lab) -> None:
    if not which("iperf3"):
        with pytest.raises(LabError, match="apt-get install iperf3"):
            lab.throughput("net1", "net2")
        return
    gateway = Topology.of(macvlan("bridge"), routes="gateway", net1="10.0.1.11/24", net2="10.0.2.12/24")
    seen = lab.throughput("net1", "net2", {"siblings": LAN, "by the router": gateway}, rounds=1)
    assert {name: len(runs) for name, runs in seen.runs.items()} == {"siblings": 1, "by the router": 1}
    assert all(run.megabits > 1 and run.round_trip > 0 for runs in seen.runs.values() for run in runs)
    assert seen.devices["siblings"] == 3
    assert seen.devices["by the router"] == 10
    assert (seen.hooks["siblings"], seen.hooks["by the router"]) == (4, 7)
    assert "noise" in seen.title
    with pytest.raises(BadQuestion):
        lab.throughput("net1", "net2", rounds=0)
