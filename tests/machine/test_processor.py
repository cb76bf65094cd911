"""A User-Mode Linux kernel is kept on one processor, and several are spread."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipvkit.machine.uml import open_uml
from tests.machine.nursery import descendants

PROCESSORS = sorted(os.sched_getaffinity(0))
SHAMS = 60
"""More processes than all labs of other tests have that may run at the same time."""

LOOK = "import os; from ipvkit.machine import processor; processor.stay_on_one(); print(os.sched_getaffinity(0))"


@pytest.mark.kernel
def test_a_kernel_and_all_its_processes_stay_on_one_processor() -> None:
    before = set(descendants(os.getpid()))
    machine = open_uml()
    try:
        processes = set(descendants(os.getpid())) - before
        kernels = [pid for pid in processes if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"linux.uml")]
        allowed = {frozenset(os.sched_getaffinity(pid)) for pid in kernels}
    finally:
        machine.close()
    assert len(kernels) > 1
    assert len(allowed) == 1
    assert len(allowed.pop()) == 1


@pytest.mark.skipif(len(PROCESSORS) < 2, reason="this computer has one processor")
@pytest.mark.parametrize("full", PROCESSORS[:2])
def test_a_kernel_goes_where_there_are_fewer(full: int) -> None:
    shams = [subprocess.Popen(["linux.uml", "60"], executable="/bin/sleep") for _ in range(SHAMS)]
    try:
        for sham in shams:
            os.sched_setaffinity(sham.pid, {full})
        chosen = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True).stdout
    finally:
        for sham in shams:
            sham.kill()
            sham.wait()
    assert chosen.strip() in {f"{{{number}}}" for number in PROCESSORS if number != full}
