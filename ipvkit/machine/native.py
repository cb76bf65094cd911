"""Machine ``native``: namespaces of this kernel. Ready in some tenths of a second, and it can what the kernel can."""

from __future__ import annotations

from ipvkit.machine import interpreter
from ipvkit.machine.process import Machine, start

START_DEADLINE = 20.0
"""Seconds to wait for the agent; it takes about 0.2 on an idle machine."""


def open_native(way: str = "") -> Machine:
    """Start a native machine; ``way`` forces one of :data:`ipvkit.machine.isolation.WAYS`. Raises ``MachineError``."""
    return start("native", interpreter.choose(), START_DEADLINE, way)
