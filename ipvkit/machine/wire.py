"""Requests to an agent and their answers, over one byte stream.

Law: one thread does all reading and writing, so an interrupt can never cut a message in two; whoever asks waits on a
queue of their own. A request ends with its answer, with an error, or with its deadline on the monotonic clock; in the
last case, and on Ctrl-C, it is cancelled in the agent, and what still comes for it is dropped by its number. If the
agent does not even confirm the cancelling, the machine is closed. The format is in :mod:`ipvkit.agent.serve`.
Every deadline is meant for an ordinary computer, and is :func:`patience` times as long.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ipvkit.errors import (
    BadQuestion,
    DeadlineExceeded,
    Interrupted,
    LabClosed,
    LabError,
    MachineGone,
    NotAsDeclared,
    Refused,
)

PIECE = 1900
"""Bytes of a request that are on their way unacknowledged: a serial line holds 4 096."""

GRACE = 3.0
"""Seconds the agent has to confirm that it ended a request, before the machine is closed."""

_HINT = "on an emulated or very slow computer, IPVKIT_PATIENCE=10 in the environment waits ten times as long"
CONSOLE_TAIL = 8192  # bytes kept of what the machine printed
_READ_SIZE = 1 << 18

Message = dict[str, Any]


def patience() -> float:
    """Return how many times as long every deadline is: ``IPVKIT_PATIENCE``, for a computer that emulates; otherwise 1.

    Raises ``BadQuestion`` when it is set to something else than a number from 1 to 1000.
    """
    text = os.environ.get("IPVKIT_PATIENCE", "1")
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= 1000:
        raise BadQuestion("IPVKIT_PATIENCE", f"{text!r} is not a number from 1 to 1000", "Unset it, or set it to 10.")
    return factor


class Wire:
    """The client's end: ``stream`` to the agent, ``console`` a descriptor with what the machine prints.

    ``process`` is a pidfd of the supervisor: a machine without one has ended, whoever still holds the other end of the
    stream. ``close`` ends the machine; it is called when the agent no longer answers at all.
    """

    def __init__(self, stream: socket.socket, console: int, process: int, close: Callable[[], None]) -> None:
        self._stream, self._console, self._process, self._close_machine = stream, console, process, close
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Message]] = {}
        self._askers: dict[int, queue.SimpleQueue[Message]] = {}
        self._ready: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._outgoing: deque[bytes] = deque()
        self._acknowledged = True
        self._gone = threading.Event()
        self._tail: deque[bytes] = deque()
        self._woken, self._wakeup = socket.socketpair()
        self._wakeup.setblocking(False)
        self._rest = bytearray()
        self._lines: deque[bytes] = deque()
        self._thread = threading.Thread(target=self._carry, name="ipvkit-wire", daemon=True)
        self._thread.start()

    def wait_ready(self, deadline: float) -> None:
        """Wait ``deadline`` seconds, times patience, for the agent; DeadlineExceeded, MachineGone."""
        self._next(self._ready, time.monotonic() + deadline * patience(), "start")

    def request(
        self, op: str, *, deadline: float, on_event: Callable[[Message], None] | None = None, **params: Any
    ) -> Message:
        """Ask, and give the answer; ``on_event`` is called in this thread with every event before it.

        ``deadline`` in seconds, times patience. Raises ``DeadlineExceeded``, ``MachineGone`` with the tail of the
        console, and what the agent says: ``Refused``, ``BadQuestion``, ``NotAsDeclared``, ``LabError``. After
        KeyboardInterrupt (raised on as ``Interrupted``), or an exception in ``on_event``, the request has been
        cancelled and the machine is as usable as before; but a large build hears nothing, and ends with its machine.
        """
        until = time.monotonic() + deadline * patience()
        number = next(self._numbers)
        answers = self._waiting[number] = self._askers[threading.get_ident()] = queue.SimpleQueue()
        try:
            self._send({"id": number, "op": op, **params})
            while True:
                message = self._next(answers, until, op)
                if "interrupted" in message:
                    self._end(number, answers)
                    raise LabClosed("cancelled")
                if "event" not in message:
                    return _result(op, message)
                if on_event is not None:
                    on_event(message["event"])
        except DeadlineExceeded:
            self._end(number, answers)
            raise
        except KeyboardInterrupt:
            if self._end(number, answers):
                raise Interrupted(f"{op} was ended") from None
            raise Interrupted(f"{op} was ended, and its machine, which was too busy to hear: make a new lab") from None
        except (MachineGone, LabError):
            raise
        except BaseException:
            self._end(number, answers)
            raise
        finally:
            self._waiting.pop(number, None)
            self._askers.pop(threading.get_ident(), None)

    def interrupt(self, asker: int) -> None:
        """End the request thread ``asker`` (``threading.get_ident()``) waits for: there ``LabClosed`` is raised."""
        answers = self._askers.get(asker)
        if answers is not None:
            answers.put({"interrupted": True})

    def console(self) -> str:
        """Give the tail of what the machine printed."""
        return b"".join(self._tail).decode(errors="replace")[-CONSOLE_TAIL:].strip()

    def gone(self) -> bool:
        """Tell whether the stream has ended; nothing will be answered any more."""
        return self._gone.is_set()

    def close(self) -> None:
        """Stop carrying; requests that wait raise ``MachineGone``."""
        with suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)

    def _next(self, answers: queue.SimpleQueue[Message], until: float, op: str) -> Message:
        try:
            message = answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise DeadlineExceeded(f"{op}: no answer in time ({_HINT})\nconsole:\n{self.console()}") from None
        if "gone" in message:
            raise MachineGone(f"{op}: the machine ended", self.console())
        return message

    def _end(self, number: int, answers: queue.SimpleQueue[Message]) -> bool:
        """Cancel request ``number`` in the agent; close the machine (False) if not confirmed within ``GRACE``."""
        until = time.monotonic() + GRACE * patience()
        try:
            self._send({"id": next(self._numbers), "op": "cancel", "target": number})
            while self._next(answers, until, "cancel").keys() & {"event", "interrupted"}:
                pass
        except DeadlineExceeded:
            self._close_machine()
            return False
        except MachineGone:
            return False
        return True

    def _send(self, message: Message) -> None:
        data = json.dumps(message, separators=(",", ":")).encode()
        pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
        lines = [b"+" + piece + b"\n" for piece in pieces[:-1]] + [b"=" + pieces[-1] + b"\n"]
        self._outgoing.append(b"".join(lines))
        if self._gone.is_set():
            raise MachineGone("the machine has ended", self.console())
        with suppress(OSError):  # full: it wakes up anyway; closed: the machine has just gone, and everybody is told
            self._wakeup.send(b"w")

    # From here on: the thread.

    def _carry(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._stream, selectors.EVENT_READ, self._receive)
        selector.register(self._console, selectors.EVENT_READ, self._hear)
        selector.register(self._process, selectors.EVENT_READ, self._end_of_process)
        selector.register(self._woken, selectors.EVENT_READ, self._send_next)
        with suppress(EOFError, OSError):
            while True:
                for key, _ in selector.select():
                    if key.data() is False:
                        selector.unregister(key.fileobj)
        self._gone.set()
        self._drain_console()
        for answers in [self._ready, *list(self._waiting.values())]:
            answers.put({"gone": True})
        selector.close()
        for end in (self._stream, self._woken, self._wakeup):
            end.close()
        for descriptor in (self._console, self._process):
            os.close(descriptor)

    def _receive(self) -> None:
        data = self._stream.recv(_READ_SIZE)
        if not data:
            raise EOFError
        self._rest += data
        if b"\n" not in data:
            return
        *lines, rest = self._rest.split(b"\n")
        self._rest = rest
        for line in lines:
            if line == b"+":
                self._acknowledged = True
                self._write()
            elif line.startswith(b"{"):
                self._deliver(json.loads(line))

    def _end_of_process(self) -> None:
        raise EOFError

    def _deliver(self, message: Message) -> None:
        if "ready" in message:
            self._ready.put(message)
        waiting = self._waiting.get(message.get("id", 0))
        if waiting is not None:
            waiting.put(message)

    def _send_next(self) -> None:
        self._woken.recv(4096)
        self._write()

    def _write(self) -> None:
        """Write one piece if the last one is acknowledged; a piece always fits into an empty socket's buffer."""
        while not self._lines and self._outgoing:
            self._lines.extend(self._outgoing.popleft().splitlines(keepends=True))
        if self._acknowledged and self._lines:
            self._acknowledged = False
            self._stream.sendall(self._lines.popleft())

    def _hear(self) -> bool:
        data = os.read(self._console, _READ_SIZE)
        self._tail.append(data)
        while len(self._tail) > 1 and sum(map(len, self._tail)) - len(self._tail[0]) > CONSOLE_TAIL:
            self._tail.popleft()
        return bool(data)

    def _drain_console(self) -> None:
        """Read what a dying machine still prints; it ends within moments, or is silent."""
        selector = selectors.DefaultSelector()
        selector.register(self._console, selectors.EVENT_READ)
        until = time.monotonic() + 0.3
        while time.monotonic() < until and selector.select(0.1):
            if not self._hear():
                return


def _result(op: str, message: Message) -> Message:
    if "ok" in message:
        answer: Message = message["ok"]
        return answer
    error: Message = message["error"]
    kind = error.pop("kind")
    if kind == "refused":
        raise Refused(**error)
    if kind == "bad":
        raise BadQuestion(**error)
    if kind == "differs":
        raise NotAsDeclared(error["text"])
    raise LabError(f"{op}: {error.get('text', kind)}")
