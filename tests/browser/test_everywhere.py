"""Where else students are: Notebook 7, Voilà, and every widget of the kit on one page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, Server
from tests.browser.page import TOKEN, Page

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(400)]
LAN = """from ipvkit import *
lan = Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24")
other = Topology.of(ipvlan("l3"), net1="10.0.1.11/24", net2="10.0.1.12/24")"""


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Voilà as `./lab app` starts it."""
    server = Server(tmp_path_factory.mktemp("voila"), [
        "voila", "explorer.ipynb", "--template=ipvkit", "--no-browser", "--Voila.ip=127.0.0.1", "--token",
        "--port=8877"], r"http://127\.0\.0\.1:\d+/\?token=\w+",
        {"explorer.ipynb": ROOT / "ipvkit" / "course" / "explorer.ipynb"})
    yield server
    server.close()


def test_the_app_opens_explorer_without_code(app: Server, page: Page) -> None:
    page.page.goto(app.address)
    expect(page.widget("explorer")).to_be_visible()
    expect(page.widget("chooser")).to_be_visible()
    expect(page.page.locator("body")).not_to_contain_text("import")
    page.widget("explorer").locator(".ipvkit-ask").click()
    assert "predicted reply, measured reply" in page.status("explorer", "done")
    page.picture("app")


def test_in_notebook_7(notebook_7: Server, page: Page) -> None:
    notebook_7.notebook("seven.ipynb", "from ipvkit import Explorer\nExplorer()")
    page.run_all(f"{notebook_7.address}/notebooks/seven.ipynb?token={TOKEN}")
    page.widget("explorer").locator(".ipvkit-ask").click()
    assert "predicted reply, measured reply" in page.status("explorer", "done")
    page.picture("notebook-7")


def test_side_by_side_predict_terminal_and_chooser(jupyter: Server, page: Page) -> None:
    page.run_all(jupyter.notebook("widgets.ipynb", LAN, "SideBySide(lan, other)", "Predict(lan, 'net1→host')",
                                  "lab = Lab(lan)\nTerminal(lab, 'net1')", "Chooser(wifi=True)"))
    side_by_side = page.widget("side-by-side")
    side_by_side.get_by_role("button", name="Ask both kernels").click()
    expect(side_by_side).to_contain_text("what differs, measured")
    for width in (1100, 1600):
        page.page.set_viewport_size({"width": width, "height": 1250})
        heights = side_by_side.locator("table").first.evaluate("t => [...t.rows].map(row => row.offsetHeight)")
        assert len(set(heights)) == 1  # no verdict is broken into two lines
        page.picture(f"side-by-side-{width}")
    predict = page.widget("predict")
    predict.locator("select").first.select_option("timeout")
    predict.get_by_role("button", name="Ask the kernel").click()
    expect(predict.locator("table")).to_contain_text("✗ timeout")
    terminal = page.widget("terminal")
    terminal.locator("input[type=text]").fill("ip -br addr show ipv1")
    terminal.locator("input[type=text]").press("Enter")
    expect(terminal.locator("pre")).to_contain_text("10.0.1.11/24")
    terminal.locator("input[type=text]").fill("seq 100")
    terminal.locator("input[type=text]").press("Enter")
    expect(terminal.locator("pre")).to_contain_text("99 100")
    assert page.widget("screen").evaluate("s => s.scrollHeight > s.clientHeight")
    end = "s => s.querySelector('pre').getBoundingClientRect().bottom <= s.getBoundingClientRect().bottom + 20"
    assert page.widget("screen").evaluate(end)
    page.widget("chooser").get_by_label("children get their addresses by DHCP").check()
    expect(page.widget("chooser").locator("caption")).to_have_text("ipvlan l2")
    terminal.scroll_into_view_if_needed()
    page.picture("predict-terminal-chooser")
