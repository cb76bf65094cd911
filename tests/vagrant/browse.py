"""usage: browse.py CHROMIUM ADDRESS NOTEBOOK DIRECTORY: open a notebook by JupyterLab's printed address and run it.

Keeps in the directory the notebook as JupyterLab saved it, outputs included, and a picture of the page. Run as a
program inside the namespace that has the forwarded port. Raises ``playwright``'s ``TimeoutError``, or
``TimeoutError``, when the page does not come that far.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as TooSlow

PATIENCE_SECONDS = 900
IDLE = "text=/\\| Idle/"
SOME_CELL_RAN = "() => [...document.querySelectorAll('.jp-InputPrompt')].some(x => /\\[[*\\d]+\\]/.test(x.innerText))"


def run_all(page: Page) -> None:
    """Choose Run All Cells until a cell says that it runs: the kernel's indicator says idle too early."""
    for _ in range(20):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            page.wait_for_function(SOME_CELL_RAN, timeout=20_000)
            return
        except TooSlow:
            page.keyboard.press("Escape")
    raise TimeoutError("no cell ever ran")


def failed(cell: dict[str, Any]) -> bool:
    """Whether a cell ended with an error it is not there to show: JupyterLab then runs no further cell."""
    meant = "raises-exception" in cell["metadata"].get("tags", [])
    return not meant and any(output["output_type"] == "error" for output in cell["outputs"])


def saved(page: Page, address: str) -> dict[str, Any]:
    """Save until every code cell has its number in what the server holds, or one failed; return that notebook."""
    end = time.monotonic() + PATIENCE_SECONDS
    cells: list[dict[str, Any]] = []
    while time.monotonic() < end:
        page.wait_for_selector(IDLE)
        # JupyterLab's server mistakes a file that it reads while it writes it for a broken one: save, then read.
        with page.expect_response(lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url):
            page.keyboard.press("Control+s")
        notebook = page.request.get(address).json()["content"]
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
        if all(cell["execution_count"] for cell in cells) or any(failed(cell) for cell in cells):
            return dict(notebook)
        time.sleep(15)
    waiting = sum(not cell["execution_count"] for cell in cells)
    raise TimeoutError(f"{waiting} of {len(cells)} cells did not run in {PATIENCE_SECONDS} s")


def main(chromium: str, address: str, notebook: str, directory: str) -> None:
    """Open the printed address, so that its token is what lets us in; then the notebook; run it, keep it."""
    server = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.goto(address)
        page.wait_for_selector(f".jp-DirListing-item:has-text('{notebook}')", state="attached")
        page.goto(f"{server}/doc/tree/{notebook}?reset")
        page.wait_for_selector(".jp-CodeCell .cm-content")
        page.wait_for_selector(IDLE)
        run_all(page)
        # Not to standard output: playwright's driver makes that pipe one that does not wait.
        Path(directory, "notebook.json").write_text(json.dumps(saved(page, f"{server}/api/contents/{notebook}")))
        page.screenshot(path=Path(directory, "page.png"))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
