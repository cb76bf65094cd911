"""dhcpcd as the client: what it says of itself if nobody tells it, and what one has to tell it on ipvlan.

Law: RFC 4361 builds the client identifier of two parts: the DUID is the machine's, the IAID the interface's. dhcpcd
takes the last four bytes of the MAC for the IAID. Children of macvlan differ in it; children of ipvlan have one MAC, so
on one machine they have one identifier as well, although "each client sends a unique identifier by default".
Sources: RFC 4361 (6.1), dhcpcd.conf(5): ``duid``, ``iaid``, ``broadcast``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ipvkit.errors import LabError
from ipvkit.findings import Table
from ipvkit.instruments.story import Step
from ipvkit.instruments.watch import watch
from ipvkit.lab import Lab
from ipvkit.systems.dhcp import Lease, client_device, packet_table
from ipvkit.systems.needed import need

PATIENCE = 12
"""Seconds dhcpcd asks before it gives up: a lease takes one, and several on a busy computer."""

_DEADLINE = PATIENCE + 25.0  # s
#: As Debian's dhcpcd.conf: the client is its DUID and IAID. The rest makes it quick, and keeps it to the address.
_SETTINGS = ("duid", "ipv4only", "noipv4ll", "noarp", "nogateway", "nodelay", "persistent", "script /bin/true",
             "reboot 0")
#: It keeps its DUID, one for the lab as for a machine, and its leases in a directory that a lab cannot write to; and it
#: wants to become a user that a lab without privilege does not have: without /etc/passwd it goes on as it is.
_START = ('s=/run/dhcpcd-state; mkdir -p /run/dhcpcd $s && rm -f $s/*.lease && printf %s "$1" >$s/conf && '
          "mount --bind $s /var/lib/dhcpcd && mount --bind /dev/null /etc/passwd && "
          f'exec timeout {PATIENCE} dhcpcd --nobackground --oneshot --debug --config $s/conf "$2"')
_LEASED = re.compile(r"^\S+: leased (\S+) for", re.MULTILINE)
_REFUSED = re.compile(r"^ipv4_addaddr: if_addaddress: (.*)$", re.MULTILINE)
_UNSENT = "No buffer space available"
_ENDED = "received SIGTERM"  # it would ask for ever


def ask(lab: Lab, client: str, *, broadcast: bool = False, client_id: str = "", iaid: int | None = None) -> Lease:
    """Let ``client`` ask for an address with dhcpcd and configure it; without options as Debian installs dhcpcd.

    ``broadcast`` sets the flag that asks the server to answer everyone; ``client_id`` is said instead of DUID and IAID,
    ``iaid`` instead of the MAC's bytes. Raises ``LabError`` if dhcpcd is not there, ``BadQuestion`` for a name the lab
    does not have.
    """
    need("dhcpcd")
    device = client_device(lab, client)
    settings = [*_SETTINGS, *(["broadcast"] if broadcast else []), f"interface {device}"]
    settings += [f"clientid {client_id}"] if client_id else []
    settings += [f"iaid {iaid}"] if iaid is not None else []
    command = ["unshare", "--mount", "sh", "-c", _START, "sh", "\n".join([*settings, ""]), device]
    seen = watch(lab, client, command, deadline=_DEADLINE)
    return _read(client, seen.output, seen.steps)


def _read(client: str, output: str, steps: Sequence[Step]) -> Lease:
    """Understand what dhcpcd printed. Raises ``LabError`` for what is neither a lease nor a known failure."""
    packets: Table = packet_table(steps)
    leased, refused = _LEASED.search(output), _REFUSED.search(output)
    if leased:
        return Lease(client, leased[1], refused=refused[1] if refused else "", packets=packets)
    if _UNSENT in output:
        return Lease(client, problem=f"cannot send: {_UNSENT}", packets=packets)
    if _ENDED in output:
        return Lease(client, problem="no lease", packets=packets)
    raise LabError(f"dhcpcd in {client} failed\nlog:\n{output}")
