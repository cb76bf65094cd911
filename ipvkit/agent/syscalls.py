"""The Linux system calls Python's standard library does not have, as functions that raise ``OSError``.

Law: one function is one system call (or one ``prctl`` option), named as in its manual page; nothing here decides
anything. Numbers are the kernel's own (``include/uapi/linux/``). Used by the supervisor outside and the agent inside,
so it imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import os
import platform

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 4096, 16384, 1 << 18, 1 << 20

MOUNT_ATTR_RDONLY = 1

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
_PR_SET_SECCOMP = 22
_ADDR_NO_RANDOMIZE = 0x40000
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_SYS_MOUNT_SETATTR = 442  # the same on every architecture: system calls since 2019 share their numbers
_SYS_INIT_MODULE = {"x86_64": 175, "aarch64": 105}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Give the calling process new namespaces, unshare(2); EPERM where they are refused, ENOSPC at their limit."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Move the calling thread into the namespace ``descriptor`` names, setns(2); EPERM, EINVAL as there."""
    _check(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount, or change a mount, mount(2); the errno is the kernel's."""
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(_libc.mount(*arguments), f"mount {kind or hex(flags)} on {target}")


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount_setattr(target: str, *, add: int = 0, remove: int = 0, recursive: bool = False) -> None:
    """Set and clear flags of a mount and all below it in one step, mount_setattr(2), Linux 5.12; EINVAL: no mount."""
    attributes = _MountAttr(add, remove, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR), _AT_FDCWD, target.encode(), flags, ctypes.byref(attributes), size
    )
    _check(result, f"mount_setattr {target}")


def _prctl(option: int, value: int, what: str) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), what)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send ``signal_number`` when the parent *thread* ends; lost by a later change of uid, prctl(2)."""
    _prctl(_PR_SET_PDEATHSIG, signal_number, "PR_SET_PDEATHSIG")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (child subreaper), prctl(2)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, "PR_SET_CHILD_SUBREAPER")


def allow_own_proc_files() -> None:
    """Own one's files in /proc again after giving up root (PR_SET_DUMPABLE); needed to write /proc/self/uid_map."""
    _prctl(_PR_SET_DUMPABLE, 1, "PR_SET_DUMPABLE")


def gain_no_privileges() -> None:
    """Never gain rights by exec again: setuid files and file capabilities lose their effect, for good, prctl(2)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filters", ctypes.c_char_p))


def filter_system_calls(program: bytes) -> None:
    """Put a classic BPF program before every system call of this process and its children, seccomp(2)."""
    content = _Program(len(program) // 8, program)
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(content), zero, zero), "PR_SET_SECCOMP")


def fix_addresses() -> None:
    """Have the next program start without address randomisation, personality(2)."""
    _check(_libc.personality(ctypes.c_ulong(_ADDR_NO_RANDOMIZE)), "personality")


def getsockopt(descriptor: int, level: int, option: int, content: bytes) -> bytes:
    """Ask for a socket option whose question is in the buffer of the answer, getsockopt(2)."""
    buffer = ctypes.create_string_buffer(content, len(content))
    size = ctypes.c_uint32(len(content))
    _check(_libc.getsockopt(descriptor, level, option, buffer, ctypes.byref(size)), "getsockopt")
    return buffer.raw[: size.value]


def init_module(image: bytes, parameters: str = "") -> None:
    """Load a kernel module from memory, init_module(2); EEXIST if it is loaded, ENOENT for an unknown symbol."""
    number = _SYS_INIT_MODULE[platform.machine()]
    size = ctypes.c_ulong(len(image))
    _check(_libc.syscall(ctypes.c_long(number), image, size, parameters.encode()), "init_module")
