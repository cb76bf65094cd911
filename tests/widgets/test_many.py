"""Ten Explorers at once, opened, asked and closed at random: no error, and no lab is left."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from ipvkit.widgets import Explorer
from ipvkit.widgets.settings import DRIVERS

EXPLORERS, TIMES, SEED = 10, 50, 6


def descendants() -> set[int]:
    """Every process that this one, or one of those, has started and that is still there."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found, todo = set[int](), {os.getpid()}
    while todo:
        todo = {process for process, parent in parents.items() if parent in todo} - found
        found |= todo
    return found


@pytest.mark.kernel
@pytest.mark.long
@pytest.mark.timeout(600)
def test_ten_explorers_opened_asked_and_closed_fifty_times() -> None:
    dice, before = random.Random(SEED), descendants()
    opened: dict[int, Explorer] = {}
    asked = 0
    for _ in range(TIMES):
        place = dice.randrange(EXPLORERS)
        if place in opened and dice.random() < 0.3:
            opened.pop(place).close()
            continue
        explorer = opened.setdefault(place, Explorer())
        explorer.model.driver = dice.choice(DRIVERS)
        explorer.model.endpoints = dice.randint(1, 4)
        said = explorer.ask(*dice.sample(explorer.model.names, 2))
        assert said.agree, said.words()
        asked += 1
    assert asked > TIMES / 2
    for explorer in opened.values():
        explorer.close()
    until = time.monotonic() + 2  # what is promised of a lab's end
    while (left := descendants() - before) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == set()
