"""Labs that tests share: one machine each, rebuilt for every topology, because starting one is the slow part."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ipvkit.lab import Lab
from ipvkit.topology import Topology

BuildLab = Callable[[Topology], Lab]


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
