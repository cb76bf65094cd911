"""Programs that go on running in a lab: started, watched until they are ready, and ended for certain.

Law: each program has a keeper, a process of ours that adopts whatever the program leaves behind (child subreaper,
prctl(2)); so a daemon that detaches itself is still found, and ended. Log and exit status are files of the lab.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from pathlib import Path
from typing import Any, NoReturn

from ipvkit.agent import namespaces, syscalls
from ipvkit.agent.jobs import ENVIRONMENT, NOT_FOUND, Forked, Job
from ipvkit.agent.serve import Request
from ipvkit.errors import BadQuestion

DIRECTORY = Path("/run/ipvkit-programs")
PATIENCE = 1.0
"""Seconds a program has to end by itself after SIGTERM, before SIGKILL."""

LOG_LIMIT = 200_000
"""Bytes of a log that one answer carries, its end."""

_INTERVAL, _LONG = 0.02, 3600.0  # s
_TCP_LISTEN = "0A"
_KEEPERS: dict[int, int] = {}
_numbers = itertools.count(1)


def start(request: Request) -> dict[str, Any]:
    """Operation ``start``: run ``command`` (a list) in ``netns``.

    Answers its ``number``, and ``failed``: "" once it runs, else why it cannot. Raises ``BadQuestion``.
    """
    command, netns = request.params["command"], request.params["netns"]
    namespaces.check(netns)
    number = next(_numbers)
    place = DIRECTORY / str(number)
    place.mkdir(parents=True)
    (place / "log").touch()
    reading, writing = os.pipe2(os.O_CLOEXEC)  # a successful exec closes it
    keeper = os.fork()
    if keeper == 0:
        try:
            _keep(place, command, netns, writing)
        finally:
            os._exit(1)
    os.close(writing)
    _KEEPERS[number] = keeper
    with open(reading) as told:
        return {"number": number, "failed": told.read()}


def forget_all() -> None:
    """Know no program any more: they ended with the lab that is taken down."""
    _KEEPERS.clear()


def _keep(place: Path, command: list[str], netns: str, tell: int) -> NoReturn:
    """Be the keeper: start the program, write down how it ended, end with the last of its descendants.

    Why it cannot be started is written to ``tell``.
    """
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    syscalls.adopt_orphans()
    log = os.open(place / "log", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    for descriptor, standard in ((os.open("/dev/null", os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(descriptor, standard)
    program = os.fork()
    if program == 0:
        _become(command, netns, tell)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    asked_to_end = 0.0
    while True:
        received = signal.sigtimedwait({signal.SIGCHLD, signal.SIGTERM}, _INTERVAL if asked_to_end else _LONG)
        if received and received.si_signo == signal.SIGTERM:
            asked_to_end = asked_to_end or time.monotonic()
        if asked_to_end:
            _signal_descendants(asked_to_end)
        if not _bury(program, place):
            os._exit(0)


def _become(command: list[str], netns: str, tell: int) -> NoReturn:
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        namespaces.enter(netns)
        os.execvpe(command[0], command, ENVIRONMENT)
    except OSError as error:
        os.write(tell, str(error.strerror).encode())
    finally:
        os._exit(NOT_FOUND)


def _bury(program: int, place: Path) -> bool:
    """Collect the children that ended, note how ``program`` did; False when none is left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
            if pid == program:
                (place / "status.new").write_text(str(os.waitstatus_to_exitcode(status)))
                (place / "status.new").rename(place / "status")
    return False


def _signal_descendants(since: float) -> None:
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            # the name, in parentheses, may contain anything: what follows the last one counts
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    number = signal.SIGKILL if time.monotonic() > since + PATIENCE else signal.SIGTERM
    for pid in parents:
        above = parents[pid]
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _known(request: Request) -> tuple[int, Path]:
    number = request.params["number"]
    if number not in _KEEPERS:
        raise BadQuestion("number", f"the lab has no program {number}", "start it again: the lab was rebuilt")
    return _KEEPERS[number], DIRECTORY / str(number)


def _look(keeper: int, place: Path) -> dict[str, Any]:
    status = place / "status"
    with open(place / "log", "rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - LOG_LIMIT))
        text = log.read().decode(errors="replace")
    return {"running": _alive(keeper), "status": int(status.read_text()) if status.exists() else None, "log": text}


def _alive(keeper: int) -> bool:
    """Tell whether the keeper is there; it ends with the last of its program's processes."""
    try:
        os.kill(keeper, 0)
    except ProcessLookupError:
        return False
    return True


def look(request: Request) -> dict[str, Any]:
    """Operation ``look``: ``running``, exit ``status`` (None before, negative for a signal) and the end of ``log``."""
    return _look(*_known(request))


def _wait(request: Request) -> dict[str, Any]:
    keeper, place = _known(request)
    wanted = request.params
    namespaces.enter(wanted["netns"])
    until = time.monotonic() + wanted["seconds"]
    while True:
        seen = _look(keeper, place)
        failed = seen["status"] not in (None, 0) or not seen["running"]
        if failed or _ready(wanted["ready"], seen["log"]):
            return {"state": "ended" if failed else "ready", **seen}
        if time.monotonic() > until:
            return {"state": "late", **seen}
        time.sleep(_INTERVAL)


def _ready(condition: dict[str, Any], log: str) -> bool:
    if "text" in condition:
        return condition["text"] in log
    for protocol in ("tcp", "udp"):
        if protocol in condition:
            return _open(protocol, condition[protocol])
    return True


def _open(protocol: str, port: int) -> bool:
    """Tell whether a socket of this namespace waits on ``port``: /proc/net/tcp and its kin, proc(5)."""
    for version in ("", "6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(f"/proc/self/net/{protocol}{version}").read_text().splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if int(local.rpartition(":")[2], 16) == port and (protocol == "udp" or state == _TCP_LISTEN):
                    return True
    return False


def wait(request: Request) -> Job:
    """Operation ``wait``: until the program is ``ready``, has ended, or ``seconds`` are over.

    ``ready`` has one of ``text`` (in its log), ``udp``, ``tcp`` (a port of ``netns`` it waits on), or nothing. Answers
    ``state`` (``ready``, ``ended``, ``late``) and what ``look`` answers.
    """
    _known(request)
    return Forked(request, _wait)


def _stop(request: Request) -> dict[str, Any]:
    keeper, place = _known(request)
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGTERM)
    while _alive(keeper):
        time.sleep(_INTERVAL)
    return _look(keeper, place)


def stop(request: Request) -> Job:
    """Operation ``stop``: end the program and all it started; answers like ``look``, when they are gone."""
    _known(request)
    return Forked(request, _stop)
