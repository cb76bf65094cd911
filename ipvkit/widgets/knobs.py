"""The knobs of Explorer as controls on the page, each linked to its trait of the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as W
import traitlets

from ipvkit.topology import FLAGS
from ipvkit.widgets.page import labelled
from ipvkit.widgets.settings import DRIVERS, MOST_ENDPOINTS, MOST_VLANS, WAYS_OUT, Settings

Tell = Callable[[str], None]


class Number(W.FloatText):
    """A box for a whole ``number`` from ``low`` to ``high``; ``tell`` hears what was taken instead of what was typed.

    ipywidgets' own box for whole numbers changes what does not fit before any code of ours sees it.
    """

    number = traitlets.Int()

    def __init__(self, low: int, high: int, tell: Tell, **looks: Any) -> None:
        self._range, self._tell = (low, high), tell
        super().__init__(step=1, **looks)
        self.observe(self._typed, "value")
        self.observe(lambda change: self.set_trait("value", change.new), "number")

    def _typed(self, change: Any) -> None:
        low, high = self._range
        self.number = taken = min(max(int(change.new), low), high)
        if change.new != taken:
            self.value = taken
            self._tell(f"{self.tooltip}: {change.new:g} is no whole number from {low} to {high}, {taken} was taken")


def first_knobs(model: Settings, tell: Tell) -> W.Widget:
    """Return the three that are always seen."""
    driver = W.Dropdown(options=DRIVERS, layout=W.Layout(width="170px"))
    endpoints = Number(1, MOST_ENDPOINTS, tell, layout=W.Layout(width="70px"))
    subnets = W.ToggleButtons(options=("same", "other"), style={"button_width": "70px"})
    for (widget, part), name in (((driver, "value"), "driver"), ((endpoints, "number"), "endpoints"),
                                 ((subnets, "value"), "subnets")):
        traitlets.link((model, name), (widget, part))
    return W.HBox([labelled("driver", driver), labelled("endpoints", endpoints), labelled("subnets", subnets)],
                  layout=W.Layout(flex_flow="row wrap"))


def more_knobs(model: Settings, tell: Tell) -> W.Widget:
    """Return the others, folded."""
    flag = W.Dropdown(options=FLAGS["ipvlan"], layout=W.Layout(width="110px"))
    routes = W.Dropdown(options=WAYS_OUT, layout=W.Layout(width="110px"))
    vlan = Number(0, MOST_VLANS, tell, layout=W.Layout(width="80px"))
    hairpin = W.Checkbox(description="switch hairpins", indent=False)
    ipv6 = W.Checkbox(description="IPv6", indent=False)
    for widget, name in (flag, "flag"), (routes, "routes"), (hairpin, "hairpin"), (ipv6, "ipv6"):
        traitlets.link((model, name), (widget, "value"))
    traitlets.link((model, "vlan"), (vlan, "number"))
    box = W.VBox([W.HBox([labelled("flag", flag), labelled("routes", routes), labelled("VLAN", vlan)],
                         layout=W.Layout(flex_flow="row wrap")), W.HBox([hairpin, ipv6])])
    more = W.Accordion([box], titles=("More",))
    more.selected_index = None
    return more
