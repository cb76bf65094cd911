"""Which programs of the distribution a test of a real system needs: without them it is skipped, except in CI."""

from __future__ import annotations

import os

import pytest

from ipvkit.systems.extras import EXTRAS
from ipvkit.systems.needed import missing


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip with the line that gets what is missing; in CI, where it was installed, run and fail instead."""
    problem = missing(*programs)
    return pytest.mark.skipif(bool(problem) and not os.environ.get("CI"), reason=problem or "all there")


def needs_extra(name: str) -> pytest.MarkDecorator:
    """Skip where an extra (Docker, the CNI plugins) is not there, with the line that gets it; in CI run and fail."""
    problem = EXTRAS[name].missing()
    return pytest.mark.skipif(bool(problem) and not os.environ.get("CI"),
                              reason=f"{', '.join(problem)} not here: ./lab extras {name}" if problem else "all there")
