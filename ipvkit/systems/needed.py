"""Programs a system needs: are they there, and if not, how does one get them?

Law: a lab sees this computer's own programs, read-only. Nothing is installed from here.
"""

from __future__ import annotations

from shutil import which

from ipvkit.agent.jobs import ENVIRONMENT
from ipvkit.errors import LabError
from ipvkit.instruments.programs import how_to_get


def missing(*programs: str) -> str:
    """Return one line for what is not there, with how to get it; "" when all is."""
    absent = [program for program in programs if not which(program, path=ENVIRONMENT["PATH"])]
    return "; ".join(f"{program} is not installed: {how_to_get(program)}" for program in absent)


def need(*programs: str) -> None:
    """Raise ``LabError`` with that line unless all programs are there."""
    problem = missing(*programs)
    if problem:
        raise LabError(problem)
