"""What the Vagrantfile asks for, and that Vagrant itself accepts it for each provider. No hypervisor is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDER = Path(__file__).with_name("record.rb")
PROVIDERS = ("virtualbox", "libvirt")

pytestmark = pytest.mark.vagrant
needs_ruby = pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby is not installed")
needs_vagrant = pytest.mark.skipif(shutil.which("vagrant") is None, reason="Vagrant is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what the Vagrantfile reads: it writes its archive beside itself."""
    copy = tmp_path / "clone"
    copy.mkdir()
    for name in ("Vagrantfile", "lab", "requirements.txt"):
        shutil.copy2(ROOT / name, copy / name)
    for name in ("provision", "notebooks"):
        shutil.copytree(ROOT / name, copy / name)
    return copy


def evaluate(clone: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IPVKIT_")} | settings
    words = ["ruby", str(RECORDER), str(clone / "Vagrantfile")]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def recorded(clone: Path, **settings: str) -> dict[str, Any]:
    answer = evaluate(clone, **settings)
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


@needs_ruby
def test_jupyter_is_reachable_from_this_computer_only(clone: Path) -> None:
    network = recorded(clone)["vm"]["network"]
    assert network == [["forwarded_port", {"guest": 8888, "host": 8888, "host_ip": "127.0.0.1"}]]


@needs_ruby
def test_every_provider_gets_the_same_size(clone: Path) -> None:
    providers = recorded(clone, IPVKIT_MEMORY="3072", IPVKIT_CPUS="3")["providers"]
    assert set(providers) == set(PROVIDERS)
    assert all((block["memory"], block["cpus"]) == (3072, 3) for block in providers.values())


@needs_ruby
def test_unasked_it_leaves_a_4_gib_laptop_more_than_half(clone: Path) -> None:
    assert all(block["memory"] <= 2048 for block in recorded(clone)["providers"].values())


@needs_ruby
def test_the_port_is_forwarded_and_told_to_the_machine(clone: Path) -> None:
    machine = recorded(clone, IPVKIT_PORT="9999")["vm"]
    assert machine["network"][0][1]["host"] == 9999
    assert machine["provision"][1][1]["args"] == ["/tmp/ipvkit.tar", "9999"]


@needs_ruby
def test_the_address_is_printed_at_every_start(clone: Path) -> None:
    name, options = recorded(clone, IPVKIT_PORT="9999")["vm"]["provision"][-1]
    assert (name, options) == ("address", {"type": "shell", "inline": "ipvkit-address 9999", "run": "always"})


@needs_ruby
@pytest.mark.parametrize("provider", PROVIDERS)
def test_without_a_word_the_box_is_ours_from_a_file_for_that_provider(clone: Path, provider: str) -> None:
    recording = recorded(clone)
    assert recording["vm"]["box"] == "ipvkit"
    assert "box_url" not in recording["vm"]
    file = Path(recording["providers"][provider]["override"]["box_url"])
    assert file.parent == clone / "boxes"
    assert file.name in {f"ipvkit-{architecture}-{provider}.box" for architecture in ("amd64", "arm64")}


@needs_ruby
def test_another_box_can_be_named_and_then_no_file_of_ours_is_asked_for(clone: Path) -> None:
    recording = recorded(clone, IPVKIT_BOX="mine", IPVKIT_BOX_URL="http://192.0.2.1:8000/mine.box")
    assert (recording["vm"]["box"], recording["vm"]["box_url"]) == ("mine", "http://192.0.2.1:8000/mine.box")
    assert all(block["override"] == {} for block in recording["providers"].values())


@needs_ruby
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IPVKIT_MEMORY", "lots"),
        ("IPVKIT_MEMORY", "12"),
        ("IPVKIT_CPUS", "0"),
        ("IPVKIT_PORT", "80"),
        ("IPVKIT_PORT", ""),
    ],
)
def test_a_senseless_size_is_refused_in_one_line_that_names_it(clone: Path, name: str, value: str) -> None:
    answer = evaluate(clone, **{name: value})
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Vagrantfile: {name}={value}: give a whole number from ")
    assert answer.stderr.count("\n") == 1


@needs_ruby
def test_the_archive_for_the_machine_has_the_course_and_nothing_made_by_running_it(clone: Path) -> None:
    for made in (".git/config", "notebooks/.ipynb_checkpoints/1.ipynb", "provision/__pycache__/x.pyc", "boxes/big.box"):
        (clone / made).parent.mkdir(parents=True, exist_ok=True)
        (clone / made).write_text("not of the course")
    file = Path(recorded(clone)["vm"]["provision"][0][1]["source"])
    with tarfile.open(file) as tar:
        names = set(tar.getnames())
        content = tar.extractfile("provision/provision.sh")
        assert content is not None
        assert content.read() == (clone / "provision/provision.sh").read_bytes()
    assert {"lab", "requirements.txt", "provision/install.sh", "provision/packages", "notebooks/sanitize.cfg"} <= names
    assert not {name for name in names if "/." in name or name.startswith((".", "boxes")) or name.endswith(".pyc")}


@needs_ruby
def test_the_provisioning_script_is_there_and_can_be_run(clone: Path) -> None:
    script = ROOT / recorded(clone)["vm"]["provision"][1][1]["path"]
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("script", sorted((ROOT / "provision").iterdir()), ids=lambda path: path.name)
def test_provisioning_knows_neither_an_architecture_nor_a_mirror(script: Path) -> None:
    text = script.read_text().replace("http://127.0.0.1:", "")
    assert [word for word in ("x86", "i386", "amd64", "arm64", "http://", "https://") if word in text] == []


@needs_vagrant
@pytest.mark.parametrize("provider", PROVIDERS)
def test_vagrant_accepts_the_file(provider: str, clone: Path) -> None:
    answer = validate(provider, clone)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@needs_vagrant
@pytest.mark.parametrize("provider", PROVIDERS)
def test_vagrant_looks_into_the_block_of_that_provider(provider: str, clone: Path) -> None:
    file = clone / "Vagrantfile"
    file.write_text(file.read_text().replace(f"{provider}.cpus =", f"{provider}.wheels ="))
    answer = validate(provider, clone)
    assert answer.returncode == 1
    assert "wheels" in answer.stdout + answer.stderr


@needs_vagrant
def test_up_with_virtualbox_on_arm64_says_that_there_is_no_box(clone: Path) -> None:
    (clone.parent / "arm64.rb").write_text("require 'rbconfig'\nRbConfig::CONFIG['host_cpu'] = 'aarch64'\n")
    answer = vagrant("virtualbox", clone, "up", RUBYOPT=f"-r{clone.parent / 'arm64.rb'}")
    assert answer.returncode == 1
    assert answer.stderr == (
        'Vagrantfile: there is no box for VirtualBox on arm64. What else there is: docs/vagrant.md, "Apple silicon"\n'
    )


def validate(provider: str, clone: Path) -> subprocess.CompletedProcess[str]:
    """Run ``vagrant validate`` in ``clone`` as if ``provider`` were to be used."""
    return vagrant(provider, clone, "validate")


def vagrant(provider: str, clone: Path, word: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run ``vagrant WORD`` in ``clone`` as if ``provider`` were to be used; skip where its plugin is missing."""
    plugins = subprocess.check_output(["vagrant", "plugin", "list"], text=True)
    if provider == "libvirt" and "vagrant-libvirt" not in plugins:
        pytest.skip("the plugin vagrant-libvirt is not installed")
    # Vagrant loads the VirtualBox provider only when VBoxManage tells it a version it knows.
    tools = clone.parent / "tools"
    tools.mkdir()
    (tools / "VBoxManage").write_text('#!/bin/sh\n[ "$1" = list ] || echo 7.0.20r163906\n')
    (tools / "VBoxManage").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "VAGRANT_HOME": str(clone.parent / "home"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_DEFAULT_PROVIDER": provider,
    }
    words, environment = ["vagrant", word], environment | settings
    return subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True, check=False)
