"""Terminal: type a command in a namespace of a lab and see its output as it comes."""

from __future__ import annotations

import threading
from html import escape

import ipywidgets as W

from ipvkit.errors import BadQuestion
from ipvkit.lab import Lab
from ipvkit.widgets.page import Background, Job, StatusLine

KEPT = 20_000  # characters of output that stay on the page
HINT = "each command is a shell of its own: cd /tmp && pwd"
_SCREEN = ("background:#15181d;color:#e8eaed;padding:8px;max-height:320px;overflow:auto;"
           "display:flex;flex-direction:column-reverse")  # a box that fills from its foot stays there when it is full
_TEXT = "flex:none;margin:0;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"


class Terminal(W.VBox):
    """Run commands in a lab somebody else owns: ``Terminal(lab, "net1")``. It never closes the lab.

    ``run("ip route")`` does it from code and returns the output. Raises ``BadQuestion`` for a place that is not there.
    """

    def __init__(self, lab: Lab, place: str = "") -> None:
        self.lab, self.output = lab, ""
        self._thread = 0  # the one that waits for a command, which may be cancelled
        topology = lab.topology
        others = [host.name for host in topology.hosts] + [switch.name for switch in topology.switches]
        names = tuple(dict.fromkeys([*topology.names, *others]))
        if (place or not names) and place not in names:
            raise BadQuestion("place", f"there is no {place!r}", f"Choose one of: {', '.join(names) or 'none'}.")
        self._place = W.Dropdown(options=names, value=place or names[0], layout=W.Layout(width="120px"))
        self._command = W.Text(placeholder="ip addr", layout=W.Layout(width="420px"))
        self._status, self._screen = StatusLine(), W.HTML()
        self._status.say("idle", HINT)
        self._background = Background(self._status, self._busy)
        self._run = W.Button(description="Run", button_style="primary")
        self._run.on_click(lambda _: self._run_in_background())
        self._cancel = W.Button(description="Cancel", disabled=True)
        self._cancel.on_click(lambda _: self.cancel())
        self._command.tooltip, self._place.tooltip = f"command; {HINT}", "namespace"
        self._command.on_msg(self._heard)
        super().__init__([W.HBox([self._place, self._command, self._run, self._cancel]), self._status, self._screen])
        self.add_class("ipvkit-terminal")

    def __repr__(self) -> str:
        """Return where it is, and whether the lab is."""
        return f"Terminal: {self._place.value}, {self._where()}"

    def run(self, command: str) -> str:
        """Run ``command`` in the chosen namespace and return what it printed. Raises what the lab raises."""
        self._print(f"{self._place.value}# {command}\n")
        self._thread = threading.get_ident()
        try:
            result = self.lab.run(self._place.value, command, show=self._print)
        finally:
            self._thread = 0
        self._print(f"[{result!r}]\n" if result.status or result.cut else "")
        return result.output

    def cancel(self) -> None:
        """End the command, also one that prints nothing; the lab stays. It has a second to end by itself."""
        if self._thread:
            self.lab.machine.wire.interrupt(self._thread)

    def _where(self) -> str:
        return "ready" if self.lab.alive else "lab gone, run the cell that makes it again"

    def _print(self, text: str) -> None:
        self.output = (self.output + text)[-KEPT:]
        text = f"<pre style='{_TEXT}'>{escape(self.output)}</pre>"
        self._screen.value = f"<div class='ipvkit-screen' style='{_SCREEN}'>{text}</div>"

    def _heard(self, _: W.Widget, message: dict[str, object], __: object) -> None:
        if message.get("event") == "submit":  # Enter was typed
            self._run_in_background()

    def _busy(self, busy: bool) -> None:
        self._run.disabled, self._cancel.disabled = busy, not busy

    def _run_in_background(self) -> None:
        """Run what was typed: nothing, where nothing was; while another command runs, the status says that it waits."""
        command = str(self._command.value)
        if not command.strip():
            return
        if self._background.running:
            self._status.say("working", f"not run: {command} · the command before it still runs; wait, or Cancel")
        elif not self.lab.alive:
            self._status.say("refused", self._where())
        else:
            self._background.start(Job(command, lambda: self.run(command), lambda _: ""))
