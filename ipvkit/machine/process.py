"""A machine as its client holds it: the supervisor's process, the leash, the wire.

Law: starting returns a machine that has answered, or raises with the console's tail and leaves nothing; closing is
idempotent, safe in any thread, and ends everything within a second.
"""

from __future__ import annotations

import io
import json
import os
import select
import socket
import subprocess
import threading
import weakref
from contextlib import ExitStack, suppress
from dataclasses import asdict

from ipvkit.errors import DeadlineExceeded, MachineError, MachineGone
from ipvkit.machine import archive
from ipvkit.machine.interpreter import Interpreter
from ipvkit.machine.supervisor import QUIT, READY, Orders
from ipvkit.machine.wire import Wire, patience

CLOSE_PATIENCE = 1.0
"""Seconds a supervisor gets to end its machine before it is killed, which ends the machine as well."""


class Machine:
    """A running throw-away kernel or set of namespaces, with our agent in it.

    ``name`` is ``native`` or ``uml``, ``kernel`` what ``uname -r`` says inside, ``wire`` where to ask. A machine nobody
    refers to any more is closed.
    """

    def __init__(
        self, name: str, supervisor: subprocess.Popen[bytes], leash: io.FileIO, stream: socket.socket, console: int
    ) -> None:
        self.name, self.kernel = name, ""
        self._supervisor, self._leash = supervisor, leash
        self._lock = threading.Lock()
        ours = weakref.ref(self)  # the wire's thread must not keep the machine alive

        def close() -> None:
            machine = ours()
            if machine is not None:
                machine.close()

        self.wire = Wire(stream, console, os.pidfd_open(supervisor.pid), close)

    def greet(self, deadline: float) -> None:
        """Wait until the agent answers, ``deadline`` seconds at most; raises ``MachineError`` when it does not."""
        try:
            self.wire.wait_ready(deadline)
            self.kernel = self.wire.request("hello", deadline=deadline)["kernel"]
            self._leash.write(READY)
        except DeadlineExceeded as error:
            raise MachineError(f"{self.name}: not ready in {deadline * patience():g} s\n{error}") from None
        except (MachineGone, BrokenPipeError):
            raise MachineError(f"{self.name} did not start; its console says:\n{self.console()}") from None

    def console(self) -> str:
        """Give the tail of the machine's console: the agent's errors, and what a kernel of its own says."""
        return self.wire.console()

    def alive(self) -> bool:
        """Tell whether the machine can still be asked."""
        return not self._leash.closed and not self.wire.gone() and self._supervisor.poll() is None

    def close(self) -> None:
        """End the machine; afterwards no process, namespace, mount, socket or directory of it is left."""
        with self._lock:
            if self._leash.closed:
                return
            try:
                with suppress(OSError):  # it may have ended by itself
                    self._leash.write(QUIT)
            finally:
                self._leash.close()
        if not _ends_within(self._supervisor, CLOSE_PATIENCE):
            self._supervisor.kill()
            self._supervisor.wait()
        self.wire.close()

    def __del__(self) -> None:
        """Close; an interrupt can lose a machine before anybody has a name for it."""
        self.close()


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of ``process``; ``Popen.wait`` sleeps in ever longer steps, up to the time a close takes."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process.pid)
        try:
            end = select.poll()
            end.register(descriptor, select.POLLIN)
            end.poll(seconds * 1000)
        finally:
            os.close(descriptor)
    return process.poll() is not None


def start(name: str, interpreter: Interpreter, deadline: float, way: str = "", **extra: int) -> Machine:
    """Start a supervisor with a machine ``name`` and wait for its agent; ``extra`` are further fields of ``Orders``.

    Descriptors in ``extra`` (``kernel``, ``modules``) are passed on and stay open here. Raises ``MachineError``. With
    any exception, an interrupt included, what had been started is ended.
    """
    ours, theirs = socket.socketpair()
    leash_theirs, leash_ours = os.pipe2(os.O_CLOEXEC)
    console_ours, console_theirs = os.pipe2(os.O_CLOEXEC)
    leash = io.FileIO(leash_ours, "wb")
    with ExitStack() as if_it_fails:
        if_it_fails.callback(os.close, console_ours)
        if_it_fails.callback(ours.close)
        if_it_fails.callback(leash.close)
        with ExitStack() as handed_over:
            handed_over.callback(theirs.close)
            for descriptor in (leash_theirs, console_theirs):
                handed_over.callback(os.close, descriptor)
            agent = archive.open_archive(interpreter.path, interpreter.bytecode)
            handed_over.callback(os.close, agent)
            order = Orders(name, os.getpid(), theirs.fileno(), agent, interpreter.path, interpreter.drop, way, **extra)
            supervisor = _launch(order, leash_theirs, console_theirs)
        machine = Machine(name, supervisor, leash, ours, console_ours)
        if_it_fails.pop_all()
    try:
        machine.greet(deadline)
    except BaseException:
        machine.close()
        raise
    return machine


def _launch(orders: Orders, leash: int, console: int) -> subprocess.Popen[bytes]:
    descriptors = (orders.agent, orders.wire, orders.kernel, orders.modules)
    program = [orders.python, "-I", "-S", "-B", f"/proc/self/fd/{orders.agent}", "supervisor"]
    return subprocess.Popen(
        [*program, json.dumps(asdict(orders))],
        stdin=leash,
        stdout=console,
        stderr=console,
        pass_fds=[descriptor for descriptor in descriptors if descriptor >= 0],
        start_new_session=True,
        cwd="/",
    )
