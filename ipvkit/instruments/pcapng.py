"""Write frames as pcapng, for Wireshark: draft-ietf-opsawg-pcapng (section, interface and enhanced packet blocks)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ipvkit.instruments.frames import Frame

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ETHERNET, _NANOSECONDS = 1, 9  # LINKTYPE_ETHERNET; if_tsresol as a negative power of ten
_NAME, _RESOLUTION, _FLAGS = 2, 9, 2  # if_name, if_tsresol, epb_flags
_INBOUND, _OUTBOUND = 1, 2


def pcapng(name: str, frames: Iterable[Frame]) -> bytes:
    """Give a file of one interface ``name`` with ``frames``, their directions, and times in nanoseconds."""
    section = _block(_SECTION, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = _option(_NAME, name.encode()) + _option(_RESOLUTION, bytes([_NANOSECONDS])) + bytes(4)
    interface = _block(_INTERFACE, struct.pack("=HHI", _ETHERNET, 0, 0) + options)
    return section + interface + b"".join(_packet(frame) for frame in frames)


def _packet(frame: Frame) -> bytes:
    data, length = frame.data, frame.length
    if frame.tag is not None:  # the kernel keeps the tag beside the frame
        data, length = data[:12] + struct.pack(">HH", 0x8100, frame.tag) + data[12:], length + 4
    fixed = struct.pack("=IIIII", 0, frame.at >> 32, frame.at & 0xFFFFFFFF, len(data), length)
    direction = _OUTBOUND if frame.direction == "out" else _INBOUND
    return _block(_PACKET, fixed + _padded(data) + _option(_FLAGS, struct.pack("=I", direction)) + bytes(4))


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("=II", kind, length) + body + struct.pack("=I", length)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
