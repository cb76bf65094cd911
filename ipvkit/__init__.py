"""Learn how ipvlan and macvlan really behave: ask a real Linux kernel.

    lan = Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24")
    with Lab(lan) as lab:
        seen = lab.ping_matrix()
    compare(predict(lan), seen)

Names load when they are first used, so that ``python -m ipvkit demo`` needs pyroute2 and nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Which module each public name comes from.
_HOME = {
    **dict.fromkeys((
        "AddAddress", "AddEndpoint", "AddRoute", "Cable", "Driver", "Drop", "Endpoint", "Host", "Interface", "LinkDown",
        "LinkUp", "Masquerade", "Move", "Plug", "Port", "RemoveAddress", "RemoveLink", "RemoveRoute", "Route",
        "SetForwarding", "SetMac", "SetMode", "SetMtu", "Switch", "Topology", "Unplug", "Vlan", "ipvlan", "macvlan",
    ), "ipvkit.topology"),
    "Lab": "ipvkit.lab",
    **dict.fromkeys(("draw", "draw_changes", "draw_hooks", "draw_mac_budget", "draw_matrix", "draw_path"),
                    "ipvkit.drawing"),
    "choose": "ipvkit.choice",
    "predict": "ipvkit.theory",
    "explain": "ipvkit.theory",
    "compare": "ipvkit.comparison",
    "check": "ipvkit.course.exercises",
    "versus": "ipvkit.course.guesses",
    **dict.fromkeys(("Chooser", "Explorer", "Predict", "SideBySide", "Terminal"), "ipvkit.widgets"),
}
__all__ = sorted([*_HOME, "__version__"])

if TYPE_CHECKING:
    from ipvkit.choice import choose as choose
    from ipvkit.comparison import compare as compare
    from ipvkit.course.exercises import check as check
    from ipvkit.course.guesses import versus as versus
    from ipvkit.drawing import draw as draw
    from ipvkit.drawing import draw_changes as draw_changes
    from ipvkit.drawing import draw_hooks as draw_hooks
    from ipvkit.drawing import draw_mac_budget as draw_mac_budget
    from ipvkit.drawing import draw_matrix as draw_matrix
    from ipvkit.drawing import draw_path as draw_path
    from ipvkit.lab import Lab as Lab
    from ipvkit.theory import explain as explain
    from ipvkit.theory import predict as predict
    from ipvkit.topology import *  # noqa: F403
    from ipvkit.widgets import Chooser as Chooser
    from ipvkit.widgets import Explorer as Explorer
    from ipvkit.widgets import Predict as Predict
    from ipvkit.widgets import SideBySide as SideBySide
    from ipvkit.widgets import Terminal as Terminal


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"ipvkit has no {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
