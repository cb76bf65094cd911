"""A command, and every frame that passes anywhere in the lab until it has ended: operation ``watch``.

Law: the capture stands before the command starts and goes on until the wire is quiet behind it; what is seen is not
filtered here.
"""

from __future__ import annotations

import os
import time
from typing import Any, NoReturn

from ipvkit.agent import caches, namespaces
from ipvkit.agent.capture import LONGEST, SETTLE, Capture
from ipvkit.agent.jobs import ENVIRONMENT, NOT_FOUND, READ_SIZE, Forked, Job
from ipvkit.agent.serve import Request

_INTERVAL = 0.02  # s: a ring holds what comes in the meantime


def _become(command: list[str], netns: str, output: int) -> NoReturn:
    try:
        for standard in (1, 2):
            os.dup2(output, standard)
        namespaces.enter(netns)
        os.execvpe(command[0], command, ENVIRONMENT)
    except OSError as error:
        os.write(output, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(NOT_FOUND)


def _watch(request: Request) -> dict[str, Any]:
    wanted = request.params
    capture = Capture(wanted["netnses"])
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _become(wanted["command"], wanted["netns"], writing)
    os.close(writing)
    os.set_blocking(reading, False)
    output, status = b"", None
    while status is None:
        capture.take(_INTERVAL)
        ended, code = os.waitpid(child, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if ended else None
        output += _read(reading)
    until = time.monotonic() + LONGEST
    while capture.take(SETTLE) and time.monotonic() < until:
        pass
    capture.leave()
    return {"output": output.decode(errors="replace"), "status": status, "frames": capture.frames,
            "dropped": capture.dropped()}


def _read(descriptor: int) -> bytes:
    read = b""
    try:
        while piece := os.read(descriptor, READ_SIZE):
            read += piece
    except BlockingIOError:
        pass
    return read


def watch(request: Request) -> Job:
    """Operation ``watch``: run ``command`` (a list) in ``netns`` to its end, and see every frame in ``netnses``.

    Answers ``output``, exit ``status`` (negative for a signal), and ``frames`` and ``dropped`` as ``trace`` does.
    """
    namespaces.check(request.params["netns"])
    caches.prepare()
    return Forked(request, _watch)
