"""The boxes as they were built: the parts fit each other, and the VirtualBox disk boots on the hardware its OVF names.

VirtualBox itself is not run here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from box import system
from tests.vagrant.conftest import Record

ROOT = Path(__file__).resolve().parents[2]
OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
RASD = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"
DISK, SATA, NETWORK = "17", "20", "10"  # resource types of DMTF's CIM
BOOT_SECONDS = 600

pytestmark = [
    pytest.mark.vagrant,
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed"),
]


@pytest.fixture(scope="module")
def unpacked(boxes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each provider's box, unpacked."""
    places = {}
    for provider in ("libvirt", "virtualbox"):
        places[provider] = tmp_path_factory.mktemp(provider)
        box = boxes / f"ipvkit-amd64-{provider}.box"
        subprocess.run(["tar", "-xf", box, "-C", places[provider]], check=True)
    return places


def image(file: Path) -> dict[str, object]:
    return dict(json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", str(file)])))


def test_the_checksums_are_those_of_the_files(boxes: Path, record: Record) -> None:
    lines = (boxes / "ipvkit-amd64-sha256sums.txt").read_text().splitlines()
    assert len(lines) == 3
    for line in lines:
        wanted, name = line.split()
        with (boxes / name).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == wanted
        record.add(f"`{name}`", f"{(boxes / name).stat().st_size:,} bytes, SHA-256 `{wanted}`")


def test_the_list_says_what_the_lessons_use_is_in_it(boxes: Path, record: Record) -> None:
    lines = (boxes / "ipvkit-amd64-packages.txt").read_text().splitlines()
    debian = {line.split()[0] for line in lines if line.count(" ") == 2}
    python = {line.split("==")[0].lower() for line in lines if "==" in line}
    asked = set(system.wanted(ROOT / "box/packages") + system.wanted(ROOT / "provision/packages"))
    assert asked <= debian
    assert {"jupyterlab", "ipywidgets", "pyroute2", "matplotlib", "nbval", "pytest"} <= python
    record.add("in the box", f"{len(debian)} Debian packages, {len(python)} Python packages")


def test_the_libvirt_box_is_what_its_metadata_says(unpacked: dict[str, Path]) -> None:
    metadata = json.loads((unpacked["libvirt"] / "metadata.json").read_text())
    info = image(unpacked["libvirt"] / "box.img")
    assert (metadata["provider"], metadata["format"], info["format"]) == ("libvirt", "qcow2", "qcow2")
    assert info["virtual-size"] == metadata["virtual_size"] << 30
    assert "backing-filename" not in info


def test_the_virtualbox_box_holds_together(unpacked: dict[str, Path]) -> None:
    place = unpacked["virtualbox"]
    assert {path.name for path in place.iterdir()} == {"metadata.json", "Vagrantfile", "box.ovf", "box-disk001.vmdk"}
    assert json.loads((place / "metadata.json").read_text()) == {"provider": "virtualbox"}
    ovf = ElementTree.parse(place / "box.ovf").getroot()
    (file,) = ovf.iter(f"{OVF}File")
    (disk,) = ovf.iter(f"{OVF}Disk")
    vmdk = place / file.attrib[f"{OVF}href"]
    assert int(file.attrib[f"{OVF}size"]) == vmdk.stat().st_size
    assert disk.attrib[f"{OVF}fileRef"] == file.attrib[f"{OVF}id"]
    info = image(vmdk)
    assert int(disk.attrib[f"{OVF}capacity"]) == info["virtual-size"]
    assert info["format-specific"]["data"]["create-type"] == "streamOptimized"  # type: ignore[index]


def test_the_virtual_hardware_refers_to_what_is_there(unpacked: dict[str, Path]) -> None:
    ovf = ElementTree.parse(unpacked["virtualbox"] / "box.ovf").getroot()
    items = [{part.tag.removeprefix(RASD): part.text for part in item} for item in ovf.iter(f"{OVF}Item")]
    by_type = {item["ResourceType"]: item for item in items}
    assert len({item["InstanceID"] for item in items}) == len(items)
    assert by_type[DISK]["Parent"] == by_type[SATA]["InstanceID"]
    (disk,) = ovf.iter(f"{OVF}Disk")
    assert by_type[DISK]["HostResource"] == f"/disk/{disk.attrib[f'{OVF}diskId']}"
    assert by_type[NETWORK]["Connection"] in {network.attrib[f"{OVF}name"] for network in ovf.iter(f"{OVF}Network")}


def test_both_boxes_hold_the_same_disk(unpacked: dict[str, Path]) -> None:
    files = [str(unpacked["libvirt"] / "box.img"), str(unpacked["virtualbox"] / "box-disk001.vmdk")]
    answer = subprocess.run(["qemu-img", "compare", *files], capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "Images are identical."


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
def test_the_vmdk_boots_on_the_hardware_the_ovf_names(unpacked: dict[str, Path], record: Record) -> None:
    vmdk = unpacked["virtualbox"] / "box-disk001.vmdk"
    console = vmdk.with_name("console")
    words = ["qemu-system-x86_64", "-machine", "pc,accel=tcg", "-m", "1536", "-smp", "2", "-display", "none"]
    words += ["-device", "ich9-ahci,id=sata", "-device", "ide-hd,bus=sata.0,drive=disk"]
    words += ["-drive", f"if=none,id=disk,format=vmdk,snapshot=on,file={vmdk}"]
    words += ["-netdev", "user,id=nat,restrict=on", "-device", "e1000,netdev=nat", "-serial", f"file:{console}"]
    began = time.monotonic()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as machine:
        try:
            while "ipvkit login:" not in (console.read_text(errors="replace") if console.exists() else ""):
                assert machine.poll() is None, "QEMU ended"
                assert time.monotonic() - began < BOOT_SECONDS, console.read_text(errors="replace")[-2000:]
                time.sleep(1)
        finally:
            machine.kill()
    seen = f"login prompt after {time.monotonic() - began:.0f} s"
    record.add("VirtualBox box: **not run** in VirtualBox; its VMDK in QEMU with the OVF's AHCI and e1000", seen)
