"""What was found in a kernel, as records with an aligned text, an HTML table and, where pandas is there, a data frame.

Law: a finding is measured, never predicted, and says of which state of the caches. Words instead of milliseconds: the
text of a finding is the same whenever the kernel does the same. Imports of ours only how tables look.
"""

from ipvkit.findings.answers import Answer, CommandResult, Difference, ReachabilityTable
from ipvkit.findings.state import (
    AddressState,
    FdbEntry,
    LinkState,
    Neighbour,
    RouteState,
    State,
    StateChanges,
    read_state,
)
from ipvkit.findings.table import Table

__all__ = [
    "AddressState",
    "Answer",
    "CommandResult",
    "Difference",
    "FdbEntry",
    "LinkState",
    "Neighbour",
    "ReachabilityTable",
    "RouteState",
    "State",
    "StateChanges",
    "Table",
    "read_state",
]
