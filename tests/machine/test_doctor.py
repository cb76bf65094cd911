"""Doctor's table, the choice of a machine, and getting User-Mode Linux when something is missing."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from ipvkit.errors import MachineError, NoMachine
from ipvkit.machine import archive, cache, doctor, fetch, open_machine, uml_package
from tests.machine import here
from tests.machine.test_run import run

DEVICES = {"macvlan": "macvlan", "ipvlan": "ipvlan", "ipvlan:l3s": "ipvlan mode l3s", "vlan": "vlan id 5"}


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("IPVKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.kernel
@pytest.mark.parametrize("name", here.MACHINES)
def test_what_doctor_says_of_a_device_is_what_ip_gets(name: str) -> None:
    found = doctor.examine_machine(name, fresh=True)
    assert found.problem == ""
    assert set(found.capabilities) == set(doctor.WORDS)
    machine = doctor.OPENERS[name]()
    try:
        run(machine, "ip link add parent type veth peer name other")
        for word, kind in DEVICES.items():
            _, answer = run(machine, f"ip link add link parent name child type {kind}")
            assert (answer["status"] == 0) == (found.capabilities[word] == ""), word
            run(machine, "ip link delete child")
    finally:
        machine.close()


@pytest.mark.kernel
def test_uml_covers_what_the_course_needs() -> None:
    assert doctor.examine_machine("uml").lacks(frozenset(doctor.WORDS) - {"nft-inet"}) == {}


@pytest.mark.kernel
def test_the_table_has_a_line_for_each_word_and_a_fix_for_each_lack() -> None:
    report = doctor.Report(tuple(doctor.examine_machine(name) for name in doctor.OPENERS))
    lines = str(report).splitlines()
    for word in doctor.WORDS:
        assert sum(line.split()[:1] == [word] for line in lines) == 1
    lacking = [one for one in report.machines if one.lacks(frozenset(doctor.WORDS))]
    assert sum(line.startswith("  fix: ") for line in lines) == len(lacking)


@pytest.mark.kernel
@pytest.mark.usefixtures("empty_cache")
def test_a_machine_that_cannot_be_examined_has_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = doctor.OPENERS[here.MACHINES[0]]()
    machine.close()
    monkeypatch.setitem(doctor.OPENERS, "native", lambda: machine)
    found = doctor.examine_machine("native", fresh=True)
    assert "ended" in found.problem
    assert found.lacks(frozenset({"macvlan"}))


@pytest.mark.kernel
def test_a_second_look_starts_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    first = doctor.examine_machine("uml")
    monkeypatch.setitem(doctor.OPENERS, "uml", None)
    assert doctor.examine_machine("uml") == first


@pytest.mark.kernel
@pytest.mark.parametrize("name", here.MACHINES)
def test_the_environment_forces_a_machine(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("IPVKIT_MACHINE", name)
    machine = open_machine(frozenset({"macvlan"}))
    assert machine.name == name
    machine.close()


@pytest.mark.usefixtures("by_turns")
@pytest.mark.kernel
def test_machines_are_ready_in_time() -> None:
    """2 s on two slow cores, 0.5 s native; the limits here leave room for a computer that does other work as well."""
    for name in here.MACHINES:
        limit = {"native": 2.0, "uml": 8.0}[name]
        taken = []
        for _ in range(3):
            started = time.monotonic()
            machine = open_machine(frozenset({"macvlan"}), force=name)
            taken.append(time.monotonic() - started)
            machine.close()
        print(f"{name}: ready in {min(taken):.2f} s")
        assert min(taken) < limit


def test_an_unknown_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPVKIT_MACHINE", "vmware")
    with pytest.raises(NoMachine, match=r"no machine 'vmware'\. It is one of: native, uml"):
        open_machine(frozenset())


@pytest.mark.kernel
@pytest.mark.usefixtures("empty_cache")
def test_without_a_machine_every_one_has_its_reason_and_its_fix() -> None:
    with pytest.raises(NoMachine) as refused:
        open_machine(frozenset({"token-ring"}))
    lines = str(refused.value).splitlines()
    assert lines[0] == "no machine here covers token-ring:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["native", "fix", "uml", "fix"]
    assert "python3 -m ipvkit.machine.fetch" in lines[-1]


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IPVKIT_CACHE", str(tmp_path / "file"))
    assert not cache.store("name", b"content")
    assert cache.load("name") is None


@pytest.mark.kernel
@pytest.mark.skipif(here.MACHINES == ["uml"], reason=here.WHY_NOT)
def test_a_machine_starts_without_a_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IPVKIT_CACHE", str(tmp_path / "file"))
    machine = open_machine(frozenset({"macvlan"}), force="native")
    assert machine.alive()
    machine.close()


@pytest.mark.usefixtures("empty_cache")
def test_without_apt_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineError, match="no apt-get here"):
        fetch.fetch()


@pytest.mark.usefixtures("empty_cache")
def test_a_package_apt_does_not_know_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With no sources at all: our own package lists are tried, and are empty."""
    settings = (
        f'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{tmp_path}";\nDir::State::Lists "{tmp_path}";\n'
    )
    (tmp_path / "partial").mkdir()
    (tmp_path / "apt.conf").write_text(settings)
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    with pytest.raises(MachineError, match="apt knows no package user-mode-linux"):
        fetch.fetch()


@pytest.mark.usefixtures("empty_cache")
def test_without_a_network_the_message_says_that_it_is_needed_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "apt.conf").write_text('Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    with pytest.raises(MachineError, match=r"network is needed this once|apt knows no package"):
        fetch.fetch()


def test_where_nothing_can_be_written_the_message_names_the_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IPVKIT_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(MachineError, match=r"below: .*; set IPVKIT_CACHE to a directory of yours"):
        fetch.fetch()


def test_a_package_that_is_none_is_refused(empty_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.deb").write_bytes(os.urandom(100))
    with pytest.raises(MachineError, match=r"broken\.deb cannot be unpacked"):
        uml_package.unpack(tmp_path / "broken.deb")
    assert not empty_cache.exists()


@pytest.mark.kernel
def test_what_is_there_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert fetch.main() == 0


@pytest.mark.usefixtures("empty_cache")
def test_an_empty_kernel_or_archive_in_the_cache_is_none() -> None:
    """What a computer that lost power leaves of a file."""
    for name in (uml_package.MODULES, uml_package.KERNEL):
        assert cache.store(name, b"")
    assert not uml_package.present()
    with pytest.raises(MachineError, match="not in the cache"):
        uml_package.open_files()


@pytest.mark.usefixtures("empty_cache")
def test_an_empty_agent_in_the_cache_is_made_again(empty_cache: Path) -> None:
    bytecode = importlib.util.MAGIC_NUMBER.hex()
    os.close(archive.open_archive(sys.executable, bytecode))
    (stored,) = empty_cache.glob("agent-*.zip")
    size = stored.stat().st_size
    stored.write_bytes(b"")
    descriptor = archive.open_archive(sys.executable, bytecode)
    assert os.fstat(descriptor).st_size == stored.stat().st_size == size
    os.close(descriptor)


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("content", [b"{", b"[]", b'{"name": "native", "colour": "red"}', b"\xff"])
def test_what_doctor_cannot_read_in_the_cache_is_found_out_again(
    monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    assert cache.store(f"doctor-{doctor._identity('native')}.json", content)

    def refuse() -> NoReturn:
        raise MachineError("asked again")

    monkeypatch.setitem(doctor.OPENERS, "native", refuse)
    assert doctor.examine_machine("native").problem == "asked again"


@pytest.mark.usefixtures("empty_cache")
def test_a_kernel_that_is_there_and_does_not_start_is_not_fetched_but_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    broken = doctor.Examined("uml", "", "", {}, "uml did not start; its console says:\n")
    assert "machine.fetch" in broken.fix(frozenset())
    for name in (uml_package.MODULES, uml_package.KERNEL):
        cache.store(name, b"half of it")
    assert "./lab remove, then ./lab" in broken.fix(frozenset())


@pytest.mark.usefixtures("empty_cache")
def test_without_apt_nobody_is_sent_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "apt-get, which is not here" in doctor.Examined("uml", "", "", {}, "not there").fix(frozenset())


@pytest.mark.usefixtures("empty_cache")
def test_an_interrupted_fetch_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "fetch", interrupt)
    assert fetch.main() == 130
    assert capsys.readouterr().err == "interrupted; run ./lab again\n"


@pytest.mark.parametrize(("known", "got"), [(("docker.io",), ["docker.io"]), (("docker.io", "docker-cli"),) * 2])
def test_a_part_that_only_some_releases_have_comes_along_where_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, known: tuple[str, ...], got: Sequence[str]
) -> None:
    apt = """#!/bin/sh
        for word in "$@"; do
            case $word in --print-uris) print=yes ;; docker*)
                case " $KNOWN " in *" $word "*) ;; *) exit 100 ;; esac
                if [ "${print:-}" ]; then echo "'http://x/$word.deb' $word.deb 1 SHA256:0"; else >"$word.deb"; fi ;;
            esac
        done
    """
    (tmp_path / "apt-get").write_text(apt)
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("KNOWN", " ".join(known))
    files = fetch.download(tmp_path, ["docker.io"], ["docker-cli"])
    assert [file.name for file in files] == [f"{name}.deb" for name in got]
