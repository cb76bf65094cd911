"""The first steps of an agent inside its machine, up to the moment it announces itself and serves.

Law: the client writes nothing before it has read the line ``{"ready": true}``; a terminal that is not yet raw would
echo it. In a User-Mode Linux kernel Python itself is init: mounts and modules are system calls here, because a fork
and exec costs about 40 ms there.
"""

from __future__ import annotations

import os
import tty
from contextlib import suppress

from ipvkit.agent import syscalls
from ipvkit.agent.modules import CORE, Modules
from ipvkit.agent.syscalls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT, MS_SHARED

SERIAL_LINE = "/dev/ttyS0"
_PIECE = 1 << 20  # bytes


def native() -> None:
    """Serve on descriptor 0 as process 1 of a PID namespace; returns when the client is gone."""
    wire = os.dup(0)
    os.set_inheritable(wire, False)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    _serve(wire)


def guest(archive: str, way: str) -> None:
    """Serve on the serial line as init of a UML kernel; ``archive`` is where hostfs shows the agent's files.

    With the ``way`` ``none`` they are deleted outside once the machine is up.

    Returning ends the kernel with a panic; that is how it ends when the client is gone.
    """
    modules = _mount_file_systems(archive)
    _start_nothing_for_devices()
    if way == "none":
        modules = _copy(modules, "/run/modules.zip")
    loader = Modules(modules)
    loader.load(*CORE)
    loader.serve_kernel(archive)
    wire = os.open(SERIAL_LINE, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    tty.setraw(wire)
    console = os.open("/dev/console", os.O_WRONLY | os.O_NOCTTY)
    for descriptor in (1, 2):
        os.dup2(console, descriptor)
    _serve(wire)


def _mount_file_systems(archive: str) -> str:
    """Mount what a system has, give the path of the modules.

    The agent's archive goes on existing under the same name, in memory; the modules are reached through a descriptor.
    """
    harmless = MS_NOSUID | MS_NODEV | MS_NOEXEC
    with open(archive, "rb") as file:
        content = file.read()
    modules = os.open(os.path.join(os.path.dirname(archive), "modules.zip"), os.O_RDONLY | os.O_CLOEXEC)
    # setuid programs belong to uid 65534 as hostfs sees them, and would drop root's rights
    syscalls.mount("", "/", "", MS_REMOUNT | MS_BIND | MS_NOSUID | MS_RDONLY)
    syscalls.mount("proc", "/proc", "proc", harmless)
    syscalls.mount("sysfs", "/sys", "sysfs", harmless)
    for directory in ("/run", "/tmp"):
        syscalls.mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    syscalls.mount("", "/run", "", MS_SHARED)
    place = os.path.dirname(archive)
    if os.path.isdir(place):  # outside /run and /tmp it is a directory of the computer's, and not to be written to
        syscalls.mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV)
    else:
        os.makedirs(place)
    with open(archive, "wb") as file:
        file.write(content)
    for directory, kind in (("/dev/pts", "devpts"), ("/dev/shm", "tmpfs")):
        os.makedirs(directory, exist_ok=True)
        syscalls.mount(kind, directory, kind, MS_NOSUID)
    return f"/proc/1/fd/{modules}"


def _start_nothing_for_devices() -> None:
    """Have the kernel start no program when a device comes or goes: /sbin/hotplug, which nobody has any more.

    A program that the kernel itself starts costs a fork of the whole of UML on the computer outside, and that the more
    the longer it runs: what the per-CPU allocator has given back stays mapped there, page by page, until 32 MB are
    together. Nineteen such forks a rebuild were a third of its time at first, and two thirds after 3 000.
    """
    with suppress(FileNotFoundError), open("/sys/kernel/uevent_helper", "w") as setting:  # Debian's kernel has it
        setting.write("\n")


def _copy(source: str, target: str) -> str:
    """Copy in pieces, each forgotten at once: memory that was touched once, UML never gives back."""
    with open(source, "rb", buffering=0) as file, open(target, "wb", buffering=0) as copy:
        while piece := file.read(_PIECE):
            copy.write(piece)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return target


def _serve(wire: int) -> None:
    from ipvkit.agent.operations import OPERATIONS
    from ipvkit.agent.serve import Server

    server = Server(wire, wire, OPERATIONS)
    server.send({"ready": True})
    server.serve()
