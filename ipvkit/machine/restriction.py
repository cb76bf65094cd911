"""Take from a process the right to change files, for good and for all its children, where no namespaces can be had.

Law: two doors are shut. Landlock (Linux 5.13) forbids changing the content and the names of all files but those below
a few directories. Permissions, owners, times and extended attributes it does not know about, so a seccomp filter
refuses the system calls that change them. Both need no rights at all.

https://docs.kernel.org/userspace-api/landlock.html, https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

from ipvkit.agent import syscalls

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE_FILE = 1 << 1
_CHANGING = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # remove_*, make_*: all that changes a directory
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # from the second and third version on

# System calls of x86-64, the only architecture this is used on (User-Mode Linux): arch/x86/entry/syscalls/
_X86_64 = 0xC000003E
_FCHMOD = 91
_REFUSED = (
    *(90, 268, 452),  # chmod, fchmodat, fchmodat2
    *(92, 93, 94, 260),  # chown, fchown, lchown, fchownat
    *(132, 235, 261, 280),  # utime, utimes, futimesat, utimensat
    *(188, 189, 190, 197, 198, 199),  # setxattr and removexattr, each with l and f
)
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO


def forbid_changing_files(except_below: Sequence[str]) -> None:
    """Shut both doors; below the directories ``except_below``, and in /dev, files may still be written to.

    Raises ``OSError``: ENOSYS or EOPNOTSUPP where the kernel has no Landlock, EINVAL where it has no seccomp filters.
    """
    syscalls.gain_no_privileges()
    _forbid_content_and_names(except_below)
    _forbid_attributes()


def _forbid_content_and_names(except_below: Sequence[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        result: int = libc.syscall(ctypes.c_long(number), *arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), "Landlock: " + os.strerror(ctypes.get_errno()))
        return result

    version = call(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    rights = _CHANGING | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    handled = struct.pack("=Q", rights)
    ruleset = call(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    for directory, allowed in (*((directory, rights) for directory in except_below), ("/dev", _WRITE_FILE)):
        descriptor = os.open(directory, os.O_PATH | os.O_CLOEXEC)
        call(_ADD_RULE, ruleset, 1, struct.pack("=Qi", allowed, descriptor), 0)
        os.close(descriptor)
    call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _forbid_attributes() -> None:
    """Refuse the calls with EPERM; fchmod pretends to work: UML makes its memory file executable, for no reason."""
    filters = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _X86_64), (_RETURN, 0, 0, _FAIL | errno.EPERM), (_LOAD, 0, 0, 0)]
    for number, answer in ((_FCHMOD, _FAIL), *((number, _FAIL | errno.EPERM) for number in _REFUSED)):
        filters += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
    filters.append((_RETURN, 0, 0, _ALLOW))
    syscalls.filter_system_calls(b"".join(struct.pack("=HBBI", *one) for one in filters))
