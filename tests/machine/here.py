"""What is possible where the tests run: root outside of a chroot can all, an ordinary user inside one only ``none``."""

from __future__ import annotations

import os

from ipvkit.machine import interpreter, isolation

WAYS = [way for way in isolation.WAYS if way == "none" or isolation.possible(way, interpreter.choose().drop)]
"""The ways of isolation that this computer lets this user go."""

MACHINES = ["native", "uml"] if WAYS != ["none"] else ["uml"]
"""The machines that can be had: a native one is made of namespaces."""

CAN_MAKE_A_CHROOT = os.geteuid() == 0 and list(isolation.WAYS) == WAYS
WHY_NOT = "needs root that is not itself in a chroot: this run is, or has no such rights, and goes that way by itself"
