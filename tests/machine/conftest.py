"""One machine of each kind for all tests of a module that only ask it things; a kernel test says so by its fixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ipvkit.machine import Machine
from ipvkit.machine.doctor import OPENERS
from tests.machine import here


@pytest.fixture(scope="module", params=here.MACHINES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A running machine of each kind, shared by the module."""
    opened = OPENERS[request.param]()
    yield opened
    opened.close()
