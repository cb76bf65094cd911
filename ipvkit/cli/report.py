"""The commands that read a topology file, and ``doctor``. Each prints for a reader, or JSON for a program."""

from __future__ import annotations

import json
import re
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipvkit.cli.main import BAD_INPUT, FAILED, GOOD, LOG
from ipvkit.cli.matrix import matrix
from ipvkit.cli.sketch import sketch
from ipvkit.cli.terminal import TYPED, Terminal
from ipvkit.errors import BadQuestion
from ipvkit.topology import Topology

if TYPE_CHECKING:
    from ipvkit.lab import Lab

NEEDED = ("ipvlan", "macvlan")


def read(options: Namespace) -> Topology:
    """Return the topology of the file; ``-`` is standard input."""
    return Topology.from_yaml(sys.stdin.read() + "\n" if options.file == "-" else Path(options.file))


def print_json(terminal: Terminal, value: Any) -> None:
    """Print one JSON value."""
    terminal.say(json.dumps(value, indent=2, ensure_ascii=False))


def doctor(options: Namespace, terminal: Terminal) -> int:
    """Print who covers what; FAILED if no machine has the course's two drivers."""
    from ipvkit.machine.doctor import OPENERS, Report, examine_machine
    from ipvkit.systems.lessons import PROGRAMS, lacks

    found = []
    for name in OPENERS:
        with terminal.step(f"trying machine {name}"):
            found.append(examine_machine(name, fresh=options.fresh))
    report = Report(tuple(found))
    ready = [one.name for one in found if not one.lacks(frozenset(NEEDED))]
    if options.json:
        print_json(terminal, report.as_json())
        return GOOD if ready else FAILED
    for line in str(report).splitlines():
        _say_doctor_line(terminal, line)
    terminal.say()
    for lesson in PROGRAMS:
        if absent := lacks(lesson):
            terminal.paragraph(f"lesson {lesson} needs more: {absent}")
    if ready:
        terminal.say(f"Ready: labs with ipvlan run on machine {ready[0]}.", "good")
        return GOOD
    terminal.say("Not ready: no machine here has ipvlan yet. Type ./lab setup, or see the fixes above.", "bad")
    return FAILED


def _say_doctor_line(terminal: Terminal, line: str) -> None:
    """Print one line of the report: yes and no in colour where it is a row of the table, wrapped where it is long."""
    line = line.rstrip()
    if re.fullmatch(r"\S+( +(yes|no|-))+", line):
        line = re.sub(r"\byes\b", terminal.styled("good", "yes"), line)
        terminal.say(re.sub(r"\bno\b", terminal.styled("bad", "no"), line))
    elif len(line) <= terminal.width:
        terminal.say(line)
    else:
        terminal.paragraph(line.strip(), "  " if line.startswith("  ") else "")


def run(options: Namespace, terminal: Terminal) -> int:
    """Build, measure all pairs, compare; FAILED if kernel and theory differ."""
    from ipvkit.lab import Lab

    topology = read(options)
    with terminal.step("starting a machine and building the lab"):
        lab = Lab(topology, machine=options.machine, on_refusal="record")
    with lab:
        LOG.info("%s, %r", lab.machine_line(), topology)
        found = [_measure(lab, family, options.link_local, terminal) for family in _families(options, topology)]
        refusals = _compare_refusals(lab)
        agreed = refusals["agreement"] and not any(comparison.disagreements for _, comparison in found)
        if options.json:
            print_json(terminal, {
                "machine": lab.machine.name, "kernel": lab.machine.kernel, "topology": repr(topology),
                "agreement": agreed, "refusals": refusals,
                "pairs": [pair for table, comparison in found for pair in _as_json(table, comparison)]})
        else:
            _print_run(options, lab, found, refusals, terminal)
    return GOOD if agreed else FAILED


def _families(options: Namespace, topology: Topology) -> list[int]:
    """Return the families to ask with. A device gives itself an address only where IPv6 is used."""
    families = sorted(topology.families)
    if not options.link_local:
        return families
    if 6 not in families:
        raise BadQuestion("--link-local", "the file has no IPv6 address, so the lab does without IPv6",
                          "Give somebody one, for example fd00:1::11/64.")
    return [6]


def _measure(lab: Lab, family: int, link_local: bool, terminal: Terminal) -> tuple[Any, Any]:
    from ipvkit.comparison import compare
    from ipvkit.theory import predict as ask_theory

    with terminal.step(f"measuring all pairs, {_asked(family, link_local)}"):
        measured = lab.ping_matrix(family, link_local=link_local)
    predicted = ask_theory(lab.topology, kernel=lab.machine.kernel, family=family, link_local=link_local)
    return measured, compare(predicted, measured)


def _asked(family: int, link_local: bool) -> str:
    return f"IPv{family}{' link-local' * link_local}"


def _compare_refusals(lab: Lab) -> dict[str, Any]:
    from ipvkit.theory import predict as ask_theory

    predicted = ask_theory(lab.topology, kernel=lab.machine.kernel).refusals
    found = sorted(refused.identifier for refused in lab.refusals)
    return {
        "agreement": found == sorted(refusal.identifier for refusal in predicted),
        "measured": [{"command": one.command, "errno": one.errno, "identifier": one.identifier, "reason": one.reason}
                     for one in lab.refusals],
        "predicted": [{"request": one.request, "identifier": one.identifier} for one in predicted],
    }


def _as_json(table: Any, comparison: Any) -> list[dict[str, Any]]:
    return [{"family": table.family, "link_local": table.link_local, "from": row.source, "to": row.destination,
             "measured": row.measured, "detail": row.detail, "predicted": row.predicted, "outcome": row.outcome,
             "why": row.why}
            for row in comparison.rows]


def _print_run(
    options: Namespace, lab: Lab, found: list[tuple[Any, Any]], refusals: dict[str, Any], terminal: Terminal
) -> None:
    terminal.say(sketch(lab.topology, terminal.width))
    terminal.say()
    terminal.say(lab.machine_line())
    for difference in lab.differences:
        terminal.say(str(difference))
    for one in refusals["measured"]:
        terminal.heading(f"refused: {one['command']}")
        terminal.paragraph(one["reason"], "  ")
    if not refusals["agreement"]:
        predicted = ", ".join(one["identifier"] for one in refusals["predicted"]) or "none"
        terminal.say(f"≠ refusals: predicted {predicted}", "bad")
    for table, comparison in found:
        terminal.heading(f"measured: {_asked(table.family, table.link_local)}, one ping each, caches {table.caches}")
        verdicts = {pair: answer.verdict for pair, answer in table.pairs.items()}
        differ = {(row.source, row.destination) for row in comparison.disagreements}
        terminal.say(matrix(terminal, table.names, verdicts, differ))
        terminal.say()
        lines = repr(comparison).splitlines()
        terminal.say(lines[0], "bad" if differ else "good")
        for line in lines[1:]:
            terminal.paragraph(line.strip(), "    " if line.startswith(" ") else "  ")
    asked = next(((row.source, row.destination) for _, comparison in found for row in comparison.rows
                  if row.measured != "reply"), None)
    if asked:
        more = " --link-local" * options.link_local
        terminal.say(f"Why, step by step: {TYPED} explain {options.file} {asked[0]} {asked[1]}{more}", "dim")


def predict(options: Namespace, terminal: Terminal) -> int:
    """Print what the theory says of all pairs."""
    topology = read(options)
    predictions = [_predicted(options, topology, family) for family in _families(options, topology)]
    if options.json:
        print_json(terminal, {
            "kernel": options.kernel, "topology": repr(topology),
            "refusals": [{"request": one.request, "identifier": one.identifier} for one in predictions[0].refusals],
            "pairs": [{"family": prediction.family, "link_local": prediction.link_local, "from": source, "to": to,
                       "predicted": verdict.verdict, "why": verdict.why, "rule": verdict.rule}
                      for prediction in predictions for (source, to), verdict in prediction.items()]})
        return GOOD
    for refusal in predictions[0].refusals:
        terminal.say(f"predicted to be refused: {refusal.request} ({refusal.identifier})")
    for prediction in predictions:
        asked = _asked(prediction.family, prediction.link_local)
        terminal.heading(f"predicted: {asked}, Linux {prediction.kernel}, caches cold")
        terminal.say(matrix(terminal, prediction.names, {pair: str(verdict) for pair, verdict in prediction.items()}))
    return GOOD


def _predicted(options: Namespace, topology: Topology, family: int) -> Any:
    from ipvkit.theory import predict as ask_theory

    try:
        return ask_theory(topology, kernel=options.kernel, family=family, link_local=options.link_local)
    except ValueError as error:
        raise BadQuestion("--kernel", str(error), "For example --kernel 6.1") from None


def explain(options: Namespace, terminal: Terminal) -> int:
    """Print the walk of one echo request by the theory."""
    from ipvkit.theory import explain as ask_theory

    topology = read(options)
    for field, name in (("SRC", options.src), ("DST", options.dst)):
        if name not in topology.names:
            raise BadQuestion(f"{options.file}: {field}", f"there is no {name!r}",
                              f"Name one of: {', '.join(topology.names)}.")
    _predicted(options, topology, 4)  # refuses a version that is none
    _families(options, topology)
    walk = ask_theory(topology, options.src, options.dst, kernel=options.kernel, family=options.family,
                      link_local=options.link_local)
    if options.json:
        print_json(terminal, {"from": walk.source, "to": walk.destination, "verdict": walk.verdict.verdict,
                              "why": walk.verdict.why, "steps": [vars(step) for step in walk.steps]})
        return GOOD
    head, why, *steps = repr(walk).splitlines()
    terminal.say(f"predicted: {head}, Linux {options.kernel}", "strong")
    terminal.paragraph(why.strip(), "  ")
    for line in steps:
        if line.startswith(" "):
            place, _, what = line.strip().partition("  ")
            terminal.say(f"  {place}")
            terminal.paragraph(what.strip(), "      ")
        else:
            terminal.heading(line)
    return GOOD


def draw(options: Namespace, terminal: Terminal) -> int:
    """Draw into a file, or here in characters."""
    topology = read(options)
    if options.output is None:
        terminal.say(sketch(topology, terminal.width))
        return GOOD
    from ipvkit.drawing import draw as make

    try:
        with terminal.step(f"drawing {options.output}"):
            make(topology).save(options.output)
    except BadQuestion as error:
        raise BadQuestion("-o", error.problem, error.fix) from None
    except OSError as error:
        terminal.complain(f"ipvkit: -o: {options.output} cannot be written ({error.strerror}). Name another file.")
        return BAD_INPUT
    terminal.say(options.output)
    return GOOD


def commands(options: Namespace, terminal: Terminal) -> int:
    """Print the ``ip`` lines."""
    from ipvkit.plan import commands as lines

    terminal.say(lines(read(options)))
    return GOOD


