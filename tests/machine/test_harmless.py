"""Promise 3: root inside a machine changes no file outside, however it tries, and sees no network of ours."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipvkit.machine import Machine, isolation
from ipvkit.machine.native import open_native
from ipvkit.machine.uml import open_uml
from tests.machine import here
from tests.machine.nursery import descendants
from tests.machine.test_run import run

pytestmark = pytest.mark.kernel

UML_LIMIT = 200  # MB


# A native machine isolated by root alone is not in the list: its root is root, and could lift what keeps it from
# writing.
@pytest.fixture(params=[*(f"native {way}" for way in here.WAYS if way == "user"), *(f"uml {way}" for way in here.WAYS)])
def isolated(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine of each kind, isolated in each way that keeps its root from writing."""
    name, way = request.param.split()
    machine = {"native": open_native, "uml": open_uml}[name](way)
    yield machine
    machine.close()


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory with a file that anybody may change, so that permissions are not what protects them."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        directory = Path(place)
        directory.chmod(0o777)
        if os.geteuid() == 0:  # what a dropped root's lab would own
            os.chown(directory, isolation.NOBODY, isolation.NOBODY)
        (directory / "file").write_text("as it was\n")
        (directory / "file").chmod(0o666)
        os.utime(directory / "file", (0, 0))
        os.chown(directory / "file", directory.stat().st_uid, directory.stat().st_gid)
        yield directory


ATTEMPTS = """
try() { cd $1 && { echo new > file; echo new >> file; rm -f file; mv file moved; mkdir made; ln file link; chmod 7 file;
        touch -d 2020-01-01 file; truncate -s 1 file; touch new; mknod pipe p; ln -s a b; }; cd /; }
try $DIR
mount -o remount,rw / && try $DIR
mount -o remount,bind,rw / && try $DIR
mount -t hostfs none /mnt -o / && try /mnt$DIR
mount -t hostfs none /mnt -o $DIR && try /mnt
mount --bind / /mnt && mount -o remount,bind,rw /mnt && try /mnt$DIR
try /proc/1/root$DIR
"""


def test_no_attempt_to_write_changes_anything(isolated: Machine, open_to_all: Path) -> None:
    output, _ = run(isolated, f"DIR={open_to_all}; {ATTEMPTS}", deadline=60)
    assert "Read-only" in output or "denied" in output or "not permitted" in output, output
    assert os.listdir(open_to_all) == ["file"]
    status = (open_to_all / "file").stat()
    assert (open_to_all / "file").read_text() == "as it was\n"
    assert (status.st_mode & 0o777, status.st_mtime) == (0o666, 0)


def test_a_lab_may_write_where_programs_expect_to(isolated: Machine) -> None:
    command = "for place in /tmp /run /dev/shm; do echo text > $place/ours && cat $place/ours; done"
    output, _ = run(isolated, command)
    expected = 3 if isolated.name == "uml" else 2  # native: /dev is the computer's own, and read-only
    assert output.count("text\n") == expected, output
    assert not Path("/tmp/ours").exists()
    assert not Path("/run/ours").exists()


def test_no_interface_of_this_computer_is_in_there(isolated: Machine) -> None:
    assert sorted(run(isolated, "ls /sys/class/net")[0].split()) == ["lo"]
    assert [line.split(":")[0].strip() for line in run(isolated, "tail -n +3 /proc/net/dev")[0].splitlines()] == ["lo"]


def test_settings_of_this_computer_cannot_be_changed(isolated: Machine) -> None:
    names = ["kernel/hostname", "vm/swappiness", "kernel/printk"]
    before = [Path("/proc/sys", name).read_text() for name in names if Path("/proc/sys", name).exists()]
    run(
        isolated,
        "echo 7 > /proc/sys/vm/swappiness; echo other > /proc/sys/kernel/hostname; echo 1 > /proc/sys/kernel/printk",
    )
    assert [Path("/proc/sys", name).read_text() for name in names if Path("/proc/sys", name).exists()] == before


def test_a_uml_machine_takes_at_most_its_share_of_memory() -> None:
    before = set(descendants(os.getpid()))
    machine = open_uml()
    try:
        run(machine, "for n in 1 2 3 4; do ip link add m$n type dummy; done; seq 1 1000 >/dev/null")
        processes = set(descendants(os.getpid())) - before
        taken = sum(own_memory(pid) for pid in processes)
        if machine.wire.request("hello", deadline=10)["way"] != "none":  # there UML's memory is a mapped file
            taken += shared_memory(processes)
    finally:
        machine.close()
    print(f"a UML machine takes {taken:.0f} MB")
    assert 20 < taken <= UML_LIMIT


def own_memory(pid: int) -> float:
    """Give the MB of a process's anonymous pages and its share of mapped files."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(lines[name].split()[0]) for name in ("Pss_Anon", "Pss_File")) / 1024


def shared_memory(processes: set[int]) -> float:
    """Give the MB in the machine's own tmpfs: UML's memory file and the archives."""
    kernel = next(pid for pid in processes if "linux.uml" in Path(f"/proc/{pid}/cmdline").read_text())
    status = os.statvfs(f"/proc/{kernel}/root/run")
    return (status.f_blocks - status.f_bfree) * status.f_frsize / 2**20
