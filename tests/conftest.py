"""Labs that tests share: one machine each, rebuilt for every topology, because starting one is the slow part."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from ipvkit.lab import Lab
from ipvkit.topology import Topology

BuildLab = Callable[[Topology], Lab]
PATIENCE_WITH_OTHERS = 60.0
"""Seconds a test waits for its turn: half of what a test may take. Then it runs beside the other, as without turns."""


@pytest.fixture
def by_turns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run while none of the run's other processes is in a test with this fixture.

    For the test that keeps every processor busy, and for those that hold the kit to seconds.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    until = time.monotonic() + PATIENCE_WITH_OTHERS
    with (tmp_path_factory.getbasetemp().parent / "by-turns").open("w") as lock:  # closing it gives the turn away
        while time.monotonic() < until:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.1)
        yield


@pytest.fixture(scope="session")
def build_lab() -> Iterator[BuildLab]:
    """Build a topology in a machine of this test run that covers it; refusals are recorded, not raised.

    The lab is good until the next call: one is kept for topologies with ipvlan, one for those without.
    """
    labs: dict[bool, Lab] = {}

    def build(topology: Topology) -> Lab:
        ipvlan = "ipvlan" in topology.needs
        lab = labs.get(ipvlan)
        if lab is None or not lab.alive:
            lab = labs[ipvlan] = Lab(topology, on_refusal="record")
        else:
            lab.rebuild(topology)
        return lab

    yield build
    for lab in labs.values():
        lab.close()
