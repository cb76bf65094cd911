"""One bootable disk made of a root file system, without mounting anything.

amd64 boots as a PC's BIOS does: GRUB's first sector, and its image in the gap before the first partition. arm64 boots
by UEFI: the same image is a file on a small FAT partition. mke2fs writes the ext4 file system from the directory.
"""

from __future__ import annotations

import struct
from pathlib import Path

from box.system import BuildError, run

SECTOR = 512
MEBIBYTE = 1 << 20
SIZE = 12 << 30  # what the machine sees; the file takes only what is used
EFI_START, EFI_SIZE = MEBIBYTE, 64 * MEBIBYTE
BOOT_CODE = 440  # the bytes of the first sector before the partition table; then GRUB's image begins in sector 1
# GRUB 2.06 cannot read what newer versions of mke2fs switch on.
EXT4_FEATURES = "^metadata_csum_seed,^orphan_file"


def make(root: Path, raw: Path, architecture: str) -> None:
    """Write the disk ``raw`` (12 GiB, sparse) with the files of ``root``. Raises ``BuildError`` or ``OSError``."""
    with raw.open("wb") as file:
        file.truncate(SIZE)
    core = root / "boot" / "grub" / "core.img"
    if architecture == "amd64":
        start = MEBIBYTE
        partition(raw, f"label: dos\nstart={start // SECTOR}, type=83, bootable\n")
        install_bios(raw, (root / "boot" / "grub" / "boot.img").read_bytes(), core.read_bytes())
        size = SIZE - start
    else:
        start = EFI_START + EFI_SIZE
        efi = f"start={EFI_START // SECTOR}, size={EFI_SIZE // SECTOR}, type=uefi"
        partition(raw, f"label: gpt\n{efi}\nstart={start // SECTOR}, type=linux\n")
        install_efi(raw, core)
        size = SIZE - start - MEBIBYTE  # the end holds the table's copy
    run(
        *("mke2fs", "-q", "-t", "ext4", "-L", "ipvkit-root", "-O", EXT4_FEATURES, "-E", f"offset={start}"),
        *("-d", root, raw, f"{size // 1024}k"),
    )


def partition(raw: Path, script: str) -> None:
    """Write the partition table that ``script`` (sfdisk's language) describes."""
    table = raw.with_name("partitions")
    table.write_text(script)
    run("sh", "-c", 'exec sfdisk --quiet "$1" <"$2"', "sfdisk", raw, table)


def install_bios(raw: Path, boot: bytes, core: bytes) -> None:
    """Put GRUB where a BIOS looks for it: ``boot`` loads sector 1, and that one loads the rest of ``core``.

    Raises ``BuildError`` when the image would reach into the partition, or was made to start elsewhere.
    """
    if SECTOR + len(core) > MEBIBYTE:
        raise BuildError(f"GRUB's image has {len(core)} bytes; the gap before the first partition is too small")
    (next_sector,) = struct.unpack_from("<Q", core, SECTOR - 12)  # the block list at the end of its first sector
    if next_sector != 2:
        raise BuildError(f"GRUB's image goes on in sector {next_sector}, not in 2")
    with raw.open("r+b") as file:
        file.write(boot[:BOOT_CODE])
        file.seek(SECTOR)
        file.write(core)


def install_efi(raw: Path, core: Path) -> None:
    """Put GRUB where UEFI looks for it on a disk it does not know: ``EFI/BOOT/BOOTAA64.EFI`` on a FAT partition."""
    fat = raw.with_name("efi.fat")
    with fat.open("wb") as file:
        file.truncate(EFI_SIZE)
    run("mkfs.vfat", "-n", "IPVKIT-EFI", fat)
    run("mmd", "-i", fat, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", fat, core, "::/EFI/BOOT/BOOTAA64.EFI")
    with raw.open("r+b") as file:
        file.seek(EFI_START)
        file.write(fat.read_bytes())
