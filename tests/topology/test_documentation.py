"""docs/topology.md is true: code prints what stands below it, YAML is read, tables are complete."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import fields
from pathlib import Path

import pytest

from ipvkit.topology import (
    FLAGS,
    MODES,
    Endpoint,
    Host,
    Interface,
    Port,
    Route,
    Switch,
    Topology,
    Vlan,
    ipvlan,
    macvlan,
)
from ipvkit.topology.changes import CHANGES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "topology.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_code_prints_what_stands_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    compared = 0
    for (language, text), (next_language, expected) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(text, names)
            if next_language == "text":
                assert printed.getvalue().rstrip() == expected.rstrip()
                compared += 1
    assert compared == len([language for language, _ in BLOCKS if language == "text"]) >= 5
    long = Topology.from_yaml([text for language, text in BLOCKS if language == "yaml"][-1])
    assert long == names["two"]


def test_the_yaml_is_read_and_means_what_the_page_says() -> None:
    short, extended, _ = [Topology.from_yaml(text) for language, text in BLOCKS if language == "yaml"]
    assert short == Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")
    assert extended.changes[1].place == "net2"
    assert extended.endpoint("net1").addresses == ("10.0.1.11/24", "fd00:1::11/64")


def test_the_table_of_the_default_world_is_true() -> None:
    world = Topology.of(macvlan("bridge"), net1="10.0.1.10/24 fd00:1::10/64")
    rows = re.findall(r"^\|(.*?)\| `(eth\d)` \| (\S+) \| (\S+) \| (\S+) \|", PAGE, re.MULTILINE)
    found, place = [], ""
    for where, device, four, six, mac in rows:
        place = where.strip().strip("`").split("`")[0] or place
        found.append((place, device, (four, six), mac))
    assert found == [(host.name, nic.name, nic.addresses, nic.mac) for host in world.hosts for nic in host.interfaces]


def test_the_tables_name_every_change_every_part_and_every_mode() -> None:
    for change in CHANGES:
        assert f"`{change}`" in PAGE
    for kind in (Host, Interface, Vlan, Switch, Port, Endpoint, Route):
        row = re.search(rf"^\| `{kind.__name__}` \| (.*) \|$", PAGE, re.MULTILINE)
        assert row
        assert not [field.name for field in fields(kind) if not re.search(rf"\b{field.name}\b", row[1])]
    for kind, modes in MODES.items():
        row = re.search(rf"^\| `{kind}\(.*$", PAGE, re.MULTILINE)
        assert row
        assert not [word for word in (*modes, *FLAGS[kind]) if word not in row[0]]
