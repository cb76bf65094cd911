"""The one check of whoever is asked about a topology: that it is one.

Who has a lab at hand passes it where its topology belongs; one line says so, before anything else is done.
"""

from __future__ import annotations

from typing import Any

from ipvkit.errors import BadQuestion
from ipvkit.topology import checks
from ipvkit.topology.whole import Topology


def want_topology(value: Any) -> None:
    """Raise ``BadQuestion`` unless ``value`` is a topology; of a lab it says where its topology is."""
    if isinstance(value, Topology):
        return
    if isinstance(getattr(value, "topology", None), Topology):
        kind = type(value).__name__
        raise BadQuestion("topology", f"a {kind} is no topology", f"Write {kind.lower()}.topology.")
    raise BadQuestion("topology", f"{checks.shown(value)} is not a topology", "Write Topology.of(…).")
