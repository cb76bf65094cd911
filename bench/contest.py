"""Every way once for each size and round, interleaved: what it took, in seconds, by (measurement, way, N)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.builders import PRIVATE, WAYS
from ipvkit.lab import Lab
from ipvkit.topology import Driver, Endpoint, Host, Interface, Port, Route, Switch, Topology, ipvlan, macvlan

Results = dict[tuple[str, str, int], list[float]]
ROOT = Path(__file__).resolve().parents[1]
OURS = "ipvkit"
NOTHING = Topology(())
GONE = 1.0  # s, until the kernel has taken down what was there: it holds the lock that building needs


def world(count: int, driver: Driver | None = None) -> Topology:
    """Give ``count`` macvlan endpoints (or others) in one subnet, on a host with a switch; no other has an address."""
    endpoints = tuple(Endpoint(f"n{n}", driver or macvlan("bridge"), (f"10.0.{1 + n // 256}.{n % 256}/16",),
                               (Route("default", dev="macv"),), child="macv") for n in range(1, count + 1))
    hosts = tuple(Host(name, (Interface("eth0"),)) for name in ("host", "ext"))
    return Topology(hosts, endpoints, (Switch("switch", (Port("host", "eth0"), Port("ext", "eth0"))),))


def half_without_a_way_back(count: int) -> Topology:
    """Give the same, but every second endpoint is in another subnet and has no route out of it.

    Half of the pairs reach each other, a quarter is refused at the sender, and of a quarter only the reply fails.
    """
    topology = world(count)
    here, there = topology.endpoints[::2], topology.endpoints[1::2]
    moved = tuple(replace(e, addresses=(e.addresses[0].replace("10.0.", "10.1."),), routes=()) for e in there)
    return replace(topology, endpoints=here + moved)


def processor_seconds(lab: Lab) -> float:
    """Give the seconds of processor time the agent, which asks, has used outside the kernel."""
    shown = lab.run("host", ["cat", "/proc/1/stat"], show=lambda _: None).output
    return int(shown.rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")


def timed(function: Callable[[], object]) -> float:
    """Give the seconds a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


class Contest:
    """Collects ``results``; ``mininet`` is where Debian's package was unpacked, '' to leave Mininet out."""

    def __init__(self, mininet: str) -> None:
        self.results: Results = defaultdict(list)
        self._mininet = mininet

    def note(self, measurement: str, way: str, count: int, seconds: float) -> None:
        """Keep one time, and show it."""
        self.results[measurement, way, count].append(seconds)
        print(f"{measurement:9} {way:22} {count:5} {seconds:9.3f} s", flush=True)

    def build(self, count: int, slow_up_to: int) -> None:
        """Build ``count`` endpoints from nothing and take them down, every way."""
        with Lab(world(2)) as lab:
            lab.rebuild(NOTHING)
            time.sleep(GONE)
            self.note("build", OURS, count, timed(lambda: lab.rebuild(world(count))))
            self.note("teardown", OURS, count, timed(lab.close))
        for way in WAYS:
            if count <= slow_up_to or way in ("hand-packed netlink", "ip -batch"):
                built, taken_down = private([sys.executable, "-m", "bench.builders", way, str(count)])
                self.note("build", way, count, built)
                self.note("teardown", way, count, taken_down)
        if self._mininet and count <= slow_up_to:
            built, _, taken_down = self._run_mininet(count, "no")
            self.note("build", "Mininet", count, built)
            self.note("teardown", "Mininet", count, taken_down)

    def matrix(self, count: int, slow_up_to: int) -> None:
        """Ask all ordered pairs of ``count`` macvlan endpoints, every way, each from cold."""
        topology = world(count)
        with Lab(topology) as lab:
            seen = []
            self.note("matrix", OURS, count, timed(lambda: seen.append(lab.ping_matrix())))
            wrong = sum(not answer for answer in seen[0].pairs.values())
            assert not wrong, f"{wrong} pairs of {count} endpoints did not reach each other"
            addresses = {e.name: e.addresses[0].partition("/")[0] for e in topology.endpoints}
            if count <= slow_up_to:
                lab.rebuild(topology)
                self.note("matrix", "serial ping", count, timed(lambda: serial_ping(lab, addresses)))
            lab.rebuild(topology)
            self.note("matrix", "fping, 32 at once", count, timed(lambda: fping(lab, addresses)))
        if self._mininet and count <= slow_up_to:
            _, pinged, _ = self._run_mininet(count, "yes")
            self.note("matrix", "Mininet pingAll", count, pinged)

    def _run_mininet(self, count: int, ping: str) -> list[float]:
        script = str(ROOT / "bench" / "mininet_run.py")
        return private(["/usr/bin/python3", script, self._mininet, str(count), ping])

    def ours(self, rounds: int) -> None:
        """Our own numbers, which have nobody beside them: lab start, and a matrix with half of its pairs silent."""
        for _ in range(rounds):
            for name, driver in (("native", macvlan("bridge")), ("uml", ipvlan("l3"))):
                labs: list[Lab] = []

                def start(name: str = name, driver: Driver = driver, labs: list[Lab] = labs) -> None:
                    labs.append(Lab(Topology.of(driver, net1="10.0.1.11/24", net2="10.0.1.12/24"), machine=name))
                    labs[0].ping_matrix()

                self.note("start", f"{OURS}, {name}", 2, timed(start))
                labs[0].close()
            silences = (("no pair", world(100)), ("a quarter, no way back", half_without_a_way_back(100)),
                        ("all, nobody answers ARP", world(100, macvlan("private"))))
            for silent, topology in silences:
                with Lab(topology) as lab:
                    before = processor_seconds(lab)
                    self.note("silent", silent, 100, timed(lab.ping_matrix))
                    self.note("agent's own processor time", silent, 100, processor_seconds(lab) - before)


def private(command: list[str]) -> list[float]:
    """Run a command in a namespace of its own; give the numbers of its last line."""
    with tempfile.TemporaryDirectory(prefix="ipvkit-bench-") as home:
        done = subprocess.run([*PRIVATE, "sh", "-c", 'mount -t tmpfs none /run; exec "$@"', "sh", *command], cwd=ROOT,
                              capture_output=True, text=True, check=False, env=os.environ | {"HOME": home})
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
    return [float(word) for word in done.stdout.split("\n")[-2].split()]


def serial_ping(lab: Lab, addresses: dict[str, str]) -> None:
    """One ``ping`` process after the other."""
    lines = [f"for a in {' '.join(addresses[dst] for dst in addresses if dst != src)}; do"
             f" nsenter --net=/run/netns/{src} ping -c 1 -W 1 -n -q $a >/dev/null; done" for src in addresses]
    ask(lab, "\n".join(lines))


def fping(lab: Lab, addresses: dict[str, str]) -> None:
    """One ``fping`` a source, 32 sources at once, one try, a millisecond between packets."""
    lines = [f"nsenter --net=/run/netns/{src} fping -q -r 1 -t 500 -i 1 "
             + " ".join(addresses[dst] for dst in addresses if dst != src) for src in addresses]
    arguments = "\\0".join(lines)
    ask(lab, f"printf '{arguments}' | xargs -0 -P 32 -n 1 sh -c >/dev/null 2>&1; true")


def ask(lab: Lab, script: str) -> None:
    """Run a script in the lab; a failure is none of the lab's business here, losing a packet is not one."""
    lab.run("host", script, deadline=3600, show=lambda _: None)
