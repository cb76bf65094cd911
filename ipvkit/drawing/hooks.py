"""Which netfilter hooks a datagram passed, on the way through each namespace's stack.

    draw_hooks(lab.hooks("net1", "far"))

The five hooks stand where they do in every picture of netfilter: what comes in goes through prerouting, then to a
program (input) or on (forward); what a program sends goes through output; what leaves, through postrouting. One that
counted is filled and says how many; one that did not is dashed. Imports nothing of ours but the scene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ipvkit.drawing.picture import Drawing
from ipvkit.drawing.scene import Point, Scene, Sketch
from ipvkit.drawing.text import Font
from ipvkit.errors import BadQuestion

MARGIN, GAP = 20.0, 16.0
STACK_WIDTH, STACK_HEIGHT = 460.0, 190.0
HOOK_WIDTH, HOOK_HEIGHT = 124.0, 36.0
CAPTION, CAPTION_BOLD, NAME, WORD = Font(13), Font(13, bold=True), Font(14, bold=True), Font(12)
PASSED, QUIET = Font(12, bold=True), Font(12)
#: In the kernel's order (enum nf_inet_hooks).
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
#: The middle of each hook in its namespace's box.
PLACES: Mapping[str, Point] = {
    "prerouting": (80, 60), "forward": (230, 60), "postrouting": (380, 60), "input": (130, 122), "output": (330, 122)}
PROGRAM: Point = (230, 166)
#: From where to where the stack hands packets on; empty names are the way in and out.
WAYS = (("", "prerouting"), ("prerouting", "forward"), ("forward", "postrouting"), ("prerouting", "input"),
        ("output", "postrouting"), ("input", "program"), ("program", "output"), ("postrouting", ""))


class Passed(Protocol):
    """What ``lab.hooks`` returns: packets counted by namespace and hook, and what became of the datagram."""

    @property
    def counted(self) -> Mapping[str, Mapping[str, int]]:
        """Packets by namespace, then by hook."""

    @property
    def delivery(self) -> Any:
        """Who sent to whom, and the verdict."""

    @property
    def counted_with(self) -> str:
        """What counted."""


def draw_hooks(passed: Passed) -> Drawing:
    """Return the picture of the hooks a datagram passed. BadQuestion if no namespace was counted in."""
    if not passed.counted:
        raise BadQuestion("hooks", "there is no namespace to show", "Give lab.hooks(...).")
    words = [f"{netns} {', '.join(hooks)}" for netns, hooks in _passed(passed).items() if hooks]
    fact = f"{passed.delivery!r}; hooks passed: {'; '.join(words) or 'none'}"
    return Drawing(_scene(passed, fact), f"Hooks, measured, {fact}")


def _passed(passed: Passed) -> dict[str, list[str]]:
    return {netns: [hook for hook in HOOKS if counted.get(hook)] for netns, counted in passed.counted.items()}


def _scene(passed: Passed, fact: str) -> Scene:
    sketch, hooks = Sketch(), _passed(passed)
    busy = [netns for netns in hooks if hooks[netns]]
    columns = min(max(len(busy), 1), 2)
    width = 2 * MARGIN + columns * STACK_WIDTH + (columns - 1) * GAP
    used = sketch.label(MARGIN, MARGIN + 4, "measured", CAPTION_BOLD)
    sketch.label(MARGIN + used + 10, MARGIN + 4, f"netfilter hooks, {passed.delivery!r}", CAPTION, role="muted",
                 room=width - 2 * MARGIN - used - 10)
    top = y = MARGIN + 30
    for number, netns in enumerate(busy):
        x = MARGIN + number % 2 * (STACK_WIDTH + GAP)
        y = top + number // 2 * (STACK_HEIGHT + GAP)
        _stack(sketch, x, y, netns, passed.counted[netns])
    y += STACK_HEIGHT + 20 if busy else 0
    for line in _notes(passed, [netns for netns in hooks if not hooks[netns]]):
        sketch.label(MARGIN, y, line, WORD, role="muted", room=width - 2 * MARGIN)
        y += 20
    return sketch.finish(width, y + MARGIN / 2, f"Netfilter hooks: {fact}", _description(passed))


def _notes(passed: Passed, idle: Sequence[str]) -> list[str]:
    said = [f"counted with {passed.counted_with}: ✓ packets, · none"]
    return said + ([f"no hook of: {', '.join(idle)}"] if idle else [])


def _stack(sketch: Sketch, x: float, y: float, netns: str, counted: Mapping[str, int]) -> None:
    """Draw one namespace: the ways first, the hooks on them."""
    sketch.box(x, y, STACK_WIDTH, STACK_HEIGHT, "netns", of=netns)
    sketch.label(x + 12, y + 20, netns, NAME, room=STACK_WIDTH - 24)
    for way in WAYS:
        sketch.wire([(x + across, y + down) for across, down in _points(*way)], arrow=True, width=1.6)
    for hook, (across, down) in PLACES.items():
        number = counted.get(hook, 0)
        title = f"{netns} {hook}: {number} packet{'' if number == 1 else 's'}"
        sketch.box(x + across - HOOK_WIDTH / 2, y + down - HOOK_HEIGHT / 2, HOOK_WIDTH, HOOK_HEIGHT,
                   "verdict-reply" if number else "off", dashed=not number, title=title, of=f"{netns} {hook}")
        sketch.label(x + across, y + down, f"✓ {hook} {number}" if number else f"· {hook}", PASSED if number else QUIET,
                     role="text" if number else "off-text", anchor="middle", title=title, room=HOOK_WIDTH - 6)
    sketch.pill(x + PROGRAM[0], y + PROGRAM[1], "program", WORD, title=f"a program in {netns}")


def _points(source: str, target: str) -> list[Point]:
    """Give the line of one of the ways, from edge to edge."""
    half, high = HOOK_WIDTH / 2, HOOK_HEIGHT / 2
    if not source:
        return [(2, 60), (PLACES[target][0] - half - 1, 60)]
    if not target:
        return [(PLACES[source][0] + half, 60), (STACK_WIDTH - 2, 60)]
    if source == "program":
        return [(PROGRAM[0] + 34, PROGRAM[1]), (PLACES[target][0], PROGRAM[1]), (PLACES[target][0], 122 + high + 1)]
    if target == "program":
        return [(PLACES[source][0], 122 + high), (PLACES[source][0], PROGRAM[1]), (PROGRAM[0] - 36, PROGRAM[1])]
    if target == "forward" or source == "forward":
        return [(PLACES[source][0] + half, 60), (PLACES[target][0] - half - 1, 60)]
    if target == "input":
        return [(PLACES[source][0] + 30, 60 + high), (PLACES[source][0] + 30, 122 - high - 1)]
    return [(PLACES[target][0] - 30, 122 - high), (PLACES[target][0] - 30, 60 + high + 1)]


def _description(passed: Passed) -> str:
    return " ".join(f"{netns}: " + ", ".join(f"{hook} {counted.get(hook, 0)}" for hook in HOOKS) + "."
                    for netns, counted in passed.counted.items())
