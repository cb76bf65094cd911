"""The project's box as a box for emulation, and its Vagrantfile in a place of its own.

Where there is no KVM, libvirt must be told to emulate. That is the test box's own setting: the project's Vagrantfile
has no line about it, and the disk image is the very one that was built.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

# Emulation is slow, so Vagrant waits longer; the disk is thrown away, so nothing is synced to it.
VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.boot_timeout = 1200
  config.vm.provider :libvirt do |libvirt|
    libvirt.driver = "qemu"
    libvirt.disk_driver cache: "unsafe"
    libvirt.graphics_type = "none"
  end
end
"""
NOT_OF_THE_CLONE = shutil.ignore_patterns(".*", "__pycache__", "boxes")


def emulated_box(box: Path, place: Path) -> Path:
    """Pack the image of ``box`` with the settings for emulation; return the new box, in ``place``."""
    folder = place / "emulated"
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xf", box, "-C", folder], check=True)
    (folder / "Vagrantfile").write_text(VAGRANTFILE)
    packed = place / "emulated.box"
    with tarfile.open(packed, "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    shutil.rmtree(folder)
    return packed


def clone_for_vagrant(clone: Path, place: Path) -> Path:
    """Copy the clone to ``place``, so that Vagrant's own files lie there too; return the copy."""
    copy = place / "clone"
    shutil.copytree(clone, copy, ignore=NOT_OF_THE_CLONE)
    return copy
