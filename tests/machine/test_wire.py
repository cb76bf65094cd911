"""The wire: large messages, deadlines, late answers, errors, and a machine that ends or no longer answers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ipvkit.errors import BadQuestion, DeadlineExceeded, MachineGone
from ipvkit.machine import Machine
from ipvkit.machine.doctor import OPENERS
from ipvkit.machine.uml import open_uml
from ipvkit.machine.wire import GRACE
from tests.machine import here
from tests.machine.nursery import family, survivors

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("size", [0, 1, 1899, 1900, 1901, 3800, 4095, 4096, 4097, 100_000, 1_000_000])
def test_a_message_of_any_size_goes_and_comes_back(machine: Machine, size: int) -> None:
    text = ('ä\n"\\\0€' * (size // 6 + 1))[:size]
    assert machine.wire.request("hello", deadline=60, echo=text)["echo"] == text


@pytest.mark.usefixtures("by_turns")
def test_many_small_requests_are_quick(machine: Machine) -> None:
    started = time.monotonic()
    for number in range(200):
        assert machine.wire.request("hello", deadline=10, echo=number)["echo"] == number
    assert (time.monotonic() - started) / 200 < 0.05


def test_an_unknown_operation_is_refused_and_the_machine_goes_on(machine: Machine) -> None:
    with pytest.raises(BadQuestion, match="op: the agent has no operation 'fly'"):
        machine.wire.request("fly", deadline=10)
    assert machine.alive()


def test_a_late_answer_is_dropped(machine: Machine) -> None:
    with pytest.raises(DeadlineExceeded, match=r"run: no answer in time .*IPVKIT_PATIENCE=10"):
        machine.wire.request("run", deadline=0.05, command="sleep 0.5; echo late")
    assert machine.wire.request("hello", deadline=10, echo="next")["echo"] == "next"


def test_patience_makes_every_deadline_longer(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPVKIT_PATIENCE", "50")
    assert machine.wire.request("run", deadline=0.1, command="sleep 0.5; echo late")["status"] == 0


@pytest.mark.parametrize("value", ["", "ten", "0.5", "nan", "1e9"])
def test_patience_that_is_no_number_is_a_bad_question(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    with monkeypatch.context() as within:
        within.setenv("IPVKIT_PATIENCE", value)
        with pytest.raises(BadQuestion, match=r"IPVKIT_PATIENCE: .* is not a number from 1 to 1000"):
            machine.wire.request("hello", deadline=10)
    assert machine.wire.request("hello", deadline=10, echo=1)["echo"] == 1


def test_an_exception_in_the_callback_cancels_and_comes_out(machine: Machine) -> None:
    def fail(event: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        machine.wire.request("run", deadline=10, on_event=fail, command="echo; exec sleep 900")
    assert machine.wire.request("hello", deadline=10, echo=1)["echo"] == 1


def test_a_kernel_that_panics_is_gone_with_its_last_words() -> None:
    machine = open_uml()
    with pytest.raises(MachineGone, match="Kernel panic"):
        machine.wire.request("run", deadline=30, command="echo c > /proc/sysrq-trigger")
    assert not machine.alive()
    with pytest.raises(MachineGone):
        machine.wire.request("hello", deadline=10)
    machine.close()


@pytest.mark.usefixtures("by_turns")
@pytest.mark.parametrize("name", here.MACHINES)
def test_an_agent_that_no_longer_answers_costs_the_deadline_and_its_machine(name: str) -> None:
    before = family(os.getpid())
    machine = OPENERS[name]()
    seen = family(os.getpid())
    for pid, _ in seen - before:
        if "supervisor" not in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
            os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        machine.wire.request("hello", deadline=0.5)
    assert time.monotonic() - started < 0.5 + GRACE + 2
    assert not machine.alive()
    assert survivors(seen) <= before


@pytest.mark.usefixtures("by_turns")
@pytest.mark.parametrize("name", here.MACHINES)
def test_closing_is_quick_and_can_be_repeated(name: str) -> None:
    before = family(os.getpid())
    machine = OPENERS[name]()
    seen = family(os.getpid())
    started = time.monotonic()
    machine.close()
    assert time.monotonic() - started < 1
    machine.close()
    assert survivors(seen) <= before
    with pytest.raises(MachineGone):
        machine.wire.request("hello", deadline=10)


@pytest.mark.parametrize("name", here.MACHINES)
def test_a_machine_nobody_refers_to_is_closed(name: str) -> None:
    before = family(os.getpid())
    machine = OPENERS[name]()
    seen = family(os.getpid())
    assert seen > before
    del machine
    assert survivors(seen) <= before
