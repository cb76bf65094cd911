"""``./lab box build``: the box that ``vagrant up`` starts from, made of Debian packages on this computer.

The parts: a root file system (``system.py``), one disk with it (``disk.py``), a box for each provider (``boxes.py``).
The law: whatever is mounted is mounted by mmdebstrap, in a mount namespace of this process alone; no ``/dev`` is
mounted at all; and a tree is deleted only after the kernel's own table says that nothing is mounted in it. Packages
come from wherever mmdebstrap takes them for the suite; no mirror is named here.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from box import boxes, disk, system

ROOT = Path(__file__).resolve().parents[1]
PRIVATE = "IPVKIT_BOX_IS_PRIVATE"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ROOM_BYTES = 6 * 10**9
# command -> Debian package
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "sfdisk": "fdisk",
    "qemu-img": "qemu-utils",
    "unshare": "util-linux",
    "tar": "tar",
}
# With what mmdebstrap checks Debian's signatures; Ubuntu comes without it.
KEYRING, KEYRING_PACKAGE = Path("/usr/share/keyrings/debian-archive-keyring.gpg"), "debian-archive-keyring"
ARM64_TOOLS = {"mkfs.vfat": "dosfstools", "mcopy": "mtools"}


def main(arguments: list[str]) -> int:
    """Build what was asked for; 0 when it is there, 1 when something failed, 2 when this computer cannot."""
    options = read(arguments)
    refusal = missing(options.architecture) or no_room(options.output)
    if refusal:
        print(f"box: {refusal}", file=sys.stderr)
        return 2
    if PRIVATE not in os.environ:
        os.environ[PRIVATE] = "1"
        again = [sys.executable, str(Path(__file__).resolve()), *arguments]
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *again])
    try:
        build(options.architecture, options.output, options.ca)
    except system.BuildError as error:
        print(f"box: {error}", file=sys.stderr)
        return 1
    return 0


def read(arguments: list[str]) -> argparse.Namespace:
    """Read the command line of ``./lab box``; argparse exits with 2 and one line on a bad one."""
    parser = argparse.ArgumentParser(prog="./lab box", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="build")
    command = commands.add_parser("build")
    host = ARCHITECTURES.get(platform.machine(), "amd64")
    command.add_argument("--architecture", choices=sorted(ARCHITECTURES.values()), default=host)
    command.add_argument("--output", type=Path, default=ROOT / "boxes")
    command.add_argument("--ca", type=Path)
    return parser.parse_args(arguments)


def missing(architecture: str) -> str:
    """Why this computer cannot build the box, with the command that mends it; empty when it can."""
    tools = TOOLS | (ARM64_TOOLS if architecture == "arm64" else {})
    packages = sorted({package for tool, package in tools.items() if shutil.which(tool) is None})
    packages += [] if KEYRING.exists() else [KEYRING_PACKAGE]
    if packages:
        return f"not here: {', '.join(packages)}. Install: apt-get install --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0:
        return "a root file system with other users' files needs root: sudo ./lab box build"
    return ""


def no_room(output: Path) -> str:
    """What to do about too little disk space where the boxes go; empty when there is enough."""
    output.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(output).free
    return "" if free > ROOM_BYTES else f"{output} has {free / 1e9:.1f} GB free, 6 are needed; see --output"


def build(architecture: str, output: Path, authority: Path | None) -> None:
    """Make the root file system, the disk and the boxes, saying what each part took. Raises ``BuildError``."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"== [{time.monotonic() - began:4.0f} s] {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="work-", dir=output) as directory:
        work = Path(directory)
        root, raw = work / "root", work / "disk.raw"
        try:
            say(f"Debian {system.SUITE} for {architecture}, with what the lessons use")
            system.make_root(root, architecture, ROOT, authority)
            say("one disk of it")
            disk.make(root, raw, architecture)
            say("packing the boxes")
            made = boxes.pack(root, raw, architecture, output)
        finally:
            system.delete(root)
    for path in made:
        say(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
