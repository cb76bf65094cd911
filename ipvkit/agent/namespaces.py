"""The network namespaces of this machine by name, as open descriptors.

Law: a namespace lives as long as something holds it, so the agent keeps one descriptor for each it made; names are also
what ``ip netns`` shows, because ``/run/netns`` is the lab's own. The machine's first namespace has the name ``host``.
"""

from __future__ import annotations

import os
from contextlib import suppress

from ipvkit.agent import syscalls
from ipvkit.errors import BadQuestion

HOST = "host"
NETNS_DIRECTORY = "/run/netns"

DESCRIPTORS: dict[str, int] = {}
"""Filled by whoever creates namespaces; closing and deleting an entry lets the kernel take the namespace down."""


def check(name: str) -> None:
    """Raise ``BadQuestion`` unless the lab has a namespace ``name``, ours or one made with ``ip netns add``."""
    if not isinstance(name, str) or not (name == HOST or name in DESCRIPTORS or _is_file_of_ip_netns(name)):
        known = ", ".join(sorted({HOST, *DESCRIPTORS}))
        raise BadQuestion("netns", f"this lab has no namespace {name!r}", f"It has: {known}")


def _is_file_of_ip_netns(name: str) -> bool:
    return "/" not in name and os.path.isfile(os.path.join(NETNS_DIRECTORY, name))


def enter(name: str) -> None:
    """Move this process into namespace ``name``. For a forked child only.

    ``/sys`` shows the new namespace afterwards, as ``ip netns exec`` arranges it; mounts below ``/run`` stay shared
    with the lab. Raises ``OSError`` when the namespace is gone.
    """
    if name in DESCRIPTORS:
        syscalls.setns(DESCRIPTORS[name], syscalls.CLONE_NEWNET)
    elif name != HOST:
        descriptor = os.open(os.path.join(NETNS_DIRECTORY, name), os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    with suppress(OSError):  # a container that hides parts of /sys forbids a new one: only /sys/class/net is missed
        syscalls.mount("sysfs", "/sys", "sysfs", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
