"""Which processor a User-Mode Linux kernel is kept on.

Law: such a kernel and its processes take turns, thousands of times a second, and never run at once. Left alone,
each turn wakes whichever processor is idle, and that takes longer than the turn itself; on one processor everything
takes about half the time. A lab that is alone can have any; of several, each gets the one with the fewest others.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress

NAME = "linux.uml"
_FIELD = "Cpus_allowed_list:"


def stay_on_one() -> None:
    """Keep this process, and all it starts, on one of the processors it may use; where that is refused, on all."""
    taken = _taken()
    with suppress(OSError):
        ours = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(ours, key=lambda number: (taken[str(number)], os.urandom(4)))})


def _taken() -> Counter[str]:
    """Count the processes of such kernels by the processors they may use: proc_pid_status(5)."""
    found: Counter[str] = Counter()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as command:
            if command.read(len(NAME)) == NAME.encode():
                with open(f"/proc/{pid}/status") as status:
                    found.update(line.split()[1] for line in status if line.startswith(_FIELD))
    return found
