"""What students write: a wrong answer of any kind gets a hint that fits it, a measured answer counts as its word."""

from __future__ import annotations

from typing import Any

import pytest

from ipvkit.course.exercises import EXERCISES, check
from ipvkit.findings import Answer
from ipvkit.topology import Topology, ipvlan, macvlan

SIX = {"net1": "fd00:1::11/64", "net2": "fd00:1::12/64"}
CHOICES = [name for name, exercise in EXERCISES.items() if not exercise.conditions]
TWO_SUBNETS = {"net1": "10.0.1.11/24", "net2": "10.0.2.12/24"}
#: What is no answer to anything, but easily typed.
NONSENSE = ("", "yes", None, [], ["reply"], {}, float("nan"), float("inf"), b"l2", "→", "/", "1/2/3")


def beside(net2: str, net1: str = "10.0.1.10/24") -> Topology:
    return Topology.of(ipvlan("l2"), routes="none", net1=net1, net2=net2)


@pytest.mark.parametrize(("exercise", "answer", "hint"), [
    ("01-b", Topology.of(ipvlan("l2"), routes="none", **SIX), "net1 does not reach net2 yet"),
    ("01-b", "10.0.1.11/24", "Build a topology"),
    ("01-b", beside("10.0.1.10/24"), "needs an address of its own, and a usable one: net1 has 10.0.1.10 already."),
    ("01-b", beside("10.0.1.2/24"), "host has 10.0.1.2 already"),
    ("01-b", beside("10.0.1.1/24"), "router has 10.0.1.1 already"),
    ("01-b", beside("10.0.1.255/24"), "10.0.1.255 is the broadcast address"),
    ("01-b", beside("10.0.1.0/24"), "10.0.1.0 is the subnet itself"),
    ("01-b", beside("10.0.1.11/24", net1="10.0.1.3/24"), "net1 needs an address of its own"),
    ("01-b", beside("192.168.1.10/24"), "net1 does not reach net2 yet"),
    ("02-a", 6, "there is room left"),
    ("02-a", 0, "there is room left"),
    ("02-a", 8, "The host's own frames"),
    ("02-a", 9, "more than the port allows"),
    ("02-a", "seven", "Write a number."),
    ("02-b", "net1→net2→net1", "Write a pair"),
    ("02-b", "net1→moon", "Write a pair"),
    ("02-b", 7, "Write a pair"),
    ("02-b", "net1→net2", "That pair says the same"),
    ("03-b", Topology.of(macvlan("bridge"), **SIX), "net1 does not reach net2"),
    ("03-b", Topology.of(macvlan("bridge"), routes="none", **TWO_SUBNETS), "no route of theirs names the router"),
    ("03-b", Topology.of(macvlan("bridge"), **TWO_SUBNETS), "no router is on the way"),
    ("03-b", Topology.of(macvlan("bridge"), routes="gateway", net1="10.0.1.11/24", net2="10.0.2.1/24"),
     "router has 10.0.2.1 already"),
    ("05-b", Topology.of(ipvlan("l2", "vepa"), hairpin=True, **SIX), "net1 does not reach the host yet"),
    ("05-b", Topology.of(ipvlan("l2", "vepa"), hairpin=True, net1="10.0.1.2/24"), "host has 10.0.1.2 already"),
    ("06-a", "l2", "Did anybody say something after it?"),
    ("07-a", "2 and 4", "was the port told of it?"),
    ("07-a", "1 and 2", "what source MAC"),
    ("07-a", "1 and 3", "the host itself counts too."),
    ("07-a", "5 and 4", "There are four"),
    ("07-a", "none", "Write two numbers"),
    ("07-b", 1, "the macvlan children"),
    ("07-b", 0, "the macvlan children"),
    ("07-b", 6, "Count each MAC once"),
    ("07-b", "three", "Write a number."),
    ("08-b", "10.0.1.102", "The server gives the lowest free address first"),
    ("09-b", "0.0.0.0/0", "more than it must"),
    ("09-b", "10.0.0.0/20", "more than it must"),
    ("09-b", "10.0.8.1/21", "The bits behind the prefix must be zero."),
    ("09-b", "10.0.8.0/22", "That is 10.0.8.0 to 10.0.11.255: all of 10.0.12.0/24 must be in it."),
    ("09-b", "192.168.0.0/24", "all of 10.0.11.0/24 and of 10.0.12.0/24"),
    ("09-b", "10.0.8.0", "Write a network"),
    ("10-a", "10.0.1.3", "That is ext itself."),
    ("10-a", "10.0.1.12", "Whose address is that"),
    ("10-a", "net1", "Write an address"),
    ("11-a", "2 and 3", "With ipvlan"),
    ("11-a", "1 and 32", "With macvlan"),
    ("11-a", "1 and 30", "the node itself speaks too."),
    ("11-a", "30 and 31", "With ipvlan"),
    ("11-a", "31 and 1", "Which of the two drivers"),
    ("11-a", "many", "Write two numbers"),
    ("11-b", "network unreachable", "where a route is missing"),
])
def test_a_wrong_answer_gets_the_hint_that_fits_it(exercise: str, answer: Any, hint: str) -> None:
    said = check(exercise, answer)
    assert not said
    assert hint in said.text


@pytest.mark.parametrize("exercise", EXERCISES)
def test_no_answer_at_all_is_asked_for_one(exercise: str) -> None:
    assert "Replace the dots" in check(exercise, ...).text


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("answer", NONSENSE, ids=repr)
def test_an_answer_of_another_form_is_told_the_form(exercise: str, answer: Any) -> None:
    said = check(exercise, answer)
    assert not said
    assert said.text.startswith(("Write ", "Build ")), said.text


@pytest.mark.parametrize("exercise", CHOICES)
def test_the_words_to_choose_from_are_named(exercise: str) -> None:
    said = check(exercise, "bananas").text
    assert EXERCISES[exercise].form or all(f'"{word}"' in said for word in EXERCISES[exercise].words), said


@pytest.mark.parametrize("exercise", CHOICES)
def test_every_other_word_has_a_hint_of_its_own(exercise: str) -> None:
    for word in set(EXERCISES[exercise].words) - {EXERCISES[exercise].right}:
        said = check(exercise, word)
        assert not said
        assert not said.text.startswith("Write ")


@pytest.mark.parametrize(("exercise", "answer"), [
    ("01-a", "networkunreachable"),
    ("01-a", "Network-Unreachable"),
    ("01-a", "Network is unreachable"),
    ("11-b", "host unreachable, says router"),
    ("09-a", "reply, ttl 62"),
    ("09-a", " 'reply' "),
    ("08-a", "nolease"),
    ("08-a", "No Lease"),
    ("06-a", "L3"),
    ("02-a", "7"),
    ("02-a", 7.0),
    ("02-b", "EXT -> Net1"),
    ("05-a", "net1 -> host"),
    ("07-a", (1, 4)),
    ("07-a", "1, 4"),
    ("09-b", " 10.0.8.0/21"),
    ("10-a", "10.0.1.11/24"),
    ("11-a", [1, 31]),
    ("01-b", beside("10.0.1.11/31")),
])
def test_the_right_answer_may_be_written_in_several_ways(exercise: str, answer: Any) -> None:
    said = check(exercise, answer)
    assert said, said.text


def test_a_measured_answer_counts_as_its_word() -> None:
    measured = Answer("reply", "ttl 62", 62)
    assert check("09-a", measured)
