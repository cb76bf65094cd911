"""A Debian 12 that holds nothing but what mmdebstrap puts there, and then only what ``./lab`` asks for.

A chroot: the kernel is this computer's, and it refuses user namespaces in there, even to root. Takes about ten minutes,
2 GB in /var/tmp, and the network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ordinary_user import NOT_OF_THE_CLONE

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATES = "/opt/certificates.crt"
PYTHON = "apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv"
# Mounted in a mount namespace that ends with the command, so that nothing is ever mounted in a tree we delete.
ENTER = 'mount -t proc proc "$0/proc"; exec chroot --userspec="$1:$1" --groups= "$0" sh -c "cd ~/ipvkit && $2"'

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a root file system"),
    pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap is not installed"),
]


class Debian:
    """A root file system with a clone in root's home and one in a student's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", directory], check=True)
        subprocess.run(["chroot", directory, "useradd", "--create-home", "--uid", "1000", "student"], check=True)
        shutil.copy("/etc/resolv.conf", directory / "etc")
        # Where this computer's network has a certificate authority of its own, pip has to know it in there too.
        authority = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
        shutil.copy(authority, directory / CERTIFICATES.lstrip("/"))
        for home in ("root", "home/student"):
            shutil.copytree(ROOT, directory / home / "ipvkit", ignore=NOT_OF_THE_CLONE, symlinks=True)
        subprocess.run(["chroot", directory, "chown", "-R", "student:", "/home/student"], check=True)

    def type(self, user: str, command: str) -> subprocess.CompletedProcess[str]:
        """Type ``command`` in that user's clone, with no terminal."""
        uid, home = ("0", "/root") if user == "root" else ("1000", f"/home/{user}")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "USER": user}
        environment |= {"PIP_CERT": CERTIFICATES, "SSL_CERT_FILE": CERTIFICATES}
        enter = ["unshare", "--mount", "sh", "-c", ENTER, str(self.directory), uid, command]
        return subprocess.run(
            enter, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def debian() -> Iterator[Debian]:
    place = Path(tempfile.mkdtemp(prefix="ipvkit-debian-", dir="/var/tmp"))
    place.chmod(0o755)
    yield Debian(place / "root")
    assert str(place) not in Path("/proc/self/mountinfo").read_text()
    shutil.rmtree(place)


@pytest.mark.parametrize("user", ["root", "student"])
def test_without_python_it_names_the_command_and_changes_nothing(debian: Debian, user: str) -> None:
    answer = debian.type(user, "./lab demo")
    assert answer.returncode == 1
    assert PYTHON in answer.stderr
    assert not (debian.directory / "usr/bin/python3").exists()


@pytest.mark.parametrize(("user", "command"), [("root", "./lab demo --yes"), ("student", "./lab demo")])
def test_the_demo_prints_real_pings_and_the_kernel(debian: Debian, user: str, command: str) -> None:
    answer = debian.type(user, command)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "Linux " in answer.stdout
    assert "ttl" in answer.stdout


@pytest.mark.parametrize("user", ["root", "student"])
def test_everything_passes(debian: Debian, user: str) -> None:
    answer = debian.type(user, "./lab test --yes")
    failed = "\n".join(line for line in answer.stdout.splitlines() if line.startswith(("FAILED", "ERROR")))
    assert answer.returncode == 0, answer.stdout[-20_000:] + answer.stderr[-5_000:] + failed
    assert "everything is good" in answer.stdout
