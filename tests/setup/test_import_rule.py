"""Theory and lab may not see each other: a prediction that could look at a measurement would prove nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Which other parts of ipvkit each part may import. A part is a module or a package directly below ipvkit/.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "html": frozenset(),
    "refusals": frozenset(),
    "choice": frozenset(),
    "steps": frozenset(),
    "topology": frozenset({"errors"}),
    "plan": frozenset({"steps", "topology"}),
    "findings": frozenset({"html"}),
    "theory": frozenset({"html", "topology"}),
    "comparison": frozenset({"errors", "html"}),
    "refused": frozenset({"errors", "refusals", "steps"}),
    "agent": frozenset({"errors", "machine"}),  # its __main__ also starts the machine's supervisor
    "machine": frozenset({"agent", "errors"}),
    "instruments": frozenset({"errors", "findings", "html", "lab", "machine", "topology"}),
    "lab": frozenset({"agent", "errors", "findings", "instruments", "machine", "plan", "refused", "steps", "topology"}),
    "systems": frozenset(
        {"agent", "errors", "findings", "instruments", "lab", "machine", "refusals", "topology"}
    ),
    "drawing": frozenset({"errors", "html", "plan", "topology"}),
    "course": frozenset({"errors", "theory", "topology"}),
    "widgets": frozenset(
        {"choice", "drawing", "errors", "findings", "html", "instruments", "lab", "plan", "theory", "topology"}
    ),
    "cli": frozenset(
        {"choice", "comparison", "drawing", "errors", "findings", "lab", "machine", "plan", "steps", "systems"}
        | {"theory", "topology"}
    ),
    "__init__": frozenset({"choice", "comparison", "course", "drawing", "lab", "theory", "topology", "widgets"}),
    "__main__": frozenset({"cli"}),
}
# What the halves may never reach, by any chain of imports.
NEVER_REACH = {
    "theory": frozenset({"lab", "machine", "agent", "systems"}),
    "lab": frozenset({"theory", "comparison"}),
    "machine": frozenset({"theory", "comparison"}),
    "agent": frozenset({"theory", "comparison"}),
    "systems": frozenset({"theory", "comparison"}),
}


def part_of(module: str) -> str:
    """``ipvkit.machine.uml`` -> ``machine``; the package's own ``__init__`` -> ``__init__``."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def imported_modules(path: Path) -> set[str]:
    """The modules of ipvkit that the file imports, anywhere in it, relative imports and late ones included."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join(base + ([node.module] if node.module else []))
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "ipvkit" else {module}
    return {name for name in found if name.split(".")[0] == "ipvkit"}


def import_graph() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for path in sorted((ROOT / "ipvkit").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        part = part_of(module)
        graph.setdefault(part, set()).update(part_of(name) for name in imported_modules(path))
        graph[part].discard(part)
    return graph


def reach(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def test_the_graph_sees_what_is_there() -> None:
    assert "errors" in import_graph()["topology"]


def test_every_part_has_its_row() -> None:
    assert set(import_graph()) == set(MAY_IMPORT)


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_its_row_says(part: str) -> None:
    assert import_graph()[part] <= MAY_IMPORT[part]


@pytest.mark.parametrize("part", sorted(NEVER_REACH))
def test_the_two_halves_never_meet_by_any_chain(part: str) -> None:
    assert not reach(import_graph(), part) & NEVER_REACH[part]
