"""A topology as YAML, loss-free both ways: one table says how each field is written.

The long form has the parts and fields of :mod:`ipvkit.topology.parts` under their own names; parts that have a name
stand under it. Drivers and routes are written as ``ip`` writes them, changes as ``- LinkDown: {place: net1}``.
The short form has ``driver``, ``endpoints`` and perhaps ``routes`` and ``hairpin``, and means ``Topology.of``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from itertools import count
from pathlib import Path
from typing import Any

from ipvkit.errors import TopologyError
from ipvkit.topology import checks
from ipvkit.topology.changes import CHANGES, AddEndpoint, AddRoute, Change, RemoveRoute, SetMode
from ipvkit.topology.drivers import Driver
from ipvkit.topology.parts import Cable, Endpoint, Host, Interface, Port, Route, Switch, Vlan
from ipvkit.topology.whole import Topology, child_name, numbered_mac
from ipvkit.topology.world import WAYS_OUT, default_world

EXAMPLE = "driver: ipvlan l3, and endpoints: {net1: 10.0.1.10/24}"


@dataclass(frozen=True)
class Form:
    """How one field is read (path and plain value to value) and written (value to plain value)."""

    read: Callable[[str, Any], Any]
    write: Callable[[Any], Any]


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _texts(path: str, plain: Any) -> list[Any]:
    """A list; what it has one of may stand alone."""
    return [plain] if isinstance(plain, str) else _list(path, plain)


def _list(path: str, plain: Any) -> list[Any]:
    if not isinstance(plain, list):
        raise TopologyError(path, f"{checks.shown(plain)} is not a list", "Write [one, another].")
    return plain


def _mapping(path: str, plain: Any, example: str = "name: …") -> dict[str, Any]:
    if not isinstance(plain, dict):
        problem = "has nothing in it" if plain is None else f"{checks.shown(plain)} is not a mapping"
        raise TopologyError(path, problem, f"Write {example} there.")
    return plain


def _relocated(path: str, make: Callable[[], Any]) -> Any:
    """Call ``make``; a refusal names the place in the file instead of the part's class and name."""
    try:
        return make()
    except TopologyError as error:
        _, _, inner = error.field.rpartition(".")
        raise TopologyError(_at(path, inner) if "." in error.field else path, error.problem, error.fix) from None


def _parsed(parse: Callable[[str], Any]) -> Form:
    return Form(lambda path, plain: _relocated(path, lambda: parse(plain)), str)


def _each(one: Form) -> Form:
    """A list whose members have the form ``one``; a single text may stand alone."""
    return Form(lambda path, plain: tuple(one.read(f"{path}[{index}]", member)
                                          for index, member in enumerate(_texts(path, plain))),
                lambda parts: [one.write(part) for part in parts])


def _part(kind: type) -> Form:
    return Form(lambda path, plain: read_part(kind, path, _mapping(path, plain)), write_part)


def _named(kind: type) -> Form:
    """Parts that have a name stand under it."""
    def read_all(path: str, plain: Any) -> tuple[Any, ...]:
        given = {name: {} if one is None else _mapping(_at(path, name), one)
                 for name, one in _mapping(path, plain).items()}
        return tuple(read_part(kind, _at(path, name), one, name=name) for name, one in given.items())

    return Form(read_all, lambda parts: {part.name: write_part(part, without="name") for part in parts})


def _read_cable(path: str, plain: Any) -> Cable:
    ends = _list(path, plain)
    if len(ends) != 2:
        raise TopologyError(path, f"{checks.shown(plain)} has not two ends", "Write [router.eth1, far.eth0].")
    cable: Cable = _relocated(path, lambda: Cable(*ends))
    return cable


def _read_change(path: str, plain: Any) -> Change:
    given = _mapping(path, plain, "LinkDown: {place: net1}")
    name = next(iter(given), "")
    if len(given) != 1 or name not in CHANGES:
        raise TopologyError(path, f"{checks.shown(plain)} is not a change",
                            f"Write one of these, with its fields in braces: {', '.join(CHANGES)}.")
    change: Change = read_part(CHANGES[name], path, _mapping(path, given[name], "{place: net1}"))
    return change


def _write_change(change: Change) -> dict[str, Any]:
    plain = write_part(change)
    if isinstance(change, AddEndpoint):
        plain["endpoint"].pop("host", None)  # the change's place says it
        _drop(plain["endpoint"], netns=change.endpoint.name)
    return {type(change).__name__: plain}


def read_part(kind: type, path: str, plain: dict[str, Any], **given: Any) -> Any:
    """Return a part from its plain fields; TopologyError for a field that is unknown, missing or wrong."""
    known = {field.name: field for field in fields(kind) if field.name not in given}
    for name in plain:
        if name not in known:
            raise TopologyError(_at(path, name), "there is no such field", f"Choose one of: {', '.join(known)}.")
    for name, field in known.items():
        if field.default is MISSING and name not in plain:
            raise TopologyError(_at(path, name), "is missing", f"Write {name}: … there.")
    values = {name: FORMS.get((kind, name), AS_IS).read(_at(path, name), value) for name, value in plain.items()}
    return _relocated(path, lambda: kind(**given, **values)) if path else kind(**given, **values)


def write_part(part: Any, without: str = "") -> dict[str, Any]:
    """Return the plain fields of a part; those that have their default are left out."""
    kind = type(part)
    return {field.name: FORMS.get((kind, field.name), AS_IS).write(value) for field in fields(part)
            if field.name != without and (value := getattr(part, field.name)) != field.default}


DRIVER, ROUTE = _parsed(Driver.parse), _parsed(Route.parse)
#: Texts, numbers and truths as they are: every field that is not in FORMS.
AS_IS = Form(lambda path, plain: plain, lambda value: list(value) if isinstance(value, tuple) else value)
FORMS: dict[tuple[type, str], Form] = {
    (Topology, "hosts"): _named(Host),
    (Topology, "switches"): _named(Switch),
    (Topology, "cables"): _each(Form(_read_cable, lambda cable: [cable.a, cable.b])),
    (Topology, "endpoints"): _named(Endpoint),
    (Topology, "changes"): _each(Form(_read_change, _write_change)),
    (Host, "interfaces"): _named(Interface),
    (Host, "vlans"): _named(Vlan),
    (Host, "routes"): _each(ROUTE),
    (Switch, "ports"): _each(_part(Port)),
    (Endpoint, "driver"): DRIVER,
    (Endpoint, "routes"): _each(ROUTE),
    (SetMode, "driver"): DRIVER,
    (AddRoute, "route"): ROUTE,
    (RemoveRoute, "route"): ROUTE,
    (AddEndpoint, "endpoint"): _part(Endpoint),
}


def read(source: str | Path) -> Topology:
    """Return the topology written in a YAML text or file: see ``Topology.from_yaml``."""
    is_file = isinstance(source, Path) or (isinstance(source, str) and "\n" not in source
                                           and source.endswith((".yaml", ".yml")))
    file = str(source) if is_file else "YAML"
    from ipvkit.topology import yaml_text  # late: without PyYAML everything else works

    plain = yaml_text.parse(yaml_text.read_file(Path(source)) if is_file else str(source), file)
    try:
        return from_plain(plain)
    except TopologyError as error:
        raise TopologyError(f"{file}: {error.field}" if error.field else file, error.problem, error.fix) from None


def from_plain(plain: Any) -> Topology:
    """Return the topology these plain values describe, in the short form or the long one."""
    if not isinstance(plain, dict) or not plain.keys() & {"driver", "hosts"}:
        raise TopologyError("", f"{checks.shown(plain)} is not a topology",
                            f"Begin with hosts: or, for the default world, with {EXAMPLE}.")
    if "driver" not in plain:
        topology: Topology = read_part(Topology, "", plain)
        return topology
    allowed = ("driver", "endpoints", "routes", "hairpin", "changes")
    for name in plain:
        if name not in allowed:
            raise TopologyError(name, "there is no such field in the short form",
                                f"Choose one of: {', '.join(allowed)}; or leave out driver and write hosts.")
    if "endpoints" not in plain:
        raise TopologyError("endpoints", "is missing", "Write endpoints: {net1: 10.0.1.10/24}.")
    given = {name: " ".join(map(str, one)) if isinstance(one, list) else one
             for name, one in _mapping("endpoints", plain["endpoints"], "net1: 10.0.1.10/24").items()}
    world = default_world(DRIVER.read("driver", plain["driver"]), routes=plain.get("routes", WAYS_OUT[0]),
                          hairpin=plain.get("hairpin", False), endpoints=given)
    return replace(world, changes=FORMS[Topology, "changes"].read("changes", plain.get("changes", [])))


def write(topology: Topology, *, full: bool = False) -> str:
    """Return the YAML of a topology: see ``Topology.to_yaml``."""
    from ipvkit.topology import yaml_text

    plain = None if full else _short(topology)
    if plain is None:
        plain = write_part(topology)
        _drop_assigned(topology, plain)
    return yaml_text.dump(plain)


def _short(topology: Topology) -> dict[str, Any] | None:
    """Return the short form if there is one that means the same."""
    declared = replace(topology, changes=())
    hairpin = any(port.hairpin for switch in topology.switches for port in switch.ports)
    given = {endpoint.name: " ".join(endpoint.addresses) for endpoint in topology.endpoints}
    for routes in WAYS_OUT if topology.endpoints else ():
        driver = topology.endpoints[0].driver
        if declared == default_world(driver, routes=routes, hairpin=hairpin, endpoints=given):
            plain = {"driver": str(driver), "routes": routes, "hairpin": hairpin, "endpoints": given,
                     "changes": FORMS[Topology, "changes"].write(topology.changes)}
            _drop(plain, routes=WAYS_OUT[0], hairpin=False, changes=[])
            return plain
    return None


def _drop_assigned(topology: Topology, plain: dict[str, Any]) -> None:
    """Leave out the names and MACs that the topology assigns by itself."""
    number = count(1)
    for host in plain["hosts"].values():
        for nic in host.get("interfaces", {}).values():
            _drop(nic, mac=numbered_mac(0, next(number)))
    for position, endpoint in enumerate(topology.endpoints, start=1):
        written = plain["endpoints"][endpoint.name]
        _drop(written, netns=endpoint.name, child=child_name(endpoint.driver, position))
        if endpoint.driver.own_mac:
            _drop(written, mac=numbered_mac(1, position))


def _drop(plain: dict[str, Any], **defaults: Any) -> None:
    for name, value in defaults.items():
        if plain.get(name) == value:
            del plain[name]
