"""The script `./lab` on computers that lack something: what it says, what it refuses, and that it changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("app", "box", "choose", "demo", "doctor", "extras", "remove", "reset", "setup", "test")
# What the script needs of a system, and no more: neither Python nor apt-get nor sudo is among them.
TOOLS = ("sh", "id", "uname", "dirname", "basename", "mkdir", "cat", "cksum", "df", "awk", "grep", "cp", "cmp")


class Computer:
    """A computer of our own invention: a directory of commands, an empty home, and nobody at the keyboard."""

    def __init__(self, place: Path) -> None:
        self.place, self.commands, self.cache = place, place / "commands", place / "cache"
        self.commands.mkdir()
        for tool in TOOLS:
            self.has(tool, f'exec {shutil.which(tool)} "$@"')

    def has(self, name: str, script: str) -> None:
        """Give it a command."""
        (self.commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.commands / name).chmod(0o755)

    def lab(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Type ``./lab WORDS`` on it."""
        environment = {
            "PATH": str(self.commands),
            "HOME": str(self.place),
            "IPVKIT_CACHE": str(self.cache),
            "IPVKIT_PYTHON": "python3",
        } | settings
        return subprocess.run(
            ["/bin/sh", str(ROOT / "lab"), *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_help_teaches_every_command(computer: Computer) -> None:
    answer = computer.lab("--help")
    assert answer.returncode == 0
    assert all(f"./lab {command}" in answer.stdout for command in COMMANDS)
    assert "./lab -- --ServerApp.port=" in answer.stdout
    assert not computer.cache.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_does_nothing_else(computer: Computer, command: str) -> None:
    answer = computer.lab(command, "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"./lab {command}")
    assert not computer.cache.exists()


@pytest.mark.parametrize("words", [["frob"], ["--frob"], ["setup", "--frob"], ["reset", "--frob"], ["reset"]])
def test_what_it_does_not_know_is_refused_in_one_line(computer: Computer, words: list[str]) -> None:
    answer = computer.lab(*words)
    assert answer.returncode == 2
    assert answer.stderr.startswith("lab: ")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("system", "advice"),
    [
        ("Darwin", "vagrant up"),
        ("MINGW64_NT-10.0", "wsl --install"),
        ("MSYS_NT-10.0", "vagrant up"),
        ("FreeBSD", "Linux"),
    ],
)
def test_another_system_is_told_what_to_type(computer: Computer, system: str, advice: str) -> None:
    computer.has("uname", f"echo {system}")
    answer = computer.lab()
    assert answer.returncode == 2
    assert advice in answer.stderr
    assert not computer.cache.exists()


def test_without_python_the_exact_command_is_printed_and_not_run(computer: Computer) -> None:
    computer.has("apt-get", f"touch {computer.place}/apt-get-was-run")
    computer.has("id", "echo 0")
    answer = computer.lab("demo")
    assert answer.returncode == 1
    assert "apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv\n" in answer.stderr
    assert "--yes" in answer.stderr.splitlines()[-1]
    assert not (computer.place / "apt-get-was-run").exists()


def test_yes_runs_the_command(computer: Computer) -> None:
    computer.has("apt-get", f'echo "$@" >>{computer.place}/apt-get-was-run')
    computer.has("id", "echo 0")
    answer = computer.lab("demo", "--yes")
    assert (computer.place / "apt-get-was-run").read_text().splitlines() == [
        "update",
        "install --yes --no-install-recommends python3 python3-venv",
    ]
    assert answer.returncode == 1
    assert "still no Python 3.11" in answer.stderr


def test_an_ordinary_user_gets_sudo_where_it_is(computer: Computer) -> None:
    computer.has("apt-get", "exit 1")
    computer.has("sudo", f"touch {computer.place}/sudo-was-run")
    computer.has("id", "echo 1000")
    answer = computer.lab("demo")
    assert answer.returncode == 1
    assert "    sudo sh -c 'apt-get update && apt-get install" in answer.stderr
    assert not (computer.place / "sudo-was-run").exists()


def test_an_ordinary_user_without_sudo_is_told_what_root_has_to_type(computer: Computer) -> None:
    computer.has("apt-get", "exit 1")
    computer.has("id", "echo 1000")
    answer = computer.lab("demo", "--yes")
    assert answer.returncode == 1
    assert "As root, type:\n    apt-get update" in answer.stderr


def test_an_old_python_is_named_with_what_is_needed(computer: Computer) -> None:
    computer.has("python3", "case $2 in *print*) echo 3.9 ;; *) exit 1 ;; esac")
    answer = computer.lab("demo")
    assert answer.returncode == 1
    assert answer.stderr == (
        "lab: Python 3.9 is here; ipvkit needs 3.11 or newer (Debian 12, Ubuntu 24.04 and later have it)\n"
    )


def test_python_without_venv_asks_for_that_package_only(computer: Computer) -> None:
    computer.has("python3", "case $2 in *print*) echo 3.11 ;; *ensurepip*) exit 1 ;; esac")
    computer.has("apt-get", "exit 1")
    computer.has("id", "echo 0")
    answer = computer.lab("demo")
    assert answer.returncode == 1
    assert "--no-install-recommends python3-venv\n" in answer.stderr


def test_too_little_room_is_told_with_both_numbers(computer: Computer) -> None:
    computer.has("df", "echo head; echo x 1 1 3072 1% /")
    computer.has("python3", f'exec {sys.executable} "$@"')
    answer = computer.lab("demo")
    assert answer.returncode == 1
    assert f"40 MB are needed in {computer.cache}, 3 MB are free" in answer.stderr


def test_a_cache_that_cannot_be_written_is_told(computer: Computer) -> None:
    computer.cache.write_text("a file is in the way")
    answer = computer.lab("demo")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"lab: cannot write to {computer.cache}")


def test_without_network_it_says_so_and_starts_afresh_next_time(computer: Computer) -> None:
    computer.has("python3", f'exec {os.path.realpath(sys.executable)} "$@"')
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    for _ in range(2):
        answer = computer.lab("demo", **nowhere)
        assert answer.returncode == 1
        assert "No network? It is needed this once" in answer.stderr.splitlines()[-1]
        assert not list(computer.cache.glob("*/installed-*"))


def test_remove_takes_what_the_script_made_and_nothing_else(computer: Computer) -> None:
    for tool in ("du", "rm", "rmdir"):
        computer.has(tool, f'exec {shutil.which(tool)} "$@"')
    (computer.cache / "venv" / "bin").mkdir(parents=True)
    (computer.cache / "agent-0.zip").write_text("")
    (computer.cache / "my thesis.txt").write_text("years of work")
    asked = computer.lab("remove")
    assert asked.returncode == 1
    assert "nobody to ask" in asked.stderr
    assert (computer.cache / "venv").exists()
    answer = computer.lab("remove", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert [path.name for path in computer.cache.iterdir()] == ["my thesis.txt"]
    (computer.cache / "my thesis.txt").unlink()
    assert "Nothing of ./lab" in computer.lab("remove", "--yes").stderr
