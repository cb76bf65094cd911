"""Where a machine's files are while it runs, and the step that turns a process into the machine.

Law: a machine reads its agent (and a UML kernel its modules and its memory file) from one private directory, filled
from descriptors the client opened: nothing of the clone, the virtual environment or the cache need be readable once
rights are given up. Runs in the supervisor and in process 1 of the machine.
"""

from __future__ import annotations

import errno
import glob
import mmap
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ipvkit.agent import syscalls
from ipvkit.agent.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_SHARED
from ipvkit.machine import isolation, processor, restriction

if TYPE_CHECKING:
    from ipvkit.machine.supervisor import Orders

AGENT_ARCHIVE, MODULE_ARCHIVE = "agent.zip", "modules.zip"
PREFIX = "ipvkit-"
_NATIVE_SIZE = 256  # MB that a lab's commands may write to /run and /tmp
_UML_EXTRA = 64  # MB in UML's directory beside the memory file

# Each of these costs tenths of a second at boot, and is of no use in a lab: benchmarks that choose a checksum routine,
# file systems on disks that are not there, a swap cache.
_BLACKLIST = "raid6_select_algo,calibrate_xor_blocks,init_btrfs_fs,init_jfs_fs,init_xfs_fs,init_zswap,ubd_init"
# lpj: the delay loop is not measured (user_mode_linux has no delays worth it); the rest skips what nobody uses.
_DIET = f"lpj=2000000 initcall_blacklist={_BLACKLIST} pty.legacy_count=0 audit=0 selinux=0"


@dataclass(frozen=True)
class Workplace:
    """``directory`` holds the machine's files, ``memory`` UML's memory file (its name is gone once it is open).

    ``private`` are the mount points that get a tmpfs of ``size`` MB.
    """

    directory: str
    memory: str
    private: tuple[str, ...] = ()
    size: int = 0

    def fill(self, orders: Orders) -> None:
        """Make the directory and copy the archives into it; OSError when there is no room."""
        for directory in (self.directory, self.memory):
            os.makedirs(directory, mode=0o755, exist_ok=True)
        for descriptor, name in ((orders.agent, AGENT_ARCHIVE), (orders.modules, MODULE_ARCHIVE)):
            if descriptor >= 0:
                _copy(descriptor, os.path.join(self.directory, name))

    def remove(self) -> None:
        """Delete the directories; they may be gone already."""
        for directory in (self.directory, self.memory):
            shutil.rmtree(directory, ignore_errors=True)

    def become_machine(self, orders: Orders, way: str) -> NoReturn:
        """Turn process 1 into the machine, or its keeper; OSError when the kernel refuses."""
        if orders.machine == "native":
            self._become_agent(orders, way)
        if way != "none":
            keeper_of = os.fork()
            if keeper_of:
                _keep(keeper_of)
        self._become_uml(orders, way)

    def _become_agent(self, orders: Orders, way: str) -> NoReturn:
        prepare_native()
        _pass_on(orders.wire)
        os.dup2(orders.wire, 0)
        archive = os.path.join(self.directory, AGENT_ARCHIVE)
        os.execv(orders.python, [orders.python, "-I", "-S", "-B", archive, "native", way])

    def _become_uml(self, orders: Orders, way: str) -> NoReturn:
        if way == "root":
            os.chown(self.directory, isolation.NOBODY, isolation.NOBODY)
            isolation.become_nobody()
            syscalls.die_with_parent(signal.SIGKILL)
        if way == "none":
            syscalls.die_with_parent(signal.SIGKILL)
            restriction.forbid_changing_files((self.directory, self.memory))
        processor.stay_on_one()
        syscalls.gain_no_privileges()
        syscalls.fix_addresses()  # else UML takes the random gap above its own code for memory it has to manage
        for descriptor in (orders.wire, orders.kernel):
            _pass_on(descriptor)
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        os.execve(orders.kernel, self._command_line(orders, way), {"TMPDIR": self.memory, "HOME": self.directory})

    def _command_line(self, orders: Orders, way: str) -> list[str]:
        archive = os.path.join(self.directory, AGENT_ARCHIVE)
        if any(" " in path for path in (orders.python, archive)):
            raise OSError(errno.EINVAL, f"a blank in {orders.python} or {archive}: the kernel's command line splits it")
        words = (
            f"{processor.NAME} mem={orders.memory}M root=/dev/root rootfstype=hostfs rootflags=/ ro quiet loglevel=3 "
            f"con=none con0=null,fd:2 ssl=none ssl0=fd:{orders.wire} uml_dir={self.directory} umid=lab {_DIET} "
            f"init={orders.python} -- -I -S -B {archive} guest {way}"
        )
        return words.split()


def for_machine(machine: str, memory: int) -> Workplace:
    """Give the workplace of a machine with a mount namespace of its own; ``memory`` in MB."""
    if machine == "native":
        return Workplace("/run/ipvkit", "/run/ipvkit", ("/run", "/tmp"), _NATIVE_SIZE)
    return Workplace("/run/ipvkit", "/run/ipvkit", ("/run",), memory + _UML_EXTRA)


def without_namespaces(memory: int) -> Workplace:
    """Find a place for the files and one for ``memory`` MB, which need not be the same.

    The guest must be able to read the files, and has a /dev of its own, so they cannot be in /dev/shm; the memory
    should be, for elsewhere it may be written to a disk. Names are fresh, :meth:`Workplace.fill` makes the
    directories. What a machine left whose supervisor and guard were killed in the same instant is swept first. Raises
    ``OSError`` naming what was tried.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    visible = [directory for directory in (runtime, "/tmp", "/var/tmp") if directory]
    _sweep([*visible, "/dev/shm"])
    name = f"{PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
    files = _first([directory for directory in visible if _has_room(directory, _UML_EXTRA)], visible, _UML_EXTRA)
    candidates = [directory for directory in (runtime, "/dev/shm", "/tmp", "/var/tmp") if directory]
    suitable = [directory for directory in candidates if _has_room(directory, memory) and _allows_code(directory)]
    return Workplace(os.path.join(files, name), os.path.join(_first(suitable, candidates, memory), name))


def _first(suitable: Sequence[str], tried: Sequence[str], size: int) -> str:
    if not suitable:
        raise OSError(errno.ENOSPC, f"none of {', '.join(tried)} has {size} MB free, and is not mounted noexec")
    return suitable[0]


def _has_room(directory: str, size: int) -> bool:
    """Tell whether ``size`` MB are free there, in a place that can be written to."""
    try:
        status = os.statvfs(directory)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize >= size << 20 and os.access(directory, os.W_OK)


def _allows_code(directory: str) -> bool:
    with suppress(OSError), tempfile.TemporaryFile(dir=directory) as file:
        file.truncate(mmap.PAGESIZE)
        mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
        return True
    return False


def _sweep(places: Sequence[str]) -> None:
    """End machines whose supervisor is dead, and delete their directories; its process id is in the directory's name.

    The directory of a machine that was up has gone already, so what tells is the command line of its processes.
    """
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        for word in _words(pid):
            if word.startswith("uml_dir=") and _is_abandoned(word):
                with suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)
    for place in places:
        for directory in filter(_is_abandoned, glob.glob(os.path.join(place, f"{PREFIX}*-*"))):
            shutil.rmtree(directory, ignore_errors=True)


def _is_abandoned(directory: str) -> bool:
    prefix, _, rest = os.path.basename(directory).partition("-")
    supervisor = rest.partition("-")[0]
    return prefix + "-" == PREFIX and supervisor.isdecimal() and "supervisor" not in _words(supervisor)


def _words(pid: str) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read().split("\0")
    except OSError:
        return []


def prepare_native() -> None:
    """Give process 1 a /proc and a /sys of its namespaces; mounts below /run are shared with every command's."""
    harmless = MS_NOSUID | MS_NODEV | MS_NOEXEC
    for kind, directory in (("proc", "/proc"), ("sysfs", "/sys")):
        with suppress(OSError):  # a container that hides parts of them forbids new ones; /proc shows our network anyway
            syscalls.mount(kind, directory, kind, harmless)
    syscalls.mount("", "/run", "", MS_SHARED)


def _keep(pid: int) -> NoReturn:
    """Be process 1 for UML: bury orphans, end (and so end everything) when the kernel ends."""
    os.close(2)
    while os.waitpid(-1, 0)[0] != pid:
        pass
    os._exit(0)


def _pass_on(descriptor: int) -> None:
    os.set_inheritable(descriptor, True)


def _copy(descriptor: int, path: str) -> None:
    length, offset = os.fstat(descriptor).st_size, 0
    with open(path, "xb") as file:
        while offset < length:
            sent = os.sendfile(file.fileno(), descriptor, offset, length - offset)
            if sent == 0:
                raise OSError(errno.EIO, f"{path}: the archive shrank while it was copied")
            offset += sent
