"""Run the tests without root's rights: a copy of the clone and of its Python packages that any user can read.

Root's home, and with it clone, environment and downloaded kernel, is often closed to others. The copy is made of hard
links where the file system allows, so it takes seconds and no space.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Not 65534: inside a user namespace that is what every foreign user looks like.
USER = 61001
NOT_OF_THE_CLONE = shutil.ignore_patterns(".git", ".venv", ".vagrant", ".*_cache", ".hypothesis", "__pycache__")
NOT_OF_THE_CACHE = shutil.ignore_patterns(".*", "venv", "small", "jupyter", "ipython", "matplotlib", "setup.lock")


@dataclass(frozen=True)
class Copy:
    """Where the copy is, its Python, and the ``subprocess.run`` arguments of a process of the ordinary user."""

    root: Path
    python: Path
    process: dict[str, Any]


@contextmanager
def copy_of(root: Path) -> Iterator[Copy]:
    """Make the copy, and delete it afterwards. Raises ``RuntimeError`` when others cannot run this Python."""
    base = Path(tempfile.mkdtemp(prefix="ipvkit-user-", dir="/var/tmp"))
    base.chmod(0o755)
    try:
        shutil.copytree(root, base / "clone", ignore=NOT_OF_THE_CLONE, symlinks=True)
        if cache := os.environ.get("IPVKIT_CACHE"):
            shutil.copytree(cache, base / "cache", ignore=NOT_OF_THE_CACHE, symlinks=True)
        for name in ("home", "cache", "clone", "tmp"):
            (base / name).mkdir(exist_ok=True)
            for path in (base / name, *(base / name).rglob("*")):
                os.chown(path, USER, USER, follow_symlinks=False)
        process = {"user": USER, "group": USER, "extra_groups": [], "env": _environment(base)}
        yield Copy(base / "clone", _python_of_its_own(base / "venv", process), process)
    finally:
        _delete(base)


def _environment(base: Path) -> dict[str, str]:
    """Root's environment without what names root's places."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "JUPYTER_", "PYTHON"))}
    return kept | {
        "HOME": str(base / "home"),
        "TMPDIR": str(base / "tmp"),  # somebody real may have this name, and with it pytest-of-NAME
        "USER": "student",
        "LOGNAME": "student",
        "IPVKIT_CACHE": str(base / "cache"),
        "PYTHONPATH": str(base / "clone"),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }


def _python_of_its_own(place: Path, process: dict[str, Any]) -> Path:
    """A virtual environment made of links to the packages of this one, on the same Python."""
    interpreter = Path(sys._base_executable).resolve()
    if _runs([str(interpreter), "-c", ""], process) != 0:
        raise RuntimeError(f"an ordinary user cannot run {interpreter}; set IPVKIT_PYTHON to one that everyone can")
    subprocess.run([interpreter, "-m", "venv", "--without-pip", place], check=True)
    ours = Path(sysconfig.get_path("purelib"))
    theirs = place / ours.relative_to(Path(sys.prefix))
    shutil.copytree(ours, theirs, symlinks=True, dirs_exist_ok=True, copy_function=_link)
    return place / "bin" / "python"


def _runs(words: list[str], process: dict[str, Any]) -> int:
    try:
        return subprocess.run(words, cwd="/", check=False, **process).returncode
    except PermissionError:
        return 126


def _link(source: str, target: str) -> None:
    """A hard link; a copy where the two places are on different file systems."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)


def _delete(base: Path) -> None:
    """Delete the copy, never through a mount: a test that left one there must be seen, not swept."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if any(mount.startswith(f"{base}/") for mount in mounts):
        raise RuntimeError(f"something is still mounted below {base}")
    shutil.rmtree(base)
