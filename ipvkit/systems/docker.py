"""Docker in a lab: a real dockerd in the host's namespace, networks and containers made with its own command line.

Law: the daemon runs inside the lab's kernel only, on file systems in that kernel's memory; this computer's own Docker,
if there is one, is never asked. What it created is read back from the kernel, not from Docker.
Needs machine ``uml``: Docker wants a kernel of its own (control groups, mounts), with :data:`MEMORY`.
Sources: dockerd(8), docker(1), libnetwork's drivers ``ipvlan`` and ``macvlan``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from ipvkit.errors import BadQuestion, LabError
from ipvkit.lab import Lab
from ipvkit.systems import extras, found
from ipvkit.systems.needed import need
from ipvkit.topology import Driver, Topology

MEMORY = 768
"""MB for ``Lab(…, machine="uml", memory=MEMORY)``: images and containers are in memory too."""

READY_DEADLINE, COMMAND_DEADLINE = 300.0, 300.0
"""Seconds dockerd may take to be ready, and one command may take: 7 and 5 on a quiet computer, more if emulated."""

_HOME, _SOCKET, _READY = "/run/docker-lab", "unix:///run/docker-lab/socket", "API listen on"
_CONTAINERD = f"{_HOME}/containerd.socket"
_ENVIRONMENT = (f"PATH={_HOME}/bin", f"HOME={_HOME}", f"DOCKER_HOST={_SOCKET}")
#: Programs are linked into one directory. iptables is not among them: what Docker does with it is name service for
#: containers, for which this kernel lacks what it asks for, and each attempt takes a second.
_PREPARE = f"""set -e
mkdir -p {_HOME}/bin /run/netns
for program in "$@"; do ln -sf "$program" {_HOME}/bin; done
echo 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]' >{_HOME}/containerd.toml
"""
#: containerd is started here, because dockerd would wait 15 seconds for it and then give up, however slow the computer.
_DAEMON = f"""mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || mountpoint -q /sys/fs/cgroup
mount -t tmpfs none /etc/docker 2>/dev/null
env {' '.join(_ENVIRONMENT)} "$1" containerd --address={_CONTAINERD} --config={_HOME}/containerd.toml \
    --root={_HOME}/containerd --state={_HOME}/state &
while [ ! -S {_CONTAINERD} ]; do kill -0 $! || exit 1; sleep 0.05; done
exec env {' '.join(_ENVIRONMENT)} "$@"
"""
_OPTIONS = ("--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none",
            f"--data-root={_HOME}/data", f"--exec-root={_HOME}/exec", f"--pidfile={_HOME}/pid", f"--host={_SOCKET}",
            f"--containerd={_CONTAINERD}", "--exec-opt=native.cgroupdriver=cgroupfs")
#: An image of nothing but busybox and the libraries it is linked with.
_IMAGE = f"""set -e
mkdir -p {_HOME}/image/bin && cd {_HOME}/image
busybox=$(command -v busybox)
for file in "$busybox" $(ldd "$busybox" | grep -o '/[^ ]*'); do mkdir -p ".${{file%/*}}" && cp "$file" ".$file"; done
tar c . | env {' '.join(_ENVIRONMENT)} docker import - busybox
"""
_NAME = 'pid=$({docker} inspect -f "{{{{.State.Pid}}}}" "$1") && ln -sfn "/proc/$pid/ns/net" "/run/netns/$1"'


class Engine:
    """dockerd in the host of ``lab``; as a context manager it ends with the block, and all containers with it.

    Raises ``LabError`` with the end of its log where it dies, ``DeadlineExceeded`` where it never gets ready, and
    ``LabError`` with the line that gets Docker where it is not there. ``options`` go to dockerd as they are.
    """

    def __init__(self, lab: Lab, *options: str) -> None:
        extras.need("docker")
        need("busybox")
        if lab.machine.name != "uml":
            raise LabError('dockerd needs a kernel of its own: Lab(…, machine="uml", memory=docker.MEMORY)')
        self._lab, self.world = lab, lab.topology
        programs = [str(extras.find(program)) for program in extras.EXTRAS["docker"].programs]
        self._run(["sh", "-c", _PREPARE, "sh", *programs])
        command = ["sh", "-c", _DAEMON, "dockerd", f"LD_LIBRARY_PATH={extras.library_path()}", "dockerd", *_OPTIONS]
        self.program = lab.start("host", [*command, *options], ready=_READY, deadline=READY_DEADLINE)
        self._containers: list[str] = []
        try:
            self._run(["sh", "-c", _IMAGE])
        except BaseException:
            self.program.stop()
            raise

    def docker(self, *words: str) -> str:
        """Type a ``docker`` command; return what it prints. Raises ``LabError`` with Docker's own words."""
        return self._run(["env", *_ENVIRONMENT, "docker", *words], f"docker {' '.join(words)}")

    def create_network(self, name: str, driver: Driver, *options: str, parent: str = "eth0") -> None:
        """Create a network of ``driver`` on ``parent``; ``options`` as for ``docker network create``.

        ``eth0.30`` as parent is made by Docker, with VLAN 30. ``parent=""``: none, as for an internal network.
        """
        mode = f"{driver.kind}_mode={driver.mode}"
        flag = ["--opt", f"ipvlan_flag={driver.flag}"] if driver.kind == "ipvlan" and driver.flag != "bridge" else []
        on = ["--opt", f"parent={parent}"] if parent else []
        self.docker("network", "create", "--driver", driver.kind, "--opt", mode, *flag, *on, *options, name)

    def run(self, name: str, network: str, *addresses: str) -> None:
        """Start a container that waits, in ``network``, with these IPv4 or IPv6 addresses; BadQuestion: it is there."""
        if name in self._containers:
            raise BadQuestion("name", f"there is a container {name!r}", "Choose another name, or remove it first.")
        given = [f"--ip{'6' if ':' in address else ''}={address}" for address in addresses]
        try:
            self.docker("run", "--detach", "--name", name, "--network", network, *given, "busybox",
                        "busybox", "sleep", "1000000")
        except LabError:
            with suppress(LabError):
                self.docker("rm", "--force", name)  # one that could not start is there nevertheless
            raise
        self._containers.append(name)
        self._run(["sh", "-c", _NAME.format(docker=f"env {' '.join(_ENVIRONMENT)} docker"), "sh", name])

    def remove(self, *names: str) -> None:
        """Take away these containers, or all, and every network that is then empty."""
        gone = list(names or self._containers)
        if gone:
            self.docker("rm", "--force", "--volumes", *gone)
        self._containers = [name for name in self._containers if name not in gone]
        self.docker("network", "prune", "--force")
        for name in gone:
            self._run(["rm", "-f", f"/run/netns/{name}"])
        self.topology()

    def topology(self) -> Topology:
        """Read back from the kernel what Docker made, and let the lab be asked about it."""
        return found.adopt(self._lab, self.world)

    def close(self) -> None:
        """End the daemon and all containers; doing it again does no harm."""
        if not self._lab.alive:
            return
        self.program.stop()
        self._run(["sh", "-c", 'for name; do rm -f "/run/netns/$name"; done', "sh", *self._containers])
        self._containers = []
        found.let_go(self._lab, self.world)

    def __enter__(self) -> Engine:
        """Return the engine."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End it."""
        self.close()

    def _run(self, words: Sequence[str], shown: str = "") -> str:
        said = self._lab.run("host", words, deadline=COMMAND_DEADLINE, show=lambda _: None)
        if said.status:
            raise LabError(f"{shown or ' '.join(words)[:60]}: exit status {said.status}\n{said.output.strip()}")
        return said.output
