"""The agent's main loop: read requests from one byte stream, run operations, write answers.

Law: nothing in an agent is concurrent but child processes. An operation either answers at once (it returns a dict) or
returns a :class:`Job`, a child whose output the loop turns into events and whose end into the answer; so `cancel` and
further requests are heard while jobs run. One that answers itself and takes its time looks for its own end in between
(:meth:`Request.check`). The stream is lines. From the client: pieces of a request, at most 2 000
bytes, ``+`` for a piece with more to come and ``=`` for the last, each acknowledged with a line ``+`` (a serial line
holds 4 096 bytes, and hangs beyond). To the client: JSON objects, ``{"id", "event"}`` any number of times, then one
``{"id", "ok"}`` or ``{"id", "error"}``.
"""

from __future__ import annotations

import functools
import json
import os
import select
import selectors
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ipvkit.agent.jobs import PATIENCE, Cancelled, Described, Job
from ipvkit.errors import BadQuestion, NotAsDeclared, Refused

READ_SIZE = 65536


class Request:
    """One question: ``op``, its ``params``, and :meth:`emit` for events before the answer.

    ``check()`` raises ``Cancelled`` if the client has cancelled the question in the meantime.
    """

    def __init__(
        self, message: dict[str, Any], send: Callable[[dict[str, Any]], None],
        check: Callable[[Request], None] = lambda _: None,
    ) -> None:
        self.id: int = message.pop("id")
        self.op: str = message.pop("op")
        self.params: dict[str, Any] = message
        self._send = send
        self.check = functools.partial(check, self)

    def emit(self, event: dict[str, Any]) -> None:
        """Send ``event`` (JSON values only) to the client now."""
        self._send({"id": self.id, "event": event})


Operation = Callable[[Request], "dict[str, Any] | Job"]


def describe(error: BaseException) -> dict[str, Any]:
    """Turn an exception into the wire's ``error`` object; the client's :mod:`ipvkit.machine.wire` turns it back."""
    if isinstance(error, Refused):
        names = ("errno", "command", "identifier", "reason", "extack")
        return {"kind": "refused"} | {name: getattr(error, name) for name in names}
    if isinstance(error, BadQuestion):
        return {"kind": "bad", "field": error.field, "problem": error.problem, "fix": error.fix}
    if isinstance(error, NotAsDeclared):
        return {"kind": "differs", "text": str(error)}
    if isinstance(error, Described):
        return error.error
    if isinstance(error, Cancelled):
        return {"kind": "cancelled"}
    traceback.print_exception(error, file=sys.stderr)
    return {"kind": "failed", "text": f"{type(error).__name__}: {error}"}


class Server:
    """The loop over one stream; ``operations`` maps a request's ``op`` to the function that carries it out."""

    def __init__(self, read_from: int, write_to: int, operations: dict[str, Operation]) -> None:
        self._read_from, self._write_to = read_from, write_to
        self._operations = operations | {"cancel": self._cancel}
        self._jobs: dict[int, Job] = {}
        self._selector = selectors.DefaultSelector()
        self._buffer = b""
        self._pieces: list[bytes] = []
        self._requests: deque[Request] = deque()

    def send(self, message: dict[str, Any]) -> None:
        """Write one line; waits while the client does not read."""
        self._write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._write_to, view) :]

    def serve(self) -> None:
        """Answer until the stream ends; then return, with the children of open requests ended."""
        self._selector.register(self._read_from, selectors.EVENT_READ, self._receive)
        self._watch_children()
        with suppress(EOFError, ConnectionError):
            while True:
                for key, _ in self._selector.select(self._patience()):
                    # an earlier one of this round may have ended it, and its number may be another's by now
                    if self._selector.get_map().get(key.fileobj) == key:
                        key.data()
                for job in self._jobs.values():
                    job.insist()
        for job in self._jobs.values():
            job.cancel()

    def _patience(self) -> float | None:
        return PATIENCE if any(job.cancelled_at is not None for job in self._jobs.values()) else None

    def _receive(self) -> None:
        self._read()
        while self._requests:
            self._dispatch(self._requests.popleft())

    def _check(self, request: Request) -> None:
        """Raise ``Cancelled`` if what has come in since says so; other requests wait for their turn."""
        while select.select([self._read_from], [], [], 0)[0]:
            self._read()
        for other in self._requests:
            if other.op == "cancel" and other.params["target"] == request.id:
                raise Cancelled

    def _read(self) -> None:
        data = os.read(self._read_from, READ_SIZE)
        if not data:
            raise EOFError
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._write(b"+\n")
            self._pieces.append(line[1:])
            if line[:1] == b"=":
                message = json.loads(b"".join(self._pieces))
                self._pieces = []
                self._requests.append(Request(message, self.send, self._check))

    def _dispatch(self, request: Request) -> None:
        try:
            operation = self._operations.get(request.op)
            if operation is None:
                raise BadQuestion("op", f"the agent has no operation {request.op!r}", "client and agent must match")
            outcome = operation(request)
        except Exception as error:
            self.send({"id": request.id, "error": describe(error)})
            return
        if isinstance(outcome, Job):
            self._jobs[request.id] = outcome
            advance = functools.partial(self._advance, request.id)
            self._selector.register(outcome.descriptor, selectors.EVENT_READ, advance)
        else:
            self.send({"id": request.id, "ok": outcome})

    def _advance(self, identity: int) -> None:
        job = self._jobs[identity]
        if not job.read():
            self._selector.unregister(job.descriptor)  # the end of the process follows, and answers

    def _watch_children(self) -> None:
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ, lambda: self._reap(reading))

    def _reap(self, wakeups: int) -> None:
        """Finish the jobs whose process ended, and bury every other child (orphans come here: we are process 1)."""
        with suppress(BlockingIOError):
            while os.read(wakeups, 4096):
                pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for identity, job in [item for item in self._jobs.items() if item[1].pid == pid]:
                self._finish(identity, job, os.waitstatus_to_exitcode(status))

    def _finish(self, identity: int, job: Job, exit_code: int) -> None:
        del self._jobs[identity]
        with suppress(KeyError):
            self._selector.unregister(job.descriptor)
        try:
            answer = job.ended(exit_code)
        except Exception as error:
            self.send({"id": identity, "error": describe(error)})
        else:
            self.send({"id": identity, "ok": answer})

    def _cancel(self, request: Request) -> dict[str, Any]:
        job = self._jobs.get(request.params["target"])
        if job is not None:
            job.cancel()
        return {"cancelled": job is not None}
