"""Rules are data: each is complete, and the theory's text uses no rule that is not in the tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ipvkit.theory
from ipvkit.refusals import REFUSALS
from ipvkit.theory import RULES, TABLES
from ipvkit.theory.rule import version_of

CODE = [path for path in Path(ipvkit.theory.__file__).parent.glob("*.py") if not path.name.endswith("_rules.py")]


def test_every_rule_is_in_one_table() -> None:
    assert len(RULES) == sum(map(len, TABLES.values()))


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_is_a_sentence_with_a_source_and_versions(rule: ipvkit.theory.Rule) -> None:
    assert rule.says[0].isupper()
    assert not rule.says.endswith(".")
    assert re.search(r"\.c\b|RFC \d+|Documentation/|ipvkit/", rule.source)
    assert version_of(rule.since) <= (6, 1)
    assert rule.holds_for("6.1.0-13-um")


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_is_used(rule: ipvkit.theory.Rule) -> None:
    text = "\n".join(path.read_text() for path in CODE)
    first, _, last = rule.id.partition("-")
    composed = (f'f"{first}-{{' in text or f"-{last}\"" in text) and first in (
        "route", "forward", "ipvlan", "macvlan", "drop")
    assert f'"{rule.id}"' in text or composed


def test_code_names_only_refusals_that_have_words() -> None:
    named = set(re.findall(r'No\("([a-z-]+)", "([a-z0-9-]+)"\)', "\n".join(path.read_text() for path in CODE)))
    assert named
    assert {identifier for identifier, _ in named} <= set(REFUSALS)
    assert {rule for _, rule in named} <= set(RULES)
