"""Which Python runs the agent: one that is still readable after root has become ``nobody``.

Law: found by starting it. Root's own Python often lies below ``/root``, where nobody else may look; then the
distribution's is taken. An ordinary user's lab keeps the user's own Python.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ipvkit.machine.isolation import NOBODY

_QUESTION = (
    "import sys, importlib.util, ctypes, json, selectors;"
    "print(importlib.util.MAGIC_NUMBER.hex(), sys.version_info >= (3, 11))"
)
_TIMEOUT = 20  # s; it takes hundredths


@dataclass(frozen=True)
class Interpreter:
    """``path`` of the executable, ``bytecode`` its version of compiled files; ``drop``: readable by nobody, and
    root should become that."""

    path: str
    bytecode: str
    drop: bool


@functools.cache
def choose() -> Interpreter:
    """Find the interpreter; as root without one that others may read it is our own, and root stays root."""
    own = os.path.realpath(sys.executable)
    if os.geteuid() != 0:
        return Interpreter(own, _bytecode(own, drop=False) or "", drop=False)
    for path in _candidates(own):
        bytecode = _bytecode(path, drop=True)
        if bytecode:
            return Interpreter(path, bytecode, drop=True)
    return Interpreter(own, _bytecode(own, drop=False) or "", drop=False)


def _candidates(own: str) -> Iterator[str]:
    yield own
    for directory in ("/usr/bin", "/usr/local/bin"):
        for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
            path = os.path.realpath(os.path.join(directory, name))
            if os.path.exists(path):
                yield path


def _bytecode(path: str, *, drop: bool) -> str | None:
    """Start ``path`` as ``nobody`` or as ourselves; None when it does not start there or is too old."""
    identity = NOBODY if drop else None
    groups: list[int] | None = [] if drop else None
    command = [path, "-I", "-S", "-B", "-c", _QUESTION]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd="/",
            timeout=_TIMEOUT,
            check=False,
            user=identity,
            group=identity,
            extra_groups=groups,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    bytecode, _, recent = done.stdout.strip().partition(" ")
    return bytecode if recent == "True" else None
