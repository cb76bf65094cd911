"""The lab behind a widget: started by the first question, rebuilt for the next, gone when the widget is.

Questions run in a worker thread, so that the page stays alive; one at a time. Cancel ends the machine: whatever the
kernel was doing ends with it, and the next question starts another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from ipvkit.errors import IpvkitError, LabClosed
from ipvkit.lab import Lab
from ipvkit.topology import Topology

Answered = TypeVar("Answered")


class WarmLab:
    """At most one lab; ``ask`` builds the topology first if it is not the one that is there."""

    def __init__(self) -> None:
        self._lab: Lab | None = None
        self._one_at_a_time = threading.Lock()
        self._cancelled = False

    @property
    def alive(self) -> bool:
        """True while a machine is running."""
        return self._lab is not None and self._lab.alive

    def ask(self, topology: Topology, question: Callable[[Lab], Answered]) -> Answered:
        """Return what ``question`` answers about a lab with this topology; refusals are in ``lab.refusals``.

        Raises what the lab raises; after ``cancel``, ``LabClosed``.
        """
        with self._one_at_a_time:
            self._cancelled = False
            try:
                if self._lab is None or not self._lab.alive:
                    self._lab = Lab(topology, on_refusal="record")
                elif self._lab.topology != topology:
                    self._rebuild(self._lab, topology)
                if self._cancelled:  # while it was being started
                    self.close()
                    raise LabClosed("cancelled")
                return question(self._lab)
            except IpvkitError as error:
                if self._cancelled:
                    raise LabClosed("cancelled") from error
                raise

    @staticmethod
    def _rebuild(lab: Lab, topology: Topology) -> None:
        """Build anew; a lab in which that failed is neither what it was nor what was asked for, and is ended."""
        try:
            lab.rebuild(topology)
        except BaseException:
            lab.close()
            raise

    def cancel(self) -> None:
        """End what is being asked, and the machine with it."""
        self._cancelled = True
        self.close()

    def close(self) -> None:
        """End the machine; a later question starts another."""
        if self._lab is not None:
            self._lab.close()
