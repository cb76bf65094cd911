"""``python3 -m ipvkit.machine.fetch``: get the User-Mode Linux kernel into the cache, once, as an ordinary user.

Says what it will download before it does, and why when it cannot. Exit status 0 when the kernel is there, or is not
needed because the machine ``native`` carries ipvlan; 130 when interrupted; 1 otherwise.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ipvkit.errors import MachineError
from ipvkit.machine import cache, uml_package

_NEEDED = 250  # MB free: the package, what it unpacks to, and what is kept of it
_MEGABYTE = 1_000_000


def main() -> int:
    """Fetch if it is missing; give the exit status, 130 when interrupted."""
    if uml_package.present():
        return 0
    try:
        fetch()
    except KeyboardInterrupt:
        _say("interrupted; run ./lab again")
        return 130
    except MachineError as error:
        from ipvkit.machine.doctor import examine_machine

        if not examine_machine("native").lacks(frozenset({"ipvlan"})):
            _say(f"User-Mode Linux is not here ({error}); this kernel has ipvlan itself, so labs run without it.")
            return 0
        _say(f"User-Mode Linux cannot be had: {error}")
        return 1
    return 0


def fetch() -> None:
    """Download, unpack and keep; raises ``MachineError`` with what is missing and how to get it."""
    if platform.machine() != "x86_64":
        raise MachineError(f"it runs on x86-64 only, this is {platform.machine()}; use the Vagrant VM: vagrant up")
    place = cache.directory()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=place) as temporary:
            _check_space(place)
            (package,) = download(Path(temporary), [uml_package.PACKAGE])
            uml_package.unpack(package)
    except OSError as error:
        raise MachineError(f"{place}: {error.strerror}; set IPVKIT_CACHE to a directory of yours") from error


def _check_space(place: Path) -> None:
    free = shutil.disk_usage(place).free // _MEGABYTE
    if free < _NEEDED:
        raise MachineError(f"{place} has {free} MB free, {_NEEDED} are needed for a moment; set IPVKIT_CACHE elsewhere")


def download(directory: Path, packages: Sequence[str], if_known: Sequence[str] = ()) -> list[Path]:
    """Have apt download ``packages`` into ``directory`` and give the files; with lists of our own if there are none.

    Those of ``if_known`` come along where apt knows them: not every release has each. Raises ``MachineError`` with what
    is missing or what apt says.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise MachineError(f"there is no {program} here, so this is not Debian or Ubuntu; use the VM: vagrant up")
    options: list[str] = []
    found = _describe(directory, options, packages)
    if found is None:
        options = _own_lists(directory)
        found = _describe(directory, options, packages)
    if found is None:
        raise MachineError(
            f"apt knows no package {' or '.join(packages)} for this system; Debian has them in its section main, "
            "Ubuntu in main and universe: add that to apt's sources"
        )
    for name in if_known:
        more = _describe(directory, options, [*packages, name])
        if more is not None:
            packages, found = [*packages, name], more
    size = sum(found.values())
    _say(f"downloading {', '.join(found)}, {size / _MEGABYTE:.0f} MB, as an ordinary user (once)")
    done = _apt(directory, [*options, "download", *packages], quiet=not sys.stderr.isatty())
    files = [directory / name for name in found]
    if done.returncode or not all(file.exists() for file in files):
        raise MachineError(f"the download failed; apt says: {_last_line(done)}. The network is needed this once")
    return files


def _describe(directory: Path, options: Sequence[str], packages: Sequence[str]) -> dict[str, int] | None:
    """Give file name and size in bytes of all that apt would download; None when it does not know one of them."""
    done = _apt(directory, [*options, "download", "--print-uris", *packages], quiet=True)
    found = re.findall(r"^'\S+' (\S+\.deb) (\d+)", done.stdout, re.MULTILINE)
    return {name: int(size) for name, size in found} if len(found) == len(packages) else None


def _own_lists(directory: Path) -> list[str]:
    """Fetch package lists into ``directory`` and give the options that make apt use them; nobody's system changes."""
    lists, state = directory / "lists", directory / "cache"
    for needed in (lists / "partial", state / "archives/partial"):
        needed.mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={state}"]
    _say("this system has no package lists: getting them (about 10 MB, for this download only)")
    done = _apt(directory, [*options, "update"], quiet=True)
    if done.returncode:
        raise MachineError(
            f"apt cannot get package lists; it says: {_last_line(done)}. The network is needed this once"
        )
    return options


def _apt(directory: Path, arguments: Sequence[str], *, quiet: bool) -> subprocess.CompletedProcess[str]:
    """Run apt-get; as root without its download user, who may not write to our directory."""
    command = ["apt-get", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", *arguments]
    if quiet:
        return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return subprocess.run(command, cwd=directory, stdout=sys.stderr, stderr=None, text=True, check=False)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stderr or "").splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {done.returncode}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
