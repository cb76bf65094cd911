"""Predict: commit to a guess before the kernel is asked; then you, theory and kernel stand beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets as W

from ipvkit import html
from ipvkit.drawing import draw_matrix
from ipvkit.errors import BadQuestion
from ipvkit.findings import Answer, ReachabilityTable, Table
from ipvkit.lab import Lab
from ipvkit.theory import predict
from ipvkit.topology import Topology, want_topology
from ipvkit.widgets.page import Background, Job, StatusLine
from ipvkit.widgets.warm import WarmLab

WORDS = ("not sure", "reply", "timeout", "host unreachable", "network unreachable", "no buffers", "ttl exceeded")
CONFIDENCE = ("a guess", "fairly sure", "certain")
ARROW = "→"
SKIPPED = "skipped"
COMMIT_FIRST = "Commit to a guess first, or let yourself be shown."
ASK = "Asks theory and kernel, and puts your guesses beside their answers."
SHOW = "Asks without waiting for you: what you have guessed counts, the rest is noted as skipped."


class Predict(W.VBox):
    """Ask for a guess about one to three pairs: ``Predict(lan, "net1→host", "ext→net1")``.

    From code: ``predict.guess = {"net1→host": "timeout"}``, then ``predict.reveal()`` asks theory and kernel and
    returns the table you | theory | kernel. What was not guessed counts as skipped. ``matrix=True``: the matrix
    of all pairs is shown with the answer. What has been revealed cannot be guessed any more.
    """

    def __init__(self, topology: Topology, *pairs: str, matrix: bool = False) -> None:
        self._lab = WarmLab()
        want_topology(topology)
        self.topology, self.matrix = topology, matrix
        self.pairs = {pair: _both(topology, pair) for pair in pairs}
        self.result: Table | None = None
        self._status, self._table = StatusLine(), W.HTML()
        self._background = Background(self._status)
        self._guesses = {pair: W.Dropdown(options=WORDS, layout=W.Layout(width="180px")) for pair in pairs}
        self._sure = {pair: W.Dropdown(options=CONFIDENCE, layout=W.Layout(width="120px")) for pair in pairs}
        for pair in pairs:
            self._guesses[pair].tooltip, self._sure[pair].tooltip = f"guess for {pair}", f"how sure of {pair}"
        rows = [W.HBox([W.Label(pair, layout=W.Layout(width="140px")), self._guesses[pair], self._sure[pair]])
                for pair in pairs]
        super().__init__([*rows, self._buttons(), self._table])
        self.add_class("ipvkit-predict")
        for dropdown in self._guesses.values():
            dropdown.observe(lambda _: self._open_ask(), "value")
        self._open_ask()

    def _buttons(self) -> W.Widget:
        self._reveals = W.Button(description="Ask the kernel", button_style="primary"), W.Button(description="Show me")
        for button, skip in zip(self._reveals, (False, True), strict=True):
            button.on_click(lambda _, skip=skip: self._background.start(
                Job("asking the kernel", lambda: self.reveal(skip), lambda _: "")))
        self._reveals[1].tooltip = SHOW
        cancel = W.Button(description="Cancel")
        cancel.on_click(lambda _: self._lab.cancel())
        return W.HBox([*self._reveals, cancel, self._status])

    def _open_ask(self) -> None:
        """Let the kernel be asked once something was guessed."""
        guessed = any(word != WORDS[0] for word in self.guess.values())
        self._reveals[0].disabled = not guessed or self.result is not None
        self._reveals[0].tooltip = ASK if guessed else COMMIT_FIRST

    def __repr__(self) -> str:
        """Return the result as text, or what is still to be guessed."""
        return repr(self.result) if self.result else f"Predict: {', '.join(self.pairs)}; not asked yet"

    @property
    def guess(self) -> dict[str, str]:
        """Your guesses by pair; assign a mapping. Raises ``BadQuestion`` for what is not offered, or too late."""
        return {pair: dropdown.value for pair, dropdown in self._guesses.items()}

    @guess.setter
    def guess(self, guess: Mapping[str, str]) -> None:
        if self.result:
            raise BadQuestion("guess", "the answer has been shown already", "Run the cell again to guess anew.")
        for pair, word in guess.items():
            if pair not in self._guesses:
                raise BadQuestion("guess", f"{pair!r} is not asked", f"Asked are: {', '.join(self.pairs)}.")
            if word not in WORDS:
                raise BadQuestion("guess", f"{word!r} is not an answer", f"Choose one of: {', '.join(WORDS)}.")
            self._guesses[pair].value = word

    def reveal(self, skip: bool = False) -> Table:
        """Ask theory and kernel and return you | theory | kernel; ``skip`` notes what you did not guess as skipped.

        The first time counts: later calls return the same table.
        """
        if self.result is None:
            seen = self._lab.ask(self.topology, self._ask)
            self.result = self._score(seen.pairs, skip)
            self._close_guesses()
            self._table.value = html.table(self.result.title, self.result.columns, self.result.rows)
            if self.matrix:
                self._table.value += draw_matrix(predicted=predict(self.topology), measured=seen).svg
        return self.result

    def _ask(self, lab: Lab) -> ReachabilityTable:
        if self.matrix:
            return lab.ping_matrix()
        answers = {ends: lab.ping(*ends) for ends in self.pairs.values()}
        return ReachabilityTable(answers, self.topology.names, 4, "cold")

    def _score(self, seen: Mapping[tuple[str, str], Answer], skip: bool) -> Table:
        said = predict(self.topology)
        rows = []
        for pair, ends in self.pairs.items():
            kernel, theory = seen[ends].verdict, said[ends]
            guessed = self.guess[pair] != WORDS[0]
            you = SKIPPED if skip and not guessed else self.guess[pair]
            sign = "–" if not guessed else "✓" if you == kernel else "✗"
            sure = self._sure[pair].value if guessed else ""
            rows.append((pair, f"{sign} {you}", sure, theory.verdict, kernel, "" if sign == "✓" else theory.why))
        return Table("you, theory and kernel", ("pair", "you", "how sure", "theory", "kernel", "why"), rows)

    def _close_guesses(self) -> None:
        for control in (*self._guesses.values(), *self._sure.values(), *self._reveals):
            control.disabled = True

    def close(self) -> None:
        """End the lab, also one that is just being started, and take the widget off the page."""
        self._lab.cancel()
        super().close()


def _both(topology: Topology, pair: str) -> tuple[str, str]:
    source, arrow, destination = (part.strip() for part in pair.partition(ARROW))
    names: Sequence[str] = topology.names
    if not arrow or source not in names or destination not in names:
        raise BadQuestion("pair", f"{pair!r} is not a pair of names", f"Write net1{ARROW}host. Names: "
                                                                      f"{', '.join(names)}.")
    if source == destination or not all(topology.addresses(name, 4) for name in (source, destination)):
        raise BadQuestion("pair", f"{pair!r} cannot be asked over IPv4", "Name two that have an IPv4 address each.")
    return source, destination
