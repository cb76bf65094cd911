"""What this computer's network looks like, so that a run of everything can prove it left no trace.

Links, addresses, routes, rules, settable sysctls, network namespaces with a name, and services. Counters, ages and a
bridge's running timers are left out: they move by themselves. So are services that something starts on demand and that
end by themselves. A sysctl that appears because a module was loaded is not a change of a setting.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SYSCTLS = Path("/proc/sys")
# Settable, but the kernel itself moves them.
MOVING_SYSCTLS = re.compile(r"kernel/(ns_last_pid|random/|perf_event_max_sample_rate|perf_cpu_time_max_percent)")
LISTENING = "0A"
UNCONNECTED = "07"  # what a UDP server's socket is
PRIVILEGED = 1024
UDP_CLIENTS = (68, 546)  # DHCP's, which come and go with a lease
AGES = frozenset({"valid_life_time", "preferred_life_time", "expires",
                  "hello_timer", "tcn_timer", "topology_change_timer", "gc_timer"})
QUESTIONS = {
    "links": ["ip", "-json", "-details", "link"],
    "addresses": ["ip", "-json", "address"],
    "routes": ["ip", "-json", "-4", "route", "show", "table", "all"],
    "IPv6 routes": ["ip", "-json", "-6", "route", "show", "table", "all"],
    "rules": ["ip", "-json", "rule"],
    "IPv6 rules": ["ip", "-json", "-6", "rule"],
}

Snapshot = dict[str, frozenset[str]]


def take() -> Snapshot:
    """Read everything, changing nothing. Raises ``CalledProcessError`` or ``OSError`` when ``ip`` cannot be run."""
    snapshot = {name: frozenset(_ip(command)) for name, command in QUESTIONS.items()}
    snapshot["packet rules"] = frozenset(_packet_rules())
    snapshot["sysctls"] = frozenset(_sysctls())
    snapshot["named namespaces"] = frozenset(os.listdir("/run/netns") if os.path.isdir("/run/netns") else [])
    snapshot["services"] = frozenset(_services())
    return snapshot


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """One line for each thing that went or came, such as ``links: + {"ifname": "eth9", …}``."""
    known = {line.partition(" = ")[0] for line in before["sysctls"]}
    lines = []
    for name in before:
        came = after[name] - before[name]
        if name == "sysctls":
            came = frozenset(line for line in came if line.partition(" = ")[0] in known)
        lines += [f"{name}: - {line}" for line in sorted(before[name] - after[name])]
        lines += [f"{name}: + {line}" for line in sorted(came)]
    return lines


def _ip(command: list[str]) -> Iterable[str]:
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.dumps(_without_ages(item), sort_keys=True) for item in json.loads(answer or "[]")]


def _without_ages(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _without_ages(value) for key, value in item.items() if key not in AGES}
    return [_without_ages(value) for value in item] if isinstance(item, list) else item


def _packet_rules() -> Iterable[str]:
    """The nftables rules, where they can be read (root, ``nft`` installed)."""
    if os.geteuid() != 0 or shutil.which("nft") is None:
        return []
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False).stdout
    return re.sub(r"packets \d+ bytes \d+", "", rules).splitlines()


def _sysctls() -> Iterable[str]:
    for directory, _, names in os.walk(SYSCTLS):
        for name in names:
            path = Path(directory, name)
            setting = str(path.relative_to(SYSCTLS))
            if path.stat().st_mode & 0o222 and path.stat().st_mode & 0o444 and not MOVING_SYSCTLS.match(setting):
                try:
                    yield f"{setting} = {path.read_text(errors='replace').strip()}"
                except OSError:  # readable by its mode only, such as net/ipv4/tcp_fastopen_key without privilege
                    continue


def _systemd(*question: str) -> list[str]:
    """The names of services in a list of systemctl."""
    command = ["systemctl", *question, "--type=service", "--plain", "--no-legend"]
    return [line.split()[0] for line in subprocess.check_output(command, text=True).splitlines() if line.split()]


def _services() -> Iterable[str]:
    """The services systemd runs, and the ports that something serves: of TCP those below the ephemeral ones.

    A static service cannot be enabled: a timer, D-Bus or another unit starts it at any time (systemctl(1), is-enabled).
    Above them any program may open a port at any time: an editor, another notebook server. Of UDP the privileged ones,
    which are a name server's or a DHCP server's.
    """
    if os.path.isdir("/run/systemd/system"):
        static = set(_systemd("list-unit-files", "--state=static"))
        yield from (name for name in _systemd("list-units", "--state=running")
                    if re.sub("@.*", "@.service", name) not in static)
    ephemeral = int((SYSCTLS / "net/ipv4/ip_local_port_range").read_text().split()[0])
    tcp, udp = (LISTENING, ephemeral), (UNCONNECTED, PRIVILEGED)
    for name, (serving, below) in {"tcp": tcp, "tcp6": tcp, "udp": udp, "udp6": udp}.items():
        table = Path("/proc/net", name)
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            _, local, _, state, *_ = line.split()
            port = int(local.rpartition(":")[2], 16)
            if state == serving and port < below and not (serving == UNCONNECTED and port in UDP_CLIENTS):
                yield f"{name} serves {local}"
