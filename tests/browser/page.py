"""A page in Chromium: what a test does with it, and what it may not do (complain, ask other computers)."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, expect, sync_playwright

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
TOKEN = "ipvkit"
ATTEMPTS = 5
PATIENCE = 30_000  # milliseconds: a slow computer that also starts a kernel
expect.set_options(timeout=PATIENCE)
#: What these programs complain of by themselves, on a page with the one cell ``1+1`` and none of our settings.
NOT_OURS = ("Cannot read properties of undefined (reading 'schema')",  # Notebook 7.6
            "The getter for the shared module is not a function")  # Notebook 7.6 within Voilà 0.5
LOCAL = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start this computer's Chromium without a window and without any talk to its makers."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    assert path, "there is no Chromium; on Debian: apt-get install chromium"
    words = ["--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"]
    words += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=words)
        yield browser
        browser.close()


def _not_ours(complaint: str) -> bool:
    return any(words in complaint for words in NOT_OURS)


class Page:
    """A page; ``errors`` is what its console complained of, ``asked`` every address it asked for."""

    def __init__(self, browser: Browser, screenshots: Path, **options: Any) -> None:
        self.page = browser.new_page(viewport={"width": 1300, "height": 1250}, **options)
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.asked: list[str] = []
        self._screenshots = screenshots
        self.page.add_locator_handler(self.page.locator(".jp-Dialog:has-text('Select Kernel') .jp-mod-accept"),
                                      lambda button: button.click())  # asked when the kernel is late
        self.page.on("console", self._heard)
        self.page.on("pageerror", self._failed)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _not_ours(message.text):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _failed(self, error: Error) -> None:
        if not _not_ours(error.message):
            self.errors.append(f"{error.name}: {error.message}")

    @property
    def strangers(self) -> list[str]:
        """What was asked of another computer."""
        return [address for address in self.asked if not address.startswith(LOCAL)]

    def run_all(self, address: str) -> None:
        """Open a notebook and run all of its cells through the menu; return once the last has its number."""
        self.page.goto(address)
        self.wait_until_idle()
        self.run_by(self._choose_run_all)
        self.wait_until_run()

    def _choose_run_all(self) -> None:
        self.page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        self.page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')

    def run_by(self, act: Callable[[], None]) -> None:
        """Do what runs cells, until the first has begun; "idle" is shown a moment before the kernel listens."""
        for _ in range(ATTEMPTS):
            act()
            if self._has_begun():
                break

    def _has_begun(self) -> bool:
        first = self.page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").first
        try:
            expect(first).to_have_text(re.compile(r"\[(\*|\d+)\]"), timeout=PATIENCE / ATTEMPTS)
        except AssertionError:
            return False
        return True

    def wait_until_idle(self) -> None:
        """Wait for the kernel."""
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.page.wait_for_selector(".jp-StatusBar-Widget :text('Idle'), #menu-panel-wrapper")  # Notebook 7 has no bar
        self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')

    def wait_until_run(self) -> None:
        """Wait until every cell has been run."""
        for prompt in self.page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").all():
            expect(prompt).to_have_text(re.compile(r"\[\d+\]"))

    def widget(self, name: str) -> Locator:
        """Return the widget with this class."""
        return self.page.locator(f".ipvkit-{name}")

    def status(self, name: str, word: str) -> str:
        """Wait until the widget's status line has ``word`` and return the line."""
        line = self.widget(name).locator(f".ipvkit-status:has-text('{word}')")
        line.wait_for()
        return line.inner_text()

    def picture(self, name: str) -> Path:
        """Keep what is seen now as ``name.png``."""
        path = self._screenshots / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def close(self) -> None:
        """Close the page."""
        self.page.close()
