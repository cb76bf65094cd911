"""The reference notebooks as somebody finds them who trusts nobody: every picture is there, and nothing is fetched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import ROOT, Server
from tests.browser.page import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURES = ("image/svg+xml", "image/png")


def pictures(path: Path) -> list[dict[str, Any]]:
    """The outputs of a notebook that have a picture."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = (output for cell in cells for output in cell.get("outputs", []))
    return [output for output in outputs if set(PICTURES) & set(output.get("data", {}))]


DRAWN = """picture => {
    const box = picture.getBoundingClientRect();
    const loaded = picture.tagName !== "IMG" || picture.complete && picture.naturalWidth > 50;
    return loaded && box.width > 50 && box.height > 50;
}"""


def expect_drawn(page: Page, found: Locator, number: int) -> None:
    """Wait until so many pictures are there, and each has been drawn, with a size: a page is filled bit by bit."""
    assert number > 0
    expect(found).to_have_count(number)
    for picture in found.all():
        picture.scroll_into_view_if_needed()
        page.page.wait_for_function(DRAWN, arg=picture.element_handle())


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_has_a_png_beside_its_svg(notebook: Path) -> None:
    assert all(set(PICTURES) <= set(output["data"]) for output in pictures(notebook))


@pytest.mark.parametrize("notebook", NOTEBOOKS[:1], ids=lambda path: path.stem)
def test_jupyterlab_shows_the_pictures_of_an_untrusted_clone(jupyter: Server, page: Page, notebook: Path) -> None:
    shutil.copy(notebook, jupyter.directory)
    page.page.goto(jupyter.lab(notebook.name))
    page.wait_until_idle()
    cells = nbformat.read(notebook, as_version=4).cells
    shown = page.page.locator(".jp-OutputArea-output img")
    for number, cell in enumerate(cells):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            page.page.evaluate(f"document.querySelector('[data-windowed-list-index=\"{number}\"]')?.scrollIntoView()")
    page.picture(f"untrusted-{notebook.stem[:2]}")
    expect_drawn(page, shown, len(pictures(notebook)))


@pytest.mark.parametrize("notebook", NOTEBOOKS[1:2], ids=lambda path: path.stem)
def test_a_static_page_has_every_picture_without_a_network(
    browser: Browser, screenshots: Path, notebook: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path), str(notebook)],
                   check=True, capture_output=True)
    page = Page(browser, screenshots)
    page.page.route("http*://**", lambda route: route.abort())  # nbconvert's template wants MathJax; pictures do not
    page.page.goto((tmp_path / f"{notebook.stem}.html").as_uri())
    page.picture(f"static-{notebook.stem[:2]}")
    shown = page.page.locator(".jp-OutputArea-output svg, .jp-OutputArea-output img")
    expect_drawn(page, shown, len(pictures(notebook)))
    page.close()
