"""The process between a client and its machine: whoever dies, it sees to it that nothing of the machine is left.

Law: one supervisor, one machine. The client starts it in a session of its own, so that an interrupt of the notebook
does not reach the machine, and holds one end of the ``leash`` (our standard input). The machine ends when

- the client closes the leash or writes ``q`` on it;
- the client's process ends, seen with a pidfd: a copy of the leash in some forked child of the client cannot hide it;
- the machine's own process ends;
- the supervisor ends. With namespaces the machine's process 1 then gets SIGKILL (PDEATHSIG: our only thread forked it)
  and takes its PID namespace along; without them a second supervisor, the ``guard``, watches the first.

With namespaces all files are in a tmpfs of the private mount namespace, and go with it. Without, they are in one
directory whose name the guard knows before it exists, and which is deleted once the machine is up (``r`` on the leash).
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from ipvkit.agent import syscalls
from ipvkit.machine import isolation, workplace

LEASH = 0
READY, QUIT = b"r", b"q"
_BURIAL = 1.0  # s


@dataclass(frozen=True)
class Orders:
    """What the client wants: descriptors are numbers open in this process."""

    machine: str
    client: int  # process id
    wire: int  # our end of the byte stream to the agent
    agent: int  # the archive with the agent
    python: str  # the interpreter for the agent
    drop: bool  # whether root is to become nobody
    way: str  # of isolation.WAYS, or "" for the first that is possible
    memory: int = 0  # MB, for uml
    kernel: int = -1  # linux.uml, for uml
    modules: int = -1  # the archive with its modules, for uml


def main(orders: dict[str, Any]) -> NoReturn:
    """Carry out the orders, and end when the machine is gone.

    At once: a client waits in ``close()``, and Python would take longer to tidy up than the machine to end.
    """
    supervise(Orders(**orders))
    os._exit(0)


def supervise(orders: Orders) -> None:
    """Isolate, start the machine, wait for the first reason to end it, end it."""
    client = os.pidfd_open(orders.client)
    if os.getppid() != orders.client:
        return None  # it died before we looked; the number may be somebody else's by now
    syscalls.adopt_orphans()
    for way in [orders.way] if orders.way else isolation.WAYS:
        if way == "none":
            return _without_namespaces(orders, client)
        if isolation.possible(way, orders.drop):
            return _with_namespaces(orders, client, way)
    raise OSError(errno.EPERM, f"isolation {orders.way!r} is refused here")


def _with_namespaces(orders: Orders, client: int, way: str) -> None:
    place = workplace.for_machine(orders.machine, orders.memory)
    isolation.enter(way, orders.drop, place.private, place.size)
    place.fill(orders)
    go, started = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        os.close(started)
        _first_process(orders, place, way, go)
    os.close(go)
    os.write(started, b"g")
    os.close(orders.wire)
    _wait_for_a_reason([client, os.pidfd_open(pid)])
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # the kernel ends the whole PID namespace before waitpid returns
    os.waitpid(pid, 0)


def _first_process(orders: Orders, place: workplace.Workplace, way: str, go: int) -> NoReturn:
    """Be process 1 of the PID namespace: die with the supervisor, then become the agent or mind the UML kernel."""
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        if os.read(go, 1) == b"g":  # else the supervisor was gone before the line above
            place.become_machine(orders, way)
    except BaseException as error:
        print(f"machine {orders.machine}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def _wait_for_a_reason(descriptors: list[int], place: workplace.Workplace | None = None) -> None:
    """Return when one of the pidfds is readable or the leash says so; ``r`` removes ``place`` and waits on."""
    poll = select.poll()
    for descriptor in [LEASH, *descriptors]:
        poll.register(descriptor, select.POLLIN)
    while True:
        if any(descriptor != LEASH for descriptor, _ in poll.poll()):
            return
        word = os.read(LEASH, 1)
        if word in (b"", QUIT):
            return
        if word == READY and place is not None:
            place.remove()


def _without_namespaces(orders: Orders, client: int) -> None:
    """Run the machine as a plain process group, with a guard that ends the group should we be ended.

    The order matters, for either of us may be killed between any two lines: the guard knows the directory's name
    before it is made, and the group's number before there is more than one process in it.
    """
    if orders.machine == "native":
        raise OSError(errno.EPERM, "namespaces are refused here, and a native machine is made of them")
    if orders.drop:
        with suppress(PermissionError):
            isolation.become_nobody()
    place = workplace.without_namespaces(orders.memory)
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    supervisor = os.pidfd_open(os.getpid())
    guard = os.fork()
    if guard == 0:
        os.close(theirs)
        os.close(orders.wire)
        _guard(supervisor, ours, place)
    os.close(ours)
    pid = _start_group(orders, place, theirs)
    _wait_for_a_reason([client, os.pidfd_open(guard), os.pidfd_open(pid)], place)
    end_group(pid, place)
    os.kill(guard, signal.SIGKILL)
    os.waitpid(guard, 0)


def _start_group(orders: Orders, place: workplace.Workplace, guard: int) -> int:
    """Start the machine in a session of its own, once the guard has been told of it; give its process id."""
    place.fill(orders)
    go, started = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        os.close(started)
        os.setsid()
        _first_process(orders, place, "none", go)
    os.close(go)
    with suppress(BrokenPipeError):  # the guard has been killed: noticed in a moment
        os.write(guard, f"{pid}\n".encode())
        os.write(started, b"g")
    os.close(started)
    os.close(orders.wire)
    return pid


def _guard(supervisor: int, pipe: int, place: workplace.Workplace) -> NoReturn:
    """Wait for the end of the supervisor, then end what it has started; never returns."""
    try:
        os.setsid()
        select.select([supervisor], [], [])
        told = os.read(pipe, 64)
        if told.endswith(b"\n"):
            end_group(int(told), place)
        place.remove()
    finally:
        os._exit(0)


def end_group(group: int, place: workplace.Workplace) -> None:
    """Kill every process of ``group``, wait until they are gone, remove ``place``; each may be gone already.

    While one of them lives it may still make a file, so the place comes last. Those we adopted are buried here;
    those of a dead supervisor have gone to somebody who may leave them unburied, so we do not wait for ever.
    """
    until = time.monotonic() + _BURIAL
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(group, signal.SIGKILL)
            with suppress(ChildProcessError):
                while os.waitpid(-group, os.WNOHANG)[0]:
                    pass
            time.sleep(0.002)
    place.remove()
