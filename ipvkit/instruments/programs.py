"""``lab.start``: a program that goes on running in a lab, from its readiness to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipvkit.errors import BadQuestion, DeadlineExceeded, IpvkitError, LabError
from ipvkit.instruments import asking
from ipvkit.machine.wire import patience

if TYPE_CHECKING:
    from ipvkit.lab import Lab

DEADLINE = 15.0
"""Seconds a program has to become ready, by default."""

_ASK, _STOP, _INTERVAL, _TAIL_LINES = 10.0, 15.0, 0.1, 15
#: Which Debian package a program comes with, where it is not called like it.
_PACKAGES = {"dnsmasq": "dnsmasq-base", "birdc": "bird2", "bird": "bird2", "vtysh": "frr", "ping": "iputils-ping",
             "arping": "iputils-arping", "nc": "netcat-openbsd", "iptables-legacy": "iptables", "dhcpcd": "dhcpcd-base",
             "nft": "nftables"}
#: Packages that would start a service on this computer, and its unit: masked first, it does not start.
_SERVICES = {"bird2": "bird", "frr": "frr"}

Ready = str | tuple[str, int] | Callable[[], bool] | None


class Program:
    """A program running in the namespace of ``place``. As a context manager it is ended at the end of the block."""

    def __init__(self, lab: Lab, place: str, command: Sequence[str], number: int) -> None:
        self.place, self.command = place, tuple(command)
        self._lab, self._machine, self._number = lab, lab.machine, number

    def _ask(self, op: str, patience: float = _ASK, **params: Any) -> dict[str, Any]:
        return self._machine.wire.request(op, deadline=patience, number=self._number, **params)

    @property
    def log(self) -> str:
        """What it printed, both streams in order; of a long one the end."""
        return str(self._ask("look")["log"])

    @property
    def running(self) -> bool:
        """True while it, or a process it started, is there; a lab that is built anew has ended it."""
        with suppress(BadQuestion):
            return self._machine.alive() and bool(self._ask("look")["running"])
        return False

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        found: int | None = self._ask("look")["status"]
        return found

    def stop(self) -> None:
        """End it and every process it started: SIGTERM, and a second later SIGKILL. Doing it again does no harm."""
        if self.running:
            self._ask("stop", _STOP)

    def wait_until(self, ready: Ready, deadline: float) -> None:
        """Wait until it is ready; otherwise end it, and raise ``LabError`` or ``DeadlineExceeded`` with its log.

        ``deadline`` in seconds, times :func:`ipvkit.machine.wire.patience`.
        """
        deadline *= patience()
        until = time.monotonic() + deadline
        condition = {} if ready is None or callable(ready) else _condition(ready)
        netns = asking.netns(self._lab.topology, self.place, "place")
        seen = self._ask("wait", deadline + _ASK, netns=netns, ready=condition, seconds=deadline)
        while callable(ready) and seen["state"] == "ready" and not ready():
            seen = self._ask("wait", deadline + _ASK, netns=netns, ready={}, seconds=0)
            if time.monotonic() > until:
                seen["state"] = "late"
            time.sleep(_INTERVAL)
        if seen["state"] != "ready":
            self._fail(seen, deadline)

    def _fail(self, seen: dict[str, Any], deadline: float) -> None:
        self.stop()
        name = self.command[0]
        log = "\n".join(seen["log"].splitlines()[-_TAIL_LINES:]) or "(nothing)"
        if seen["state"] == "late":
            raise DeadlineExceeded(f"{name} in {self.place}: not ready in {deadline:g} s; it was ended\nlog:\n{log}")
        raise LabError(f"{name} in {self.place}: ended with exit status {seen['status']}\nlog:\n{log}")

    def __enter__(self) -> Program:
        """Return the program."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def __repr__(self) -> str:
        """Return what runs where, and whether it still does."""
        state = "running" if self.running else "ended"
        return f"Program: {' '.join(self.command)} in {self.place}, {state}"


def start(lab: Lab, place: str, command: Sequence[str], *, ready: Ready = None, deadline: float = DEADLINE) -> Program:
    """Start a program in the namespace of ``place`` and return once it is ready.

    ``ready`` is a text its log will contain, ``("udp", 67)`` or ``("tcp", 179)`` for a port it will wait on, a function
    that says so, or None: as soon as it runs. ``deadline`` in seconds. A program that ends with an error or is not
    ready in time is ended, with all it started, and ``LabError`` or ``DeadlineExceeded`` shows the end of its log.
    Raises ``BadQuestion``.
    """
    if isinstance(command, str) or not command or not all(isinstance(word, str) for word in command):
        raise BadQuestion("command", f"{command!r} is not a list of words", 'Write ["dnsmasq", "--no-daemon"].')
    if ready is not None and not callable(ready):
        _condition(ready)
    netns = asking.netns(lab.topology, place, "place")
    said = lab.machine.wire.request("start", deadline=_ASK, netns=netns, command=list(command))
    if said["failed"]:
        raise LabError(f"{command[0]}: {said['failed']}. If it is not installed: {how_to_get(command[0])}")
    program = Program(lab, place, command, said["number"])
    try:
        program.wait_until(ready, deadline)
    except BaseException:
        with suppress(IpvkitError):
            program.stop()
        raise
    return program


def how_to_get(program: str) -> str:
    """Return the line that installs ``program`` on Debian and starts no service here."""
    package = _PACKAGES.get(program, program)
    keep_from_starting = f"systemctl mask {_SERVICES[package]} && " if package in _SERVICES else ""
    return f"{keep_from_starting}apt-get install {package}"


def _condition(ready: object) -> dict[str, Any]:
    if isinstance(ready, str):
        return {"text": ready}
    if isinstance(ready, tuple) and len(ready) == 2 and ready[0] in ("udp", "tcp") and isinstance(ready[1], int):
        return {ready[0]: ready[1]}
    raise BadQuestion("ready", f"{ready!r} is no condition", 'Write a text, ("udp", 67), ("tcp", 179) or a function.')
