"""What this machine's kernel can do, found by doing it in a namespace that is thrown away.

Law: a capability is there when the kernel accepts the thing itself (a device, a queue, a rule), never because a module
file, a configuration or a version says so. The messages are packed by hand: this must work before anything else does.
Message formats: ``include/uapi/linux/`` rtnetlink.h, if_link.h, netfilter/nf_tables.h, netfilter_ipv4/ip_tables.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from ipvkit.agent import syscalls
from ipvkit.agent.jobs import Forked, Job
from ipvkit.agent.serve import Request

_REQUEST, _ACK, _CREATE, _EXCLUSIVE = 1, 4, 0x400, 0x200
_NEWLINK, _NEWADDR, _NEWQDISC, _ERROR = 16, 20, 36, 2
_IFNAME, _LINK, _LINKINFO, _KIND, _DATA, _NESTED = 3, 5, 18, 1, 2, 0x8000
_NETFILTER, _NFT = 12, 10 << 8  # NETLINK_NETFILTER; NFNL_SUBSYS_NFTABLES as the upper byte of a message type
_PARENT = "parent0"


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def _message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", len(body) + 16, kind, flags | _REQUEST, sequence, 0) + body


def _ask(family: int, messages: Iterable[bytes]) -> None:
    """Send all messages at once; raise ``OSError`` with the errno of the first that is refused."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family) as netlink:
        netlink.settimeout(10)
        data = list(messages)
        expected = sum(bool(struct.unpack_from("=H", one, 6)[0] & _ACK) for one in data)
        netlink.send(b"".join(data))
        while expected > 0:
            answer = netlink.recv(65536)
            while answer:
                length, kind = struct.unpack_from("=IH", answer)
                if kind == _ERROR:
                    expected -= 1
                    number = -struct.unpack_from("=i", answer, 16)[0]
                    if number:
                        raise OSError(number, os.strerror(number))
                answer = answer[(length + 3) & ~3 :]


def _link(kind: str, data: bytes = b"", name: str = "child0", parent: bool = True) -> None:
    """Create a device of ``kind`` on the parent (or alone), as ``ip link add`` does."""
    info = _attribute(_KIND, kind.encode()) + (_attribute(_DATA | _NESTED, data) if data else b"")
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + _attribute(_IFNAME, name.encode() + b"\0")
    if parent:
        body += _attribute(_LINK, struct.pack("=i", socket.if_nametoindex(_PARENT)))
    body += _attribute(_LINKINFO | _NESTED, info)
    _ask(socket.NETLINK_ROUTE, [_message(_NEWLINK, _ACK | _CREATE | _EXCLUSIVE, 1, body)])


def _ipv6() -> None:
    index = socket.if_nametoindex(_PARENT)
    address = _attribute(1, socket.inet_pton(socket.AF_INET6, "fd00::1"))
    body = struct.pack("=BBBBi", socket.AF_INET6, 64, 0, 0, index) + address
    _ask(socket.NETLINK_ROUTE, [_message(_NEWADDR, _ACK | _CREATE | _EXCLUSIVE, 1, body)])


def _netem() -> None:
    options = struct.pack("=6I", 0, 1000, 0, 0, 0, 0)  # struct tc_netem_qopt: no delay, a queue of 1000
    root = 0xFFFFFFFF
    body = struct.pack("=BxxxiIII", 0, socket.if_nametoindex(_PARENT), 0, root, 0)
    body += _attribute(1, b"netem\0") + _attribute(2, options)
    _ask(socket.NETLINK_ROUTE, [_message(_NEWQDISC, _ACK | _CREATE | _EXCLUSIVE, 1, body)])


def _nft(family: int) -> None:
    """Make a table, a chain on the forward hook and a rule that counts, in one batch."""
    table, chain = _attribute(1, b"try\0"), _attribute(3, b"c\0")
    hook = _attribute(1, struct.pack(">I", 2)) + _attribute(2, struct.pack(">i", 0))
    counter = _attribute(1 | _NESTED, _attribute(1, b"counter\0"))
    based = chain + _attribute(4 | _NESTED, hook) + _attribute(7, b"filter\0")
    rule = table + _attribute(2, b"c\0") + _attribute(4 | _NESTED, counter)

    def header(of: int, resource: int = 0) -> bytes:
        return struct.pack(">BBH", of, 0, resource)

    _ask(
        _NETFILTER,
        [
            _message(0x10, 0, 1, header(0, _NFT >> 8)),
            _message(_NFT, _ACK | _CREATE, 2, header(family) + table),
            _message(_NFT | 3, _ACK | _CREATE, 3, header(family) + table + based),
            _message(_NFT | 6, _ACK | _CREATE | 0x800, 4, header(family) + rule),
            _message(0x11, 0, 5, header(0, _NFT >> 8)),
        ],
    )


def _iptables_legacy() -> None:
    """Ask for the table ``filter``, as ``iptables-legacy`` does first of all: run modprobe, then IPT_SO_GET_INFO."""
    with suppress(OSError), open("/proc/sys/kernel/modprobe") as setting:  # a kernel without modules has no such file
        modprobe = setting.read().strip()
        os.spawnv(os.P_WAIT, modprobe, [modprobe, "-q", "ip_tables"])
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        syscalls.getsockopt(raw.fileno(), socket.IPPROTO_IP, 64, struct.pack("=32s52x", b"filter"))


_BRIDGE_FAMILY, _INET_FAMILY = 7, 1

TRIALS: dict[str, Callable[[], None]] = {
    "veth": lambda: _link("veth", name="veth9", parent=False),
    "dummy": lambda: _link("dummy", name="dummy9", parent=False),
    "bridge": lambda: _link("bridge", name="bridge9", parent=False),
    "macvlan": lambda: _link("macvlan", _attribute(1, struct.pack("=I", 4)), name="macvlan9"),
    "ipvlan": lambda: _link("ipvlan", _attribute(1, struct.pack("=H", 0)), name="ipvlan9"),
    "ipvlan:l3s": lambda: _link("ipvlan", _attribute(1, struct.pack("=H", 2)), name="ipvlan9"),
    "vlan": lambda: _link("vlan", _attribute(1, struct.pack("=H", 9)), name="vlan9"),
    "vrf": lambda: _link("vrf", _attribute(1, struct.pack("=I", 9)), name="vrf9", parent=False),
    "ipv6": _ipv6,
    "netem": _netem,
    "nft-bridge": lambda: _nft(_BRIDGE_FAMILY),
    "nft-inet": lambda: _nft(_INET_FAMILY),
    "iptables-legacy": _iptables_legacy,
}
"""Each capability word of a topology's ``needs``, and the attempt that shows it; each in a namespace of its own."""


def _try_all(request: Request) -> dict[str, Any]:
    found = {}
    for word, attempt in TRIALS.items():
        syscalls.unshare(syscalls.CLONE_NEWNET)
        try:
            _link("veth", name=_PARENT, parent=False)
            attempt()
            found[word] = ""
        except OSError as error:
            found[word] = os.strerror(error.errno) if error.errno else str(error)
    return {"capabilities": found}


def examine(request: Request) -> Job:
    """Operation ``capabilities``: every word of :data:`TRIALS` with "" or the kernel's words why not."""
    return Forked(request, _try_all)
