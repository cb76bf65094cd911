"""Routes to the subnets of ipvlan l3 children: a static one, or BGP between the host and the router (BIRD 2).

Law: an l3 child neither answers ARP nor has a wire of its own, so its subnet is known to nobody until a route says
"by way of the host". BGP carries exactly that route: the host announces the subnets, the router puts what it hears into
its kernel's table, and takes it out again when it is withdrawn. The host needs no route of its own: the parent hands
what comes in to the child that has the address.
Sources: RFC 4271, the BIRD 2.0 user's guide (protocols static, kernel, bgp).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import IPv4Network, ip_interface

from ipvkit.errors import BadQuestion, DeadlineExceeded
from ipvkit.instruments.programs import Program
from ipvkit.lab import Lab
from ipvkit.machine.wire import patience
from ipvkit.systems.needed import need
from ipvkit.topology import Topology, ipvlan

HOST, ROUTER = "10.0.1.2", "10.0.1.1"
DEADLINE = 20.0
"""Seconds the session has to come up, and a change has to reach the router's kernel."""

_HOLD, _CONNECT, _LOOK = 30, 1, 0.1  # s; nothing here waits for the hold time: BIRD says so when it ends
_COMMON = "log stderr all;\ndebug protocols { states };\nrouter id %s;\nprotocol device { }\n"
_ROUTER = _COMMON % ROUTER + f"""protocol kernel {{ ipv4 {{ export where source = RTS_BGP; }}; }}
protocol bgp host {{
  local {ROUTER} as 65002; neighbor {HOST} as 65001; passive; hold time {_HOLD};
  ipv4 {{ import all; export none; }};
}}
"""
_HOST = _COMMON % HOST + f"""protocol bgp world {{
  local {HOST} as 65001; neighbor {ROUTER} as 65002; hold time {_HOLD}; connect delay time {_CONNECT};
  ipv4 {{ import none; export where source = RTS_STATIC; next hop self; }};
}}
"""


def l3_subnets(**endpoints: str) -> Topology:
    """Return the default world with ipvlan l3 children, by name and address, each in a subnet of its own."""
    return Topology.of(ipvlan("l3"), routes="device", hairpin=False, **endpoints)


def subnets(topology: Topology) -> list[str]:
    """Return the IPv4 subnets of the endpoints, in declared order."""
    addresses = [address for endpoint in topology.endpoints for address in endpoint.addresses]
    return list(dict.fromkeys(str(ip_interface(address).network) for address in addresses if ":" not in address))


class Session:
    """BIRD in the host and in the router, a BGP session between them; as a context manager both end with the block.

    It announces nothing until :meth:`announce`. Raises ``LabError`` with BIRD's words, or what is to be installed, and
    ``DeadlineExceeded`` with the log where the session does not come up.
    """

    def __init__(self, lab: Lab) -> None:
        need("bird", "birdc")
        self._lab = lab
        self._write("router", _ROUTER)
        self._announce_in_file([])
        self.router = _bird(lab, "router", ("tcp", 179))
        try:
            self.host = _bird(lab, "host", "world: State changed to up")
        except BaseException:
            self.router.stop()
            raise

    def announce(self, *networks: str) -> None:
        """Announce exactly these IPv4 networks from now on; returns once the router's kernel has them and no others.

        Raises ``BadQuestion`` for what is no network, ``DeadlineExceeded``.
        """
        asked = [_network(network) for network in networks]
        self._announce_in_file(asked)
        self._birdc("configure")
        self._wait_for(set(asked))

    def learned(self) -> tuple[str, ...]:
        """Return the networks that are in the router's kernel by BGP, sorted."""
        shown = self._lab.run("router", ["ip", "-4", "route", "show", "proto", "bird"], show=_silently)
        words = (line.split()[0] for line in shown.output.splitlines())
        return tuple(sorted(_network("0.0.0.0/0" if word == "default" else word) for word in words))

    def stop_announcing(self) -> None:
        """End the session from the host's side, as when the host's BIRD goes away; the router withdraws all."""
        self.host.stop()
        self._wait_for(set())

    def close(self) -> None:
        """End both; doing it again does no harm. What the router's kernel has learned is taken out."""
        for program in (self.host, self.router):
            program.stop()

    def __enter__(self) -> Session:
        """Return the session."""
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self.close()

    def _announce_in_file(self, networks: Sequence[str]) -> None:
        # blackhole: BIRD announces only what it has a route for; none of them goes into the host's kernel
        routes = " ".join(f"route {network} blackhole;" for network in networks)
        self._write("host", f"{_HOST}protocol static {{ ipv4; {routes} }}\n")

    def _write(self, place: str, text: str) -> None:
        self._lab.run(place, ["sh", "-c", 'printf %s "$1" >"$2"', "sh", text, _path(place, "conf")], show=_silently)

    def _birdc(self, *words: str) -> None:
        self._lab.run("host", ["birdc", "-s", _path("host", "ctl"), *words], show=_silently)

    def _wait_for(self, networks: set[str]) -> None:
        until = time.monotonic() + DEADLINE * patience()
        while set(self.learned()) != networks:
            if time.monotonic() > until:
                raise DeadlineExceeded(f"the router's kernel has {', '.join(self.learned()) or 'nothing'} by BGP, not "
                                       f"{', '.join(sorted(networks)) or 'nothing'}\nlog:\n{self.router.log}")
            time.sleep(_LOOK)


def _bird(lab: Lab, place: str, ready: str | tuple[str, int]) -> Program:
    command = ["bird", "-f", "-c", _path(place, "conf"), "-s", _path(place, "ctl"), "-P", _path(place, "pid")]
    return lab.start(place, command, ready=ready, deadline=DEADLINE)


def _path(place: str, kind: str) -> str:
    return f"/run/bird-{place}.{kind}"


def _network(text: str) -> str:
    """Return an IPv4 network with its prefix length, which ``ip route`` leaves out for a single address."""
    try:
        return str(IPv4Network(text))
    except ValueError as error:
        raise BadQuestion("networks", f"{text!r} is no network: {error}", "Write 10.0.11.0/24.") from None


def _silently(_: str) -> None:
    return None
