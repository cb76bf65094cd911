"""The script `./lab` on computers that lack something: what it says, what it refuses, and that it changes nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ipvkit.cli.main import _parser
from tests.namespaces import own_mounts

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("app", "box", "choose", "demo", "doctor", "extras", "remove", "reset", "setup", "test")
# What the script needs of a system, and no more: neither Python nor apt-get nor sudo is among them.
TOOLS = ("sh", "id", "uname", "dirname", "basename", "mkdir", "cat", "cksum", "df", "awk", "grep", "cp", "cmp", "rm")
# A Python that is told its version, writes down what it is asked, and makes environments of itself.
PRETENDED_PYTHON = """
case "$*" in
    *print*) cat "$PRETENDED/version" ;;
    *"-m venv"*) for place in "$@"; do :; done; mkdir -p "$place/bin"; cp "$0" "$place/bin/python" ;;
esac
echo "$*" >>"$PRETENDED/asked"
"""


class Computer:
    """A computer of our own invention: a directory of commands, an empty home, and nobody at the keyboard."""

    def __init__(self, place: Path) -> None:
        self.place, self.commands, self.cache = place, place / "commands", place / "cache"
        self.commands.mkdir()
        for tool in TOOLS:
            self.has(tool, f'exec {shutil.which(tool)} "$@"')
        self.clone = place / "clone"
        self.clone.mkdir()
        for path in ROOT.iterdir():
            if path.name != "lab":
                (self.clone / path.name).symlink_to(path)
        # The one command the script knows by its full path is not on this computer.
        script = (ROOT / "lab").read_text()
        assert script.count("/usr/bin/python3 ") == 1
        (self.clone / "lab").write_text(script.replace("/usr/bin/python3 ", ""))

    def has(self, name: str, script: str) -> None:
        """Give it a command."""
        (self.commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.commands / name).chmod(0o755)

    def has_python(self, version: str, name: str = "python3") -> None:
        """Give it a Python that only pretends; :meth:`asked` tells what it was asked to do."""
        (self.place / "version").write_text(f"{version}\n")
        self.has(name, PRETENDED_PYTHON)

    def asked(self) -> str:
        """Tell what the pretended Python was asked since the last time."""
        file = self.place / "asked"
        text = file.read_text() if file.exists() else ""
        file.write_text("")
        return text

    def lab(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Type ``./lab WORDS`` on it."""
        environment = {
            "PATH": str(self.commands),
            "HOME": str(self.place),
            "IPVKIT_CACHE": str(self.cache),
            "PRETENDED": str(self.place),
        } | settings
        return subprocess.run(
            ["/bin/sh", str(self.clone / "lab"), *words],
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


def test_help_begins_with_the_options_of_the_course_itself_and_names_the_settings(computer: Computer) -> None:
    said = computer.lab("--help").stdout
    words = ("--dir DIR", "--no-browser", "--yes", "-- OPTIONS", "IPVKIT_CACHE", "IPVKIT_PYTHON", "IPVKIT_MACHINE")
    assert [word for word in (*words, "IPVKIT_PATIENCE") if word not in said] == []


def test_help_names_every_option_of_a_command(computer: Computer) -> None:
    """The script's words are there before any environment is, so they are its own; here they meet the parser's."""
    (commands,) = _parser()._subparsers._group_actions  # type: ignore[union-attr]
    for name, command in commands.choices.items():  # type: ignore[union-attr]
        said = computer.lab(name, "--help").stdout
        options = {word for action in command._actions for word in action.option_strings} - {"-h", "--help"}
        assert {option for option in options if option not in said} == set(), name


@pytest.mark.parametrize(
    "words", [["frob"], ["--frob"], ["setup", "--frob"], ["reset", "--frob"], ["reset"], ["--dir"], ["--dir="]]
)
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
        "lab: Python 3.9 is here; ipvkit needs 3.11 or newer (Debian 12, Ubuntu 24.04 and later have it). "
        "One elsewhere? IPVKIT_PYTHON=/its/path ./lab\n"
    )


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (None, "cannot be started"),
        ("case $2 in *print*) echo 3.9 ;; *) exit 1 ;; esac", "is Python 3.9; ipvkit needs 3.11 or newer"),
        ("case $* in *print*) echo 3.12 ;; *ensurepip*) exit 1 ;; esac", "(on Debian: python3.12-venv)"),
    ],
)
def test_a_python_that_was_asked_for_is_the_only_one_tried(
    computer: Computer, script: str | None, problem: str
) -> None:
    computer.has_python("3.12")
    computer.has("apt-get", "exit 1")
    wanted = computer.place / "my own" / "python3.12"
    if script:
        wanted.parent.mkdir()
        wanted.write_text(f"#!/bin/sh\n{script}\n")
        wanted.chmod(0o755)
    answer = computer.lab("demo", IPVKIT_PYTHON=str(wanted))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"lab: IPVKIT_PYTHON={wanted} ")
    assert problem in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_newer_python_without_venv_beside_an_old_one_gets_its_own_package(computer: Computer) -> None:
    computer.has("python3", "case $2 in *print*) echo 3.9 ;; *) exit 1 ;; esac")
    computer.has("python3.12", "case $* in *print*) echo 3.12 ;; *ensurepip*) exit 1 ;; esac")
    computer.has("apt-get", "exit 1")
    computer.has("id", "echo 0")
    answer = computer.lab("demo")
    assert "--no-install-recommends python3.12-venv\n" in answer.stderr


def test_after_the_first_start_nothing_is_installed_again(computer: Computer) -> None:
    computer.has_python("3.11")
    assert computer.lab("doctor").returncode == 0
    assert "-m pip install" in computer.asked()
    answer = computer.lab("doctor")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "pip" not in computer.asked()


@pytest.mark.parametrize("settings", [{}, {"IPVKIT_PYTHON": "python3.13"}], ids=["upgraded", "asked for"])
def test_another_version_of_python_gets_its_packages(computer: Computer, settings: dict[str, str]) -> None:
    computer.has_python("3.11")
    computer.lab("doctor")
    computer.asked()
    if settings:
        computer.has("python3.13", PRETENDED_PYTHON.replace('cat "$PRETENDED/version"', "echo 3.13"))
    else:  # the distribution was upgraded, under the environment's link; its pip is where the new one does not look
        computer.has_python("3.13")
        (computer.cache / "small" / "bin" / "python").write_text(
            "#!/bin/sh\ncase \"$*\" in *pip*) exit 1 ;; esac\n" + PRETENDED_PYTHON
        )
    answer = computer.lab("doctor", **settings)
    assert answer.returncode == 0, answer.stderr
    asked = computer.asked()
    assert "-m venv --clear" in asked
    assert "-m pip install" in asked
    computer.lab("doctor", **settings)
    assert "pip" not in computer.asked()


def test_python_without_venv_asks_for_that_package_only(computer: Computer) -> None:
    computer.has("python3", "case $* in *print*) echo 3.11 ;; *ensurepip*) exit 1 ;; esac")
    computer.has("apt-get", "exit 1")
    computer.has("id", "echo 0")
    answer = computer.lab("demo")
    assert answer.returncode == 1
    assert "--no-install-recommends python3-venv\n" in answer.stderr


@pytest.mark.parametrize(("manager", "names"), [("dnf", " iproute iputils"), ("pacman", " iproute2 iputils")])
def test_another_distribution_gets_its_own_names(computer: Computer, manager: str, names: str) -> None:
    computer.has_python("3.11")
    computer.has(manager, "exit 1")
    answer = computer.lab("setup")
    assert f":{names}. Then run ./lab again\n" in answer.stderr


@pytest.mark.parametrize(
    ("words", "asks"),
    [(("setup", "test"), True), (("test",), True), (("test", "tests/browser"), True), (("test", "tests/setup"), False)],
)
def test_chromium_is_asked_for_only_where_it_will_be_used(
    computer: Computer, words: tuple[str, ...], asks: bool
) -> None:
    computer.has_python("3.11")
    for tool in ("ip", "ping"):
        computer.has(tool, "exit 1")
    answer = computer.lab(*words)
    assert answer.returncode == 0, answer.stderr
    assert ("need Chromium" in answer.stderr) == asks
    assert "requirements-test.txt" in computer.asked()


def test_what_the_page_without_code_needs_can_be_had_beforehand(computer: Computer) -> None:
    computer.has_python("3.11")
    for tool in ("ip", "ping"):
        computer.has(tool, "exit 1")
    assert computer.lab("setup", "app").returncode == 0
    assert "requirements-app.txt" in computer.asked()
    assert computer.lab("app", "--no-browser").returncode == 0
    assert "pip" not in computer.asked()


def test_the_course_can_be_in_a_place_below_the_home(computer: Computer) -> None:
    computer.has_python("3.11")
    (computer.place / "here").mkdir()
    assert computer.lab("reset", "03", "--dir=~/here").returncode == 0
    assert f" {computer.place}/here 03\n" in computer.asked()


def test_a_path_that_python_cannot_take_is_refused(computer: Computer) -> None:
    computer.cache = computer.place / "a:b"
    answer = computer.lab("doctor")
    assert answer.returncode == 1
    assert answer.stderr.startswith("lab: Python takes no path with ':'")
    assert not computer.cache.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_lock_of_another_user_is_named_with_the_fix(computer: Computer) -> None:
    computer.has("flock", "exit 0")
    computer.cache.mkdir()
    (computer.cache / "setup.lock").touch(mode=0o400)
    answer = computer.lab("doctor")
    assert answer.returncode == 1
    assert "sudo chown -R" in answer.stderr
    assert answer.stderr.count("\n") == 1


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


@pytest.fixture
def used(computer: Computer) -> Computer:
    """A computer with an environment, and with what removing needs."""
    for tool in ("du", "rmdir", "sed"):
        computer.has(tool, f'exec {shutil.which(tool)} "$@"')
    (computer.cache / "venv" / "bin").mkdir(parents=True)
    return computer


def test_remove_takes_what_the_script_made_and_nothing_else(used: Computer) -> None:
    computer = used
    (computer.cache / "pip").mkdir()
    for name in ("agent-0.zip", ".agent-0.zip.half", ".fetch-killed"):
        (computer.cache / name).write_text("")
    (computer.cache / "my thesis.txt").write_text("years of work")
    asked = computer.lab("remove")
    assert asked.returncode == 1
    assert "nobody to ask" in asked.stderr
    assert (computer.cache / "venv").exists()
    answer = computer.lab("remove", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert [path.name for path in computer.cache.iterdir()] == ["my thesis.txt"]
    (computer.cache / "my thesis.txt").unlink()
    answer = computer.lab("remove")
    assert (answer.returncode, answer.stderr) == (0, f"Nothing of ./lab is in {computer.cache}.\n")
    assert not computer.cache.exists()


def test_remove_waits_for_the_end_of_what_runs_from_there(used: Computer) -> None:
    with subprocess.Popen([used.cache / "venv" / "bin" / "python", "60"], executable=shutil.which("sleep")) as running:
        answer = used.lab("remove", "--yes")
        running.kill()
    assert answer.returncode == 1
    assert "still runs from" in answer.stderr
    assert (used.cache / "venv").exists()
    assert used.lab("remove", "--yes").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_remove_refuses_where_something_is_mounted_whatever_the_directory_is_called(used: Computer) -> None:
    used.cache = used.cache.rename(used.place / "my [cache] \\ a.b")
    mounted = used.cache / "venv" / "data"
    mounted.mkdir()
    script = 'mount -t tmpfs tmpfs "$1" && echo years >"$1/work" && "$2" remove --yes; cat "$1/work"'
    words = [*own_mounts(), "sh", "-c", script, "sh", mounted, ROOT / "lab"]
    environment = os.environ | {"IPVKIT_CACHE": str(used.cache)}
    answer = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert "something is mounted below" in answer.stderr
    assert answer.stdout == "years\n"


def test_the_current_directory_is_not_where_python_looks(computer: Computer) -> None:
    """A student's ``socket.py`` would be run there."""
    computer.has_python("3.11")
    assert computer.lab("doctor").returncode == 0
    asked = [line for line in computer.asked().splitlines() if "-m " in line or "ensurepip" in line]
    assert [line for line in asked if not line.startswith("-P ")] == []
    assert asked[-1] == "-P -m ipvkit doctor"


@pytest.mark.parametrize(("snap", "given", "others"), [
    (True, (), 1), (True, ("--", "--ServerApp.use_redirect_file=True"), 0), (False, (), 0)])  # fmt: skip
def test_only_where_browsers_are_snaps_they_get_the_address_itself(
    computer: Computer, snap: bool, given: tuple[str, ...], others: int
) -> None:
    """JupyterLab's file that leads there is hidden, and a browser from a snap may not read what is."""
    computer.has_python("3.11")
    for tool in ("ip", "ping", *["snap"] * snap):
        computer.has(tool, "exit 1")
    (computer.place / "ipvkit-course").mkdir()
    answer = computer.lab(*given, DISPLAY=":0")
    assert answer.returncode == 0, answer.stderr
    (started,) = [line for line in computer.asked().splitlines() if "-m jupyterlab" in line]
    assert started.count("--ServerApp.use_redirect_file=False") == others
    assert "--no-browser" not in started


def test_an_interrupt_is_waited_out(computer: Computer) -> None:
    """What is interrupted says so itself; the script adds nothing, and does not go on."""
    computer.has_python("3.11")
    (computer.commands / "sleep").symlink_to(shutil.which("sleep") or "")
    for tool in ("ip", "ping"):
        computer.has(tool, "exit 1")
    computer.lab("setup")
    fetch = "trap 'echo interrupted >&2; exit 130' INT; echo now; while :; do sleep 0.1; done"
    python = computer.cache / "venv" / "bin" / "python"
    python.write_text(f"#!/bin/sh\ncase $* in *machine.fetch*) {fetch} ;; esac\n{PRETENDED_PYTHON}")
    words = ["/bin/sh", str(computer.clone / "lab"), "setup"]
    environment = {"PATH": str(computer.commands), "HOME": str(computer.place), "IPVKIT_CACHE": str(computer.cache)}
    with subprocess.Popen(
        words, env=environment | {"PRETENDED": str(computer.place)}, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=hear_interrupts,
    ) as script:
        assert script.stdout is not None
        assert script.stderr is not None
        assert script.stdout.readline() == "now\n"
        os.killpg(script.pid, signal.SIGINT)
        said = script.stderr.read()
    assert (script.returncode, said) == (130, "interrupted\n")


def hear_interrupts() -> None:
    """A test run in the background is deaf to Ctrl-C, and so would be what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupt_before_the_command_has_begun_is_one_line() -> None:
    words = """
import runpy, sys
class Interrupt:
    def find_spec(self, name, *rest):
        if name == "ipvkit.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
runpy.run_module("ipvkit", run_name="__main__")
"""
    answer = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (130, "interrupted; nothing is left\n")
