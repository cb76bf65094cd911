"""Machine ``uml``: a Linux kernel of its own, Debian's User-Mode Linux, as an ordinary process (x86-64)."""

from __future__ import annotations

import os

from ipvkit.machine import interpreter, uml_package
from ipvkit.machine.process import Machine, start

START_DEADLINE = 240.0
"""Seconds to wait for the agent; it takes one or two on two slow cores, and over a minute in an emulated computer.

A kernel that ends is noticed at once; this is only for one that hangs.
"""

MEMORY = 384
"""MB the kernel believes to have, enough for 1 000 endpoints; what it touches is taken: 80 MB, and 0.3 an endpoint."""


def memory_for(endpoints: int) -> int:
    """Give the MB a kernel needs for ``endpoints``: about 0.25 each, measured; :data:`MEMORY` at least."""
    return max(MEMORY, 60 + endpoints // 4)


def open_uml(way: str = "", memory: int = MEMORY) -> Machine:
    """Start a UML machine; ``way`` as in :func:`ipvkit.machine.native.open_native`, ``memory`` in MB.

    Raises ``MachineError``, also when the kernel has not been fetched (:mod:`ipvkit.machine.fetch`).
    """
    kernel, modules = uml_package.open_files()
    try:
        return start("uml", interpreter.choose(), START_DEADLINE, way, kernel=kernel, modules=modules, memory=memory)
    finally:
        os.close(kernel)
        os.close(modules)
