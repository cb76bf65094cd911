"""Many datagrams in one system call: sendmmsg(2) and recvmmsg(2), which Python's socket module does not have.

Law: buffers are laid out once, for :data:`SLOTS` datagrams; a call only fills in what differs. In User-Mode Linux a
system call costs ten times what a packet costs, so this is what makes a matrix of a hundred endpoints a matter of
a second there. Layout: struct mmsghdr of a 64-bit kernel, include/linux/socket.h.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator

SLOTS = 64
_HEADER = struct.Struct("=QI4xQQQQi4xI4x")  # name, its length, iovec, count, control, its length, flags; bytes moved
_NAME_SIZE, _CONTROL_SIZE = 28, 64
_NAME_LENGTH_AT, _CONTROL_LENGTH_AT, _MOVED_AT = 8, 40, 56

_libc = ctypes.CDLL(None, use_errno=True)


class Buffers:
    """Buffers for :data:`SLOTS` datagrams of at most ``size`` bytes each, to or from ``descriptor``."""

    def __init__(self, descriptor: int, size: int, *, control: bool = False) -> None:
        self._descriptor, self.size = descriptor, size
        self._blocks = {kind: ctypes.create_string_buffer(length * SLOTS) for kind, length in (
            ("data", size), ("names", _NAME_SIZE), ("control", _CONTROL_SIZE), ("iovecs", 16),
            ("headers", _HEADER.size))}
        self.data, self._names, self._control, iovecs, self._headers = (
            memoryview(block).cast("B") for block in self._blocks.values())
        at = {kind: ctypes.addressof(block) for kind, block in self._blocks.items()}
        self._address = at["headers"]
        control_length = _CONTROL_SIZE if control else 0
        for slot in range(SLOTS):
            struct.pack_into("=QQ", iovecs, slot * 16, at["data"] + slot * size, size)
            _HEADER.pack_into(self._headers, slot * _HEADER.size, at["names"] + slot * _NAME_SIZE, _NAME_SIZE,
                              at["iovecs"] + slot * 16, 1, at["control"] + slot * _CONTROL_SIZE,
                              control_length, 0, 0)
        self._fresh = bytes(self._headers)
        self._used = 0  # slots that the last call wrote to

    def address(self, slot: int, name: bytes) -> None:
        """Say where the datagram in ``slot`` goes; ``name`` is a socket address."""
        self._names[slot * _NAME_SIZE : slot * _NAME_SIZE + len(name)] = name
        struct.pack_into("=I", self._headers, slot * _HEADER.size + _NAME_LENGTH_AT, len(name))

    def send(self, first: int, count: int) -> int:
        """Send the slots from ``first`` up to ``count``; give how many went before one was refused. OSError if none."""
        address = ctypes.c_void_p(self._address + first * _HEADER.size)
        return _checked(_libc.sendmmsg(self._descriptor, address, ctypes.c_uint(count - first), 0))

    def receive(self) -> Iterator[tuple[memoryview, bytes, bytes]]:
        """Take what has arrived, at most :data:`SLOTS`: data, sender's socket address, control messages. OSError."""
        written = self._used * _HEADER.size
        self._headers[:written] = self._fresh[:written]
        self._used = 0
        flags = ctypes.c_int(socket.MSG_DONTWAIT)
        count = _checked(_libc.recvmmsg(self._descriptor, ctypes.c_void_p(self._address), SLOTS, flags, None))
        self._used = count
        for slot in range(count):
            header = slot * _HEADER.size
            (moved,) = struct.unpack_from("=I", self._headers, header + _MOVED_AT)
            (control,) = struct.unpack_from("=Q", self._headers, header + _CONTROL_LENGTH_AT)
            data = self.data[slot * self.size : slot * self.size + min(moved, self.size)]
            name = bytes(self._names[slot * _NAME_SIZE : (slot + 1) * _NAME_SIZE])
            yield data, name, bytes(self._control[slot * _CONTROL_SIZE : slot * _CONTROL_SIZE + control])


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
