"""What runs in a lab."""

from __future__ import annotations

from ipvkit.lab import Lab


def running(lab: Lab, program: str) -> bool:
    """Tell whether a process of this name is anywhere in the lab's machine."""
    found = lab.run("ext", "cat /proc/[0-9]*/comm", show=lambda _: None).output
    return program in found.split()
