"""Which driver for which case: the rules are consistent, what they cite exists, and the kernel's behaviour agrees."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path

import pytest

from ipvkit.choice import CASES, CHOICES, ELSE, RULES, Advice, choose
from ipvkit.cli.main import main
from ipvkit.errors import BadQuestion
from ipvkit.theory import predict
from ipvkit.topology import Topology, ipvlan, macvlan
from ipvkit.widgets import Chooser

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("cases", "driver"), [
    ("", "macvlan bridge"), ("mac_limit", "ipvlan l2"), ("in_vm", "ipvlan l2"), ("wifi", "ipvlan l2"),
    ("dhcp", "macvlan bridge"), ("multicast", "macvlan bridge"), ("host_firewall", "ipvlan l3s"),
    ("many_subnets", "ipvlan l3"), ("hostile", "ipvlan l3"), ("mac_limit dhcp", "ipvlan l2"),
    ("many_subnets host_firewall", "ipvlan l3s"), ("host_firewall dhcp", ""), ("host_firewall multicast", ""),
])
def test_the_recommendation(cases: str, driver: str) -> None:
    assert choose(**dict.fromkeys(cases.split(), True)).driver == driver


def test_every_reason_names_a_step_that_exists_or_a_source() -> None:
    for rule in RULES:
        if rule.shown.lesson:
            cells = json.loads((ROOT / "notebooks" / rule.shown.lesson).read_text(encoding="utf-8"))["cells"]
            text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
            assert re.search(rf"^## {rule.shown.step}\. ", text, re.MULTILINE), rule
        else:
            assert rule.shown.source, rule


def test_every_case_has_a_rule_and_every_answer_keeps_all_rules() -> None:
    assert {rule.case for rule in RULES} == set(CASES)
    for size in range(len(CASES) + 1):
        for cases in combinations(CASES, size):
            advice = choose(**dict.fromkeys(cases, True))
            assert advice.driver not in advice.ruled_out
            assert bool(advice.driver) == (len(advice.ruled_out) < len(CHOICES))


@pytest.mark.parametrize("driver", CHOICES)
def test_the_theory_agrees_that_no_mode_connects_a_child_with_its_host(driver: str) -> None:
    kind, mode = driver.split()
    make = ipvlan if kind == "ipvlan" else macvlan
    said = predict(Topology.of(make(mode), net1="10.0.1.11/24"))
    assert "reply" not in {said["net1", "host"].verdict, said["host", "net1"].verdict}


def test_the_answer_as_text_html_and_data() -> None:
    advice = choose(mac_limit=True)
    assert repr(advice).startswith("ipvlan l2\n✗ not macvlan bridge: ")
    assert "<a href='07-one-mac-or-many.ipynb'>notebook 07, step 2</a>" in advice._repr_html_()
    assert advice.as_json()["recommended"] == "ipvlan l2"
    assert repr(Advice((), "", ())) == ELSE


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choose", "--mac-limit", "--dhcp"]) == 0
    assert capsys.readouterr().out.startswith("ipvlan l2\n! look out: Each child must send a client identifier")
    assert main(["choose", "--host-firewall", "--dhcp", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["recommended"] is None
    for words, complaint in ((["choose"], "none is named"), (["choose", "--frob"], "choose --help")):
        assert main(words) == 2
        assert complaint in capsys.readouterr().err
    said = subprocess.run([ROOT / "lab", "choose", "--help"], capture_output=True, text=True, check=True)
    for case, question in CASES.items():
        assert re.search(rf"--{case.replace('_', '-')} +{re.escape(question)}", said.stdout)


def test_the_form_says_the_same() -> None:
    chooser = Chooser(dhcp=True)
    assert repr(chooser) == repr(choose(dhcp=True))
    chooser.cases = {"mac_limit": True}
    assert repr(chooser) == repr(choose(dhcp=True, mac_limit=True))
    assert "ipvlan l2" in chooser.children[-1].value
    with pytest.raises(BadQuestion, match="'fast' is not known"):
        chooser.cases = {"fast": True}
