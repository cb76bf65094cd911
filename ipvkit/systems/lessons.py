"""Which programs of the distribution each lesson runs in its labs, and what of them is not on this computer.

Law: the lessons that are not here need nothing but a machine. One that lacks a program is not run by the tests, except
in CI, where all are installed: ``conftest.py`` asks here, and so does doctor.
"""

from __future__ import annotations

from ipvkit.systems import extras
from ipvkit.systems.needed import missing

PROGRAMS = {"07": ("nft",), "08": ("dnsmasq", "busybox", "dhcpcd"), "09": ("bird", "birdc"),
            "11": ("iptables-legacy", "busybox")}
EXTRAS = {"11": ("cni", "docker")}


def lacks(lesson: str) -> str:
    """Return one line for what a lesson (``"07"``) needs and is not here, with how to get it; "" when all is."""
    heavy = [name for name in EXTRAS.get(lesson, ()) if extras.EXTRAS[name].missing()]
    lines = [missing(*PROGRAMS.get(lesson, ())), f"not here: ./lab extras {' '.join(heavy)}" if heavy else ""]
    return "; ".join(line for line in lines if line)
