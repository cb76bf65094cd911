"""Promise 4: whoever is killed, at whatever moment of a build, nothing is left after two seconds, and labs work on.

Each case starts real machines and kills a real process with SIGKILL; what is left is seen by :mod:`nursery`, which
adopts every orphan. A run tries each case at a few moments, ``--long`` at twenty.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipvkit.machine import cache, interpreter
from tests.machine import here, nursery

ROOT = Path(__file__).parents[2]
FEW, MANY = [0.1, 0.6], [moment / 20 for moment in range(20)]

ROLES = {
    ("native", "user"): ("client", "supervisor", "agent"),
    ("native", "root"): ("client", "supervisor", "agent"),
    ("uml", "user"): ("client", "supervisor", "first", "kernel"),
    ("uml", "root"): ("client", "supervisor", "first", "kernel"),
    ("uml", "none"): ("client", "supervisor", "guard", "kernel"),
}
CASES = [(machine, way, role) for (machine, way), roles in ROLES.items() if way in here.WAYS for role in roles]


def watch(timeout: float, environment: dict[str, str] | None = None, **orders: Any) -> dict[str, Any]:
    """Have the nursery carry out ``orders``; give what it saw."""
    words = [sys.executable, nursery.__file__, json.dumps(orders)]
    with tempfile.TemporaryDirectory() as runtime:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        ours = {"PYTHONPATH": path, "XDG_RUNTIME_DIR": runtime, "TMPDIR": runtime}
        os.chmod(runtime, 0o777)
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | ours | (environment or {}),
            check=False,
        )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    seen["problems"] += [f"stderr: {done.stderr}"] if seen["problems"] and done.stderr else []
    return seen


@pytest.mark.kernel
@pytest.mark.parametrize(("machine", "way", "role"), CASES)
def test_killed_at_a_few_moments(machine: str, way: str, role: str) -> None:
    assert watch(100, machine=machine, way=way, role=role, moments=FEW)["problems"] == []


@pytest.mark.kernel
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("machine", "way", "role"), CASES)
def test_killed_at_twenty_moments(machine: str, way: str, role: str) -> None:
    assert watch(850, machine=machine, way=way, role=role, moments=MANY)["problems"] == []


@pytest.fixture
def student(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment and Python for an ordinary user: copies of code and kernel that others can read, a Python as well."""
    chosen = interpreter.choose()
    if not chosen.drop:
        pytest.skip("no Python 3.11 here that anybody but root can run")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        base = Path(place)
        shutil.copytree(ROOT / "ipvkit", base / "code/ipvkit")
        found = importlib.util.find_spec("pyroute2")
        assert found is not None
        assert found.origin is not None
        shutil.copytree(Path(found.origin).parent, base / "code/pyroute2")
        shutil.copytree(cache.directory() / "uml", base / "cache/uml")
        for path in (base, *base.rglob("*")):
            os.chown(path, nursery.UID_OF_STUDENT, nursery.UID_OF_STUDENT)
        yield {"python": chosen.path, "PYTHONPATH": str(base / "code"), "IPVKIT_CACHE": str(base / "cache")}


@pytest.mark.kernel
@pytest.mark.skipif(not here.CAN_MAKE_A_CHROOT, reason=here.WHY_NOT)
@pytest.mark.parametrize(("machine", "role"), [("native", "supervisor"), ("uml", "client"), ("uml", "supervisor")])
def test_root_in_a_chroot_where_user_namespaces_are_refused(tmp_path: Path, machine: str, role: str) -> None:
    """Nobody forces the way ``root``: it is what is possible there."""
    seen = watch(100, machine=machine, way="", role=role, moments=[0.5], chroot=str(tmp_path))
    assert seen["problems"] == []
    assert seen["way"] == "root"


@pytest.mark.kernel
@pytest.mark.skipif(not here.CAN_MAKE_A_CHROOT, reason=here.WHY_NOT)
@pytest.mark.parametrize("role", ["client", "supervisor", "guard", "kernel"])
def test_user_in_a_chroot_where_all_namespaces_are_refused(tmp_path: Path, student: dict[str, str], role: str) -> None:
    """An ordinary user there has no namespace at all, and still gets a UML machine that leaves nothing."""
    python = student.pop("python")
    orders = {"machine": "uml", "way": "", "role": role, "moments": [0.5]}
    seen = watch(100, student, **orders, chroot=str(tmp_path), student=True, python=python)
    assert seen["problems"] == []
    assert seen["way"] == "none"


@pytest.mark.kernel
@pytest.mark.parametrize("machine", here.MACHINES)
def test_an_interrupt_of_the_whole_process_group_in_mid_build(machine: str) -> None:
    """The stop button signals the notebook kernel's group: the client alone hears it, and its next machine starts."""
    assert watch(100, machine=machine, way="", role="interrupt", moments=[0.3, 0.5, 0.7, 0.9])["problems"] == []


@pytest.mark.kernel
def test_supervisor_and_guard_killed_together_are_swept_by_the_next_start() -> None:
    """The one hole: with no namespaces both watchers can be killed in one instant, while or after it is built."""
    assert watch(100, machine="uml", way="none", role="watchers", moments=[0.6, 1.3])["problems"] == []
