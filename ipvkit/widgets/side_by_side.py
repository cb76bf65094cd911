"""SideBySide: two configurations, the same questions, both answers, and what differs."""

from __future__ import annotations

from html import escape

import ipywidgets as W

from ipvkit import html
from ipvkit.drawing import draw
from ipvkit.findings import ReachabilityTable
from ipvkit.theory import Prediction, predict
from ipvkit.topology import Topology
from ipvkit.widgets.page import Background, Job, StatusLine
from ipvkit.widgets.warm import WarmLab

_UNBROKEN = "white-space:nowrap;font-size:85%;margin-right:14px"  # a verdict is one word to the eye


class SideBySide(W.VBox):
    """Show two topologies beside each other and ask both the same: ``SideBySide(left, right)``.

    ``measure()`` does it from code and returns the pairs that differ: (from, to) to (left's word, right's word).
    """

    def __init__(self, left: Topology, right: Topology) -> None:
        self._lab = WarmLab()
        self.topologies = (left, right)
        self.measured: tuple[ReachabilityTable, ReachabilityTable] | None = None
        self._status, self._differences = StatusLine(), W.HTML()
        self._background = Background(self._status)
        self._tables = (W.HTML(), W.HTML())
        measure = W.Button(description="Ask both kernels", button_style="primary")
        cancel = W.Button(description="Cancel")
        measure.on_click(lambda _: self._background.start(
            Job("asking both", self.measure, lambda found: f"{len(found)} pairs differ")))
        cancel.on_click(lambda _: self._lab.cancel())
        pictures = W.HBox([W.HTML(draw(topology).svg, layout=W.Layout(width="50%")) for topology in self.topologies])
        tables = W.HBox(self._tables, layout=W.Layout(flex_flow="row wrap"))  # one below the other on a narrow page
        super().__init__([W.HBox([measure, cancel, self._status]), pictures, tables, self._differences])
        self.add_class("ipvkit-side-by-side")
        self._show()

    def __repr__(self) -> str:
        """Return both topologies and what differs, in one line."""
        left, right = (repr(topology).removeprefix("Topology: ") for topology in self.topologies)
        return f"SideBySide: {left} | {right}; {len(self.differences)} pairs differ, {self._source}"

    @property
    def _source(self) -> str:
        return "measured" if self.measured else "predicted"

    @property
    def differences(self) -> dict[tuple[str, str], tuple[str, str]]:
        """The pairs both have whose words differ; predicted, until both were measured."""
        left, right = self.measured or tuple(predict(topology) for topology in self.topologies)
        return {pair: (left.pairs[pair].verdict, right.pairs[pair].verdict) for pair in left.pairs
                if pair in right.pairs and left.pairs[pair].verdict != right.pairs[pair].verdict}

    def measure(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Ask both, wait, show, and return what differs. Raises what the lab raises."""
        left, right = (self._lab.ask(topology, lambda lab: lab.ping_matrix()) for topology in self.topologies)
        self.measured = (left, right)
        self._show()
        return self.differences

    def close(self) -> None:
        """End the lab, also one that is just being started, and take the widget off the page."""
        self._lab.cancel()
        super().close()

    def _show(self) -> None:
        shown: tuple[ReachabilityTable | Prediction, ...] = self.measured or tuple(map(predict, self.topologies))
        names = [", ".join(dict.fromkeys(str(e.driver) for e in topology.endpoints)) for topology in self.topologies]
        for table, name, finding in zip(self._tables, names, shown, strict=True):
            table.value = f"<div style='{_UNBROKEN}'><b>{escape(name)}</b>{finding._repr_html_()}</div>"
        rows = [(f"{a} → {b}", f"{html.sign(left)} {left}", f"{html.sign(right)} {right}")
                for (a, b), (left, right) in self.differences.items()]
        self._differences.value = (html.table(f"what differs, {self._source}", ("pair", *names), rows) if rows
                                   else f"<p>Nothing differs ({escape(self._source)}).</p>")
