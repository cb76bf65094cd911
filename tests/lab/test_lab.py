"""The life of a lab: commands and Ctrl-C, rebuilding without growth, closing, and questions that are no good."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ipvkit.errors import BadQuestion, DeadlineExceeded, LabClosed, NoMachine
from ipvkit.lab import Lab
from ipvkit.machine.uml import open_uml
from ipvkit.plan import plan
from ipvkit.topology import AddEndpoint, Driver, Endpoint, Topology, ipvlan, macvlan

pytestmark = pytest.mark.kernel
BuildLab = Callable[[Topology], Lab]
TWO = Topology.of(macvlan("bridge"), net1="10.0.1.11/24", net2="10.0.1.12/24")


def test_a_command_shows_both_streams_in_order_and_its_exit_status(build_lab: BuildLab) -> None:
    shown: list[str] = []
    result = build_lab(TWO).run("net1", "echo one; echo two >&2; echo three; exit 3", show=shown.append)
    assert (result.output, result.status, result.cut) == ("one\ntwo\nthree\n", 3, 0)
    assert "".join(shown) == result.output
    assert repr(result) == "exit status 3"


def test_a_command_runs_in_its_namespace_and_ip_netns_knows_all_of_them(build_lab: BuildLab) -> None:
    lab = build_lab(TWO)
    assert "inet 10.0.1.11/24" in lab.run("net1", ["ip", "-o", "addr", "show", "dev", "macv1"]).output
    names = lab.run("host", "ip netns list").output.split("\n")
    assert {name.split(" ")[0] for name in names if name} == {"host", "ext", "router", "far", "switch", "net1", "net2"}
    assert "10.0.1.12" in lab.run("host", "ip netns exec net2 ip addr; ip -n net2 addr").output


def test_output_beyond_the_limit_is_counted(build_lab: BuildLab) -> None:
    result = build_lab(TWO).run("net1", "head -c 3000000 /dev/zero | tr '\\0' x", show=lambda _: None)
    assert len(result.output) + result.cut == 3_000_000
    assert result.cut > 0
    assert str(result.cut) in repr(result)


def run_and_interrupt(seconds: float, question: Callable[[], object]) -> None:
    """Ask, with a Ctrl-C on its way: one that comes too early is still caught where it is expected."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
    question()


@pytest.mark.usefixtures("by_turns")
def test_ctrl_c_ends_the_command_and_not_the_lab(build_lab: BuildLab) -> None:
    lab = build_lab(TWO)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt, match="run was ended"):
        run_and_interrupt(0.5, lambda: lab.run("net1", "echo begun; exec sleep 60", show=lambda _: None))
    assert time.monotonic() - started < 5
    assert lab.ping("net1", "net2")
    assert "sleep 60" not in lab.run("net1", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", show=lambda _: None).output


@pytest.mark.parametrize("driver", [macvlan("bridge"), ipvlan("l2")], ids=str)
def test_ctrl_c_ends_a_long_matrix_and_not_the_lab(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(Topology.of(driver, **{f"net{n}": f"10.0.1.{n}/24" for n in range(11, 251)}))
    with pytest.raises(KeyboardInterrupt, match=r"reach was ended$"):
        run_and_interrupt(0.4, lab.ping_matrix)
    assert lab.ping("net11", "net12")


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.3])
def test_ctrl_c_leaves_nothing_of_the_counting_at_hooks(build_lab: BuildLab, seconds: float) -> None:
    lab = build_lab(Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24"))
    settings = "cat /proc/sys/kernel/modprobe; for n in host net1; do ip netns exec $n nft list tables; done 2>&1"
    before = lab.run("host", settings, show=lambda _: None).output
    with pytest.raises(KeyboardInterrupt):
        run_and_interrupt(seconds, lambda: [lab.hooks("net1", "net2") for _ in range(1000)])
    assert lab.run("host", settings, show=lambda _: None).output == before
    assert lab.hooks("net1", "net2").delivery


def test_a_command_that_takes_too_long_is_ended(build_lab: BuildLab) -> None:
    lab = build_lab(TWO)
    with pytest.raises(DeadlineExceeded):
        lab.run("net1", "sleep 60", deadline=0.3)
    assert lab.ping("net1", "net2")


def growth(lab: Lab) -> tuple[int, ...]:
    """Count the agent's descriptors, the namespaces it names, and processes (kernel threads have no exe)."""
    # One shell that starts nothing: the other end of a pipe may or may not be there when one looks.
    script = """count() { number=0; for each; do [ -e "$each" ] && number=$((number + 1)); done; echo $number; }
        count /proc/1/fd/*; count /run/netns/*; count /proc/[0-9]*/exe"""
    return tuple(int(word) for word in lab.run("host", script, show=lambda _: None).output.split())


@pytest.mark.parametrize("driver", [ipvlan("l3"), macvlan("bridge")], ids=str)
def test_fifty_rebuilds_leave_nothing_behind(build_lab: BuildLab, driver: object) -> None:
    topologies = [Topology.of(driver, **{f"net{i}": f"10.0.1.{10 + i}/24" for i in range(1, n + 1)})  # type: ignore[arg-type]
                  for n in (2, 5)]
    lab = build_lab(topologies[0])
    lab.ping_matrix()
    lab.run("net1", "sleep 600 & echo", show=lambda _: None)
    lab.rebuild(topologies[0])
    before = growth(lab)
    for number in range(50):
        lab.rebuild(topologies[number % 2])
        assert lab.ping("net1", "net2"), number
    lab.rebuild(topologies[0])
    after = growth(lab)  # not more than before; the sleep may still have been ending then
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


@pytest.mark.parametrize("driver", [ipvlan("l2"), macvlan("bridge")], ids=str)
def test_a_rebuild_starts_no_process(build_lab: BuildLab, driver: Driver) -> None:
    # the kernel would, for every device: it has a program called that User-Mode Linux forks itself for
    topology = Topology.of(driver, net1="10.0.1.11/24", net2="10.0.1.12/24")
    lab = build_lab(topology)
    before = last_process(lab)
    for _ in range(20):
        lab.rebuild(topology)
    assert last_process(lab) - before < 20  # the look itself is one; the kernel has some workers started now and then


def last_process(lab: Lab) -> int:
    """Give the number of the process that was started last."""
    return int(lab.run("host", ["cat", "/proc/loadavg"], show=lambda _: None).output.split()[-1])


@pytest.mark.usefixtures("by_turns")
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_thousand_rebuilds_take_as_long_at_the_end_as_at_the_beginning(build_lab: BuildLab) -> None:
    topology = Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24")
    lab = build_lab(topology)
    lab.rebuild(topology)
    before, times = growth(lab), []
    for _ in range(1000):
        started = time.monotonic()
        lab.rebuild(topology)
        times.append(time.monotonic() - started)
    assert growth(lab) == before
    assert sum(times[-100:]) <= 1.2 * sum(times[:100])


def available() -> int:
    """Give the bytes of memory that this computer could still give away (proc_meminfo(5), MemAvailable)."""
    (line,) = [line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:")]
    return int(line.split()[1]) * 1024


@pytest.mark.long
@pytest.mark.timeout(300)
def test_twenty_labs_of_user_mode_linux_take_four_gigabytes_at_most() -> None:
    topology = Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")
    before = available()
    with ExitStack() as labs:
        for _ in range(20):
            assert labs.enter_context(Lab(topology, machine="uml")).ping_matrix().pairs["net1", "net2"]
        taken = before - available()
    print(f"20 labs: {taken >> 20} MiB")
    assert taken <= 4 << 30


def test_a_rebuild_for_which_the_machine_is_not_good_gets_another() -> None:
    with Lab(TWO) as lab:
        lab.rebuild(Topology.of(ipvlan("l3s"), net1="10.0.1.11/24", net2="192.168.1.10/24"))
        assert lab.state().link("net1", "ipv1").mode == "l3s"
        assert lab.ping("net1", "net2")


def test_a_closed_lab_says_so(build_lab: BuildLab) -> None:
    with Lab(TWO) as lab:
        assert lab.machine_line() == f"Lab machine: {lab.machine.name}, Linux {lab.machine.kernel}"
        assert repr(lab) == "Lab: Topology: host eth0, macvlan bridge, 2 children, 3 MACs on the uplink"
    lab.close()
    assert repr(lab) == "Lab: closed"
    for question in (lambda: lab.ping("net1", "net2"), lab.state, lab.machine_line, lambda: lab.run("net1", "true"),
                     lambda: lab.rebuild(TWO), lab.ping_matrix):
        with pytest.raises(LabClosed, match="run the cell that makes it again"):
            question()


def test_a_lab_nobody_refers_to_ends() -> None:
    lab = Lab(TWO)
    machine = lab.machine
    del lab
    gc.collect()
    assert not machine.alive()


@pytest.mark.usefixtures("by_turns")
def test_closing_is_quick() -> None:
    lab = Lab(TWO)
    started = time.monotonic()
    lab.close()
    assert time.monotonic() - started < 1.0


def test_names_and_machines_that_are_not_there_are_refused_clearly(build_lab: BuildLab) -> None:
    lab = build_lab(TWO)
    with pytest.raises(BadQuestion, match="net9"):
        lab.run("net9", "true")
    with pytest.raises(BadQuestion, match="is not a topology"):
        Lab("net1")  # type: ignore[arg-type]
    for ask in (Lab, lab.rebuild, lab.adopt):
        with pytest.raises(BadQuestion, match=r"a Lab is no topology\. Write lab\.topology"):
            ask(lab)  # type: ignore[arg-type]
    with pytest.raises(BadQuestion, match="on_refusal"):
        Lab(TWO, on_refusal="ignore")
    with pytest.raises(NoMachine, match="abacus"):
        Lab(TWO, machine="abacus")
    assert lab.ping("net1", "net2")


def test_more_endpoints_than_the_machine_takes_are_refused_before_anything_is_built(build_lab: BuildLab) -> None:
    lab = build_lab(TWO)
    many = Topology.of(macvlan("bridge"), **{f"n{i}": f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}/8"
                                             for i in range(1, 6001)})
    for refuse in (lambda: lab.rebuild(many), lambda: Lab(many)):
        with pytest.raises(BadQuestion, match=r"endpoints: 6000 are more than the 1000 a lab takes"):
            refuse()
    assert lab.ping("net1", "net2"), "the lab is as it was"


def test_a_small_machine_says_how_many_endpoints_it_takes() -> None:
    """Memory is a kernel's own in User-Mode Linux: beyond it, it would panic."""
    topology = Topology.of(ipvlan("l2"), **{f"n{i}": f"10.1.0.{i}/16" for i in range(1, 51)})
    steps = [step.as_json() for step in plan(topology)]
    with closing(open_uml(memory=64)) as machine:
        with pytest.raises(BadQuestion, match=r"50 are more than the \d+ this machine"):
            machine.wire.request("build", deadline=30, steps=steps, undo=True)
        assert machine.wire.request("build", deadline=30, steps=steps[:20], undo=True)


def test_an_endpoint_added_to_a_running_lab_is_measured_with_the_others(build_lab: BuildLab) -> None:
    lab = build_lab(TWO)
    lab.apply(AddEndpoint("host", Endpoint("net3", macvlan("bridge"), ("10.0.1.13/24",))))
    assert lab.ping_matrix().pairs["net3", "net1"]


def test_the_machine_cannot_be_told_from_the_text_of_a_finding(build_lab: BuildLab) -> None:
    lab = build_lab(TWO)
    for finding in (lab, lab.ping("net1", "net2"), lab.ping_matrix(), lab.state(), lab.topology):
        assert lab.machine.kernel not in repr(finding)
        assert str(Path.home()) not in repr(finding)
