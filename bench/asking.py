"""``python -m bench.asking``: how long an Ask of Explorer takes with a warm lab, each driver and mode in turn.

Prints milliseconds: a knob's redraw, the first Ask of a setting (the lab is rebuilt), a second one, and each tab.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from ipvkit.widgets import Explorer
from ipvkit.widgets.settings import DRIVERS
from ipvkit.widgets.views import VIEWS


def main(rounds: int = 3) -> None:
    """Measure and print median and worst of each."""
    explorer = Explorer(driver=DRIVERS[-1])
    explorer.ask()  # starts the machine
    took: dict[str, list[float]] = {}
    for driver in DRIVERS * rounds:
        _time(took, "a knob is turned", lambda driver=driver: explorer.model.set_trait("driver", driver))
        _time(took, "first Ask of a setting", lambda: explorer.ask("net1", "net2"))
        _time(took, "second Ask", lambda: explorer.ask("net1", "net2"))
        for title in VIEWS:
            _time(took, f"tab {title}", lambda title=title: explorer.look(title))
    explorer.close()
    for what, seconds in took.items():
        print(f"{what:24} {1000 * statistics.median(seconds):6.0f} ms, at most {1000 * max(seconds):6.0f} ms")


def _time(took: dict[str, list[float]], what: str, work: Callable[[], object]) -> None:
    began = time.perf_counter()
    work()
    took.setdefault(what, []).append(time.perf_counter() - began)


if __name__ == "__main__":
    main()
