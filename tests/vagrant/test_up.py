"""``vagrant up`` for real: our box, libvirt, emulation, no network; every step that a student's machine goes through.

The tests are one story and run in their order. Each says what it needs by itself failing when that is not so.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import snapshot
from tests.vagrant.conftest import Record
from tests.vagrant.emulated import clone_for_vagrant, emulated_box
from tests.vagrant.private_host import PrivateHost, missing_tools

ROOT = Path(__file__).resolve().parents[2]
BROWSER = Path(__file__).with_name("browse.py")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
ADDRESS = re.compile(r"Open (http://127\.0\.0\.1:8888/lab\?token=\w+)")
CELL_SECONDS = 3000  # emulation is some twenty times slower than a computer, a kernel in it once more
GUEST_PORTS = {"22", "8888"}


def cannot() -> str:
    """Why this computer cannot run the story; empty when it can."""
    if os.geteuid() != 0:
        return "namespaces with libvirt in them need root"
    if missing_tools():
        return f"not installed: {', '.join(missing_tools())}"
    if not CHROMIUM or importlib.util.find_spec("playwright") is None:
        return "Chromium or playwright is not installed"
    return ""


pytestmark = [
    pytest.mark.vagrant,
    pytest.mark.long,
    pytest.mark.timeout(12000),
    pytest.mark.skipif(bool(cannot()), reason=cannot()),
]


@dataclass
class Story:
    """The private host, the clone that Vagrant works in, and what earlier steps learned."""

    host: PrivateHost
    clone: Path
    record: Record
    before: snapshot.Snapshot
    address: str = ""
    settings: dict[str, str] = field(default_factory=dict)

    def vagrant(self, *words: str, seconds: float = 3000) -> str:
        """Run one Vagrant command that must succeed; return what it printed."""
        answer = self.host.run("vagrant", *words, cwd=self.clone, settings=self.settings, seconds=seconds)
        assert answer.returncode == 0, answer.stdout
        return answer.stdout

    def guest(self, command: str, seconds: float = 3000) -> str:
        """Run one command in the machine as the user vagrant, as ``vagrant ssh -c`` does."""
        return self.vagrant("ssh", "-c", command, "--", "-q", seconds=seconds)

    def timed(self, what: str, *words: str) -> str:
        """Run one Vagrant command and record how long it took."""
        began = time.monotonic()
        output = self.vagrant(*words)
        self.record.add(what, f"{time.monotonic() - began:.0f} s")
        return output


@pytest.fixture(scope="module")
def story(boxes: Path, record: Record, tmp_path_factory: pytest.TempPathFactory) -> Generator[Story]:
    """The host, with our box added to its Vagrant and nothing else."""
    place = tmp_path_factory.mktemp("vagrant")
    box = emulated_box(boxes / "ipvkit-amd64-libvirt.box", place)
    before = snapshot.take()
    with PrivateHost(place / "host") as host:
        story = Story(host, clone_for_vagrant(ROOT, place), record, before)
        story.settings = {
            "VAGRANT_HOME": str(place / "home"),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        }
        story.vagrant("box", "add", "--name", "ipvkit", str(box))
        box.unlink()
        yield story


def test_the_network_is_cut(story: Story) -> None:
    links = json.loads(story.host.run("ip", "-json", "link").stdout)
    assert [link["ifname"] for link in links] == ["lo"]
    assert story.host.run("ip", "route").stdout == ""


def test_up_ends_with_the_address_and_its_token(story: Story) -> None:
    output = story.timed("`vagrant up`, network cut, until JupyterLab answers", "up", "--provider=libvirt")
    assert "Vagrant insecure key detected" in output
    found = ADDRESS.findall(output)
    assert len(found) == 1
    story.address = found[0]
    assert output.rstrip().endswith(story.address)


def test_the_token_is_printed_on_demand(story: Story) -> None:
    assert ADDRESS.findall(story.guest("ipvkit-address")) == [story.address]


def test_labs_are_native_on_debians_own_kernel_for_an_ordinary_user(story: Story) -> None:
    kernel = story.guest("uname -r").strip()
    package = story.guest("dpkg-query --show --showformat='${Source} ${Status}' linux-image-$(uname -r)")
    assert "install ok installed" in package
    assert story.guest("id -un").strip() == "vagrant"
    story.record.add("kernel in the machine", f"{kernel} (Debian's own)")


def test_no_port_is_open_but_ssh_and_the_one_with_the_token(story: Story) -> None:
    lines = story.guest("ss --no-header --listening --numeric --tcp --udp").splitlines()
    locals_ = {line.split()[4] for line in lines if line.split()[1] in ("LISTEN", "UNCONN")}
    reachable = {local for local in locals_ if not local.startswith(("127.", "[::1]"))}
    ports = {local.rpartition(":")[2] for local in reachable}
    assert ports - {"68"} == GUEST_PORTS, reachable  # 68 is the DHCP client's
    on_the_host = story.host.run("ss", "--no-header", "--listening", "--numeric", "--tcp").stdout
    assert [line.split()[3] for line in on_the_host.splitlines() if ":8888" in line] == ["127.0.0.1:8888"]


def test_without_the_token_nobody_gets_in(story: Story) -> None:
    def status(*options: str) -> str:
        words = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *options)
        return story.host.run(*words, "http://127.0.0.1:8888/api/contents").stdout

    token = story.address.rpartition("=")[2]
    assert status() == "403"
    assert status("-H", "Authorization: token 0123") == "403"
    assert status("-H", f"Authorization: token {token}") == "200"


def test_no_password_and_no_published_key_opens_it(story: Story) -> None:
    locked = story.guest("sudo passwd --status vagrant; sudo passwd --status root").split("\n")
    assert [line.split()[1] for line in locked if line] == ["L", "L"]
    published = (ROOT / "box/vagrant.pub").read_text().split()[1]
    keys = story.guest("cat .ssh/authorized_keys")
    assert published not in keys
    assert len([line for line in keys.splitlines() if line.strip()]) == 1
    settings = story.guest("sudo sshd -T").splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin no"} <= set(settings)


def test_a_browser_opens_it_with_the_token_and_runs_a_notebook(story: Story) -> None:
    notebook = sorted(path.name for path in (ROOT / "notebooks").glob("01-*.ipynb"))[0]
    place = story.host.place
    began = time.monotonic()
    words = (sys.executable, str(BROWSER), CHROMIUM, story.address, notebook, str(place))
    answer = story.host.run(*words, seconds=3000)
    assert answer.returncode == 0, answer.stdout
    saved = json.loads((place / "notebook.json").read_text())
    cells = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    tags = [cell["metadata"].get("tags", []) for cell in cells]
    outputs = [(tag, output) for tag, cell in zip(tags, cells, strict=True) for output in cell["outputs"]]
    errors = [output for tag, output in outputs if output["output_type"] == "error" and "raises-exception" not in tag]
    assert errors == []
    assert "Lab machine: native" in json.dumps(cells)
    story.record.add(
        f"Chromium through the forwarded port: `{notebook}`, Run All",
        f"{len(cells)} code cells, no unexpected error, {time.monotonic() - began:.0f} s",
    )


def test_every_notebook_gives_the_committed_outputs(story: Story) -> None:
    began = time.monotonic()
    limits = f"--nbval-cell-timeout={CELL_SECONDS} --timeout={CELL_SECONDS}"
    command = f"cd /opt/ipvkit && pytest --nbval notebooks/ {limits} -q 2>&1"
    answer = story.host.run(
        *("vagrant", "ssh", "-c", command, "--", "-q"), cwd=story.clone, settings=story.settings, seconds=9000
    )
    assert answer.returncode == 0, answer.stdout[-8000:]
    summary = re.search(r"(\d+) passed.*", answer.stdout)
    assert summary is not None
    notebooks = len(list((ROOT / "notebooks").glob("*.ipynb")))
    story.record.add(
        f"`pytest --nbval notebooks/` in the machine, {notebooks} notebooks, {CELL_SECONDS} s a cell at most",
        f"{summary.group(0).strip('= ')} ({time.monotonic() - began:.0f} s)",
    )


def test_what_it_takes(story: Story) -> None:
    memory = story.guest("free --mega | awk '/^Mem/ { print $3 }'").strip()
    disk = story.guest("df --block-size=MB --output=used / | tail -1").strip()
    assert int(memory) < 1024, "a machine of 1536 MB would have no room for the student's kernels"
    story.record.add("memory in use after that, JupyterLab running", f"{memory} MB")
    story.record.add("disk in use", disk)


def test_a_second_provision_changes_nothing(story: Story) -> None:
    look = (
        "systemctl show --property MainPID ipvkit; sudo find /etc /usr /opt /boot /home /var/cache/ipvkit "
        r"-xdev -type f -not -path '*/.cache/*' -not -name '*.pyc' -not -path '*/runtime/*' "
        r"-not -name setup.lock -printf '%p %s %T@ %m %U\n' | sort"
    )
    before = set(story.guest(look).splitlines())
    output = story.timed("second `vagrant provision`", "provision")
    assert ADDRESS.findall(output) == [story.address]
    assert set(story.guest(look).splitlines()) ^ before == set()


def test_the_students_work_gets_out_by_scp(story: Story, tmp_path: Path) -> None:
    story.guest("echo 'my answer' >ipvkit-course/mine.txt")
    (tmp_path / "ssh").write_text(story.vagrant("ssh-config"))
    answer = story.host.run("scp", "-q", "-r", "-F", str(tmp_path / "ssh"), "default:ipvkit-course", str(tmp_path))
    assert answer.returncode == 0, answer.stdout
    assert (tmp_path / "ipvkit-course/mine.txt").read_text() == "my answer\n"


def test_after_halt_and_up_the_file_is_there_and_the_address_is_printed(story: Story) -> None:
    story.timed("`vagrant halt`", "halt")
    output = story.timed("`vagrant up` again", "up")
    assert ADDRESS.findall(output) == [story.address]
    assert story.guest("cat ipvkit-course/mine.txt") == "my answer\n"
    assert story.host.run("curl", "-sf", "http://127.0.0.1:8888/api").returncode == 0, "printed before it answers"


def test_provisioning_again_keeps_the_file(story: Story) -> None:
    story.vagrant("provision")
    assert story.guest("cat ipvkit-course/mine.txt") == "my answer\n"


def test_destroy_leaves_no_machine_and_no_disk(story: Story) -> None:
    story.timed("`vagrant destroy -f`", "destroy", "-f")
    assert story.host.run("virsh", "-c", "qemu:///system", "list", "--all", "--name").stdout.strip() == ""
    volumes = story.host.run("virsh", "-c", "qemu:///system", "vol-list", "default").stdout
    assert "clone_default" not in volumes


def test_this_computers_network_is_as_it_was(story: Story) -> None:
    changed = snapshot.differences(story.before, snapshot.take())
    # Other programs of this computer may have started to listen meanwhile; the story's listened in a namespace.
    assert [line for line in changed if " listens on " not in line] == []
    story.record.add("this computer's links, addresses, routes, rules, sysctls, services", "unchanged")


def test_when_the_private_host_ends_nothing_of_it_is_left(tmp_path: Path) -> None:
    with PrivateHost(tmp_path) as host:
        network = os.readlink(f"/proc/{host.first}/ns/net")
        assert len(processes_in(network)) > 1
    end = time.monotonic() + 5
    while processes_in(network):
        assert time.monotonic() < end, processes_in(network)
        time.sleep(0.1)


def processes_in(network: str) -> list[str]:
    """The processes of this computer whose network namespace is ``network``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns/net") == network:
                found.append((process / "comm").read_text().strip())
        except OSError:  # ended meanwhile
            continue
    return found
