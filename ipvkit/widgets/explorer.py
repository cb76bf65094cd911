"""Explorer: set a knob, see what theory predicts; ask, and see what a real kernel does, packet by packet.

The model (``explorer.model``, ``source``, ``destination``) can be set from code; the view only links to it.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets as W
import traitlets

from ipvkit.drawing import draw, draw_path
from ipvkit.errors import BadQuestion
from ipvkit.findings import State
from ipvkit.theory import predict
from ipvkit.topology import Topology
from ipvkit.widgets.answers import Measured, Said, ask_kernel, ask_theory
from ipvkit.widgets.knobs import first_knobs, more_knobs
from ipvkit.widgets.page import Background, Job, Picture, StatusLine, labelled
from ipvkit.widgets.settings import KNOBS, Settings
from ipvkit.widgets.views import TITLES, VIEWS, Views
from ipvkit.widgets.warm import WarmLab

SAME = "Choose two different names."
#: A tab is as wide as its title, and tabs that do not fit beside each other go into a second row.
LOOK = ("<style>.ipvkit-explorer .lm-TabBar-content{flex-wrap:wrap}"
        ".ipvkit-explorer .lm-TabBar-tab{flex:0 0 auto!important;min-width:max-content!important}</style>")


class Explorer(W.VBox):
    """Three knobs, one question: From … To … Ask. ``Explorer(driver="ipvlan l3", endpoints=3)``.

    ``ask()`` puts the question from code and returns what theory and kernel said; ``look("matrix")`` measures a tab;
    ``close()`` ends the lab.
    """

    source = traitlets.Unicode("net1")
    destination = traitlets.Unicode("net2")

    def __init__(self, **settings: Any) -> None:
        self._lab = WarmLab()
        self.model = Settings(**settings)
        self.said: Said | None = None
        self._views = Views()
        self._built: tuple[Topology, State] | None = None
        self._status, self._answer = StatusLine(), W.HTML()
        self._background = Background(self._status, self._busy)
        self._picture = Picture("explorer-picture")
        self._wanted = {"source": self.source, "destination": self.destination}
        self._offering = False
        super().__init__([first_knobs(self.model, self._tell), more_knobs(self.model, self._tell), self._question(),
                          self._status, self._answer, self._tabs(), W.HTML(LOOK, layout=W.Layout(display="none"))])
        self.add_class("ipvkit-explorer")
        self.model.observe(self._redraw)
        self.observe(self._chosen, ("source", "destination"))
        self._redraw()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. AttributeError for a knob: those are the model's."""
        if name in KNOBS:
            raise AttributeError(f"an Explorer's knobs are its model's: explorer.model.{name} = {value!r}")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        """Return settings and answer in one line."""
        return f"Explorer: {self.model.words()}; {self.said.words() if self.said else 'nothing asked'}"

    def ask(self, source: str | None = None, destination: str | None = None) -> Said:
        """Ask the kernel about the pair, wait, show it and return it.

        Raises what the lab raises, and ``BadQuestion`` for an unknown name, or where both are the same.
        """
        for field, name in (("source", source), ("destination", destination)):
            if name and name not in self.model.names:
                raise BadQuestion(field, f"there is no name {name!r}", f"Names: {', '.join(self.model.names)}.")
        self.source, self.destination = source or self.source, destination or self.destination
        if self.source == self.destination:
            raise BadQuestion("destination", f"{self.source!r} would ask itself", SAME)
        said = self._predicted()
        why = self._finish(said, self._measure(said)) or ""
        self._status.say(self._word(), why)
        assert self.said is not None
        self.look(self._shown)
        return self.said

    def look(self, title: str) -> Any:
        """Measure what the tab ``title`` shows, if that is to be measured, and return what was seen.

        Returns None for a tab that shows no measurement of its own, or before a question was asked.
        """
        if self.said is None or self.said.measured is None or title not in VIEWS:
            return None
        if self._views.lacks(title, self.said):
            self._views.measured(title, self.said, self._measure_view(title, self.said))
        return self._views.seen(title)

    def cancel(self) -> None:
        """End the question that is being asked."""
        self._lab.cancel()

    def close(self) -> None:
        """End the lab, also one that is just being started, and take the widget off the page."""
        self._lab.cancel()
        super().close()

    # -- the view

    def _question(self) -> W.Widget:
        self._from, self._to = (W.Dropdown(layout=W.Layout(width="120px")) for _ in range(2))
        self._offer_names()
        traitlets.link((self, "source"), (self._from, "value"))
        traitlets.link((self, "destination"), (self._to, "value"))
        self._ask_button = W.Button(description="Ask the kernel", button_style="primary", icon="question")
        self._cancel_button = W.Button(description="Cancel", disabled=True)
        self._ask_button.add_class("ipvkit-ask")
        self._cancel_button.add_class("ipvkit-cancel")
        self._ask_button.on_click(lambda _: self._ask_in_background())
        self._cancel_button.on_click(lambda _: self.cancel())
        return W.HBox([labelled("From", self._from), labelled("To", self._to), self._ask_button, self._cancel_button],
                      layout=W.Layout(flex_flow="row wrap"))

    def _tabs(self) -> W.Widget:
        self._step = W.IntSlider(min=0, max=1, description="step", continuous_update=True,
                                 layout=W.Layout(width="420px"))
        play = W.Play(min=0, max=1, interval=1200)
        W.jslink((play, "value"), (self._step, "value"))
        traitlets.dlink((self._step, "max"), (play, "max"))
        self._step.observe(lambda _: self._draw_picture(), "value")
        self._rule = W.HTML()
        self._rule.add_class("ipvkit-rule")
        player = W.VBox([W.HBox([play, self._step]), self._rule, self._picture])
        self._tab = W.Tab([player, *self._views.boxes.values()], titles=TITLES)
        self._tab.observe(lambda _: self._look_in_background(), "selected_index")
        return self._tab

    @property
    def _shown(self) -> str:
        return str(TITLES[self._tab.selected_index or 0])

    def _offer_names(self) -> None:
        """Offer the names there are now; a choice that is gone stands again as soon as its name is back."""
        names = self.model.names
        if tuple(self._from.options) == names:
            return
        source, destination = self._wanted["source"], self._wanted["destination"]
        source = source if source in names else next(name for name in names if name != destination)
        destination = destination if destination in names else next(name for name in names if name != source)
        self._offering = True
        self._from.options, self._to.options = names, names
        self._from.value, self._to.value = source, destination
        self._offering = False

    def _chosen(self, change: Any) -> None:
        if not self._offering:
            self._wanted[change.name] = change.new
            self._redraw()

    def _tell(self, words: str) -> None:
        if not self._background.running:
            self._status.say("idle", words)

    # -- what happens

    def _predicted(self) -> Said:
        return ask_theory(self.model.topology, self.source, self.destination, self.model.family)

    def _redraw(self, _: object = None) -> None:
        self._offer_names()
        self._busy(self._background.running)
        topology = self.model.topology
        self._views.declare(topology, predict(topology, family=self.model.family), self.model.code)
        if self.source == self.destination:
            self.said = None
            self._answer.value = self._rule.value = ""
            self._picture.show(draw(topology))
            self._status.say("idle", SAME)
            return
        self._show(self._predicted())
        if not self._background.running:
            self._status.say("idle", "predicted; not measured yet")

    def _ask_in_background(self) -> None:
        if self.source == self.destination:
            return
        said = self._predicted()
        words = "asking" if self._lab.alive else "starting a kernel and building the lab"
        self._background.start(Job(words, lambda: self._measure(said), lambda measured: self._finish(said, measured),
                                   self._next_view, self._word))

    def _look_in_background(self) -> None:
        job = self._next_view()
        if job:
            self._background.start(job)

    def _next_view(self) -> Job | None:
        """Return how to measure the tab that is shown, if it waits for that."""
        title, said = self._shown, self.said
        if said is None or not self._views.lacks(title, said):
            return None

        def show(seen: Any) -> str | None:
            if said is not self.said:  # a knob was turned meanwhile
                return None
            self._views.measured(title, said, seen)
            return self._words(said)

        return Job(VIEWS[title].words, lambda: self._measure_view(title, said), show, self._next_view, self._word)

    def _measure(self, said: Said) -> Measured:
        """Ask about the pair; the state the lab was built with is read once."""
        known = self._built if self._lab.alive and self._built and self._built[0] == said.topology else None
        measured = self._lab.ask(said.topology, lambda lab: ask_kernel(lab, said, known[1] if known else None))
        self._built = said.topology, measured.built
        return measured

    def _measure_view(self, title: str, said: Said) -> Any:
        return self._lab.ask(said.topology, lambda lab: VIEWS[title].ask(lab, said))

    def _busy(self, busy: bool) -> None:
        self._ask_button.disabled, self._cancel_button.disabled = busy or self.source == self.destination, not busy
        self._ask_button.tooltip = SAME if self.source == self.destination else ""

    def _finish(self, said: Said, measured: Measured) -> str | None:
        """Show the answer and return it in words; None, if a knob was turned while it was being asked."""
        if (said.topology, said.source, said.destination) != (self.model.topology, self.source, self.destination):
            return None
        asked = replace(said, measured=measured)
        self._show(asked)
        return self._words(asked)

    def _word(self) -> str:
        """Return how it went: a lab of which the kernel refused a part is not what was asked for."""
        return "refused" if self.said and self.said.refusals else "done"

    def _words(self, said: Said) -> str:
        reasons = dict.fromkeys(refusal.reason for refusal in said.refusals)
        return f"{' '.join(reasons)} Asked without it: {said.words()}" if reasons else said.words()

    def _show(self, said: Said) -> None:
        self.said = said
        self._answer.value = said.as_html()
        self._step.value, self._step.max = 0, max(1, len(said.walk.steps))
        self._draw_picture()
        self._views.answer(said)

    def _draw_picture(self) -> None:
        said, step = self.said, self._step.value
        if said is None:
            return
        if not said.walk.steps:
            self._picture.show(draw(said.topology))
            return
        trace = said.measured.trace if said.measured else None
        self._picture.show(draw_path(said.topology, walk=said.walk, trace=trace, step=step or None))
        shown = said.walk.steps[step - 1] if step else None
        self._rule.value = (f"<b>{step}. {escape(shown.netns)}/{escape(shown.device)}</b> {escape(shown.what)} "
                            f"<code>{escape(shown.source)}</code>" if shown else "All steps. Play them one by one.")
