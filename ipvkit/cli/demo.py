"""The classic ipvlan experiment in the terminal, the control that shows what it does not prove, and what does.

The law: every answer that is shown was measured just now; the conclusion is printed only if the answers carry it.
Needs Python and pyroute2.
"""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import dataclass

from ipvkit.cli.main import FAILED, GOOD, LOG
from ipvkit.cli.sketch import sketch
from ipvkit.cli.terminal import Terminal
from ipvkit.findings import Answer
from ipvkit.lab import Lab
from ipvkit.plan import plan
from ipvkit.steps import AddChild, SetAddress, SetRoute
from ipvkit.topology import Driver, Topology, ipvlan, macvlan

NET1, NET2 = "10.0.1.10/24", "192.168.1.10/24"
CLASSIC, CONTROLS = ipvlan("l3"), (ipvlan("l2"), macvlan("bridge"))


@dataclass(frozen=True)
class Round:
    """What one driver and mode did: the ping with the route ``dev``, whom net1 asked by ARP, the ping by gateway."""

    driver: Driver
    by_device: Answer
    asked: tuple[str, ...]
    by_gateway: Answer


def demo(options: Namespace, terminal: Terminal) -> int:
    """Do the experiment; FAILED if this kernel's answers do not carry the conclusion."""
    classic = _world(CLASSIC, "device")
    if not options.json:
        _introduce(terminal, classic)
    with terminal.step("starting a machine and building the lab"):
        lab = Lab(classic, machine=options.machine)
    with lab:
        line = lab.machine_line()
        LOG.info("%s, %r", line, classic)
        first = _first_ping(lab, terminal, options.json)
        rounds = []
        for driver in (CLASSIC, *CONTROLS):
            with terminal.step(f"the same with {driver}"):
                rounds.append(_round(lab, driver))
    proved = _is_as_taught(first, rounds)
    if options.json:
        terminal.say(json.dumps({"machine": line, "as taught": proved, "rounds": [_as_json(one) for one in rounds]},
                                indent=2, ensure_ascii=False))
    else:
        _conclude(terminal, rounds, line, proved)
    return GOOD if proved else FAILED


def _world(driver: Driver, routes: str) -> Topology:
    return Topology.of(driver, routes=routes, net1=NET1, net2=NET2)


def _introduce(terminal: Terminal, topology: Topology) -> None:
    terminal.say("Does this ping prove ipvlan l3?", "strong")
    terminal.paragraph("The experiment as most tutorials print it: two namespaces, two ipvlan l3 children of one NIC, "
                       "two subnets, default routes through the device, and a ping.")
    terminal.say()
    terminal.say(sketch(topology, terminal.width))
    terminal.heading("1  Build it")
    steps = plan(topology)
    told = [step for step in steps if isinstance(step, AddChild)
            or (isinstance(step, SetAddress | SetRoute) and step.netns in ("net1", "net2"))]
    for step in told:
        terminal.say(f"   {step.command}")
    terminal.say(f"   ... and {len(steps) - len(told)} steps more: namespaces, switch, router, all set up", "dim")


def _first_ping(lab: Lab, terminal: Terminal, silent: bool) -> Answer:
    with terminal.step("asking"):
        answer = lab.ping("net1", "net2")
    if not silent:
        terminal.say(f"   Built and checked. {lab.machine_line()}")
        terminal.heading("2  Ping")
        terminal.say(f"   {answer!r}", "good" if answer else "bad")
        terminal.say()
        terminal.paragraph("Two subnets, no router, and it answers. Is that what l3 mode does?", "   ")
    return answer


def _round(lab: Lab, driver: Driver) -> Round:
    """Ask both ways of routing in the same machine; every lab is built anew."""
    lab.rebuild(_world(driver, "device"))
    by_device = lab.ping("net1", "net2")
    asked = tuple(entry.address for entry in lab.state().neighbours if entry.netns == "net1")
    lab.rebuild(_world(driver, "gateway"))
    return Round(driver, by_device, asked, lab.ping("net1", "net2"))


def _is_as_taught(first: Answer, rounds: list[Round]) -> bool:
    """True if every mode answers the classic ping, and only l3 needs neither ARP nor the gateway it was given."""
    classic, *controls = rounds
    return (bool(first) and all(one.by_device for one in rounds)
            and not classic.asked and classic.by_gateway.ttl == classic.by_device.ttl
            and all(one.asked and one.by_gateway.ttl == (one.by_device.ttl or 0) - 1 for one in controls))


def _conclude(terminal: Terminal, rounds: list[Round], line: str, proved: bool) -> None:
    classic, *controls = rounds
    terminal.heading("3  The control: the same without l3")
    for one in controls:
        terminal.say(f"   {one.driver!s:16}{one.by_device!r}", "good" if one.by_device else "bad")
    if not proved:
        terminal.heading("This kernel answers otherwise than the course says:")
        for one in rounds:
            terminal.paragraph(f"{one.driver}: {one.by_device}; asked by ARP: {', '.join(one.asked) or 'nobody'}; "
                               f"by the gateway: {one.by_gateway}", "   ")
        return
    terminal.say()
    terminal.paragraph("It answers there too, so the ping proves nothing about l3. A default route without a gateway "
                       "makes net1 ask by ARP for an address in another subnet, and net2, on the same parent, "
                       "replies.", "   ")
    terminal.heading("4  What does tell them apart")
    terminal.say(f"   {'':16}{'net1 asked by ARP':22}ping with the router as gateway", "dim")
    for one in rounds:
        terminal.say(f"   {one.driver!s:16}{', '.join(one.asked) or 'nobody':22}{one.by_gateway}")
    terminal.say()
    terminal.paragraph(
        "In l3 mode no ARP is sent and the packet never leaves the host, not even for the gateway it was told to use: "
        f"ttl {classic.by_gateway.ttl}. In the others it goes out to the router and back: "
        f"ttl {controls[0].by_gateway.ttl}.", "   ")
    terminal.say()
    terminal.say(f"All of it measured just now. {line}", "dim")
    terminal.say("Why, step by step: ./lab, notebook 01.")


def _as_json(one: Round) -> dict[str, object]:
    return {"driver": str(one.driver), "ping": one.by_device.verdict, "ttl": one.by_device.ttl,
            "asked by ARP": list(one.asked), "ping by gateway": one.by_gateway.verdict,
            "ttl by gateway": one.by_gateway.ttl}
