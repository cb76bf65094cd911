"""What a student sees: colour only on a terminal and never alone, ASCII where there is no UTF-8, tables that fit."""

from __future__ import annotations

import io
import sys

import pytest

from ipvkit.cli.matrix import matrix
from ipvkit.cli.sketch import sketch
from ipvkit.cli.terminal import Terminal, length
from ipvkit.topology import (
    Endpoint,
    Host,
    Interface,
    LinkDown,
    SetMode,
    Topology,
    Vlan,
    ipvlan,
    macvlan,
)

CLASSIC = Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")


class Screen(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("plain")
def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Terminal(Screen(), Screen()).styled("good", "yes") == "\x1b[32myes\x1b[0m"
    assert Terminal(io.StringIO(), Screen()).styled("good", "yes") == "yes"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Terminal(Screen(), Screen()).styled("good", "yes") == "yes"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert Terminal(Screen(), Screen()).styled("good", "yes") == "yes"


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1252"])
def test_without_utf8_lines_and_arrows_become_ascii(encoding: str) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    Terminal(out, out).say(sketch(CLASSIC) + "\nnet1 → net2 ≠ ✓ … 名")
    said = raw.getvalue().decode("ascii")
    assert "+ net1 -----------+" in said
    assert said.endswith("net1 > net2 ! y . ?\n")


def test_progress_goes_to_standard_error_and_from_a_terminal_again() -> None:
    out, err, screen = io.StringIO(), io.StringIO(), Screen()
    with Terminal(out, err).step("measuring"):
        pass
    with pytest.raises(KeyboardInterrupt), Terminal(out, screen).step("measuring"):
        raise KeyboardInterrupt
    assert (out.getvalue(), err.getvalue()) == ("", "measuring ...\n")
    assert screen.getvalue() == "measuring ...\r\x1b[K"


def table(width: int, names: list[str], marked: set[tuple[str, str]], out: io.StringIO | None = None) -> str:
    terminal = Terminal(out or io.StringIO(), sys.stderr)
    terminal.width = width
    verdicts = {(a, b): "reply" if a < b else "host unreachable" for a in names for b in names if a != b}
    return matrix(terminal, names, verdicts, marked)


def test_a_table_uses_words_then_short_words_then_signs() -> None:
    names = ["net1", "net2", "net3"]
    assert table(80, names, {("net2", "net1")}) == """\
from / to  net1               net2              net3
net1       ·                  reply             reply
net2       host unreachable≠  ·                 reply
net3       host unreachable   host unreachable  ·"""
    assert table(40, names, set()) == """\
from / to  net1     net2     net3
net1       ·        reply    reply
net2       no host  ·        reply
net3       no host  no host  ·
no host = host unreachable"""
    assert table(30, names, {("net2", "net1")}) == """\
from / to  1   2  3
1 net1     ·   ✓  ✓
2 net2     H≠  ·  ✓
3 net3     H   H  ·
✓ = reply; H = host
unreachable"""


@pytest.mark.usefixtures("plain")
def test_colour_changes_nothing_but_the_colour() -> None:
    names = ["net1", "net2", "net3"]
    coloured = table(80, names, {("net2", "net1")}, Screen())
    assert "\x1b[31mhost unreachable≠\x1b[0m" in coloured
    assert [length(line) for line in coloured.splitlines()][:1] == [52]


def test_sixteen_names_fit_into_eighty_columns() -> None:
    lines = table(80, [f"n{number:02}" for number in range(1, 17)], set()).splitlines()
    assert max(map(len, lines)) <= 80


def test_the_classic_world_drawn() -> None:
    assert sketch(CLASSIC) == """\
  ┌ net1 ───────────┐  ┌ net2 ───────────┐
  │ ipv1  ipvlan l3 │  │ ipv2  ipvlan l3 │
  │ 10.0.1.10/24    │  │ 192.168.1.10/24 │
  └────────┬────────┘  └────────┬────────┘
           └─────────┬──────────┘
  ┌ host ────────────┴───────────────────┐
  │ eth0  10.0.1.2/24  02:00:00:00:00:01 │
  └──────────────────────────────────────┘

  switch ─┬─ host eth0  10.0.1.2/24
          ├─ ext eth0  10.0.1.3/24
          └─ router eth0  10.0.1.1/24, forwards
  router eth1  10.0.9.1/24, forwards ─── far eth0  10.0.9.2/24"""


def test_many_children_are_counted_and_changes_are_told() -> None:
    many = {f"net{number}": f"10.0.1.{number + 10}/24 fd00:1::{number:x}/64" for number in range(1, 41)}
    world = Topology.of(macvlan("bridge"), hairpin=True, **many)
    drawn = sketch(world.after(LinkDown("net1"), SetMode("net2", macvlan("vepa"))))
    assert "… and 34 more children of host eth0" in drawn
    assert "host eth0  10.0.1.2/24  fd00:1::2/64, hairpin" in drawn
    assert drawn.endswith("then: LinkDown net1; SetMode net2 macvlan vepa")
    assert max(map(len, drawn.splitlines())) <= 80


def test_every_parent_is_drawn() -> None:
    host = Host("host", (Interface("eth0", "10.0.1.2/24"),), Vlan("eth0.5", "eth0", 5, "10.5.0.2/24"))
    world = Topology((host,), (
        Endpoint("a", ipvlan("l2"), parent="eth0.5"), Endpoint("b", macvlan("bridge"), "10.0.1.6/24"),
        Endpoint("c", macvlan("vepa"), host="b", parent="macv2"),
    ))  # fmt: skip
    drawn = sketch(world)
    for text in ("eth0.5  10.5.0.2/24  VLAN 5 on eth0", "eth0  10.0.1.2/24", "macv2  itself a child of host eth0"):
        assert text in drawn
