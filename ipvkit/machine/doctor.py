"""What the machines of this computer can do, found by trying, and the one-line fix for what they cannot.

Law: a machine covers a capability when its kernel accepted it just now, in a scratch namespace inside it
(:mod:`ipvkit.agent.capabilities`). The answer is cached for this boot, kernel, user and User-Mode Linux binary; a
machine that could not be started is tried again every time.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ipvkit.errors import LabError, MachineError
from ipvkit.machine import cache, uml_package
from ipvkit.machine.native import open_native
from ipvkit.machine.process import Machine
from ipvkit.machine.uml import open_uml

OPENERS: dict[str, Callable[[], Machine]] = {"native": open_native, "uml": open_uml}
"""The machines, in the order in which they are preferred."""

WORDS = (
    *("ipvlan", "ipvlan:l3s", "macvlan", "vlan", "bridge", "veth", "dummy", "vrf"),
    *("ipv6", "netem", "nft-bridge", "nft-inet", "iptables-legacy"),
)
"""The capabilities a topology can need."""

_DEADLINE = 300.0  # seconds; User-Mode Linux in an emulated machine takes more than one minute

_FETCH = "python3 -m ipvkit.machine.fetch (41 MB, no root), which ./lab does for you"
_MODULES = {
    "nft-bridge": "nf_tables",
    "nft-inet": "nf_tables",
    "iptables-legacy": "iptable_filter",
    "vlan": "8021q",
    "netem": "sch_netem",
}


@dataclass(frozen=True)
class Examined:
    """One machine: its ``kernel`` and what it refused (word → the kernel's words; "" means it can), or ``problem``."""

    name: str
    kernel: str
    way: str
    capabilities: dict[str, str]
    problem: str = ""

    def lacks(self, needs: frozenset[str]) -> dict[str, str]:
        """Give those of ``needs`` that the machine does not cover, with the reason."""
        if self.problem:
            return dict.fromkeys(sorted(needs) or ["everything"], self.problem.splitlines()[0])
        reasons = {word: self.capabilities.get(word, "no machine knows this word") for word in sorted(needs)}
        return {word: reason for word, reason in reasons.items() if reason}

    def fix(self, lacking: frozenset[str]) -> str:
        """Give one line with what to do so that this machine covers ``lacking``."""
        if self.name == "uml":
            if platform.machine() != "x86_64":
                return "User-Mode Linux runs on x86-64 only; here use the Vagrant VM: vagrant up"
            return _uml_problem() if self.problem else "not in Debian's User-Mode Linux; use a full kernel: vagrant up"
        if self.problem:
            return _native_problem()
        modules = {_MODULES.get(word, word.partition(":")[0]) for word in lacking}
        if not Path("/proc/modules").exists():
            return "this kernel cannot load modules; take machine uml, or the Vagrant VM: vagrant up"
        return f"sudo modprobe -a {' '.join(sorted(modules))}, if this kernel has them; else machine uml or vagrant up"


def _uml_problem() -> str:
    if uml_package.present():
        return "read what its console says; where that is nothing, the download is damaged: ./lab remove, then ./lab"
    if shutil.which("apt-get") is None:
        return "it is fetched with apt-get, which is not here; take a Debian or Ubuntu, or the Vagrant VM: vagrant up"
    return _FETCH


def _native_problem() -> str:
    setting = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if setting.exists() and setting.read_text().strip() == "1":
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 lets users have namespaces; else machine uml"
    setting = Path("/proc/sys/kernel/unprivileged_userns_clone")
    if setting.exists() and setting.read_text().strip() == "0":
        return "sudo sysctl kernel.unprivileged_userns_clone=1 lets users have namespaces; else machine uml"
    setting = Path("/proc/sys/user/max_user_namespaces")
    if setting.exists() and setting.read_text().strip() == "0":
        return "sudo sysctl user.max_user_namespaces=10000 lets users have namespaces; else machine uml"
    return "namespaces are refused here (a container or chroot?); machine uml needs none"


@dataclass(frozen=True)
class Report:
    """What each machine covers; ``str()`` is the table who covers what, with a fix for what is missing."""

    machines: tuple[Examined, ...]

    def __str__(self) -> str:
        lines = [f"{'':16}" + "".join(f"{one.name:<24}" for one in self.machines)]
        lines.append(f"{'kernel':16}" + "".join(f"{one.kernel or '-':<24}" for one in self.machines))
        for word in WORDS:
            cells = ("-" if one.problem else "yes" if not one.capabilities[word] else "no" for one in self.machines)
            lines.append(f"{word:16}" + "".join(f"{cell:<24}" for cell in cells))
        for one in self.machines:
            lacking = one.lacks(frozenset(WORDS))
            if one.problem:
                lines.append(f"\n{one.name}: {one.problem}")
            elif lacking:
                lines.append(f"\n{one.name} lacks " + ", ".join(f"{word} ({why})" for word, why in lacking.items()))
            if lacking:
                lines.append(f"  fix: {one.fix(frozenset(lacking))}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """Give the same as plain values."""
        return {one.name: asdict(one) for one in self.machines}


def examine_machine(name: str, *, fresh: bool = False) -> Examined:
    """Try everything on one machine of :data:`OPENERS`; one that does not start has a ``problem``."""
    place = f"doctor-{_identity(name)}.json"
    known = None if fresh else cache.load(place)
    if known:
        with suppress(TypeError, ValueError):  # damaged, or of another version: found out again
            return Examined(**json.loads(known))
    try:
        machine = OPENERS[name]()
        try:
            way = machine.wire.request("hello", deadline=_DEADLINE)["way"]
            answer = machine.wire.request("capabilities", deadline=_DEADLINE)
        finally:
            machine.close()
    except (MachineError, LabError, OSError) as error:
        return Examined(name, "", "", {}, str(error))
    found = Examined(name, machine.kernel, way, answer["capabilities"])
    cache.store(place, json.dumps(asdict(found)).encode())
    return found


def _identity(name: str) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text() if os.path.exists("/proc/sys/kernel/random") else ""
    kernel = cache.directory() / uml_package.KERNEL
    binary = str(kernel.stat().st_mtime_ns) if name == "uml" and kernel.exists() else ""
    user = str(os.geteuid())
    parts = [name, boot, platform.release(), user, os.readlink("/proc/self/root"), binary, *_loaded(name), *WORDS]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _loaded(name: str) -> list[str]:
    """Give the modules this computer's kernel has loaded: one more may be what a machine lacked the last time."""
    modules = Path("/proc/modules")
    if name != "native" or not modules.exists():
        return []
    return sorted(line.split()[0] for line in modules.read_text().splitlines())
