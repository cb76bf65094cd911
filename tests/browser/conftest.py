"""JupyterLab and Voilà as `./lab` starts them, and a real Chromium that looks at them.

Screenshots go to ``$IPVKIT_SCREENSHOTS``, else into the directory of this test run: they are there to be looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser

from tests.browser.page import TOKEN, Page, chromium
from tests.listening import wait_until_it_listens

ROOT = Path(__file__).resolve().parents[2]
PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
          "language_info": {"name": "python"}}


class Server:
    """A server on 127.0.0.1 whose settings, history and notebooks are in ``home``, and nowhere else."""

    def __init__(self, home: Path, words: list[str], address: str, files: Mapping[str, Path] | None = None) -> None:
        self.directory = home / "course"
        self.directory.mkdir(parents=True)
        for name, source in (files or {}).items():
            shutil.copy(source, self.directory / name)
        settings = home / "config" / "labconfig"
        settings.mkdir(parents=True)
        shutil.copy(ROOT / "ipvkit" / "course" / "overrides.json", settings / "default_setting_overrides.json")
        self.environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_PATH": str(ROOT / "ipvkit" / "course" / "jupyter"),
            "JUPYTER_DATA_DIR": str(home / "data"), "IPYTHONDIR": str(home / "ipython"), "PYTHONUNBUFFERED": "1"}
        self._log = home / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen([sys.executable, "-m", *words], cwd=self.directory, start_new_session=True,
                                            env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.address = self._wait_for(address)

    def _wait_for(self, address: str) -> str:
        for _ in range(600):
            if found := re.search(address, self._log.read_text()):
                wait_until_it_listens(found[0])
                return found[0]
            try:
                self.process.wait(timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                pass
        pytest.fail(f"the server printed no address:\n{self._log.read_text()}")

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells and return its address in JupyterLab."""
        nbformat.write(new_notebook(metadata=PYTHON, cells=[new_code_cell(cell) for cell in cells]),
                       self.directory / name)
        return self.lab(name)

    def lab(self, name: str) -> str:
        """Return the address of a notebook in JupyterLab, alone on the page."""
        return f"{self.address}/doc/tree/{name}?token={TOKEN}&reset"

    def close(self) -> None:
        """End the server; its kernels end with it. One that does not end is killed, and that is a failure."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            pytest.fail(f"the server did not end:\n{self._log.read_text()[-3000:]}")


def _jupyter(home: Path) -> Iterator[Server]:
    root = ["--allow-root"] if os.geteuid() == 0 else []
    server = Server(home, [
        "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", *root,
        f"--IdentityProvider.token={TOKEN}", "--LanguageServerManager.autodetect=False"], r"http://127\.0\.0\.1:\d+")
    yield server
    server.close()


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab with the options of `./lab`."""
    yield from _jupyter(tmp_path_factory.mktemp("jupyter"))


@pytest.fixture
def notebook_7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: after Notebook 7, jupyter_server 2.21 refuses JupyterLab the files that both have."""
    yield from _jupyter(tmp_path_factory.mktemp("notebook-7"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all pages."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept."""
    place = os.environ.get("IPVKIT_SCREENSHOTS")
    path = Path(place) if place else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def page(browser: Browser, screenshots: Path) -> Iterator[Page]:
    """A fresh page; it must end without a complaint, and without having asked another computer."""
    opened = Page(browser, screenshots)
    yield opened
    opened.close()
    assert opened.errors == []
    assert opened.strangers == []
