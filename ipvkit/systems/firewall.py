"""Any rule of iptables-legacy in a namespace of the lab, by the program itself.

What the theory knows, dropping and masquerading, is said in the topology: ``Drop``, ``Masquerade``. This is for the
rest (a destination changed for a service), which no prediction takes into account.

Law: a rule sees what passes its hook. What an l2 child sends never passes a hook of the host. What an l3 or l3s child
sends to the outside is the host's own output: OUTPUT and POSTROUTING, never FORWARD. What comes in for an l3 child
passes none; for an l3s child PREROUTING and INPUT.
Source: ``drivers/net/ipvlan/ipvlan_core.c`` and ``ipvlan_l3s.c``, which hooks itself into LOCAL_IN.
"""

from __future__ import annotations

from collections.abc import Sequence

from ipvkit.errors import LabError
from ipvkit.lab import Lab
from ipvkit.systems.needed import need

_PROGRAM = "iptables-legacy"
_NO_TABLE = 3  # its exit status where the kernel does not have the table
#: User-Mode Linux 6.1 has bpfilter: it runs modprobe, in vain, at every question about a table. Not on this computer's
#: own kernel: that setting is not the lab's.
_WITHOUT_MODPROBE = """trap : INT
p=/proc/sys/kernel/modprobe; was=$(cat $p); echo >$p; "$@"; code=$?; echo "$was" >$p; exit $code"""


def add(lab: Lab, rule: str, *, table: str = "mangle", place: str = "host") -> None:
    """Append ``rule`` in the namespace of ``place``: ``FORWARD -p udp -j DROP``; ``mangle`` has all five chains.

    Raises ``LabError`` with the program's own words where it is refused, or what is to be installed.
    """
    _iptables(lab, place, ["-t", table, "-A", *rule.split()])


def clear(lab: Lab, *, table: str = "mangle", place: str = "host") -> None:
    """Take all rules of ``table`` out again. Raises as :func:`add` does."""
    _iptables(lab, place, ["-t", table, "-F"])


def _iptables(lab: Lab, place: str, words: Sequence[str]) -> None:
    need(_PROGRAM)
    ways = [["sh", "-c", _WITHOUT_MODPROBE, "sh"]] if lab.machine.name == "uml" else []
    for before in (*ways, [], []):  # the first call for a table may find its kernel module only on the way
        said = lab.run(place, [*before, _PROGRAM, *words], show=lambda _: None)
        if said.status == 0:
            return
        if said.status != _NO_TABLE and not before:  # without modprobe there may be the table and not the target
            break
    raise LabError(f"{_PROGRAM} {' '.join(words)} in {place}: exit status {said.status}\n{said.output.strip()}")
