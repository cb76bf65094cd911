"""What theory says of a lab of a real system, beside what its kernel did."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace

from ipvkit.comparison import NOT_MODELLED, Comparison, compare
from ipvkit.lab import Lab
from ipvkit.theory import predict
from ipvkit.topology import Topology


def compared(lab: Lab, topology: Topology | None = None) -> Comparison:
    """Every pair of the lab; ``topology`` is what a daemon has made of the lab's own, where it changed something."""
    return compare(predict(topology or lab.topology), lab.ping_matrix())


def compared_behind_a_rule(lab: Lab, behind: Collection[str]) -> Comparison:
    """The same where a rule that is not in the topology watches the port of ``behind``: pairs that cross it are left
    to the kernel. Fails unless they, and only they, are "not modelled"."""
    said = {pair: verdict for pair, verdict in predict(lab.topology).pairs.items()
            if (pair[0] in behind) == (pair[1] in behind)}
    comparison = compare(SimpleNamespace(pairs=said), lab.ping_matrix())
    unknown = {(row.source, row.destination) for row in comparison.of(NOT_MODELLED)}
    assert unknown == {(row.source, row.destination) for row in comparison.rows} - said.keys()
    return comparison
