"""Widgets: a lab under your hands. Each can be set and asked from code as well, so that its answers can be tested."""

from ipvkit.widgets.chooser import Chooser
from ipvkit.widgets.explorer import Explorer
from ipvkit.widgets.predict import Predict
from ipvkit.widgets.side_by_side import SideBySide
from ipvkit.widgets.terminal import Terminal

__all__ = ["Chooser", "Explorer", "Predict", "SideBySide", "Terminal"]
