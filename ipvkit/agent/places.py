"""The namespaces of a lab: made, entered, written to, forgotten.

Law: unshare(2) and setns(2) are called by the agent's only thread, which is back home before the next request; a
namespace is held by one descriptor. ``/run/netns/NAME`` is a symbolic link to that descriptor, so ``ip netns`` and
``ip -n`` know the name, and nothing has to be unmounted: closing the descriptors takes everything down.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ipvkit.agent import syscalls
from ipvkit.agent.namespaces import DESCRIPTORS, NETNS_DIRECTORY
from ipvkit.agent.netlink import Socket

BRIDGES: dict[str, int] = {}
"""Namespaces that are a switch, with the number of their bridge."""

MOST_ENDPOINTS = 1000
"""What was tried; a machine with little memory or few descriptors takes fewer: :func:`most_endpoints`."""

_DESCRIPTORS, _SPARE, _DESCRIPTORS_EACH = 8192, 100, 3  # a namespace, its netlink socket, its socket for echoes
_SPARE_BYTES, _BYTES_EACH = 48_000_000, 260_000  # measured in User-Mode Linux 6.1; one that runs out panics

_SOCKETS: dict[str, Socket] = {}
_adopted: set[str] = set()
_home = -1


def _know_home() -> None:
    global _home
    if _home < 0:
        _home = _own_namespace()
        os.makedirs(NETNS_DIRECTORY, exist_ok=True)


def _own_namespace() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def most_endpoints() -> int:
    """Give how many endpoints this machine takes: by what was tried, its descriptors, and its memory."""
    with suppress(OSError, ValueError):  # root of a kernel of its own may ask for more
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        soft = min(hard, _DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(MOST_ENDPOINTS, (soft - _SPARE) // _DESCRIPTORS_EACH, (memory - _SPARE_BYTES) // _BYTES_EACH)


def go_home() -> None:
    """Be in the machine's own namespace again."""
    syscalls.setns(_home, syscalls.CLONE_NEWNET)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in namespace ``name`` for a while: what is opened there belongs to it."""
    _know_home()
    syscalls.setns(DESCRIPTORS[name], syscalls.CLONE_NEWNET)
    try:
        yield
    finally:
        go_home()


def make(name: str) -> None:
    """Make namespace ``name`` and stay in it: call :func:`go_home` after the last one.

    OSError: EEXIST for a name that is there, ENOSPC at the limit of namespaces (user.max_net_namespaces).
    """
    if name in DESCRIPTORS:
        raise FileExistsError(errno.EEXIST, f"namespace {name}")
    _know_home()
    syscalls.unshare(syscalls.CLONE_NEWNET)
    wire = Socket()
    DESCRIPTORS[name] = descriptor = _own_namespace()
    _SOCKETS[name] = wire
    # not /proc/self: whoever follows the link means the agent
    with suppress(FileExistsError):
        os.symlink(f"/proc/{os.readlink('/proc/self')}/fd/{descriptor}", os.path.join(NETNS_DIRECTORY, name))


def has_setting(setting: str) -> bool:
    """Tell whether the namespace this process is in has ``key=value`` below /proc/sys/net already."""
    key, value = setting.split("=", 1)
    with suppress(OSError), open(f"/proc/sys/net/{key}") as file:
        return file.read().strip() == value
    return False


def write_setting(key: str, value: str) -> None:
    """Write one setting below /proc/sys/net of the namespace this process is in.

    A kernel without IPv6 has no ``ipv6`` directory: then there is nothing to switch off. OSError otherwise.
    """
    try:
        descriptor = os.open(f"/proc/sys/net/{key}", os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if key.startswith("ipv6/") and not os.path.exists("/proc/sys/net/ipv6"):
            return
        raise
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def netlink(name: str) -> Socket:
    """Give the netlink socket of namespace ``name``."""
    return _SOCKETS[name]


@contextmanager
def guests() -> Iterator[None]:
    """Know, for a while, also the namespaces that others made: those ``ip netns`` shows and no plan of ours has."""
    _let_go()
    added: list[str] = []
    try:
        for name in _not_ours():
            added.append(name)
            _open(name)
        yield
    finally:
        for name in added:
            _close(name)


def adopt() -> None:
    """Know, from now on, the namespaces that others made, and let go of the adopted ones that are not there any more.

    A container engine's are links to ``/proc/PID/ns/net``: they dangle once the container has ended.
    """
    _let_go()
    for name in _not_ours():
        _open(name)
        _adopted.add(name)


def _let_go() -> None:
    """Forget adopted namespaces whose name is gone, or is another's now: a new container is called like an old one."""
    for name in [name for name in _adopted if not _is_still(name)]:
        _adopted.discard(name)
        _close(name)


def _is_still(name: str) -> bool:
    try:
        there, ours = os.stat(os.path.join(NETNS_DIRECTORY, name)), os.fstat(DESCRIPTORS[name])
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _not_ours() -> list[str]:
    """Give the names in the directory of ``ip netns`` that lead to a namespace and that we do not hold."""
    names = os.listdir(NETNS_DIRECTORY) if os.path.isdir(NETNS_DIRECTORY) else []
    there = (name for name in names if os.path.exists(os.path.join(NETNS_DIRECTORY, name)))
    return sorted(name for name in there if name not in DESCRIPTORS)


def _open(name: str) -> None:
    DESCRIPTORS[name] = os.open(os.path.join(NETNS_DIRECTORY, name), os.O_RDONLY | os.O_CLOEXEC)
    with inside(name):
        _SOCKETS[name] = Socket()


def _close(name: str) -> None:
    if name in _SOCKETS:
        _SOCKETS.pop(name).close()
    if name in DESCRIPTORS:
        os.close(DESCRIPTORS.pop(name))


def forget(*names: str) -> None:
    """Let go of namespaces; the kernel takes them down behind us, within a fraction of a second."""
    for name in names:
        _SOCKETS.pop(name).close()
        BRIDGES.pop(name, None)
        os.close(DESCRIPTORS.pop(name))
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(NETNS_DIRECTORY, name))


def forget_all() -> None:
    """Let go of every namespace and end every process a lab left behind: it would hold its namespace."""
    if os.getpid() == 1:  # else the signal would go to processes that are not the lab's
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    _adopted.clear()
    forget(*DESCRIPTORS)
