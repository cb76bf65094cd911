"""Pictures: one scene computed in plain Python, painted as SVG for notebooks and by matplotlib for PNG and PDF.

    draw(lan)                       in a notebook: the picture
    draw(lan).save("lan.pdf")       a file: .svg, .png, .pdf
    draw_matrix(predicted=…, measured=…)
                                    who reaches whom, and where theory and kernel differ
    draw_path(lan, walk=explain(lan, a, b))
                                    the way of a packet, numbered
    draw_mac_budget()               MACs on the wire, ipvlan against macvlan
    draw_changes(lab.diff())        what changed in the kernel's state
    draw_hooks(lab.hooks(a, b))     which netfilter hooks a datagram passed

The law: a drawing shows what it is given and says what that is (declared, predicted, measured); it knows no kernel
and no theory. Everything it says by colour it also says in a word or a sign.
"""

from __future__ import annotations

from ipvkit.drawing.budget import draw_mac_budget
from ipvkit.drawing.changes import draw_changes
from ipvkit.drawing.hooks import draw_hooks
from ipvkit.drawing.map import topology_scene
from ipvkit.drawing.matrix import draw_matrix
from ipvkit.drawing.path import draw_path
from ipvkit.drawing.picture import Drawing
from ipvkit.topology import Topology, want_topology

__all__ = ["Drawing", "draw", "draw_changes", "draw_hooks", "draw_mac_budget", "draw_matrix", "draw_path"]


def draw(topology: Topology) -> Drawing:
    """Return the picture of a topology: what sits on what, with its changes marked and listed. Asks no kernel."""
    want_topology(topology)
    return Drawing(topology_scene(topology), repr(topology))
