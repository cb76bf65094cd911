"""The widgets without a browser: every knob means a topology, every question is answered by theory and by a kernel."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ipywidgets import Widget

from ipvkit.errors import BadQuestion, DeadlineExceeded, LabClosed, TopologyError
from ipvkit.lab import Lab
from ipvkit.topology import Topology, ipvlan, macvlan
from ipvkit.widgets import Chooser, Explorer, Predict, SideBySide, Terminal
from ipvkit.widgets.knobs import Number
from ipvkit.widgets.settings import DRIVERS, Settings
from ipvkit.widgets.views import TITLES
from ipvkit.widgets.warm import WarmLab

LAN = Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24")


@pytest.fixture(scope="module")
def explorer() -> Iterator[Explorer]:
    made = Explorer()
    yield made
    made.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_driver_means_its_topology_and_its_code(driver: str) -> None:
    settings = Settings(driver=driver, endpoints=3, subnets="other", routes="gateway", hairpin=True, ipv6=True)
    assert {str(endpoint.driver) for endpoint in settings.topology.endpoints} == {driver}
    namespace = {"Topology": Topology, "ipvlan": ipvlan, "macvlan": macvlan}
    assert eval(settings.code, namespace) == settings.topology


def test_a_vlan_moves_children_and_neighbours_and_its_code_too() -> None:
    settings = Settings(vlan=20)
    assert {endpoint.parent for endpoint in settings.topology.endpoints} == {"eth0.20"}
    assert eval(settings.code, {"Topology": Topology}) == settings.topology


def test_the_mode_can_be_set_by_itself_and_nonsense_cannot() -> None:
    settings = Settings(driver="ipvlan l2")
    settings.mode = "l3"
    assert settings.driver == "ipvlan l3"
    settings.mode = "vepa"
    assert settings.driver == "macvlan vepa"
    with pytest.raises(TopologyError, match="l4"):
        settings.mode = "l4"


@pytest.mark.kernel
@pytest.mark.parametrize("driver", DRIVERS)
def test_explorer_asks_theory_and_kernel_and_they_agree(explorer: Explorer, driver: str) -> None:
    explorer.model.set_trait("driver", driver)
    said = explorer.ask("net1", "host")
    assert said.agree, said.words()
    assert f"measured {said.seen}" in repr(explorer)
    refused = [refusal.identifier for refusal in said.refusals]
    assert refused == (["passthru-alone"] if driver == "macvlan passthru" else [])
    assert explorer._status.word == ("refused" if refused else "done")
    assert ("gives the whole parent to one child" in explorer._status.why) == bool(refused)
    assert "passthru-alone" not in explorer._status.why


@pytest.mark.kernel
def test_a_timeout_says_nothing_before_the_machine(explorer: Explorer) -> None:
    explorer.model.driver = "ipvlan l2"
    assert explorer.ask("far", "net1").seen == "timeout"
    assert ">Lab machine: " in explorer._answer.value


@pytest.mark.kernel
def test_a_knob_turned_after_a_measurement_shows_a_prediction_only(explorer: Explorer) -> None:
    explorer.model.driver = "ipvlan l2"
    explorer.ask("net1", "net2")
    explorer.model.driver = "ipvlan l3"
    assert "measured" not in repr(explorer)


@pytest.mark.kernel
def test_a_tab_is_measured_when_somebody_looks_and_forgotten_when_a_knob_is_turned(explorer: Explorer) -> None:
    explorer.model.driver = "macvlan bridge"
    explorer.ask("net1", "host")
    views = explorer._views.boxes
    assert "measured" not in views["matrix"].drawing.fact
    explorer._tab.selected_index = TITLES.index("matrix")  # no loop runs here: it is measured when this returns
    assert "measured" in views["matrix"].drawing.fact
    assert explorer.look("matrix").pairs["ext", "net1"]
    assert [parent.children for parent in explorer.look("MACs").parents] == [2]
    assert "output" in explorer.look("hooks").passed["net1"]
    assert "Hooks" in views["hooks"].drawing.fact
    assert "switch: fdb p1 02:00:00:01:00:01 new: learned" in views["changes"].drawing.svg
    explorer.ask("net1", "net2")
    assert "net1 → net2" in explorer.look("hooks").title
    explorer._tab.selected_index = 0
    explorer.model.endpoints = 3
    assert [views[title].drawing for title in ("hooks", "changes")] == [None, None]
    assert "measured" not in views["matrix"].drawing.fact
    explorer.model.endpoints = 2


def test_nobody_asks_himself() -> None:
    widget = Explorer(endpoints=3)
    widget.destination = "net3"
    widget.source = "net3"
    assert widget._ask_button.disabled
    assert "two different names" in widget._status.value
    with pytest.raises(BadQuestion, match="ask itself"):
        widget.ask()
    widget.model.endpoints = 2  # net3 is gone, and a pair of two is left
    assert widget.source != widget.destination
    assert not widget._ask_button.disabled
    widget.close()


def test_a_choice_whose_name_was_gone_stands_again_once_it_is_back() -> None:
    widget = Explorer(endpoints=3)
    widget.destination = "net3"
    for endpoints, pair in ((1, ("net1", "host")), (2, ("net1", "net2")), (3, ("net1", "net3"))):
        widget.model.endpoints = endpoints
        assert (widget.source, widget.destination) == pair
    widget.model.endpoints = 1
    widget.destination = "ext"  # chosen anew: that counts from now on
    widget.model.endpoints = 3
    assert widget.destination == "ext"
    widget.close()


@pytest.mark.parametrize(("label", "typed", "taken"), [("endpoints", 2.5, 2), ("endpoints", 99, 8), ("endpoints", 0, 1),
                                                       ("VLAN", 5000, 4094), ("VLAN", -1, 0)])
def test_what_is_taken_instead_of_what_was_typed_is_told(label: str, typed: float, taken: int) -> None:
    widget = Explorer(endpoints=3)
    numbers: dict[str, Number] = {box.tooltip: box for box in descendants(widget) if isinstance(box, Number)}
    numbers[label].value = typed
    assert getattr(widget.model, label.lower()) == taken == numbers[label].value
    assert f"{label}: {typed:g} is no whole number" in widget._status.why
    assert f"{taken} was taken" in widget._status.why
    numbers[label].value = taken + 1 if taken < 4 else taken - 1
    assert "taken" not in widget._status.why
    widget.close()


def descendants(widget: Widget) -> Iterator[Widget]:
    """Every control of a widget."""
    for child in getattr(widget, "children", ()):
        yield child
        yield from descendants(child)


def test_a_knob_that_is_not_there_or_takes_no_such_value_is_named() -> None:
    widget = Explorer()
    with pytest.raises(AttributeError, match=r"explorer\.model\.mode = 'l3'"):
        widget.mode = "l3"
    with pytest.raises(AttributeError, match=r"no knob explorer\.model\.mod; there are: mode, "):
        widget.model.mod = "l3"
    for field, wrong, fix in (("driver", "ipvlan l4", "ipvlan l2, ipvlan l3"), ("endpoints", 99, "from 1 to 8"),
                              ("ipv6", "yes", "True or False"), ("vlan", 2.5, "from 0 to 4094")):
        with pytest.raises(TopologyError, match=f"^{field}: .*{fix}"):
            setattr(widget.model, field, wrong)
        with pytest.raises(TopologyError, match=f"^{field}: .*{fix}"):
            Explorer(**{field: wrong})
    widget.close()


@pytest.mark.kernel
def test_cancel_ends_the_question_and_the_next_one_works(explorer: Explorer) -> None:
    starting, cancelled = threading.Event(), threading.Event()

    def start(*words: Any, **options: Any) -> Lab:
        starting.set()
        cancelled.wait(30)
        return Lab(*words, **options)

    async def cancel_while_it_starts() -> str:
        explorer._ask_in_background()
        while not starting.is_set():
            await asyncio.sleep(0.01)
        explorer.cancel()
        cancelled.set()
        assert explorer._background._task is not None
        await explorer._background._task
        return explorer._status.word

    explorer.cancel()  # so that the question begins by starting a machine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipvkit.widgets.warm.Lab", start)
        assert asyncio.run(asyncio.wait_for(cancel_while_it_starts(), 60)) == "cancelled"
    assert explorer.ask("net1", "net2").agree


@pytest.mark.usefixtures("by_turns")
@pytest.mark.kernel
def test_the_status_speaks_before_the_work_begins_and_a_knob_redraws_at_once() -> None:
    async def ask(widget: Explorer) -> str:
        widget._ask_in_background()
        await asyncio.sleep(0)  # the loop's next turn: nothing has been waited for
        word = widget._status.word
        widget.cancel()
        assert widget._background._task is not None
        await widget._background._task
        return word

    widget = Explorer()
    assert asyncio.run(ask(widget)) == "working"
    took = []
    for driver in DRIVERS * 2:
        began = time.process_time()
        widget.model.driver = driver
        took.append(time.process_time() - began)
    widget.close()
    assert statistics.median(took) < 0.15


@pytest.mark.kernel
def test_side_by_side_says_what_differs_first_predicted_then_measured() -> None:
    widget = SideBySide(LAN, Topology.of(ipvlan("l3"), net1="10.0.1.11/24", net2="10.0.1.12/24"))
    predicted = widget.differences
    assert predicted["ext", "net1"] == ("reply", "host unreachable")
    assert widget.measure() == predicted
    assert repr(widget).endswith("14 pairs differ, measured")
    widget.close()


@pytest.mark.kernel
def test_predict_compares_you_theory_and_kernel() -> None:
    widget = Predict(LAN, "net1→host", "ext→net1", "net1→net2", matrix=True)
    widget.guess = {"net1→host": "timeout", "ext→net1": "reply"}
    widget._sure["ext→net1"].value = "certain"
    first = widget.reveal()
    rows = {row[0]: row[1:5] for row in first.rows}
    assert rows == {"net1→host": ("✗ timeout", "a guess", "host unreachable", "host unreachable"),
                    "ext→net1": ("✓ reply", "certain", "reply", "reply"),
                    "net1→net2": ("– not sure", "", "reply", "reply")}
    assert "Reachability" in widget._table.value
    with pytest.raises(BadQuestion, match="shown already"):
        widget.guess = {"net1→host": "host unreachable"}
    assert widget.reveal(skip=True) is first
    widget.close()


@pytest.mark.kernel
def test_predict_skipped_is_noted() -> None:
    widget = Predict(LAN, "net1→host")
    assert {row[1] for row in widget.reveal(skip=True).rows} == {"– skipped"}
    widget.close()


@pytest.mark.kernel
def test_who_lets_himself_be_shown_keeps_what_he_has_guessed() -> None:
    widget = Predict(LAN, "net1→host", "net1→net2")
    widget.guess = {"net1→net2": "reply"}
    assert [row[1] for row in widget.reveal(skip=True).rows] == ["– skipped", "✓ reply"]
    widget.close()


def test_the_kernel_is_asked_after_a_guess_and_each_button_says_what_it_does() -> None:
    widget = Predict(LAN, "net1→host")
    ask, show = widget._reveals
    assert (ask.disabled, show.disabled) == (True, False)
    assert "guess first" in ask.tooltip
    assert "skipped" in show.tooltip
    widget.guess = {"net1→host": "timeout"}
    assert not ask.disabled
    assert ask.tooltip != show.tooltip
    widget.guess = {"net1→host": "not sure"}
    assert ask.disabled
    widget.close()


@pytest.mark.parametrize(("pair", "guess"), [("net1→nobody", {}), ("net1 net2", {}), ("net1→host", {"x→y": "reply"}),
                                             ("net1→host", {"net1→host": "maybe"}), ("net1→net1", {})])
def test_predict_refuses_what_is_no_pair_or_no_answer(pair: str, guess: dict[str, str]) -> None:
    with pytest.raises(BadQuestion):
        Predict(LAN, pair).guess = guess


@pytest.mark.kernel
def test_the_terminal_shows_output_and_says_when_the_lab_is_gone() -> None:
    lab = Lab(LAN)
    terminal = Terminal(lab, "net1")
    assert "10.0.1.0/24 dev ipv1" in terminal.run("ip route")
    assert "[exit status 3]" not in terminal.output
    terminal.run("exit 3")
    assert "exit status 3" in terminal.output
    lab.close()
    assert repr(terminal) == "Terminal: net1, lab gone, run the cell that makes it again"
    with pytest.raises(LabClosed):
        terminal.run("ip route")


@pytest.mark.kernel
@pytest.mark.parametrize("command", ["while sleep 0.1; do echo again; done", "echo again; sleep 55"])
def test_cancel_ends_a_command_at_once_and_not_the_lab(command: str) -> None:
    lab = Lab(LAN)
    terminal = Terminal(lab, "net1")

    async def cancel_when_it_has_printed() -> float:
        terminal._command.value = command
        terminal._run_in_background()
        while "\nagain" not in terminal.output:
            await asyncio.sleep(0.05)
        terminal.cancel()
        began = time.monotonic()
        assert terminal._background._task is not None
        await terminal._background._task
        return time.monotonic() - began

    assert asyncio.run(asyncio.wait_for(cancel_when_it_has_printed(), 60)) < 10
    assert terminal._status.word == "cancelled"
    until = time.monotonic() + 2  # it was killed; a process takes its time to die of it
    while (running := "sleep" in terminal.run("cat /proc/[0-9]*/comm")) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running
    lab.close()


@pytest.mark.kernel
def test_the_terminal_says_what_it_did_not_run_and_ignores_nothing() -> None:
    lab = Lab(LAN)
    terminal = Terminal(lab, "net1")
    terminal._command.value = "  "
    terminal._run_in_background()
    assert (terminal.output, terminal._status.word) == ("", "idle")
    assert "cd /tmp && pwd" in terminal._status.why

    async def two_at_once() -> str:
        terminal._command.value = "sleep 0.5; echo first"
        terminal._run_in_background()
        await asyncio.sleep(0)
        assert (terminal._run.disabled, terminal._cancel.disabled) == (True, False)
        terminal._command.value = "echo second"
        terminal._run_in_background()
        said = terminal._status.why
        assert terminal._background._task is not None
        await terminal._background._task
        return said

    assert "not run: echo second" in asyncio.run(two_at_once())
    assert "second" not in terminal.output
    assert (terminal._run.disabled, terminal._cancel.disabled) == (False, True)
    lab.close()


def test_a_name_that_is_not_there_is_a_bad_question_and_changes_nothing() -> None:
    explorer = Explorer()
    for ask in (lambda: explorer.ask("nope"), lambda: Explorer(endpoint=3), lambda: Chooser(bogus=True)):
        with pytest.raises(BadQuestion):
            ask()
    assert (explorer.source, explorer.look("matrix")) == ("net1", None)
    assert Explorer(mode="l3").model.driver == "ipvlan l3"


@pytest.mark.kernel
def test_a_terminal_offers_every_namespace_and_no_other() -> None:
    lab = Lab(LAN)
    assert "br0" in Terminal(lab, "switch").run("ip -br link")
    with pytest.raises(BadQuestion, match="there is no 'nope'"):
        Terminal(lab, "nope")
    lab.close()


@pytest.mark.kernel
def test_a_lab_whose_rebuilding_failed_is_not_asked() -> None:
    warm = WarmLab()
    assert warm.ask(LAN, lambda lab: lab.ping("net1", "net2"))
    many = Topology.of(ipvlan("l2"), **{f"net{n}": f"10.{n // 200}.{n % 200}.1/8" for n in range(1, 190)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipvkit.lab._BUILD_DEADLINE", 0.0)
        patch.setattr("ipvkit.lab._SECONDS_PER_STEP", 0.0)
        with pytest.raises(DeadlineExceeded):
            warm.ask(many, lambda lab: lab.ping("net1", "net2"))
    assert not warm.alive
    assert warm.ask(many, lambda lab: lab.ping("net1", "net2"))
    warm.close()


@pytest.mark.kernel
def test_closed_while_its_kernel_starts_no_machine_is_left() -> None:
    warm = WarmLab()
    made: list[Lab] = []

    def start(*words: Any, **options: Any) -> Lab:
        warm.cancel()
        made.append(Lab(*words, **options))
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipvkit.widgets.warm.Lab", start)
        with pytest.raises(LabClosed):
            warm.ask(LAN, lambda lab: lab.ping("net1", "net2"))
    assert not warm.alive
    assert not any(lab.alive for lab in made)
