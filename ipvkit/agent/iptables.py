"""Tables of iptables-legacy in this process's namespace, by system call: read, counted, appended to.

Law: no program need be installed, and what is written is what ``iptables-legacy -A`` writes. A table is replaced as a
whole: the kernel takes all of its entries at once, with the offsets where each hook's chain begins and ends.
Sources: ``include/uapi/linux/netfilter_ipv4/ip_tables.h``, ``include/uapi/linux/netfilter/x_tables.h``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ipvkit.agent import modules, syscalls

HOOKS = ("prerouting", "input", "forward", "output", "postrouting")  # in the order of enum nf_inet_hooks
PROTOCOLS = {"": 0, "icmp": 1, "udp": 17}  # include/uapi/linux/in.h; 0 is any
_MODPROBE = "/proc/sys/kernel/modprobe"

_GET_INFO, _GET_ENTRIES, _REPLACE = 64, 65, 64  # IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES, IPT_SO_SET_REPLACE
_INFO = struct.Struct("=32sI5I5III")  # struct ipt_getinfo: name, valid_hooks, hook_entry, underflow, num_entries, size
_ENTRIES_OFFSET = 40  # of entrytable in struct ipt_get_entries
_HEAD = struct.Struct("=32sIII5I5IIQ")  # struct ipt_replace without its entries
_ENTRY = struct.Struct("=4s4s4s4s16s16s16s16sHBBIHHIQQ")  # struct ipt_entry
_OFFSETS, _PACKETS, _TARGET = 88, 96, 112  # target_offset and next_offset, counters.pcnt, and where a target begins
_STANDARD = struct.Struct("=H29sBi4x")  # struct xt_standard_target
_MASQUERADE = struct.Struct("=H29sBIIIIHH4x")  # with struct nf_nat_ipv4_multi_range_compat: one range, all zero
_VERDICT = 32  # behind struct xt_entry_target
_DROP, _RETURN = -1, -5  # verdicts: NF_DROP as -NF_DROP - 1, XT_RETURN
_COUNTERS = 16  # bytes of struct xt_counters


class Table:
    """Table ``name``; close it. ``OSError`` (ENOPROTOOPT, ENOENT) where this kernel does not have it."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
        try:
            self._read()
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
            _load_ip_tables()
            self._read()

    def close(self) -> None:
        """Close the socket; the table stays."""
        self._socket.close()

    def counted(self) -> list[int]:
        """Give the packets whose way through each hook's chain has ended, by a verdict of a rule or by its policy."""
        info, entries = self._read()
        ended = [(offset, struct.unpack_from("=Q", entries, offset + _PACKETS)[0])
                 for offset, _, verdict in _standard_targets(entries) if verdict < 0 and verdict != _RETURN]
        return [sum(packets for offset, packets in ended if first <= offset <= last)
                for first, last in zip(info[2:7], info[7:12], strict=True)]

    def append(self, hook: int, entry: bytes) -> None:
        """Put ``entry`` last in the chain of ``hook``, before its policy; the table's counters begin at 0 again."""
        info, entries = self._read()
        valid, begins, policies, number = info[1], info[2:7], info[7:12], info[12]
        at, more = policies[hook], len(entry)
        shifted = [(offset + more * (offset > at)) * (valid >> place & 1) for place, offset in enumerate(begins)]
        shifted += [(offset + more * (offset >= at)) * (valid >> place & 1) for place, offset in enumerate(policies)]
        counters = ctypes.create_string_buffer(_COUNTERS * number)  # the kernel writes the old ones there
        head = _HEAD.pack(self._name, valid, number + 1, len(entries) + more, *shifted, number,
                          ctypes.addressof(counters))
        self._socket.setsockopt(socket.IPPROTO_IP, _REPLACE, head + _inserted(entries, at, entry))

    def _read(self) -> tuple[tuple[int, ...], bytes]:
        info = _INFO.unpack(self._ask(_GET_INFO, struct.pack("=32s52x", self._name)))
        size = info[13]
        answer = self._ask(_GET_ENTRIES, struct.pack("=32sI4x", self._name, size) + bytes(size))
        return info, answer[_ENTRIES_OFFSET:_ENTRIES_OFFSET + size]

    def _ask(self, option: int, question: bytes) -> bytes:
        return syscalls.getsockopt(self._socket.fileno(), socket.IPPROTO_IP, option, question)


def _standard_targets(entries: bytes | bytearray) -> Iterator[tuple[int, int, int]]:
    """Give the offset of each entry whose target is a verdict, that of the verdict, and the verdict."""
    offset = 0
    while offset < len(entries):
        target, following = struct.unpack_from("=HH", entries, offset + _OFFSETS)
        _, name, _, verdict = struct.unpack_from("=H29sBi", entries, offset + target)
        if not name.split(b"\0")[0]:
            yield offset, offset + target + _VERDICT, verdict
        offset += following


def _inserted(entries: bytes, at: int, entry: bytes) -> bytes:
    """Put ``entry`` at the offset ``at``; jumps to what is behind it (verdicts that are offsets) go there still."""
    changed = bytearray(entries)
    for _, place, verdict in _standard_targets(entries):
        if verdict > at:
            struct.pack_into("=i", changed, place, verdict + len(entry))
    changed[at:at] = entry
    return bytes(changed)


def drop(hook: str, protocol: str, source: str, destination: str) -> None:
    """``iptables-legacy -t mangle -A HOOK [-p PROTOCOL] [-s SOURCE] [-d DESTINATION] -j DROP``; OSError."""
    target = _STANDARD.pack(_STANDARD.size, b"", 0, _DROP)
    _append("mangle", hook, _entry(target, protocol=protocol, source=source, destination=destination))


def masquerade(device: str) -> None:
    """``iptables-legacy -t nat -A POSTROUTING -o DEVICE -j MASQUERADE``; OSError, ENOENT where there is no such."""
    target = _MASQUERADE.pack(_MASQUERADE.size, b"MASQUERADE", 0, 1, 0, 0, 0, 0, 0)
    _append("nat", "postrouting", _entry(target, out=device))


def _entry(target: bytes, *, protocol: str = "", source: str = "", destination: str = "", out: str = "") -> bytes:
    (from_address, from_mask), (to_address, to_mask) = _network(source), _network(destination)
    name = out.encode() + b"\0" if out else b""
    return _ENTRY.pack(from_address, to_address, from_mask, to_mask, b"", name, b"", b"\xff" * len(name),
                       PROTOCOLS[protocol], 0, 0, 0, _TARGET, _TARGET + len(target), 0, 0, 0) + target


def _network(text: str) -> tuple[bytes, bytes]:
    """Give address and mask of a network like 10.0.1.0/24; "" is any."""
    address, _, length = (text or "0.0.0.0/0").partition("/")
    return socket.inet_aton(address), struct.pack(">I", 0xFFFFFFFF << 32 - int(length) & 0xFFFFFFFF)


def _append(table: str, hook: str, entry: bytes) -> None:
    """Append with the modules that are there, and only if that fails let the kernel load some."""
    with suppress(OSError), no_module_requests():
        _append_now(table, hook, entry)
        return
    _append_now(table, hook, entry)


def _append_now(table: str, hook: str, entry: bytes) -> None:
    opened = Table(table)
    try:
        opened.append(HOOKS.index(hook), entry)
    finally:
        opened.close()


@contextmanager
def no_module_requests() -> Iterator[None]:
    """Keep the kernel from running modprobe, where it is the lab's own; elsewhere this does nothing.

    A kernel built with bpfilter (Debian's 6.1) runs it, in vain, at every question about a table: half a second each in
    UML.
    """
    if _modprobe() != modules.PROGRAM:
        yield
        return
    _write_modprobe("")
    try:
        yield
    finally:
        _write_modprobe(modules.PROGRAM)


def _modprobe() -> str:
    """Give the program that loads modules, "" in a kernel without them."""
    try:
        with open(_MODPROBE) as setting:
            return setting.read().strip()
    except OSError:
        return ""


def _write_modprobe(program: str) -> None:
    with open(_MODPROBE, "w") as setting:
        setting.write(program + "\n")


def _load_ip_tables() -> None:
    """Load the module as iptables-legacy does: the kernel asks for tables by itself, but not for this one."""
    if program := _modprobe():
        os.spawnv(os.P_WAIT, program, [program, "-q", "ip_tables"])
