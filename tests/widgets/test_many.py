"""Ten Explorers at once, opened, asked and closed at random: no error, and no lab is left."""

from __future__ import annotations

import os
import random
import time

import pytest

from ipvkit.widgets import Explorer
from ipvkit.widgets.settings import DRIVERS
from tests.machine.nursery import family, survivors

EXPLORERS, TIMES, SEED = 10, 50, 6


@pytest.mark.kernel
@pytest.mark.long
@pytest.mark.timeout(600)
def test_ten_explorers_opened_asked_and_closed_fifty_times() -> None:
    dice, before = random.Random(SEED), family(os.getpid())
    opened: dict[int, Explorer] = {}
    asked, seen = 0, set(before)
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
        seen |= family(os.getpid())
    assert asked > TIMES / 2
    for explorer in opened.values():
        explorer.close()
    until = time.monotonic() + 2  # what is promised of a lab's end
    while (left := survivors(seen) - before) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == set()
