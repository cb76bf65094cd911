"""The two kernel drivers, their modes and flags."""

from __future__ import annotations

from dataclasses import dataclass

from ipvkit.errors import TopologyError
from ipvkit.topology import checks

#: What the kernel knows by name: include/uapi/linux/if_link.h, and ``ip link help ipvlan|macvlan``.
MODES = {"ipvlan": ("l2", "l3", "l3s"), "macvlan": ("bridge", "private", "vepa", "passthru", "source")}
FLAGS = {"ipvlan": ("bridge", "private", "vepa"), "macvlan": ("",)}
DRIVER_EXAMPLE = 'ipvlan("l2") or macvlan("bridge")'


@dataclass(frozen=True)
class Driver:
    """Which kernel driver makes a child, in which mode and with which flag.

    The mode has no default: the kernel's own is l3 for ipvlan and vepa for macvlan, and silence would hide that.
    """

    kind: str
    mode: str
    flag: str = ""

    def __post_init__(self) -> None:
        checks.clean(self, "kind", checks.one_of, tuple(MODES))
        checks.clean(self, "mode", checks.one_of, MODES[self.kind])
        if self.kind == "ipvlan" and self.flag == "":
            object.__setattr__(self, "flag", "bridge")
        checks.clean(self, "flag", checks.one_of, FLAGS[self.kind])

    @classmethod
    def parse(cls, text: str) -> Driver:
        """Return the driver that ``str`` writes like this: ``ipvlan l2 private``. Raises ``TopologyError``."""
        words = text.split() if isinstance(text, str) else []
        if not 2 <= len(words) <= 3:
            raise TopologyError("driver", f"{checks.shown(text)} is not a driver",
                                "Write driver and mode, for ipvlan also a flag: ipvlan l2, ipvlan l2 private, "
                                "macvlan bridge.")
        return cls(*words)

    def __str__(self) -> str:
        """Return ``ipvlan l2``, ``ipvlan l2 private``, ``macvlan bridge``."""
        return f"{self.kind} {self.mode}" + ("" if self.flag in ("", "bridge") else f" {self.flag}")

    @property
    def own_mac(self) -> bool:
        """True if each child has a MAC of its own. ipvlan and macvlan passthru use the parent's.

        Source: ``eth_hw_addr_inherit`` in drivers/net/ipvlan/ipvlan_main.c and drivers/net/macvlan.c.
        """
        return self.kind == "macvlan" and self.mode != "passthru"


def ipvlan(mode: str, flag: str = "bridge") -> Driver:
    """Make a child share its parent's MAC: modes l2, l3, l3s; flags bridge, private, vepa.

    Source: Documentation/networking/ipvlan.rst.
    """
    return Driver("ipvlan", mode, flag)


def macvlan(mode: str) -> Driver:
    """Give each child a MAC of its own: modes bridge, private, vepa, passthru, source.

    Source: drivers/net/macvlan.c, ip-link(8).
    """
    return Driver("macvlan", mode)
