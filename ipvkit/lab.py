"""The lab: a topology built in a real kernel, and the questions one can ask of it.

Law: one lab is one machine; it lives until ``close()``, the end of the notebook's kernel, or until nothing refers to it
any more (the same cell run again). Every call has a deadline. Whatever the kernel refuses keeps its errno, its own
sentence and the ``ip`` line that asks for the same. A lab never sees a prediction.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ipvkit import plan
from ipvkit.agent.places import MOST_ENDPOINTS
from ipvkit.errors import BadQuestion, LabClosed, NotAsDeclared, Refused
from ipvkit.findings import CommandResult, Difference, State, StateChanges, read_state
from ipvkit.instruments.delivery import broadcast, deliver, multicast
from ipvkit.instruments.hooks import hooks
from ipvkit.instruments.macs import mac_budget, mac_sweep
from ipvkit.instruments.programs import start
from ipvkit.instruments.reachability import ping, ping_matrix
from ipvkit.instruments.throughput import throughput
from ipvkit.instruments.trace import trace
from ipvkit.machine import Machine, open_machine
from ipvkit.machine.doctor import examine_machine
from ipvkit.refused import refusal
from ipvkit.steps import AddChild, Step
from ipvkit.topology import Change, Driver, Endpoint, Topology, want_topology

RUN_DEADLINE = 60.0
"""Seconds a command of :meth:`Lab.run` may take."""

_ROOM = 200  # endpoints a machine has memory for, whatever it is started with
_BUILD_DEADLINE, _ASK_DEADLINE = 20.0, 20.0  # seconds, plus what the size of the question adds
_SECONDS_PER_STEP = 0.02


class Lab:
    """Build ``topology`` in a machine that covers what it needs; ``machine`` forces ``native`` or ``uml``.

    ``on_refusal="raise"``: the first step the kernel refuses raises ``Refused``, and nothing is left.
    ``"record"``: refusals are in ``refusals``, and the lab is what the kernel made of the rest.
    ``differences`` holds what the kernel accepted but made otherwise because children of one parent were declared with
    different modes. ``memory``: MB, at least, for a kernel of its own; only daemons need more than it has anyway.
    Raises ``NoMachine``, ``MachineError``, ``Refused``, ``NotAsDeclared``, ``BadQuestion``.
    """

    def __init__(
        self, topology: Topology, *, machine: str | None = None, on_refusal: str = "raise", memory: int = 0
    ) -> None:
        want_topology(topology)
        if on_refusal not in ("raise", "record"):
            raise BadQuestion("on_refusal", f"{on_refusal!r} is not known", 'Write "raise" or "record".')
        _check_size(topology)
        self._force, self._on_refusal, self._memory = machine, on_refusal, memory
        self.topology = topology
        self.refusals: list[Refused] = []
        self.differences: list[Difference] = []
        self._seen: State | None = None
        self._start()
        try:
            self._build(topology)
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._room = max(_ROOM, len(self.topology.all_endpoints))
        self._machine = open_machine(self.topology.needs, force=self._force, endpoints=self._room,
                                     memory=self._memory)
        self._covered = self.topology.needs
        self._end = weakref.finalize(self, _end, self._machine, os.getpid())

    def __enter__(self) -> Lab:
        """Return the lab; it is closed at the end of the ``with`` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the lab."""
        self.close()

    def __repr__(self) -> str:
        """Return what it is and whether it still is, the same on every machine."""
        return f"Lab: {self.topology!r}" if self.alive else "Lab: closed"

    @property
    def alive(self) -> bool:
        """True while it can be asked."""
        return self._machine.alive()

    @property
    def commands(self) -> str:
        """The ``ip`` lines that build the present topology by hand, as root."""
        return plan.commands(self.topology)

    @property
    def machine(self) -> Machine:
        """The machine it runs in. Raises ``LabClosed``."""
        if not self._machine.alive():
            raise LabClosed("this lab is closed: run the cell that makes it again")
        return self._machine

    def machine_line(self) -> str:
        """Return the line every notebook shows: ``Lab machine: uml, Linux 6.1.0``."""
        return f"Lab machine: {self.machine.name}, Linux {self.machine.kernel}"

    def close(self) -> None:
        """End the machine and all in it; calling it again does nothing."""
        self._end()

    def rebuild(self, topology: Topology) -> None:
        """Build another topology in the same machine; what was there is taken down, its processes are ended.

        A machine that does not cover what the new one needs, or has no memory for it, is replaced. Raises what
        ``Lab(…)`` raises; the lab stays usable, as empty as the refusal left it.
        """
        want_topology(topology)
        _check_size(topology)
        _ = self.machine
        self.topology = topology
        more = topology.needs - self._covered
        if len(topology.all_endpoints) > self._room or (more and examine_machine(self._machine.name).lacks(more)):
            self.close()
            self._start()
        self._covered |= more
        self._build(topology)

    def apply(self, change: Change) -> None:
        """Make one change in the kernel; then ``topology`` is ``topology.after(change)``.

        Raises ``Refused`` (the topology stays as it was), or records the refusal, as the lab was made to.
        Raises ``TopologyError`` for a change of something the topology does not have.
        """
        changed = self.topology.after(change)
        steps = plan.plan_change(changed, change)
        self._carry_out("apply", steps, changed)
        self.topology = changed

    def adopt(self, topology: Topology) -> None:
        """Take what others made in this lab, a container engine for example, for a part of it, as ``topology`` says.

        Nothing is built: see :func:`ipvkit.systems.found.read_topology`. Raises ``BadQuestion`` where ``topology`` has
        a place that is not there.
        """
        want_topology(topology)
        there = self.machine.wire.request("adopt", deadline=_ASK_DEADLINE)["namespaces"]
        for name in (*topology.names, *(switch.name for switch in topology.switches)):
            if topology.netns(name) not in there:
                raise BadQuestion("topology", f"nobody has made {name!r}", f"There are: {', '.join(there)}.")
        self.topology = topology

    def _build(self, topology: Topology) -> None:
        self.refusals, self.differences, self._seen = [], [], None
        steps = plan.plan(topology)
        changes = sum(len(plan.plan_change(topology, change)) for change in topology.changes)
        declared = len(steps) - changes
        self._carry_out("build", steps[:declared], topology)
        if changes:
            self._carry_out("apply", steps[declared:], topology)

    def _carry_out(self, op: str, steps: Sequence[Step], topology: Topology) -> None:
        deadline = _BUILD_DEADLINE + _SECONDS_PER_STEP * len(steps)
        said = self.machine.wire.request(op, deadline=deadline, steps=[step.as_json() for step in steps],
                                         undo=self._on_refusal == "raise")
        refused = [refusal(steps[record["step"]], record) for record in said["refused"]]
        if refused and self._on_refusal == "raise":
            raise refused[0]
        self.refusals += refused
        self._compare_modes(steps, said["differences"], topology)

    def _compare_modes(self, steps: Sequence[Step], said: list[dict[str, Any]], topology: Topology) -> None:
        declared: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for endpoint in topology.all_endpoints:
            driver = endpoint.driver
            declared.setdefault(_real_parent(topology, endpoint), set()).add((driver.mode, driver.flag))
        names = {(endpoint.netns, endpoint.child): endpoint.name for endpoint in topology.all_endpoints}
        for record in said:
            step = steps[record["step"]]
            assert isinstance(step, AddChild)
            name = names[step.child_netns, step.device]
            found = Driver(step.kind, record["mode"], record["flag"])
            difference = Difference(name, str(topology.endpoint(name).driver), str(found))
            endpoint = topology.endpoint(name)
            if len(declared[_real_parent(topology, endpoint)]) == 1:
                raise NotAsDeclared(f"{difference}\n{step.command}")
            self.differences.append(difference)

    # -- commands and state

    def run(
        self, place: str, command: str | Sequence[str], *, deadline: float = RUN_DEADLINE,
        show: Callable[[str], object] | None = None,
    ) -> CommandResult:
        """Run a command in the namespace of ``place`` and show what it prints while it prints it.

        A string goes to ``sh -c``. Ctrl-C ends the command, not the lab. ``show`` takes the output instead of
        standard output. Raises ``BadQuestion``, and ``DeadlineExceeded`` after ``deadline`` seconds.
        """
        show = show or _to_standard_output
        pieces: list[str] = []

        def take(event: dict[str, Any]) -> None:
            pieces.append(event["output"])
            show(event["output"])

        netns = self.topology.netns(place) if self._knows(place) else place
        arguments = command if isinstance(command, str) else list(command)
        said = self.machine.wire.request("run", deadline=deadline, on_event=take, netns=netns, command=arguments)
        return CommandResult("".join(pieces), said["status"], said["cut"])

    def state(self) -> State:
        """Read back from the kernel what is there: links with mode and flag, addresses, routes, neighbours, FDB."""
        deadline = _ASK_DEADLINE + _SECONDS_PER_STEP * 10 * len(self.topology.names)
        self._seen = read_state(self.machine.wire.request("state", deadline=deadline)["state"])
        return self._seen

    def diff(self) -> StateChanges:
        """Look again, and return what changed since the last look (:meth:`state` or this)."""
        if self._seen is None:
            raise BadQuestion("diff", "there was no look to compare with", "Call lab.state() before the change.")
        before = self._seen
        return self.state().changes_since(before)

    # -- instruments: functions whose first argument is a lab

    ping = ping
    ping_matrix = ping_matrix
    trace = trace
    deliver = deliver
    broadcast = broadcast
    multicast = multicast
    hooks = hooks
    mac_budget = mac_budget
    mac_sweep = mac_sweep
    start = start
    throughput = throughput

    def _knows(self, place: str) -> bool:
        try:
            self.topology.netns(place)
        except KeyError:
            return False
        return True


def _real_parent(topology: Topology, endpoint: Endpoint) -> tuple[str, str]:
    """Return host and NIC an endpoint's child sits on: a child of a child sits where that one does."""
    by_name = {other.name: other for other in topology.all_endpoints}
    while endpoint.host in by_name:
        endpoint = by_name[endpoint.host]
    return endpoint.host, endpoint.parent


def _check_size(topology: Topology) -> None:
    if len(topology.all_endpoints) > MOST_ENDPOINTS:
        raise BadQuestion("endpoints", f"{len(topology.all_endpoints)} are more than the {MOST_ENDPOINTS} a lab takes",
                          "Use fewer.")


def _end(machine: Machine, owner: int) -> None:
    if os.getpid() == owner:  # not in a process that was forked from the notebook's
        machine.close()


def _to_standard_output(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


__all__ = ["Lab"]
