"""Theory and kernel agree on topologies nobody thought of; the same ones each time, so that a run says the same twice.

More of them: ``bench/differential.py --count N --seed S``; what they showed so far: docs/differential.md.
"""

from __future__ import annotations

import pytest

from ipvkit.topology import Topology, ipvlan
from tests.theory.differential import Differential, say, simpler
from tests.theory.random_topologies import Draw, topologies

SEED, COUNT = 4, 200
SECONDS = 450.0  # about two minutes on a quiet computer; a busy one may take longer, and must do as many


def test_every_value_of_every_dimension_occurs() -> None:
    pick = Draw(SEED)
    for _ in topologies(pick, 3000):
        pass
    assert not pick.too_rare(least_draws=1), pick.table()


def test_a_seed_gives_the_same_topologies() -> None:
    assert list(topologies(Draw(SEED), 20)) == list(topologies(Draw(SEED), 20))
    assert list(topologies(Draw(SEED), 20)) != list(topologies(Draw(SEED + 1), 20))


def test_what_is_simpler_is_smaller_and_ends() -> None:
    topology = Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24", hairpin=True)
    candidates = list(simpler(topology))
    assert topology not in candidates
    assert any(len(candidate.endpoints) == 1 for candidate in candidates)
    steps = 0
    while candidates := list(simpler(topology)):
        topology, steps = candidates[0], steps + 1
        assert steps < 50
    assert not topology.endpoints


@pytest.mark.kernel
@pytest.mark.once
@pytest.mark.timeout(600)
def test_theory_and_kernel_agree() -> None:
    pick, differential = Draw(SEED), Differential()
    try:
        differential.run(topologies(pick, COUNT), SECONDS)
    finally:
        differential.close()
    say(f"{differential}\n{pick.table()}")
    assert not differential.disagreements, "\n\n".join(map(str, differential.disagreements))
    assert not pick.too_rare(least_draws=500), pick.table()
    assert differential.topologies == COUNT, f"only {differential.topologies} in {SECONDS:.0f} s"
