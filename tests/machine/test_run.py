"""Commands in a machine: one stream in order, status, limit, and an end that takes the command and not the lab."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from typing import Any

import pytest

from ipvkit.errors import BadQuestion, DeadlineExceeded
from ipvkit.machine import Machine
from ipvkit.machine.uml import open_uml

pytestmark = pytest.mark.kernel


def run(machine: Machine, command: str | list[str], deadline: float = 30, **more: Any) -> tuple[str, dict[str, Any]]:
    """Run and give the output and the answer."""
    output: list[str] = []
    answer = machine.wire.request(
        "run", deadline=deadline, on_event=lambda event: output.append(event["output"]), command=command, **more
    )
    return "".join(output), answer


def test_output_and_errors_are_one_stream_in_order(machine: Machine) -> None:
    command = "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done; exit 3"
    output, answer = run(machine, command)
    assert output == "".join(f"out {n}\nerr {n}\n" for n in range(1, 6))
    assert answer == {"status": 3, "cut": 0}


def test_a_list_is_not_split_by_a_shell(machine: Machine) -> None:
    assert run(machine, ["printf", "%s|", "a b", "$HOME"])[0] == "a b|$HOME|"


def test_a_signal_is_a_negative_status(machine: Machine) -> None:
    assert run(machine, "kill -KILL $$")[1]["status"] == -signal.SIGKILL


def test_a_program_that_is_not_there_says_so_as_a_shell_does(machine: Machine) -> None:
    output, answer = run(machine, ["no-such-program"])
    assert answer["status"] == 127
    assert output == "no-such-program: No such file or directory\n"


def test_what_is_beyond_the_limit_is_counted_and_the_command_goes_on(machine: Machine) -> None:
    output, answer = run(machine, "head -c 5000 /dev/zero | tr '\\0' x; exit 7", limit=1000)
    assert output == "x" * 1000
    assert answer == {"status": 7, "cut": 4000}


def test_a_megabyte_comes_through_unchanged(machine: Machine) -> None:
    output, answer = run(machine, "seq 1 140000 | head -c 900000")
    assert output == "".join(f"{n}\n" for n in range(1, 140001))[:900000]
    assert answer == {"status": 0, "cut": 0}


def test_what_is_no_utf_8_is_marked_and_a_character_cut_in_two_is_joined(machine: Machine) -> None:
    command = "printf '\\303'; sleep 0.3; printf '\\266 \\377'"
    assert run(machine, command)[0] == "ö \N{REPLACEMENT CHARACTER}"


def test_nothing_is_to_be_read(machine: Machine) -> None:
    assert run(machine, "cat")[1]["status"] == 0


def test_a_pipe_that_nobody_reads_ends_its_writer_silently(machine: Machine) -> None:
    assert run(machine, "yes | head -n 1")[0] == "y\n"


@pytest.mark.parametrize("command", ["", [], None, 5, [1]])
def test_what_is_no_command_is_refused(machine: Machine, command: Any) -> None:
    with pytest.raises(BadQuestion, match="command"):
        run(machine, command)


@pytest.mark.parametrize("netns", ["no-such", "../../proc/self/ns/net", "a\0b", 5])
def test_what_is_no_namespace_is_refused(machine: Machine, netns: Any) -> None:
    with pytest.raises(BadQuestion, match="netns"):
        run(machine, "true", netns=netns)


def test_a_namespace_made_by_one_command_is_there_for_the_next(machine: Machine) -> None:
    assert run(machine, "ip netns add made && ip -n made link set lo up")[1]["status"] == 0
    assert "LOOPBACK,UP" in run(machine, ["ip", "link"], netns="made")[0]
    assert run(machine, "ls /sys/class/net", netns="made")[0] == "lo\n"
    assert run(machine, "ip netns delete made")[1]["status"] == 0
    with pytest.raises(BadQuestion, match="netns"):
        run(machine, "true", netns="made")


def test_a_deadline_ends_the_command_with_its_children_and_not_the_machine(machine: Machine) -> None:
    children: list[str] = []
    with pytest.raises(DeadlineExceeded):
        machine.wire.request(
            "run",
            deadline=2,
            on_event=lambda event: children.append(event["output"]),
            command="trap '' INT; sleep 900 & echo $!; wait; sleep 900",
        )
    assert machine.alive()
    until = time.monotonic() + 2  # the kill was sent; a process takes its time to die of it, and to be buried
    while (alive := run(machine, f"kill -0 {''.join(children)}")[1]["status"] == 0) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive


@pytest.mark.usefixtures("by_turns")
def test_an_interrupt_ends_the_command_and_not_the_machine(machine: Machine) -> None:
    """What Ctrl-C in a terminal and the notebook's stop button do: KeyboardInterrupt in the main thread."""
    main = threading.main_thread().ident
    assert main is not None

    def run_and_interrupt() -> None:
        threading.Timer(1, signal.pthread_kill, (main, signal.SIGINT)).start()
        run(machine, "echo $$; exec sleep 900", deadline=60)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_and_interrupt()
    assert time.monotonic() - started < 10
    assert run(machine, "echo still here")[0] == "still here\n"
    assert "sleep 900" not in run(machine, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")[0].replace("cat /proc", "")


@pytest.mark.usefixtures("by_turns")
def test_others_are_answered_while_a_command_runs(machine: Machine) -> None:
    """A command in one thread, its cancelling and other questions in another."""
    outcome: list[Any] = []
    begun = threading.Event()

    def hear(event: dict[str, Any]) -> None:
        outcome.append(event["output"])
        begun.set()

    def wait() -> None:
        try:
            command = "echo begun; sleep 3; echo done"
            outcome.append(machine.wire.request("run", deadline=30, on_event=hear, command=command))
        except Exception as error:
            outcome.append(error)
            begun.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert begun.wait(30)
    started = time.monotonic()
    machine.wire.request("hello", deadline=10)
    assert time.monotonic() - started < 2.5
    thread.join()
    assert outcome == ["begun\n", "done\n", {"status": 0, "cut": 0}]


def test_background_processes_outlive_their_command(machine: Machine) -> None:
    output, answer = run(machine, "sleep 900 >/dev/null 2>&1 & echo $!")
    assert answer["status"] == 0
    assert run(machine, f"kill -0 {output}")[1]["status"] == 0
    assert run(machine, f"kill {output}")[1]["status"] == 0


def test_without_namespaces_the_files_may_lie_outside_of_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ``/tmp`` is full, and where an ordinary user has a run-time directory elsewhere.

    The guest sees that directory of the computer's through hostfs, and must write into memory all the same.
    """
    with tempfile.TemporaryDirectory(dir="/var/tmp") as runtime:
        os.chmod(runtime, 0o1777)  # root's machine gives up root's rights
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        machine = open_uml("none")
        try:
            place = run(machine, f"grep -o '{runtime}[^ ]*' /proc/mounts")[0].strip()
            output, answer = run(machine, f"cd {place} && ls && echo written >note && cat note")
            assert (output, answer["status"]) == ("agent.zip\nwritten\n", 0)
            assert os.listdir(runtime) == []
        finally:
            machine.close()
        assert os.listdir(runtime) == []
