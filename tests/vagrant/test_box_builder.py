"""The box builder's parts that need no box: what it refuses, what it never deletes, where it puts the boot loader."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from box import build, disk, system
from tests.namespaces import own_mounts

ROOT = Path(__file__).resolve().parents[2]
GAP = disk.MEBIBYTE

pytestmark = pytest.mark.vagrant

# A tree with something mounted in it, in a mount namespace of its own: delete() must leave all of it.
WITH_A_MOUNT = """
import subprocess, sys
from pathlib import Path
from box import system
tree = Path(sys.argv[1])
(tree / "in side").mkdir(parents=True)
(tree / "kept").write_text("still here")
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tree / "in side"], check=True)
try:
    system.delete(tree)
except system.BuildError as error:
    print(error)
print((tree / "kept").read_text())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_tree_in_which_something_is_mounted_is_not_deleted(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    words = [*own_mounts(), sys.executable, "-c", WITH_A_MOUNT, str(tree)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    assert answer == f"not deleted, because it is still mounted: {tree}/in side\nstill here\n"


def test_a_tree_without_mounts_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    system.delete(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_the_builder_mounts_nothing_itself_and_keeps_dev_out() -> None:
    text = "".join((ROOT / "box" / name).read_text() for name in ("build.py", "system.py", "disk.py", "boxes.py"))
    script = (ROOT / "box" / "customize.sh").read_text()
    assert "--skip=chroot/mount/dev" in text
    assert not [word for word in ('"mount"', "losetup", "rm -rf", "rm -r ") if word in text + script]


def test_grub_is_put_where_the_bios_and_its_own_first_sector_look(tmp_path: Path) -> None:
    raw = tmp_path / "disk"
    raw.write_bytes(bytes(2 * GAP))
    core = bytearray(b"C" * 3 * disk.SECTOR)
    struct.pack_into("<Q", core, disk.SECTOR - 12, 2)
    disk.install_bios(raw, b"B" * disk.SECTOR, bytes(core))
    written = raw.read_bytes()
    assert written[: disk.BOOT_CODE] == b"B" * disk.BOOT_CODE
    assert written[disk.BOOT_CODE : disk.SECTOR] == bytes(disk.SECTOR - disk.BOOT_CODE), "the partition table is left"
    assert written[disk.SECTOR : disk.SECTOR + len(core)] == core


@pytest.mark.parametrize(
    ("size", "next_sector", "words"),
    [(GAP, 2, "the gap before the first partition is too small"), (4096, 63, "sector 63")],
)
def test_a_boot_loader_that_cannot_work_is_refused(size: int, next_sector: int, words: str, tmp_path: Path) -> None:
    core = bytearray(size)
    struct.pack_into("<Q", core, disk.SECTOR - 12, next_sector)
    with pytest.raises(system.BuildError, match=words):
        disk.install_bios(tmp_path / "disk", bytes(disk.SECTOR), bytes(core))


def test_a_missing_tool_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    refusal = build.missing("arm64")
    assert "mmdebstrap" in refusal
    assert "apt-get install --no-install-recommends" in refusal
    assert "mtools" in refusal


def test_where_debians_keys_are_missing_their_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "KEYRING", tmp_path / "debian-archive-keyring.gpg")
    monkeypatch.setattr("shutil.which", lambda tool: f"/usr/bin/{tool}")
    assert build.missing("amd64").endswith("--no-install-recommends debian-archive-keyring")


def test_a_failing_tool_is_quoted() -> None:
    with pytest.raises(system.BuildError, match="exit status 3:\nthe reason"):
        system.run("sh", "-c", "echo the reason; exit 3")


def test_the_package_lists_have_no_doubles_and_name_what_the_lessons_use() -> None:
    packages = system.wanted(ROOT / "box/packages") + system.wanted(ROOT / "provision/packages")
    assert len(packages) == len(set(packages))
    lessons = {"bird2", "dnsmasq-base", "docker.io", "containernetworking-plugins", "hostapd", "wpasupplicant", "iw"}
    assert lessons | {"iperf3", "tcpdump", "iptables", "nftables"} <= set(packages)


def test_the_box_and_vagrant_up_bring_the_same_files(tmp_path: Path) -> None:
    file = tmp_path / "clone.tar"
    system.pack_clone(ROOT, file)
    with tarfile.open(file) as tar:
        names = {member.name for member in tar if member.isfile()}
    assert {"lab", "requirements.txt", "provision/install.sh", "ipvkit/__init__.py", "notebooks/sanitize.cfg"} <= names
    assert not {name for name in names if "/." in name or "__pycache__" in name}
