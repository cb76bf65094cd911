"""Chooser: tick what holds in your case, and read which driver and mode to take, and why."""

from __future__ import annotations

import ipywidgets as W

from ipvkit.choice import CASES, Advice, choose
from ipvkit.errors import BadQuestion


class Chooser(W.VBox):
    """A form for :func:`ipvkit.choice.choose`: ``Chooser(dhcp=True)``; ``advice`` is what it says.

    From code: ``chooser.cases = {"wifi": True}``. Asks no kernel.
    """

    def __init__(self, **cases: bool) -> None:
        self._boxes = {case: W.Checkbox(description=question, indent=False, layout=W.Layout(width="auto"))
                       for case, question in CASES.items()}
        self._said = W.HTML()
        super().__init__([*self._boxes.values(), self._said])
        self.add_class("ipvkit-chooser")
        self.cases = cases
        for box in self._boxes.values():
            box.observe(lambda _: self._show(), "value")
        self._show()

    def __repr__(self) -> str:
        """Return the recommendation, its reasons and what shows them."""
        return repr(self.advice)

    @property
    def cases(self) -> dict[str, bool]:
        """What is ticked, by the words of ``choose``; assign some to change them; BadQuestion for others."""
        return {case: bool(box.value) for case, box in self._boxes.items()}

    @cases.setter
    def cases(self, cases: dict[str, bool]) -> None:
        for case, holds in cases.items():
            if case not in self._boxes:
                raise BadQuestion("cases", f"{case!r} is not known", f"Choose from: {', '.join(self._boxes)}.")
            self._boxes[case].value = holds

    @property
    def advice(self) -> Advice:
        """What to take in this case."""
        return choose(**self.cases)

    def _show(self) -> None:
        self._said.value = f"<div role='status'>{self.advice._repr_html_()}</div>"
