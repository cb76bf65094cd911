"""Debian's package ``user-mode-linux``, fetched and unpacked into the cache as an ordinary user.

Law: nothing is installed. ``apt-get download`` takes the package from where this system's packages come from, and apt
checks its signature chain; ``dpkg-deb`` unpacks it. What a lab needs of it is kept: the kernel, and one archive with
the network modules and depmod's ``modules.dep``. After that everything works without a network.
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

from ipvkit.errors import MachineError
from ipvkit.machine import cache

KERNEL, MODULES = "uml/linux.uml", "uml/modules.zip"
PACKAGE = "user-mode-linux"

# What labs may ask for, as patterns of module names; what these need comes along. The rest of the package (sound,
# disks, Bluetooth …) is four fifths of it.
_WANTED = """
    ipvlan ipvtap macvlan macvtap veth dummy bridge 8021q vrf vxlan tun ifb bonding team team_mode_* overlay
    sch_netem sch_tbf sch_htb sch_ingress sch_fq_codel cls_flower cls_matchall cls_u32 act_gact act_mirred
    br_netfilter nf_tables nft_limit nft_ct nft_log nft_reject* nft_masq nft_redir nf_nat nf_conntrack nf_log_syslog
    ip_tables iptable_* ip6_tables ip6table_filter ip6table_nat ipt_REJECT ebtables ebtable_filter ebt_limit ebt_among
    xt_MASQUERADE xt_nat xt_conntrack xt_LOG xt_comment xt_addrtype xt_mac xt_mark xt_tcpudp xt_physdev xt_limit
    xt_multiport xt_pkttype packet_diag
"""


def present() -> bool:
    """Tell whether the kernel and its modules are in the cache, and not empty."""
    try:
        return all((cache.directory() / name).stat().st_size > 0 for name in (KERNEL, MODULES))
    except OSError:
        return False


def open_files() -> tuple[int, int]:
    """Give descriptors of the kernel and of its modules; ``MachineError`` when they are not in the cache."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    if not present():
        raise MachineError("User-Mode Linux is not in the cache. Fetch it: python3 -m ipvkit.machine.fetch")
    modules = os.open(cache.directory() / MODULES, flags)
    return os.open(cache.directory() / KERNEL, flags), modules


def unpack(package: Path) -> None:
    """Put kernel and modules of a ``.deb`` into the cache; ``MachineError`` when one cannot be read or written."""
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=package.parent) as temporary:
        done = subprocess.run(["dpkg-deb", "-x", package, temporary], capture_output=True, text=True, check=False)
        if done.returncode:
            raise MachineError(f"{package.name} cannot be unpacked: {done.stderr.strip()}")
        root = next((Path(temporary) / "usr/lib/uml/modules").iterdir())
        kernel = (Path(temporary) / "usr/bin/linux.uml").read_bytes()
        if not (cache.store(MODULES, _pack_modules(root)) and cache.store(KERNEL, kernel, 0o755)):
            raise MachineError(f"cannot write to {cache.directory()}; set IPVKIT_CACHE to a directory with 30 MB free")


def _pack_modules(root: Path) -> bytes:
    """Pack the wanted modules and those they need, with what depmod wrote about them."""
    lines = (root / "modules.dep").read_text().splitlines()
    wanted: set[str] = set()
    for line in lines:
        file, _, needed = line.partition(":")
        if any(fnmatch(_name(file), pattern) for pattern in _WANTED.split()):
            wanted.update([file, *needed.split()])
    names = {_name(file) for file in wanted}
    if "ipvlan" not in names:
        raise MachineError(f"the package's kernel {root.name} has no ipvlan module where we look for one")
    aliases = (root / "modules.alias").read_text().splitlines()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("modules.dep", "\n".join(line for line in lines if line.partition(":")[0] in wanted))
        archive.writestr("modules.alias", "\n".join(line for line in aliases if _name(line.split()[-1]) in names))
        for file in sorted(wanted):
            archive.write(root / file, file)
    return packed.getvalue()


def _name(file: str) -> str:
    return file.rpartition("/")[2].removesuffix(".ko").replace("-", "_")
