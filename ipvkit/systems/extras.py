"""Heavy programs that are not on every computer: Docker and the CNI plugins. Where they are, and how to get them.

Law: a program the system has is taken first. Otherwise Debian's packages are downloaded as an ordinary user, unpacked
into the cache, and run from there, inside labs only: nothing is installed, no service is started.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ipvkit.errors import LabError, MachineError
from ipvkit.machine import cache
from ipvkit.machine.fetch import download

_FOLDERS = ("usr/sbin", "usr/bin", "usr/lib/cni", "sbin", "bin", "opt/cni/bin", "usr/local/sbin", "usr/local/bin")
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class Extra:
    """Programs that come together: ``packages`` to unpack, ``megabytes`` on disk; not every release has ``parts``."""

    about: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    megabytes: int
    parts: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Return the programs that are neither installed nor unpacked."""
        return [program for program in self.programs if find(program) is None]


EXTRAS = {
    "docker": Extra("Docker: dockerd and what it runs", ("dockerd", "docker", "containerd", "containerd-shim-runc-v2",
                                                         "runc"),
                    ("docker.io", "containerd", "runc", "libdevmapper1.02.1", "libseccomp2"), 260,
                    ("docker-cli",)),  # from Debian 13 on; before, it is in docker.io
    "cni": Extra("CNI plugins, which Kubernetes calls", ("ipvlan", "macvlan", "static", "host-local", "dhcp"),
                 ("containernetworking-plugins",), 45),
}
"""What there is, by the name ``./lab extras`` takes."""


def directory() -> Path:
    """Return where packages are unpacked; it need not exist."""
    return cache.directory() / "extras"


def find(program: str) -> Path | None:
    """Return the path of a program, the system's own first; None if it is in neither place, or a lab cannot see it."""
    for root in (Path("/"), directory()):
        for folder in _FOLDERS:
            path = root / folder / program
            if path.is_file() and os.access(path, os.X_OK) and _seen_by_labs(path):
                return path
    return None


def library_path() -> str:
    """Return the directory of unpacked libraries, for those the system has not."""
    return str(directory() / _LIBRARIES)


def need(name: str) -> None:
    """Raise ``LabError`` with the line that gets it, unless all programs of an extra are there."""
    absent = EXTRAS[name].missing()
    if absent:
        raise LabError(f"{', '.join(absent)}: not here. Get it: ./lab extras {name} (no root needed)")


def fetch(name: str) -> None:
    """Download an extra's packages and unpack them into the cache.

    Raises ``MachineError`` with the reason, also where labs could not see them there.
    """
    place = directory()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{place}: {error.strerror}; set IPVKIT_CACHE to a directory of yours") from error
    if not _seen_by_labs(place / "x"):
        raise MachineError(f"root's labs run as nobody, who cannot look into {place}: install the packages "
                           f"({' '.join(EXTRAS[name].packages)}), or set IPVKIT_CACHE to a directory all can read")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=place) as temporary:
        for package in download(Path(temporary), EXTRAS[name].packages, EXTRAS[name].parts):
            _unpack(package, place)


def _unpack(package: Path, place: Path) -> None:
    done = subprocess.run(["dpkg-deb", "-x", package, place], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"{package.name} cannot be unpacked: {done.stderr.strip()}")


def _seen_by_labs(path: Path) -> bool:
    """Tell whether a lab may read ``path``: root's labs give up root, and see what everybody sees."""
    return os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in path.parents)


def lines() -> Sequence[str]:
    """Return one line for each extra: whether it is there, where, or how to get it."""
    found = []
    for name, extra in EXTRAS.items():
        absent, first = extra.missing(), find(extra.programs[0])
        state = f"not here: ./lab extras {name} ({extra.megabytes} MB, no root)" if absent else f"yes, {first}"
        found.append(f"{name:8} {extra.about:40} {state}")
    return found
