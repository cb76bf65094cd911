"""The knobs of a widget as a model without a front end: a change of a trait is a change of the topology.

Whatever a kernel might refuse can be set: its refusal is a lesson. Only what is no topology cannot.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import traitlets

from ipvkit.errors import BadQuestion, TopologyError
from ipvkit.topology import FLAGS, MODES, Host, Switch, Topology, Vlan, ipvlan, macvlan

DRIVERS = tuple(f"{kind} {mode}" for kind, modes in MODES.items() for mode in modes)
MOST_ENDPOINTS, MOST_VLANS = 8, 4094
WAYS_OUT = ("device", "gateway", "none")


class Settings(traitlets.HasTraits):
    """What to build. ``driver`` is driver and mode in one (``ipvlan l2``); ``mode`` can be set by itself.

    ``subnets`` is ``same`` or ``other``; ``routes`` as in ``Topology.of``; ``flag`` counts for ipvlan only;
    ``vlan`` 0 means none. Raises ``TopologyError`` for what is not on the list; for a knob that is not there
    ``BadQuestion`` when it is made, ``AttributeError`` later.
    """

    driver = traitlets.Enum(DRIVERS, default_value="ipvlan l2")
    endpoints = traitlets.Int(2, min=1, max=MOST_ENDPOINTS)
    subnets = traitlets.Enum(("same", "other"), default_value="same")
    flag = traitlets.Enum(FLAGS["ipvlan"], default_value="bridge")
    routes = traitlets.Enum(WAYS_OUT, default_value="device")
    hairpin = traitlets.Bool(False)
    ipv6 = traitlets.Bool(False)
    vlan = traitlets.Int(0, min=0, max=MOST_VLANS)

    def __init__(self, mode: str = "", **settings: Any) -> None:
        unknown = sorted(settings.keys() - self.trait_names())
        if unknown:
            raise BadQuestion("settings", f"there is no {unknown[0]!r}", f"There are: {', '.join(self.trait_names())}.")
        super().__init__(**settings)
        if mode:
            self.mode = mode

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a knob; a name that is none would be taken in silence, and do nothing."""
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(f"there is no knob explorer.model.{name}; there are: {', '.join(KNOBS)}")
        try:
            super().__setattr__(name, value)
        except traitlets.TraitError:
            raise _refused(self.traits()[name], value) from None

    @property
    def kind(self) -> str:
        """``ipvlan`` or ``macvlan``."""
        return str(self.driver).split()[0]

    @property
    def mode(self) -> str:
        """The mode alone; each belongs to one driver. Raises ``TopologyError`` for one that no driver has."""
        return str(self.driver).split()[1]

    @mode.setter
    def mode(self, mode: str) -> None:
        known = [driver for driver in DRIVERS if driver.split()[1] == mode]
        if not known:
            modes = ", ".join(driver.split()[1] for driver in DRIVERS)
            raise TopologyError("mode", f"{mode!r} is not known", f"Choose one of: {modes}.")
        self.driver = known[0]

    @property
    def family(self) -> int:
        """6 with IPv6, else 4: what is asked."""
        return 6 if self.ipv6 else 4

    @property
    def names(self) -> tuple[str, ...]:
        """Whom one may ask."""
        return self.topology.names

    @property
    def topology(self) -> Topology:
        """The topology these settings mean."""
        driver = ipvlan(self.mode, self.flag) if self.kind == "ipvlan" else macvlan(self.mode)
        made = Topology.of(driver, routes=self.routes, hairpin=self.hairpin, **self._addresses())
        return _on_vlan(made, self.vlan) if self.vlan else made

    @property
    def code(self) -> str:
        """The same as plain code, to be pasted into a cell."""
        if self.vlan:  # more than the default world: the whole topology, as YAML
            return f'Topology.from_yaml("""\n{self.topology.to_yaml()}""")'
        flag = f', "{self.flag}"' if self.kind == "ipvlan" and self.flag != "bridge" else ""
        words = [f'{self.kind}("{self.mode}"{flag})']
        words += [f'routes="{self.routes}"'] if self.routes != "device" else []
        words += ["hairpin=True"] if self.hairpin else []
        words += [f'{name}="{address}"' for name, address in self._addresses().items()]
        return f"Topology.of({', '.join(words)})"

    def words(self) -> str:
        """Return the settings in one line, those at their default left out."""
        said = [self.driver + (f" {self.flag}" if self.kind == "ipvlan" and self.flag != "bridge" else "")]
        said += [f"{self.endpoints} endpoint{'' if self.endpoints == 1 else 's'}", f"{self.subnets} subnet"]
        said += [f"routes {self.routes}"] if self.routes != "device" else []
        said += [word for word, on in (("hairpin", self.hairpin), ("IPv6", self.ipv6)) if on]
        said += [f"VLAN {self.vlan}"] if self.vlan else []
        return ", ".join(said)

    def _addresses(self) -> dict[str, str]:
        found = {}
        for number in range(1, self.endpoints + 1):
            subnet = 1 if self.subnets == "same" else number
            six = f" fd00:{subnet}::{10 + number}/64" if self.ipv6 else ""
            found[f"net{number}"] = f"10.0.{subnet}.{10 + number}/24{six}"
        return found


KNOBS = ("mode", *Settings.class_trait_names())


def _refused(knob: traitlets.TraitType[Any, Any], value: object) -> TopologyError:
    """Return what is wrong with a value, and what may be there."""
    name = str(knob.name)
    if isinstance(knob, traitlets.Enum):
        return TopologyError(name, f"{value!r} is not known", f"Choose one of: {', '.join(knob.values or ())}.")
    if isinstance(knob, traitlets.Int):
        return TopologyError(name, f"{value!r} is out of range", f"Write a whole number from {knob.min} to {knob.max}.")
    return TopologyError(name, f"{value!r} is neither true nor false", "Write True or False.")


def _on_vlan(topology: Topology, number: int) -> Topology:
    """Put the host's address and its children onto a VLAN sub-interface, and everybody else into that VLAN."""
    host, *others = topology.hosts
    (nic,) = host.interfaces
    sub = Vlan(f"{nic.name}.{number}", nic.name, number, nic.addresses)
    moved = Host(host.name, (replace(nic, addresses=()),), (sub,), host.routes)
    (switch,) = topology.switches
    ports = tuple(replace(port, tagged=(number,)) if port.host == host.name else replace(port, untagged=number)
                  for port in switch.ports)
    endpoints = tuple(replace(endpoint, parent=sub.name) for endpoint in topology.endpoints)
    return Topology((moved, *others), endpoints, (Switch(switch.name, ports),), topology.cables)

