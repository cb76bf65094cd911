"""A Debian root file system with the course in it, in a directory.

mmdebstrap makes it, with real device nodes and without mounting ``/dev``; ``customize.sh`` runs as its last step.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

SUITE = "bookworm"
HERE = Path(__file__).resolve().parent
# What a clone gives to the machine; the same as COURSE in the Vagrantfile, which brings the newest at `vagrant up`.
COURSE = ("lab", "*.txt", "*.toml", "conftest.py", "ipvkit", "notebooks", "provision", "tests")


class BuildError(Exception):
    """A part of building the box failed; the text says which, and what the tool said."""


def run(*words: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it printed. Raises ``BuildError`` with the tail of its words when it fails."""
    command = [str(word) for word in words]
    answer = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if answer.returncode:
        tail = "\n".join(answer.stdout.splitlines()[-30:])
        raise BuildError(f"{command[0]} failed with exit status {answer.returncode}:\n{tail}")
    return answer.stdout


def make_root(root: Path, architecture: str, clone: Path, authority: Path | None) -> None:
    """Fill the directory ``root``, which must not exist, with the machine's files. Raises ``BuildError``."""
    archive = root.with_name("clone.tar")
    pack_clone(clone, archive)
    packages = wanted(HERE / "packages") + wanted(clone / "provision" / "packages") + kernel_and_boot(architecture)
    environment = dict(os.environ, TMPDIR=str(root.parent))
    if authority:
        environment["IPVKIT_BOX_CA"] = str(authority.resolve())
    run(
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--architectures={architecture}"),
        *("--skip=chroot/mount/dev", f"--include={','.join(packages)}", "--aptopt=APT::Install-Recommends false"),
        *("--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
        *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright"),
        "--essential-hook=mkdir -p \"$1/etc/initramfs-tools/conf.d\" && printf 'MODULES=most\\nCOMPRESS=zstd\\n' "
        '>"$1/etc/initramfs-tools/conf.d/ipvkit"',
        f'--customize-hook="{HERE}/customize.sh" "$1" "{archive}"',
        *(SUITE, root),
        environment=environment,
    )


def wanted(file: Path) -> list[str]:
    """The package names in ``file``, one a line; ``#`` begins a comment."""
    return [line.strip() for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]


def kernel_and_boot(architecture: str) -> list[str]:
    """The stock kernel and the boot loader's parts, whose names carry the architecture."""
    grub = {"amd64": "grub-pc-bin", "arm64": "grub-efi-arm64-bin"}[architecture]
    return [f"linux-image-{architecture}", "grub-common", grub]


def pack_clone(clone: Path, archive: Path) -> None:
    """Put the clone's course into a tar file, without what only running it made."""

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = Path(member.name).name
        return None if name.startswith(".") or name == "__pycache__" else member

    with tarfile.open(archive, "w") as tar:
        for pattern in COURSE:
            for path in sorted(clone.glob(pattern)):
                tar.add(path, arcname=str(path.relative_to(clone)), filter=kept)


def delete(tree: Path) -> None:
    """Delete ``tree``, unless something is still mounted in it. Raises ``BuildError`` then, and touches nothing."""
    mounted = mounts_in(tree)
    if mounted:
        raise BuildError(f"not deleted, because it is still mounted: {', '.join(mounted)}")
    shutil.rmtree(tree, ignore_errors=True)


def mounts_in(tree: Path, table: Path = Path("/proc/self/mountinfo")) -> list[str]:
    """The mount points in ``tree``, by the kernel's own table of this mount namespace."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in table.read_text().splitlines()]
    inside = str(tree.resolve())
    return [point for point in points if point == inside or point.startswith(inside + "/")]
