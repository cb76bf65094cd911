"""A network of its own in which Vagrant and libvirt can work as on any computer, with nothing of this one in reach.

A PID, network and mount namespace: libvirt's stock NAT network, its firewall rules and its storage exist only in there.
No interface leads out, so whatever works was done without a network. When its first process ends, or the one that made
it, the kernel ends every other one in it, and the namespaces with them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TOOLS = (
    *("vagrant", "libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "dnsmasq", "iptables"),
    *("setpriv", "unshare", "nsenter"),
)
FROM_OUTSIDE = ("PATH", "LANG", "TERM")

# Everything is done by this one root, which owns no cgroup and no security module here.
QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""
LIBVIRTD_CONF = """\
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""
FIRST_PROCESS = """\
set -e
mount -t tmpfs tmpfs /run
for place in etc/libvirt var/lib/libvirt var/cache/libvirt; do
    mkdir -p "/$place" "$1/$place"
    mount --bind "$1/$place" "/$place"
done
# libvirt looks for these by name, also where QEMU runs as root; Debian's libvirt-daemon-system would add them.
for kind in passwd group; do
    cp "/etc/$kind" "$1/etc/$kind"
    case $kind in passwd) entry=':64055::/:/bin/false' ;; group) entry=':' ;; esac
    grep -q '^libvirt-qemu:' "/etc/$kind" || echo "libvirt-qemu:x:64055$entry" >>"$1/etc/$kind"
    mount --bind "$1/etc/$kind" "/etc/$kind"
done
ip link set lo up
sysctl --quiet --write net.ipv4.ip_forward=1
touch "$1/ready"
exec "$2" -c "$3"
"""
# The kernel buries the orphans of a first process that ignores SIGCHLD.
WAIT = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); signal.pause()"


def missing_tools() -> list[str]:
    """What this computer lacks for such a host."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


class PrivateHost:
    """The namespaces, and libvirt's daemon in them; a context manager. ``place`` keeps the files of both."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.home = place / "home"
        self._outer: subprocess.Popen[bytes] | None = None
        self.first = 0

    def __enter__(self) -> PrivateHost:
        """Start it. Raises ``TimeoutError`` with the end of a part's log when that does not come up, and ends all."""
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        for directory in ("etc/libvirt", "home", "log"):
            (self.place / directory).mkdir(parents=True, exist_ok=True)
        (self.place / "etc/libvirt/qemu.conf").write_text(QEMU_CONF)
        (self.place / "etc/libvirt/libvirtd.conf").write_text(LIBVIRTD_CONF)
        (self.place / "ready").unlink(missing_ok=True)
        namespaces = ["unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
        with (self.place / "log/first").open("wb") as log:
            first = ["sh", "-c", FIRST_PROCESS, "sh", str(self.place), sys.executable, WAIT]
            words = ["setpriv", "--pdeathsig", "KILL", *namespaces, *first]
            self._outer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait("first", (self.place / "ready").exists)
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
        self.first = int(children.split()[0])
        with (self.place / "log/libvirtd").open("wb") as log:
            subprocess.Popen(self.words("setsid", "libvirtd"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait("libvirtd", lambda: self.run("virsh", "-c", "qemu:///system", "version").returncode == 0)

    def __exit__(self, *_: object) -> None:
        """End everything in it at once."""
        if self._outer is not None:
            self._outer.kill()
            self._outer.wait()

    def words(self, *command: str) -> list[str]:
        """The command line that runs ``command`` in there."""
        return ["nsenter", "--target", str(self.first), "--mount", "--net", "--pid", f"--wd={os.getcwd()}", *command]

    def environment(self) -> dict[str, str]:
        """What commands in there see: nothing of this computer's settings but the search path and the language."""
        kept = {name: os.environ[name] for name in FROM_OUTSIDE if name in os.environ}
        return kept | {"HOME": str(self.home)}

    def run(
        self,
        *command: str,
        cwd: Path | None = None,
        settings: Mapping[str, str] | None = None,
        seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` in there and return it with its output, both streams as one.

        Raises ``subprocess.TimeoutExpired`` after ``seconds``.
        """
        words: Sequence[str] = self.words(*command)
        if cwd:
            words = [word if not word.startswith("--wd=") else f"--wd={cwd}" for word in words]
        return subprocess.run(
            words,
            env=self.environment() | dict(settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )

    def _wait(self, name: str, ready: object) -> None:
        assert callable(ready)
        end = time.monotonic() + 60
        while not ready():
            if time.monotonic() > end:
                log = (self.place / "log" / name).read_text(errors="replace")
                raise TimeoutError(f"{name} did not come up in 60 s:\n{log[-2000:]}")
            time.sleep(0.2)
