"""Children that answer a request later: a command, or a function of ours run in a fork.

Law: a job is one child process in a process group of its own with one pipe back. Cancelling interrupts the group, and
kills it when it does not end within its patience; the lab stays as it is.
"""

from __future__ import annotations

import codecs
import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from ipvkit.agent import namespaces
from ipvkit.errors import BadQuestion, LabError

if TYPE_CHECKING:
    from ipvkit.agent.serve import Request

PATIENCE = 0.3
"""Seconds a cancelled command has to end by itself after SIGINT, before SIGKILL; how often the loop looks at that."""

PATIENCE_WITH_OURS = 3 * PATIENCE
"""The same for a function of ours: it has something to undo, and killed in the midst of it would leave it in the lab.

Well below what the client waits for the confirmation (``GRACE`` in :mod:`ipvkit.machine.wire`), and a multiple of
:data:`PATIENCE`, so that the loop, which looks that often, is not late.
"""

OUTPUT_LIMIT = 1_000_000
"""Bytes of a command's output that are passed on; what comes after is counted and dropped."""

READ_SIZE = 65536
NOT_FOUND, NOT_STARTED = 127, 126  # what a shell answers
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


class Cancelled(Exception):
    """The request was ended on demand."""


class Job(ABC):
    """A running child: ``pid`` (also its process group) and ``descriptor``, the pipe its output comes from."""

    patience = PATIENCE

    def __init__(self, child: Callable[[], NoReturn]) -> None:
        self.descriptor, writing = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _become_child(writing)
                child()
            finally:
                os._exit(NOT_STARTED)
        os.close(writing)
        os.set_blocking(self.descriptor, False)
        self.cancelled_at: float | None = None

    def read(self) -> bool:
        """Take what the child wrote; False once it can write no more."""
        with suppress(BlockingIOError):
            data = os.read(self.descriptor, READ_SIZE)
            if not data:
                return False
            self.received(data)
        return True

    def cancel(self) -> None:
        """Interrupt the child's process group; the answer will be ``cancelled``."""
        if self.cancelled_at is None:
            self.cancelled_at = time.monotonic()
        self._signal(signal.SIGINT)

    def insist(self) -> None:
        """Kill the group if it was cancelled ``patience`` seconds ago."""
        if self.cancelled_at is not None and time.monotonic() > self.cancelled_at + self.patience:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # before the child's setsid there is no such group, and the child is all of it
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ended(self, exit_code: int) -> dict[str, Any]:
        """Give the answer once the child has ended; ``exit_code`` is negative for a signal."""
        while True:  # what is still in the pipe; a background process may hold it open, so up to "nothing now"
            try:
                data = os.read(self.descriptor, READ_SIZE)
            except BlockingIOError:
                break
            if not data:
                break
            self.received(data)
        os.close(self.descriptor)
        if self.cancelled_at is not None:
            raise Cancelled
        return self.answer(exit_code)

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Take a piece of the child's output."""

    @abstractmethod
    def answer(self, exit_code: int) -> dict[str, Any]:
        """Give the answer of a child that was not cancelled."""


def _become_child(writing: int) -> None:
    """Leave the agent's session and its handlers; the pipe becomes descriptors 1 and 2, and nothing comes in on 0."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(writing, 1)
    os.dup2(writing, 2)


class Command(Job):
    """A program in a namespace; standard output and error are one stream, in order."""

    def __init__(self, request: Request, arguments: Sequence[str], netns: str, limit: int) -> None:
        self._request, self._left, self._cut = request, limit, 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def child() -> NoReturn:
            try:
                namespaces.enter(netns)
                os.execvpe(arguments[0], list(arguments), ENVIRONMENT)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                os.write(2, f"{arguments[0]}: {reason}\n".encode())
                os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_STARTED)

        super().__init__(child)

    def received(self, data: bytes) -> None:
        """Pass the text on as an event; beyond the limit count it only, so that the command can go on."""
        passed, dropped = data[: self._left], data[self._left :]
        self._left -= len(passed)
        self._cut += len(dropped)
        text = self._decoder.decode(passed)
        if text:
            self._request.emit({"output": text})

    def answer(self, exit_code: int) -> dict[str, Any]:
        """Give ``status`` and ``cut``, the number of bytes that were not passed on."""
        rest = self._decoder.decode(b"", final=True)
        if rest:
            self._request.emit({"output": rest})
        return {"status": exit_code, "cut": self._cut}


class Forked(Job):
    """``function(request)`` in a fork of the agent: it sees the agent's state, and changes only its own copy.

    Its events and its result travel as JSON lines; an exception becomes the request's error. Cancelled, it gets a
    KeyboardInterrupt, and :data:`PATIENCE_WITH_OURS` to tidy up.
    """

    patience = PATIENCE_WITH_OURS

    def __init__(self, request: Request, function: Callable[[Request], dict[str, Any]]) -> None:
        from ipvkit.agent.serve import Request, describe

        self._request, self._rest = request, b""
        self._result: dict[str, Any] | None = None

        def write(message: dict[str, Any]) -> None:
            data = memoryview(json.dumps(message).encode() + b"\n")
            while data:
                data = data[os.write(1, data) :]

        def child() -> NoReturn:
            os.dup2(stderr, 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # so that what is to be undone is undone
            ours = Request({"id": request.id, "op": request.op, **request.params}, write)
            try:
                write({"ok": function(ours)})
            except BaseException as error:
                write({"error": describe(error)})
            os._exit(0)

        stderr = os.dup(2)  # the console, not the pipe: what Python prints there is not an answer
        try:
            super().__init__(child)
        finally:
            os.close(stderr)

    def received(self, data: bytes) -> None:
        """Pass events on, keep the result."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "event" in message:
                self._request.emit(message["event"])
            else:
                self._result = message

    def answer(self, exit_code: int) -> dict[str, Any]:
        """Give the function's result, or raise its error again as the wire's object."""
        if self._result is None:
            raise LabError(f"{self._request.op}: the child of the agent ended with {exit_code} and no answer")
        if "error" in self._result:
            raise Described(self._result["error"])
        result: dict[str, Any] = self._result["ok"]
        return result


class Described(Exception):
    """An error that a child has already turned into the wire's object."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.error = error


def run(request: Request) -> Job:
    """Operation ``run``: ``command`` (a list, or a string for ``sh -c``) in ``netns``; events ``{"output": text}``.

    Answers ``{"status": exit status, negative for a signal, "cut": bytes beyond "limit"}``. Raises ``BadQuestion``
    for a command that is neither, and for a namespace the lab does not have.
    """
    command = request.params.get("command")
    words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
    if not command or not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadQuestion("command", f"{command!r} is neither text nor a list of words", 'Write one such as "ip addr"')
    netns = request.params.get("netns", namespaces.HOST)
    namespaces.check(netns)
    return Command(request, words, netns, request.params.get("limit", OUTPUT_LIMIT))
