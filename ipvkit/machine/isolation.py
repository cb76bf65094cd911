"""Make the process that will carry a lab harmless: its own namespaces, a file system nobody can write, no rights.

Law: after :func:`enter` returns, this process sees no network but a new one, and can write no file that was there
before. Which way was possible is found by trying, never by looking at settings:

``user``   a user namespace and all others in it. Root becomes ``nobody`` first and then does the same.
``root``   all namespaces but the user one: a chroot refuses that even to root, user_namespaces(7).
``none``   no namespaces: :mod:`ipvkit.machine.restriction` forbids writing, and the supervisor minds the lifetime.

Runs in the supervisor, outside of the lab's kernel. Needs Linux 5.12 (``mount_setattr``).
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from ipvkit.agent import syscalls
from ipvkit.agent.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MOUNT_ATTR_RDONLY,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
)

NOBODY = 65534
"""The uid and gid that own nothing, by convention of every distribution and of the kernel (``overflowuid``)."""

WAYS = ("user", "root", "none")
_NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS


def possible(way: str, drop: bool) -> bool:
    """Tell whether this process could :func:`enter` that way, by doing it in a child that ends at once."""
    pid = os.fork()
    if pid == 0:
        try:
            enter(way, drop, (), 0)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def become_nobody() -> None:
    """Give up root for good; EPERM without CAP_SETUID."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    syscalls.allow_own_proc_files()


def enter(way: str, drop: bool, private: tuple[str, ...], size: int) -> None:
    """Go the ``way``: afterwards everything is read-only but a fresh tmpfs of ``size`` MB on each of ``private``.

    The process itself keeps its process id; the first child it forks is process 1 of the new PID namespace. Raises
    ``OSError`` with the kernel's errno where that way is refused.
    """
    if way == "user":
        if drop:
            become_nobody()
        # Read-only mounts are made in one user namespace and locked by going into a second: root in there owns the
        # namespaces it sees, but not the flags of mounts it inherited, mount_namespaces(7).
        _become_root_of_new(CLONE_NEWUSER | CLONE_NEWNS)
        _make_read_only()
        _become_root_of_new(CLONE_NEWUSER | _NAMESPACES)
    else:
        syscalls.unshare(_NAMESPACES)
        _make_read_only()
    for directory in private:
        syscalls.mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, f"size={size}m,mode=755")


def _become_root_of_new(namespaces: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(namespaces)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _make_read_only() -> None:
    """Forbid writing through any mount but /proc and /sys, which have their own rules about who may."""
    _make_mounts_private()
    syscalls.mount_setattr("/", add=MOUNT_ATTR_RDONLY, recursive=True)
    for directory in ("/proc", "/sys"):
        with suppress(OSError):  # not a mount, or already read-only where we come from
            syscalls.mount_setattr(directory, remove=MOUNT_ATTR_RDONLY)


def _make_mounts_private() -> None:
    """Cut the ties to the mounts we came from, and see to it that ``/`` is a mount, which in a chroot it is not."""
    try:
        syscalls.mount("", "/", "", MS_REC | MS_PRIVATE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _make_private_from_chroot()
        place = next(path for path in ("/mnt", "/media", "/run", "/tmp") if os.path.isdir(path))
        syscalls.mount("/", place, "", MS_BIND | MS_REC)
        os.chroot(place)
        os.chdir("/")


def _make_private_from_chroot() -> None:
    """Step out to the root of our copy of the mounts, make all of them private there, and step back.

    From inside the chroot the mount it lies on has no name, and anything mounted before it is private would appear on
    the machine as well.
    """
    inside = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir("/")
    os.chroot(next(entry.path for entry in os.scandir("/") if entry.is_dir(follow_symlinks=False)))
    while not os.path.samefile(".", ".."):
        os.chdir("..")
    os.chroot(".")
    syscalls.mount("", "/", "", MS_REC | MS_PRIVATE)
    os.fchdir(inside)
    os.chroot(".")
    os.close(inside)
