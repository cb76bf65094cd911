"""Kernel modules of a User-Mode Linux guest, out of one archive, by system call.

Law: the archive holds modules, ``modules.dep`` and ``modules.alias`` as depmod(8) wrote them, so names and order are
the kernel build's own (ipvlan needs ipv6, that needs crc-ccitt). What every lab uses is loaded at boot; the rest when
the kernel asks for it, through the program in ``kernel.modprobe``, which is this archive of ours again. A native
machine has no such archive: there the host's kernel loads what it has.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import sys
import zipimport

from ipvkit.agent import syscalls

CORE = ("ipvlan", "macvlan", "veth", "dummy", "bridge", "8021q")
"""Loaded at boot, which costs less than being asked for them."""

_PARAMETERS = {"dummy": "numdummies=0"}  # else it makes a device nobody asked for
PROGRAM = "/run/ipvkit-modprobe"
"""What ``kernel.modprobe`` names in a kernel of the lab's own."""


class Modules:
    """The modules in the archive at ``path``.

    Read with ``zipimport``: it is part of the interpreter, while importing ``zipfile`` takes a tenth of a second here.
    """

    def __init__(self, path: str) -> None:
        self._path, self._archive = path, zipimport.zipimporter(path)
        self._needs: dict[str, list[str]] = {}  # name -> its file and those it needs
        for line in self._lines("modules.dep"):
            file, _, needed = line.partition(":")
            self._needs[_name(file)] = [file, *needed.split()]

    def _lines(self, name: str) -> list[str]:
        return self._read(name).decode().splitlines()

    def _read(self, name: str) -> bytes:
        return self._archive.get_data(os.path.join(self._path, name))

    def load(self, *names: str) -> None:
        """Load modules, by name or alias, and what they need; those the archive does not have are passed over."""
        for name in names:
            for known in [name] if _name(name) in self._needs else self._aliases(name):
                for file in reversed(self._needs[_name(known)]):  # modules.dep lists last what must be there first
                    self._insert(file)

    def _aliases(self, wanted: str) -> list[str]:
        entries = (line.split() for line in self._lines("modules.alias"))
        return [entry[2] for entry in entries if len(entry) == 3 and fnmatch.fnmatchcase(wanted, entry[1])]

    def _insert(self, file: str) -> None:
        if os.path.exists(f"/sys/module/{_name(file)}"):
            return
        try:
            syscalls.init_module(self._read(file), _PARAMETERS.get(_name(file), ""))
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise OSError(error.errno, f"module {file}: {error.strerror}") from error

    def serve_kernel(self, agent: str) -> None:
        """Have the kernel run ``agent``, our archive, whenever it wants a module.

        The kernel calls it as ``modprobe -q -- NAME``, iptables as ``modprobe NAME -q``.
        """
        with open(PROGRAM, "w") as program:
            program.write(f"#!{sys.executable} -ISB\nimport sys\nsys.path.insert(0, {agent!r})\n")
            program.write("from ipvkit.agent.modules import Modules\n")
            program.write(f"Modules({self._path!r}).load(*(word for word in sys.argv[1:] if word[0] != '-'))\n")
        os.chmod(PROGRAM, 0o755)
        with open("/proc/sys/kernel/modprobe", "w") as setting:
            setting.write(PROGRAM)


def _name(file: str) -> str:
    return os.path.basename(file).removesuffix(".ko").replace("-", "_")
