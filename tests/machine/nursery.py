"""Start clients of machines, kill what they started at chosen moments, and see what is left.

This process is a child subreaper: every process a client starts, directly or not, stays its descendant whatever dies
in between. So "nothing is left" is exact, however many labs of others run on this computer: this process has no child.

    python nursery.py '{"machine": "uml", "way": "user", "role": "supervisor", "moments": [0, 0.5, 1], ...}'

prints one JSON object: {"duration": seconds of an undisturbed build, "way": isolation, "problems": [sentences]}.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

GONE_WITHIN = 2.0  # s, promise 4
PATIENCE = 60.0  # s, for what has no promise: another machine starts, a role appears
UID_OF_STUDENT = 61001

CLIENT = """
import sys, time
from ipvkit.errors import IpvkitError
from ipvkit.machine.native import open_native
from ipvkit.machine.uml import open_uml
from ipvkit.plan import plan
from ipvkit.topology import Topology, macvlan
opener = {"native": open_native, "uml": open_uml}[sys.argv[1]]

lan = Topology.of(macvlan("bridge"), **{f"net{n}": f"10.0.1.{n}/24" for n in range(21, 41)})

def build():
    machine = opener(sys.argv[2])
    try:
        machine.wire.request("build", deadline=60, steps=[step.as_json() for step in plan(lan)], undo=False)
        machine.wire.request("run", deadline=60, command="sleep 600 & sleep 600 & true")
    except BaseException:  # as Lab does
        machine.close()
        raise
    return machine

def say(word):
    print(word, flush=True)

try:
    machine = build()
    say("built " + machine.wire.request("hello", deadline=10)["way"])
    sys.stdin.readline()
    if machine.alive() is False:
        while not machine.wire.gone():  # a kernel whose watchers alone were killed may answer until it is noticed
            time.sleep(0.01)
        machine.wire.request("hello", deadline=10)
except (IpvkitError, KeyboardInterrupt) as error:
    if "machine" in globals():
        machine.close()
    say("ended: " + type(error).__name__)
    sys.stdin.readline()
    machine = build()
    say("built again")
machine.close()
say("closed")
sys.stdin.readline()
"""


def main(orders: dict[str, Any]) -> None:
    """Carry out the orders and print what was seen."""
    if orders.get("chroot"):
        enter_chroot(Path(orders["chroot"]))
    if orders.get("student"):
        os.setgroups([])
        os.setresgid(*[UID_OF_STUDENT] * 3)
        os.setresuid(*[UID_OF_STUDENT] * 3)
    from ipvkit.agent.syscalls import adopt_orphans

    adopt_orphans()
    nursery = Nursery(orders)
    duration, problems = nursery.undisturbed()
    for moment in [] if problems else orders["moments"]:
        problems += [f"at {moment:.2f} of a build: {problem}" for problem in nursery.disturbed(moment * duration)]
    print(json.dumps({"duration": duration, "way": nursery.way, "problems": problems}))


def enter_chroot(place: Path) -> None:
    """Make a directory below ``place`` a second root of this very system, in a mount namespace of our own, and stay.

    As with a debootstrap's directory, that root is not itself a mount: it only has mounts below it.
    """
    from ipvkit.agent import syscalls

    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", str(place), "tmpfs")
    root = place / "root"
    root.mkdir()
    for entry in os.scandir("/"):
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), root / entry.name)
        elif entry.is_dir():
            (root / entry.name).mkdir()
            syscalls.mount(entry.path, str(root / entry.name), "", syscalls.MS_BIND | syscalls.MS_REC)
    os.chroot(root)
    os.chdir("/")


class Client:
    """One client process, its words, and the processes below it."""

    def __init__(self, orders: dict[str, Any]) -> None:
        words = [orders.get("python", sys.executable), "-c", CLIENT, orders["machine"], orders["way"]]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def says(self) -> str:
        """Give its next word, "" when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        """Let it take its next step."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """Let it finish."""
        self.process.communicate(timeout=PATIENCE)


class Nursery:
    """Runs clients one after the other."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.orders = orders
        self.way = ""
        self.place = os.environ["XDG_RUNTIME_DIR"]  # ours alone, the client's TMPDIR as well

    def undisturbed(self) -> tuple[float, list[str]]:
        """Build and close with nobody killed; give the seconds from the client's start to its "built"."""
        start = time.monotonic()
        client = Client(self.orders)
        word = client.says()
        duration = time.monotonic() - start
        self.way = word.partition("built ")[2]
        problems = [] if self.way else [f"an undisturbed client said {word!r}"]
        client.go_on()
        if client.says() == "closed":
            problems += self.left({client.process.pid}, within=1.0)
        client.go_on()
        client.end()
        return duration, problems + self.left(set())

    def disturbed(self, delay: float) -> list[str]:
        """Kill the role ``delay`` seconds after a client started: everything but the client must go, all works on."""
        client = Client(self.orders)
        time.sleep(delay)
        victims = wait_for(lambda: self.strike(client.process.pid))
        if not victims:
            client.process.kill()
            return [f"no {self.orders['role']} appeared"]
        if self.orders["role"] == "client":
            client.process.wait()
            problems = self.left(set())
            client = Client(self.orders)
            expected = [f"built {self.way}", "closed"]
        elif len(victims) > 1:  # nobody is left to end the kernel, before the next start
            wait_for(lambda: [] if descendants(client.process.pid).keys() & set(victims) else [client.process.pid])
            problems, expected = [], ["ended", "built again", "closed"]
        else:
            problems = self.left({client.process.pid})
            expected = ["ended", "built again", "closed"]
        said = []
        while word := client.says():
            said.append(word)
            client.go_on()
        client.end()
        heard = [
            word.partition(":")[0] for word in said if not (word == f"built {self.way}" and expected[0] == "ended")
        ]
        if heard != expected:
            problems.append(f"the client said {said}")
        return problems + self.left(set())

    def strike(self, client: int) -> list[int]:
        """Kill the role and give whom that hit: nobody while there is nobody, or where it had just ended by itself."""
        hit = []
        for victim in self.find(client):
            with suppress(ProcessLookupError):
                if self.orders["role"] == "interrupt":  # what the stop button of a notebook does
                    os.killpg(victim, signal.SIGINT)
                else:
                    os.kill(victim, signal.SIGKILL)
                hit.append(victim)
        return hit

    def find(self, client: int) -> list[int]:
        """Give the process ids of the role to kill, none while there is none."""
        role = self.orders["role"]
        if role == "client":
            return [client]
        if role == "interrupt":  # not before its imports are over: nobody could catch it there
            return [client] if self.pick("supervisor", client) else []
        if role == "watchers":
            watchers = [self.pick("supervisor", client), self.pick("guard", client)]
            return [pid for pid in watchers if pid] if all(watchers) and self.pick("kernel", client) else []
        found = self.pick(role, client)
        return [found] if found else []

    def pick(self, role: str, client: int) -> int | None:
        """Give the process that has the role below ``client``.

        The machine's agent and the UML kernel have processes of the same name below them, whose numbers are the lower
        ones where the computer has begun to count anew: theirs is the process whose parent has another name.
        """
        below = descendants(client)
        matches = {pid for pid in below if self.has(role, pid, below[pid], client)}
        return next((pid for pid in sorted(matches) if below[pid] not in matches), None)

    def has(self, role: str, pid: int, parent: int, client: int) -> bool:
        """Tell whether a process below ``client`` looks like one of the role."""
        words = command(pid)
        match role:
            case "supervisor":
                return "supervisor" in words and parent == client
            case "guard":
                return "supervisor" in words and parent != client and leads_a_session(pid)
            case "agent":
                return words[-3:-1] == ["/run/ipvkit/agent.zip", "native"]
            case "first":  # the supervisor also forks children that only try what is possible, and end at once
                return "supervisor" in words and parent != client and is_first_of_its_namespace(pid)
            case "kernel":
                return bool(words) and words[0] == "linux.uml"
        raise ValueError(role)

    def left(self, except_for: set[int], within: float = GONE_WITHIN) -> list[str]:
        """Wait until nothing but ``except_for`` is left, ``within`` seconds at most; give what is left then.

        Nothing must be seen twice in a row: whoever changes its parent while one looks is seen by neither.
        """
        until, clean = time.monotonic() + within, 0
        while time.monotonic() < until:
            reap(except_for)
            nothing = not set(descendants(os.getpid())) - except_for and not self.files()
            clean = clean + 1 if nothing else 0
            if clean == 2:
                return []
            time.sleep(0.02)
        processes = [f"process {pid} {command(pid)[:3]}" for pid in descendants(os.getpid()) if pid not in except_for]
        return [f"{within} s later there was still {thing}" for thing in processes + self.files()]

    def files(self) -> list[str]:
        """Give files, sockets and mounts that can be seen from outside of a lab."""
        found = [os.path.join(self.place, name) for name in os.listdir(self.place)]
        for table in ("/proc/self/mountinfo", "/proc/net/unix"):
            found += [line for line in Path(table).read_text().splitlines() if self.place in line]
        return found


def wait_for(question: Callable[[], list[int]]) -> list[int]:
    """Ask until there is an answer, or patience is at its end."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        answer = question()
        if answer:
            return answer
    return []


def descendants(of: int) -> dict[int, int]:
    """Give the living processes below ``of`` with their parents; zombies are nobody's leftovers but ours to bury."""
    parents = {}
    for entry in os.listdir("/proc"):
        with suppress(OSError, ValueError):
            state, parent = Path(f"/proc/{int(entry)}/stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry)] = int(parent)
    found: dict[int, int] = {}
    grown = True
    while grown:
        new = {pid: parent for pid, parent in parents.items() if pid not in found and (parent == of or parent in found)}
        found |= new
        grown = bool(new)
    return found


def born(pid: int) -> str:
    """Give when a process was started, in clock ticks, proc_pid_stat(5); "" when it is dead, buried or not."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]


def family(of: int) -> set[tuple[int, str]]:
    """Give the living processes below ``of`` with their births: a number may be another's later."""
    return {(pid, birth) for pid in descendants(of) if (birth := born(pid))}


def survivors(seen: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Give who is below this process, or was when ``seen``, and lives: an orphan is nobody's descendant any more."""
    return {(pid, birth) for pid, birth in seen | family(os.getpid()) if born(pid) == birth}


def leads_a_session(pid: int) -> bool:
    """Tell whether a process has made a session of its own; one that has just ended has not."""
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def is_first_of_its_namespace(pid: int) -> bool:
    """Tell whether a process is process 1 of a PID namespace below ours: NSpid has its number in each."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    (numbers,) = [line.split()[1:] for line in lines if line.startswith("NSpid:")]
    return len(numbers) > 1 and numbers[-1] == "1"


def reap(except_for: set[int]) -> None:
    """Bury dead children, but those a Popen object is waiting for."""
    for pid in set(children()) - except_for:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def children() -> list[int]:
    """Give the process ids of our children, dead ones included."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def command(pid: int) -> list[str]:
    """Give a process's words, without its name for the interpreter."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
