"""CNI: what Kubernetes calls for each pod, called directly. One pause process a pod, one plugin call a network.

Law: a plugin gets a network as JSON and a namespace as a path, makes one child in it and is done; it knows nothing of
other networks. So nobody stops two networks with two modes on one parent but the kernel, which has one mode for all.
Sources: the CNI specification 0.4.0, the plugins' own documentation (ipvlan, macvlan, static, host-local, dhcp).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ipvkit.errors import BadQuestion, LabError
from ipvkit.findings import CommandResult
from ipvkit.instruments.programs import Program
from ipvkit.lab import Lab
from ipvkit.refusals import REFUSALS
from ipvkit.systems import extras, found
from ipvkit.topology import Driver, Topology

DHCP_DEADLINE = 40.0
"""Seconds the dhcp plugin may take for its tries before it gives up."""

_DIRECTORY, _SOCKET = "/run/cni", "/run/cni/dhcp.sock"
_VERSION, _DEVICE = "0.4.0", "eth0"
#: As the kubelet's loopback plugin does first: without lo the pod's kernel cannot tell the pod that a host is absent.
_PAUSE = 'ip link set lo up && ln -sfn /proc/$$/ns/net "/run/netns/$1" && exec sleep infinity'
#: What a plugin says on its standard error is no part of its answer, and is shown only with a failure.
_CALL = ('mkdir -p "$1" && printf %s "$2" | "$3" 2>"$1/stderr" || '
         '{ status=$?; cat "$1/stderr"; exit $status; }')

#: How a plugin's words end where the kernel refused a child, and the key of the reason.
_REFUSED = {"failed to create ipvlan: device or resource busy": "parent-busy",
            "failed to create macvlan: device or resource busy": "parent-busy"}

Ipam = Mapping[str, Any]


def static(address: str, gateway: str = "") -> Ipam:
    """Return address management that gives this address, and a default route: by the gateway, else by the device."""
    entry = {"address": address} | ({"gateway": gateway} if gateway else {})
    return {"type": "static", "addresses": [entry], "routes": [{"dst": "::/0" if ":" in address else "0.0.0.0/0"}]}


def host_local(subnet: str, first: str) -> Ipam:
    """Return address management that gives the addresses of ``subnet`` from ``first`` on, as Kubernetes' nodes do."""
    return {"type": "host-local", "dataDir": f"{_DIRECTORY}/addresses",
            "ranges": [[{"subnet": subnet, "rangeStart": first}]], "routes": [{"dst": "0.0.0.0/0"}]}


DHCP: Ipam = {"type": "dhcp", "daemonSocketPath": _SOCKET}
"""Address management by a DHCP server on the wire: it needs :meth:`Runtime.start_dhcp`."""


@dataclass(frozen=True)
class Network:
    """A network as an administrator writes it: children of ``driver`` on ``master``, addresses by ``ipam``."""

    name: str
    driver: Driver
    ipam: Ipam
    master: str = "eth0"

    def as_json(self) -> str:
        """Return the text a plugin gets on its standard input."""
        return json.dumps({"cniVersion": _VERSION, "name": self.name, "type": self.driver.kind, "master": self.master,
                           "mode": self.driver.mode, "ipam": dict(self.ipam)})


class Runtime:
    """What a node's container runtime does: pods, and a plugin call for each. As a context manager all end with it.

    Raises ``LabError`` with the plugin's own words and the reason, where it is known; or how to get the plugins.
    """

    def __init__(self, lab: Lab) -> None:
        extras.need("cni")
        self._lab, self.world = lab, lab.topology
        self._pods: dict[str, Program] = {}
        self._made: list[tuple[str, Network]] = []
        self._dhcp: Program | None = None

    def start_dhcp(self, *, broadcast: bool = False) -> None:
        """Start the dhcp plugin's daemon anew; ``broadcast`` has it ask for answers to everyone."""
        if self._dhcp:
            self._dhcp.stop()
        command = [str(extras.find("dhcp")), "daemon", "-socketpath", _SOCKET, "-timeout=2s", "-resendmax=4s",
                   *["-broadcast=true"] * broadcast]
        prepare = f"mkdir -p {_DIRECTORY}; rm -f {_SOCKET}; exec \"$@\""
        self._dhcp = self._lab.start("host", ["sh", "-c", prepare, "sh", *command],
                                     ready=lambda: bool(self._run(["test", "-S", _SOCKET]).status == 0))

    def add(self, pod: str, network: Network) -> tuple[str, ...]:
        """Put ``pod`` into a network, and start it if it is new; return the addresses it was given.

        Its device is called eth0, so it can be in one network only: ``BadQuestion`` for a second.
        """
        if there := [known.name for name, known in self._made if name == pod]:
            raise BadQuestion("pod", f"{pod} is in the network {there[0]!r} already", "Delete it first.")
        if pod not in self._pods:
            self._pods[pod] = self._lab.start("host", ["unshare", "--net", "sh", "-c", _PAUSE, "sh", pod],
                                              ready=lambda: self._run(["test", "-e", _netns(pod)]).status == 0)
        try:
            said = self._call("ADD", pod, network)
        except LabError:
            with suppress(LabError):  # whoever calls cleans up after a failed ADD: the specification, "ADD"
                self._call("DEL", pod, network)
            raise
        self._made.append((pod, network))
        return tuple(entry["address"] for entry in said["ips"])

    def delete(self, pod: str) -> None:
        """Take ``pod`` out of its network and end it; nothing if there is none."""
        try:
            for name, network in [made for made in self._made if made[0] == pod]:
                self._made.remove((name, network))
                self._call("DEL", name, network)
        finally:
            if pod in self._pods:
                self._pods.pop(pod).stop()

    def topology(self) -> Topology:
        """Read back from the kernel what the plugins made, and let the lab be asked about it."""
        return found.adopt(self._lab, self.world)

    def close(self) -> None:
        """End all pods; the lab is as it was. Doing it again does no harm."""
        if not self._lab.alive:
            return
        with ExitStack() as all_of_it:  # whatever a plugin says about one pod, the rest is ended as well
            all_of_it.callback(found.let_go, self._lab, self.world)
            if self._dhcp:
                all_of_it.callback(self._dhcp.stop)
            for pod in self._pods:
                all_of_it.callback(self.delete, pod)

    def __enter__(self) -> Runtime:
        """Return the runtime."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End all pods."""
        self.close()

    def _call(self, command: str, pod: str, network: Network) -> dict[str, Any]:
        plugin = extras.find(network.driver.kind)
        assert plugin is not None, network.driver.kind
        variables = {"COMMAND": command, "CONTAINERID": pod, "NETNS": _netns(pod), "IFNAME": _DEVICE,
                     "PATH": str(plugin.parent)}
        words = ["env", *(f"CNI_{name}={value}" for name, value in variables.items()),
                 "sh", "-c", _CALL, "sh", _DIRECTORY, network.as_json(), str(plugin)]
        said = self._run(words, DHCP_DEADLINE)
        if said.status:
            raise LabError(f"CNI {network.driver.kind}, {command} {pod}: {_reason(said.output)}")
        answer: dict[str, Any] = json.loads(said.output) if said.output.strip() else {}
        return answer

    def _run(self, words: Sequence[str], deadline: float = 10.0) -> CommandResult:
        return self._lab.run("host", words, deadline=deadline, show=lambda _: None)


def _netns(pod: str) -> str:
    return f"/run/netns/{pod}"


def _reason(output: str) -> str:
    """Return the sentence of a plugin's error, which is JSON (specification 0.4.0, "Error"), and the reason for it."""
    try:
        said = str(json.JSONDecoder().raw_decode(output)[0]["msg"])
    except (ValueError, KeyError):
        return output.strip()
    reason = REFUSALS[_REFUSED[said]] if said in _REFUSED else None
    return f"{said}\n{reason.because} {reason.fix}" if reason else said
