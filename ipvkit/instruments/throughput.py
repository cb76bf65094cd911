"""``lab.throughput``: iperf3 in several topologies, in turn, with the spread, and what the packets have to pass.

On a machine that others use too, a difference smaller than the spread is noise. The devices and hooks a packet passes
are counted beside it, because they are the reason there would be a difference.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipvkit.errors import BadQuestion, LabError
from ipvkit.findings import Table
from ipvkit.instruments import asking
from ipvkit.instruments.hooks import hooks
from ipvkit.instruments.programs import start
from ipvkit.instruments.trace import Trace, trace

if TYPE_CHECKING:
    from ipvkit.lab import Lab
    from ipvkit.topology import Topology

PORT = 5201
_MEGABIT = 1e6


@dataclass(frozen=True)
class Run:
    """One run of iperf3 over TCP: ``megabits`` a second received, mean round trip time in microseconds."""

    megabits: float
    round_trip: float


class Throughput(Table):
    """``runs[name]`` are the :class:`Run` of each topology, in order; ``devices`` and ``hooks`` what a packet passed.

    Differences smaller than the spread are noise: so says the title.
    """

    def __init__(self, src: str, dst: str, runs: Mapping[str, list[Run]], devices: Mapping[str, int],
                 hooks: Mapping[str, int]) -> None:
        self.runs, self.devices, self.hooks = dict(runs), dict(devices), dict(hooks)
        rounds = max(len(made) for made in runs.values())
        super().__init__(
            f"iperf3 {src} → {dst}, {rounds} rounds in turn, measured; on a shared machine a difference smaller than "
            "the spread is noise",
            ["topology", "Mbit/s median", "least to most", "round trip µs median", "devices passed", "hooks passed"],
            [[name, _median(run.megabits for run in made), _spread(made), _median(run.round_trip for run in made),
              devices[name], hooks[name]] for name, made in runs.items()])


def throughput(
    lab: Lab, src: str, dst: str, topologies: Mapping[str, Topology] | None = None, *, rounds: int = 3,
    seconds: int = 1,
) -> Throughput:
    """Measure TCP from ``src`` to ``dst`` in each of ``topologies`` (by name; without them, in the lab's own).

    In each of ``rounds`` every topology gets its turn of ``seconds``, so that a slow minute hits all. The lab is
    rebuilt, and keeps the last one. Raises ``BadQuestion``, and ``LabError`` naming the package where iperf3 is not
    installed.
    """
    if not (isinstance(seconds, int) and 1 <= seconds <= 60 and rounds >= 1):
        raise BadQuestion("rounds", f"{rounds} rounds of {seconds} s", "Take one round or more, of 1 to 60 whole s.")
    chosen = dict(topologies) if topologies else {"this lab": lab.topology}
    runs: dict[str, list[Run]] = {name: [] for name in chosen}
    devices, passed = {}, {}
    for turn in range(rounds):
        for name, topology in chosen.items():
            if lab.topology != topology:
                lab.rebuild(topology)
            if turn == 0:
                devices[name] = _devices(trace(lab, src, dst))
                counted = hooks(lab, src, dst).counted.values()
                passed[name] = sum(sum(numbers.values()) for numbers in counted)
            runs[name].append(_run(lab, src, dst, seconds))
    return Throughput(src, dst, runs, devices, passed)


def _devices(seen: Trace) -> int:
    """Count the devices the echo request was seen on."""
    requests = [step for step in seen.steps if "echo request" in step.message.words]
    return sum(len(step.places) for step in requests)


def _run(lab: Lab, src: str, dst: str, seconds: int) -> Run:
    address = asking.address(lab.topology, dst, None, src)
    server = ["iperf3", "--server", "--one-off", "--port", str(PORT)]
    with start(lab, dst, server, ready=("tcp", PORT)):
        command = ["iperf3", "--client", address, "--port", str(PORT), "--time", str(seconds), "--json"]
        done = lab.run(src, command, deadline=seconds + 20, show=lambda _: None)
    try:
        report: dict[str, Any] = json.loads(done.output)
    except ValueError:
        raise LabError(f"iperf3 in {src}: exit status {done.status}\n{done.output}") from None
    if "error" in report:
        raise LabError(f"iperf3 in {src}: {report['error']}")
    end = report["end"]
    return Run(end["sum_received"]["bits_per_second"] / _MEGABIT, end["streams"][0]["sender"]["mean_rtt"])


def _median(values: Any) -> str:
    return f"{statistics.median(values):.0f}"


def _spread(made: list[Run]) -> str:
    rates = [run.megabits for run in made]
    return f"{min(rates):.0f} to {max(rates):.0f}"
