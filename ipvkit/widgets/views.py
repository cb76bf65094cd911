"""What Explorer's tabs show beside the answer, and what each asks the kernel for it.

Law: a view is measured when somebody looks at it, once for what it is about: the topology, or the pair as well. What
was measured of other settings is never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as W

from ipvkit import html, plan
from ipvkit.drawing import Drawing, draw_changes, draw_hooks, draw_matrix
from ipvkit.lab import Lab
from ipvkit.theory import Prediction
from ipvkit.topology import Topology
from ipvkit.widgets.answers import Said
from ipvkit.widgets.page import Picture

NOT_ASKED = "Ask the kernel, and it is shown here."


@dataclass(frozen=True)
class View:
    """A tab that needs a measurement: ``ask`` makes it, ``look`` draws it (or gives HTML)."""

    words: str
    ask: Callable[[Lab, Said], Any]
    look: Callable[[Said, Any], Drawing | str]
    of_pair: bool = False


VIEWS: Mapping[str, View] = {
    "matrix": View("asking everybody", lambda lab, said: lab.ping_matrix(said.family),
                   lambda said, seen: draw_matrix(predicted=said.prediction, measured=seen)),
    "MACs": View("everybody speaks once", lambda lab, said: lab.mac_budget(), lambda said, seen: seen._repr_html_()),
    "hooks": View("counting at the hooks", lambda lab, said: lab.hooks(said.source, said.destination),
                  lambda said, seen: draw_hooks(seen), of_pair=True),
}
TITLES = ("picture", "matrix", "MACs", "ip commands", "state", "changes", "hooks", "as code")


class Views:
    """The tabs behind the picture. ``boxes`` are their widgets by title; what was measured is kept in here."""

    def __init__(self) -> None:
        self.boxes: dict[str, W.Widget] = {
            title: Picture(f"explorer-{title}") if title in ("matrix", "changes", "hooks") else W.HTML()
            for title in TITLES[1:]}
        self._seen: dict[str, tuple[Said, Any]] = {}

    def declare(self, topology: Topology, prediction: Prediction, code: str) -> None:
        """Show what no kernel is needed for, and forget what was measured of other settings."""
        if any(said.topology != topology for said, _ in self._seen.values()):
            self._seen = {}
        for title, text in (("ip commands", plan.commands(topology)), ("as code", code)):
            self.boxes[title].value = html.text(text)
        for title in ("MACs", "state", "changes", "hooks"):
            self._explain(title)
        self.boxes["matrix"].show(draw_matrix(predicted=prediction))

    def answer(self, said: Said) -> None:
        """Show what belongs to the answer; a measured view is shown again if it still holds."""
        if said.measured is None:
            return
        self.boxes["state"].value = said.measured.state._repr_html_()
        self.boxes["changes"].show(draw_changes(said.measured.state.changes_since(said.measured.built)))
        for title in VIEWS:
            if not self.lacks(title, said):
                self._draw(title, said)

    def seen(self, title: str) -> Any:
        """Return what was measured for a tab. KeyError if nothing was."""
        return self._seen[title][1]

    def lacks(self, title: str, said: Said | None) -> bool:
        """Return whether the tab waits for a measurement that can be made now."""
        if title not in VIEWS or said is None or said.measured is None:
            return False
        if title not in self._seen:
            return True
        about, _ = self._seen[title]
        pair = (about.source, about.destination) != (said.source, said.destination)
        return about.family != said.family or (VIEWS[title].of_pair and pair)

    def measured(self, title: str, said: Said, seen: Any) -> None:
        """Keep what was seen for a tab, and show it."""
        self._seen[title] = said, seen
        self._draw(title, said)

    def _draw(self, title: str, said: Said) -> None:
        look, box = VIEWS[title].look(said, self._seen[title][1]), self.boxes[title]
        if isinstance(box, Picture):
            assert isinstance(look, Drawing)
            box.show(look)
        else:
            box.value = look

    def _explain(self, title: str) -> None:
        box = self.boxes[title]
        if isinstance(box, Picture):
            box.explain(NOT_ASKED)
        else:
            box.value = f"<p>{NOT_ASKED}</p>"
