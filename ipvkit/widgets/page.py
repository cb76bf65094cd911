"""What the views share: a status line, a picture that can be saved, and questions that do not block the page.

Views use ``HTML`` and buttons only: what lands in output widgets cannot be tested by nbval, and is lost in a static
page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as W

from ipvkit.drawing import Drawing
from ipvkit.errors import IpvkitError, LabClosed, Refused

KINDS = ("svg", "png", "pdf")
#: ipywidgets marks a view whose kernel is gone with this class; no code of ours runs then, so style does it.
GONE = ("<style>.ipvkit-gone{display:none} .jupyter-widgets-disconnected .ipvkit-gone{display:inline;"
        "border:2px solid #c4201a;padding:2px 8px} "
        ".jupyter-widgets-disconnected .ipvkit-said{display:none}</style>"
        "<span class='ipvkit-gone'>✗ <b>lab gone</b> · run this cell again</span>")
SIGNS = {"idle": "○", "working": "◐", "done": "●", "refused": "✗", "failed": "✗", "cancelled": "○"}


class StatusLine(W.HTML):
    """One line: a sign, a word (idle, working, done, refused, failed, cancelled) and why."""

    def __init__(self) -> None:
        super().__init__()
        self.add_class("ipvkit-status")
        self.say("idle")

    def say(self, word: str, why: str = "") -> None:
        """Show a state at once; the page hears of it before anything else is done."""
        self.word, self.why = word, why
        said = f"{SIGNS[word]} <b>{word}</b>{' · ' + escape(why) if why else ''}"
        self.value = f"{GONE}<span class='ipvkit-said' role='status'>{said}</span>"


class Picture(W.VBox):
    """A drawing as live SVG, with buttons that write it beside the notebook as SVG, PNG or PDF."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.drawing: Drawing | None = None
        self._image, self._said = W.HTML(), W.HTML()
        buttons = [W.Button(description=f"Save {kind.upper()}", layout=W.Layout(width="90px")) for kind in KINDS]
        for button, kind in zip(buttons, KINDS, strict=True):
            button.on_click(lambda _, kind=kind: self.save(kind))
        super().__init__([self._image, W.HBox([*buttons, self._said])])

    def show(self, drawing: Drawing) -> None:
        """Show another drawing."""
        self.drawing = drawing
        self._image.value = drawing.svg

    def explain(self, words: str) -> None:
        """Show words where there is nothing to draw yet."""
        self.drawing = None
        self._image.value = f"<p>{escape(words)}</p>"

    def save(self, kind: str) -> Path | None:
        """Write the drawing to ``NAME.kind`` in the working directory; None where nothing is drawn, or it cannot."""
        if self.drawing is None:
            return None
        try:
            path: Path = self.drawing.save(Path.cwd() / f"{self.name}.{kind}")
        except OSError as error:
            self._said.value = f"not saved: {escape(str(error))}"
            return None
        self._said.value = f"saved as {escape(str(path))}"
        return path


@dataclass(frozen=True)
class Job:
    """``work`` to be done in a thread while the status says ``words``; ``show`` gets its result and returns the status.

    ``show`` returns None for a result nobody wants any more. ``then`` is asked afterwards what is to be done next,
    ``word`` how it went.
    """

    words: str
    work: Callable[[], Any]
    show: Callable[[Any], str | None]
    then: Callable[[], Job | None] = lambda: None
    word: Callable[[], str] = lambda: "done"


class Background:
    """One job at a time, in a worker thread, so that the page stays alive; ``status`` says how it goes."""

    def __init__(self, status: StatusLine, busy: Callable[[bool], None] = lambda _: None) -> None:
        self._status, self._busy = status, busy
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """True while a job is being done."""
        return self._task is not None and not self._task.done()

    def start(self, job: Job) -> None:
        """Do the job, and what comes after it; nothing while one is running.

        Where no loop is running (a test, a script), it is done when this returns.
        """
        if self.running:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self._do(job))
        else:
            self._task = loop.create_task(self._do(job))

    async def _do(self, first: Job) -> None:
        self._busy(True)
        try:
            job: Job | None = first
            while job is not None:
                self._status.say("working", job.words)
                said = job.show(await asyncio.to_thread(job.work))
                self._status.say("idle" if said is None else job.word(), said or "")
                job = job.then()
        except LabClosed:
            self._status.say("cancelled")
        except Refused as error:
            self._status.say("refused", str(error))
        except IpvkitError as error:
            self._status.say("failed", str(error))
        except Exception as error:  # a fault of ours: the page must not look as if it were still working
            self._status.say("failed", repr(error))
            raise
        finally:
            self._busy(False)


def labelled(label: str, widget: W.Widget) -> W.HBox:
    """Return a control behind its label, which is also its name for a screen reader."""
    widget.tooltip = label
    return W.HBox([W.Label(label, layout=W.Layout(margin="2px 4px 2px 12px")), widget])
