"""DHCP in a lab: dnsmasq as the server, busybox's udhcpc as the clients, and where their packets die.

Law: a client has no address yet, so an answer reaches it by broadcast or by its MAC. Children of ipvlan share one MAC:
what is sent to that MAC and to an address no child has is the host's. And a server tells clients apart by their
client identifier or, without one, by their MAC.
Sources: RFC 2131 (4.1: the broadcast flag; 4.2: the client identifier), ``drivers/net/ipvlan/ipvlan_core.c``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from ipvkit.errors import BadQuestion, LabError
from ipvkit.findings import Table
from ipvkit.instruments.story import Step
from ipvkit.instruments.watch import watch
from ipvkit.lab import Lab
from ipvkit.systems.needed import need
from ipvkit.topology import Driver, Topology

SERVER = "ext"
RANGE = ("10.0.1.100", "10.0.1.150")
"""First and last address the server gives away, lowest first."""

DEADLINE = 15.0
"""Seconds the server has to become ready."""

TRIES = 3
"""How often a client asks, a second apart, before it gives up."""

_SCRIPT = "/run/udhcpc.script"
_numbers = count(1)  # a new server begins with an empty table
_ASK_DEADLINE = TRIES + 20.0  # s
_KINDS = {1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE", 8: "INFORM"}
_PORTS = {(67, 68), (68, 67)}
_HEADERS, _FIXED = 14 + 20 + 8, 236 + 4  # bytes: Ethernet, IPv4, UDP; DHCP up to its options
_MESSAGE_TYPE, _PAD, _END = 53, 0, 255


def two_clients(driver: Driver) -> Topology:
    """Return the default world with two children, net1 and net2, that have no address yet."""
    return Topology.of(driver, routes="none", net1="", net2="")


class Server:
    """dnsmasq on ``ext``, giving away addresses of 10.0.1.0/24; as a context manager it is ended with the block.

    ``ignore_client_id``: it tells clients apart by MAC alone. ``reserved`` gives an address to a client identifier.
    Raises ``LabError`` with dnsmasq's own words, ``DeadlineExceeded`` with its log; then it has been ended.
    """

    def __init__(self, lab: Lab, *, ignore_client_id: bool = False, reserved: Mapping[str, str] | None = None) -> None:
        need("dnsmasq")
        self._lab, self._file = lab, f"/run/dnsmasq-{next(_numbers)}.leases"
        command = [
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces",
            "--dhcp-authoritative", "--no-ping", "--dhcp-sequential-ip", f"--dhcp-range={','.join(RANGE)},1h",
            f"--dhcp-leasefile={self._file}", "--log-dhcp",
            *(["--dhcp-ignore-clid"] if ignore_client_id else []),
            *(f"--dhcp-host=id:{_identifier(name)},{address}" for name, address in (reserved or {}).items()),
        ]
        self.program = lab.start(SERVER, command, ready=("udp", 67), deadline=DEADLINE)

    def leases(self) -> Table:
        """Return the server's lease table: address, and by what it knows the client."""
        text = self._lab.run(SERVER, ["cat", self._file], show=_silently)
        lines = [line.split() for line in text.output.splitlines()] if text.status == 0 else []
        rows = sorted([address, mac, _readable(identifier)] for _, mac, address, _, identifier in lines)
        return Table("leases, measured", ["address", "MAC", "client identifier"], rows)

    def close(self) -> None:
        """End it; doing it again does no harm."""
        self.program.stop()

    def __enter__(self) -> Server:
        """Return the server."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()


@dataclass(frozen=True)
class Lease:
    """What a client got: ``address``, or "" and the ``problem``; ``refused`` is the kernel's sentence, where the
    address was leased but the child may not have it. ``packets`` is the way of each DHCP message."""

    client: str
    address: str = ""
    problem: str = ""
    refused: str = ""
    packets: Table = field(default_factory=lambda: packet_table([]), compare=False, repr=False)

    def __bool__(self) -> bool:
        """True if the client has an address it can use."""
        return bool(self.address) and not self.refused

    def __str__(self) -> str:
        """Return the address, or why there is none."""
        return self.problem or self.address + (f", refused: {self.refused}" if self.refused else "")


def ask(lab: Lab, client: str, *, broadcast: bool, client_id: str = "") -> Lease:
    """Let ``client`` ask for an address and configure it.

    ``broadcast`` sets the flag that asks the server to answer everyone; ``client_id`` is the client identifier, empty
    for none. Raises ``LabError`` if udhcpc is not there, ``BadQuestion`` for a name the lab does not have.
    """
    need("busybox")
    device = client_device(lab, client)
    script = '#!/bin/sh\n[ "$1" != bound ] || ip addr replace "$ip/$mask" dev "$interface"\n'
    prepare = f"printf '%s' '{script}' >{_SCRIPT} && chmod 755 {_SCRIPT} && exec \"$@\""
    command = ["busybox", "udhcpc", "-f", "-q", "-n", "-t", str(TRIES), "-T", "1", "-i", device, "-s", _SCRIPT, "-C"]
    command += ["-B"] * broadcast + (["-x", f"0x3d:{_identifier(client_id).replace(':', '')}"] if client_id else [])
    seen = watch(lab, client, ["sh", "-c", prepare, "sh", *command], deadline=_ASK_DEADLINE)
    return _read(client, seen.output, packet_table(seen.steps))


def client_device(lab: Lab, client: str) -> str:
    """Return the device by which ``client``, an endpoint or a host, asks. Raises ``BadQuestion`` for another name."""
    try:
        return lab.topology.device(client)
    except KeyError:
        names = [endpoint.name for endpoint in lab.topology.all_endpoints]
        names += [host.name for host in lab.topology.hosts]
        raise BadQuestion("client", f"{client!r} is no endpoint, and no host with an interface",
                          f"There are: {', '.join(names)}.") from None


def compare_clients(lab: Lab, driver: Driver) -> Table:
    """Try the four kinds of clients on children of ``driver``, net1 and then net2, each time with a new server."""
    rows = []
    for broadcast in (False, True):
        for own_id in (False, True):
            lab.rebuild(two_clients(driver))
            with Server(lab):
                leases = [ask(lab, name, broadcast=broadcast, client_id=name if own_id else "")
                          for name in ("net1", "net2")]
            rows.append(["yes" if broadcast else "no", "yes" if own_id else "no", *map(str, leases)])
    return Table(f"DHCP, {driver}, measured", ["broadcast flag", "client identifier", "net1", "net2"], rows)


def _read(client: str, output: str, packets: Table) -> Lease:
    """Understand what udhcpc printed. Raises ``LabError`` for what is neither a lease nor a known failure."""
    for line in output.splitlines():
        if "lease of " in line:
            refused = [said for said in output.splitlines() if said.startswith(("Error: ", "RTNETLINK answers: "))]
            words = refused[0].partition(": ")[2].rstrip(".") if refused else ""
            return Lease(client, line.partition("lease of ")[2].split()[0], "", words, packets)
    unsent = [line.rpartition(": ")[2] for line in output.splitlines() if "sendto: " in line]
    if unsent:
        return Lease(client, problem=f"cannot send: {unsent[0]}", packets=packets)
    if "no lease" in output:
        return Lease(client, problem="no lease", packets=packets)
    raise LabError(f"udhcpc in {client} failed\nlog:\n{output}")


def packet_table(steps: Sequence[Step]) -> Table:
    """Return where each kind of DHCP message was seen; repetitions are one row."""
    seen: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        kind = message_kind(step.frames[0].data)
        if kind:
            to = "everyone" if step.frames[0].to_a_group else step.frames[0].destination_mac
            places = seen.setdefault((kind, to), [])
            places += [netns for netns in step.netnses if netns not in places]
    rows = [[kind, to, ", ".join(places)] for (kind, to), places in seen.items()]
    return Table("DHCP messages, measured", ["message", "to MAC", "seen in"], rows)


def message_kind(frame: bytes) -> str:
    """Return what a frame is in DHCP, ``DISCOVER`` … (RFC 2132, option 53); "" for any other frame."""
    ports = int.from_bytes(frame[34:36], "big"), int.from_bytes(frame[36:38], "big")
    if frame[12:15] != b"\x08\x00\x45" or frame[23] != 17 or ports not in _PORTS:
        return ""
    options = frame[_HEADERS + _FIXED:]
    while len(options) > 2 and options[0] != _END:
        if options[0] == _PAD:
            options = options[1:]
            continue
        if options[0] == _MESSAGE_TYPE:
            return _KINDS.get(options[2], f"type {options[2]}")
        options = options[2 + options[1]:]
    return ""


def _identifier(name: str) -> str:
    """Return a client identifier of type 0, "not a hardware address" (RFC 2132, 9.14), as dnsmasq writes it."""
    return (b"\x00" + name.encode()).hex(":")


def _readable(identifier: str) -> str:
    """Return a client identifier as a name; of one that RFC 4361 makes (type 255) the part that is the interface's."""
    if identifier == "*":
        return "none"
    if identifier.startswith("ff:"):
        return f"IAID {identifier[3:14]} + DUID"
    return bytes.fromhex(identifier.replace(":", ""))[1:].decode(errors="replace")


def _silently(_: str) -> None:
    return None
