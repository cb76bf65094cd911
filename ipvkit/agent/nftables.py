"""As much of nftables as counting needs: a table with one counting chain on each hook, read and removed again.

Message formats: ``include/uapi/linux/netfilter/nf_tables.h`` and ``nfnetlink.h``; all numbers are big-endian.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence

from ipvkit.agent.netlink import ACK, CREATE, DUMP, NLMSG_DONE, NLMSG_ERROR, REQUEST, all_attributes, attributes, split

_NETLINK_NETFILTER, _SUBSYSTEM = 12, 10 << 8
_NEWTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE, _GETRULE = (_SUBSYSTEM | kind for kind in (0, 2, 3, 6, 7))
_BEGIN, _END = 0x10, 0x11  # NFNL_MSG_BATCH_BEGIN, _END
_NESTED, _APPEND, _IPV4 = 0x8000, 0x800, 2
_BEFORE_ALL = -400  # priority: before connection tracking's defragmentation
_TABLE = b"ipvkit-hooks\0"
_READ_SIZE = 1 << 16


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, *values: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(values))


def _message(kind: int, flags: int, *values: bytes, resource: int = 0) -> bytes:
    body = struct.pack(">BBH", _IPV4 if kind > _END else 0, 0, resource) + b"".join(values)
    return struct.pack("=IHHII", len(body) + 16, kind, flags | REQUEST, 1, 0) + body


class HookCounters:
    """Counters on ``hooks`` (numbers of ``enum nf_inet_hooks``) of the namespace this process is in now.

    Raises ``OSError`` where the kernel has no nftables for IPv4.
    """

    def __init__(self, hooks: Sequence[int]) -> None:
        self._hooks = hooks
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        self._socket.settimeout(5.0)
        counter = _nested(1, _attribute(1, b"counter\0"), _nested(2))  # NFTA_LIST_ELEM: NFTA_EXPR_NAME, _DATA
        messages = [_message(_NEWTABLE, CREATE, _attribute(1, _TABLE))]
        for hook in hooks:
            table, chain = _attribute(1, _TABLE), b"hook%d\0" % hook
            where = _nested(4, _attribute(1, struct.pack(">I", hook)), _attribute(2, struct.pack(">i", _BEFORE_ALL)))
            messages.append(_message(_NEWCHAIN, CREATE, table, _attribute(3, chain), where, _attribute(7, b"filter\0")))
            messages.append(_message(_NEWRULE, CREATE | _APPEND, table, _attribute(2, chain), _nested(4, counter)))
        self._change(messages)

    def read(self) -> list[int]:
        """Give the packets counted on each hook, in the order of ``hooks``."""
        self._socket.send(_message(_GETRULE, DUMP, _attribute(1, _TABLE)))
        counted = {}
        for body in self._answers():
            rule = attributes(body[4:])
            counted[rule[2]] = _packets(rule[4])  # NFTA_RULE_CHAIN, _EXPRESSIONS
        return [counted[b"hook%d\0" % hook] for hook in self._hooks]

    def remove(self) -> None:
        """Take the table away."""
        self._change([_message(_DELTABLE, 0, _attribute(1, _TABLE))])
        self._socket.close()

    def _change(self, messages: list[bytes]) -> None:
        last = bytearray(messages.pop())
        struct.pack_into("=H", last, 6, struct.unpack_from("=H", last, 6)[0] | ACK)
        begin, end = (_message(kind, 0, resource=_SUBSYSTEM >> 8) for kind in (_BEGIN, _END))
        self._socket.send(b"".join([begin, *messages, last, end]))
        for kind, _, _, body in split(self._socket.recv(_READ_SIZE)):
            number = -struct.unpack_from("=i", body)[0] if kind == NLMSG_ERROR else 0
            if number:
                raise OSError(number, os.strerror(number))

    def _answers(self) -> Iterator[bytes]:
        while True:
            for kind, _, _, body in split(self._socket.recv(_READ_SIZE)):
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    raise OSError(number, os.strerror(number))
                yield body


def _packets(expressions: bytes) -> int:
    """Read the packet count out of a rule whose only expression is a counter."""
    for _, expression in all_attributes(expressions):
        found = attributes(attributes(expression)[2])
        return int.from_bytes(found[2], "big")  # NFTA_COUNTER_PACKETS
    return 0
