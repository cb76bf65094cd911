"""The disk as Vagrant boxes, and the record of what is in them.

A box is a tar file: the disk in the provider's own format, a line of metadata, and for VirtualBox an OVF description of
the machine. Beside the boxes lie the list of packages and the checksums.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from string import Template

from box.disk import SIZE
from box.system import run

HERE = Path(__file__).resolve().parent
VIRTUALBOX_VAGRANTFILE = 'Vagrant.configure("2") { |config| config.vm.base_mac = "080027A1B2C3" }\n'


def pack(root: Path, raw: Path, architecture: str, output: Path) -> list[Path]:
    """Make the boxes, the list of packages and the checksums in ``output``; return the files. Raises ``BuildError``."""
    name = f"ipvkit-{architecture}"
    made = [libvirt(raw, output / f"{name}-libvirt.box")]
    if architecture == "amd64":
        made.append(virtualbox(raw, output / f"{name}-virtualbox.box"))
    made.append(packages(root, output / f"{name}-packages.txt"))
    made.append(checksums(made, output / f"{name}-sha256sums.txt"))
    return made


def libvirt(raw: Path, box: Path) -> Path:
    """The box for libvirt, and for plug-ins that run QEMU without it: a compressed qcow2 image."""
    image = raw.with_name("box.img")
    run("qemu-img", "convert", "-c", "-m", "4", "-O", "qcow2", raw, image)
    metadata = json.dumps({"provider": "libvirt", "format": "qcow2", "virtual_size": SIZE >> 30})
    return bundle(box, {"metadata.json": metadata + "\n"}, [image])


def virtualbox(raw: Path, box: Path) -> Path:
    """The box for VirtualBox: a compressed VMDK, and the OVF that describes the machine around it."""
    image = raw.with_name("box-disk001.vmdk")
    form = "subformat=streamOptimized,adapter_type=lsilogic"
    run("qemu-img", "convert", "-m", "4", "-O", "vmdk", "-o", form, raw, image)
    ovf = Template((HERE / "box.ovf").read_text())
    texts = {
        "metadata.json": json.dumps({"provider": "virtualbox"}) + "\n",
        "Vagrantfile": VIRTUALBOX_VAGRANTFILE,
        "box.ovf": ovf.substitute(disk=image.name, file_size=image.stat().st_size, capacity=SIZE),
    }
    return bundle(box, texts, [image])


def bundle(box: Path, texts: dict[str, str], images: list[Path]) -> Path:
    """Write a box of small files and disk images; the images are deleted, and it appears only when it is complete."""
    folder = images[0].parent / box.stem
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    for image in images:
        shutil.move(image, folder / image.name)
    new = box.with_suffix(".new")
    with tarfile.open(new, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_size):
            tar.add(path, arcname=path.name)
    new.replace(box)
    shutil.rmtree(folder)
    return box


def packages(root: Path, file: Path) -> Path:
    """The list of what is in the box: Debian's packages, then Python's, each with its version."""
    record = root / "etc" / "ipvkit"
    file.write_text((record / "packages").read_text() + (record / "python-packages").read_text())
    return file


def checksums(files: list[Path], file: Path) -> Path:
    """The SHA-256 of each file, as ``sha256sum --check`` reads it."""
    lines = []
    for path in files:
        with path.open("rb") as opened:
            lines.append(f"{hashlib.file_digest(opened, 'sha256').hexdigest()}  {path.name}\n")
    file.write_text("".join(lines))
    return file
