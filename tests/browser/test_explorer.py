"""Explorer under a student's hands, in JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from ipvkit.widgets.settings import DRIVERS
from tests.browser.conftest import Server
from tests.browser.page import Page

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(400)]
EXPLORER = "from ipvkit import Explorer\nexplorer = Explorer()\nexplorer"
END_THE_LAB = "explorer.cancel()"
SAME_STEP = r"""() => {
    const seen = [...document.querySelectorAll(".ipvkit-explorer svg > title")].filter(
        title => title.parentElement.checkVisibility());
    const step = seen.length === 1 && seen[0].textContent.match(/, step (\d+)/);
    const rule = document.querySelector(".ipvkit-explorer .ipvkit-rule").innerText.match(/^\s*(\d+)\. /);
    return step && rule && step[1] === rule[1];
}"""


@pytest.fixture(scope="module")
def opened(jupyter: Server, browser: Browser, screenshots: object) -> Iterator[Page]:
    """One notebook with an Explorer, for all tests here that ask by mouse."""
    page = Page(browser, screenshots)  # type: ignore[arg-type]
    page.run_all(jupyter.notebook("explorer.ipynb", EXPLORER, END_THE_LAB))
    expect(page.widget("explorer")).to_be_visible()
    yield page
    page.close()
    assert page.errors == []
    assert page.strangers == []


def choose(page: Page, label: str, value: str) -> None:
    """Set the list behind a label, and wait for what it changes."""
    control = page.widget("explorer").locator(f"select[title='{label}']")
    if control.input_value() != value:
        control.select_option(value)
        page.status("explorer", "idle")


def ask(page: Page, source: str, destination: str, word: str = "done") -> str:
    """Ask, wait for the answer, and return the status line."""
    choose(page, "From", source)
    choose(page, "To", destination)
    page.widget("explorer").locator(".ipvkit-ask").click()
    return page.status("explorer", word)


def open_tab(page: Page, title: str) -> None:
    page.widget("explorer").locator(f".lm-TabBar-tab:has-text('{title}')").click()


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_driver_and_mode_is_asked_and_theory_agrees(opened: Page, driver: str) -> None:
    open_tab(opened, "picture")
    choose(opened, "driver", driver)
    said = ask(opened, "net1", "host", "refused" if driver == "macvlan passthru" else "done")
    opened.picture(f"explorer-{driver.replace(' ', '-')}")
    assert "measured" in said
    assert "DISAGREEMENT" not in said
    assert ("gives the whole parent to one child" in said) == (driver == "macvlan passthru")
    expect(opened.widget("explorer").locator("table").first).to_contain_text("kernel")


def test_the_matrix_changes_with_the_mode(opened: Page) -> None:
    open_tab(opened, "matrix")
    matrix = opened.widget("explorer").locator("svg:visible")
    for driver, verdict in (("ipvlan l2", "reply"), ("ipvlan l3", "host unreachable")):
        choose(opened, "driver", driver)
        ask(opened, "ext", "net1")  # the answer first; then what the open tab shows is measured
        expect(matrix.locator("desc")).to_contain_text(f"ext to net1: {verdict}, = predicted {verdict}")
        opened.picture(f"matrix-{driver.replace(' ', '-')}")


def test_a_tab_is_measured_when_it_is_opened(opened: Page) -> None:
    open_tab(opened, "picture")
    choose(opened, "driver", "macvlan bridge")
    ask(opened, "net1", "far")
    for title, words in (("MACs", "MAC addresses of each parent, measured"), ("state", "links, read from the kernel"),
                         ("changes", "what changed in the kernel"), ("hooks", "hooks passed: ")):
        open_tab(opened, title)
        expect(opened.widget("explorer")).to_contain_text(re.compile(words, re.IGNORECASE))
        opened.picture(f"tab-{title}")


def test_what_is_typed_and_cannot_be_is_told(opened: Page) -> None:
    box = opened.widget("explorer").locator("input[type=number]").first
    for typed, taken in (("99", "8"), ("2.5", "2")):
        box.fill(typed)
        box.press("Enter")
        assert f"{typed} is no whole number from 1 to 8, {taken} was taken" in opened.status("explorer", f"{typed} is")
        expect(box).to_have_value(taken)
    opened.picture("number-typed")


@pytest.mark.parametrize("width", [800, 1300])
def test_no_title_of_a_tab_and_no_word_of_a_command_is_cut(opened: Page, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 1250})
    open_tab(opened, "ip commands")
    opened.picture(f"tab-commands-{width}")
    cut = "labels => labels.filter(l => l.scrollWidth > l.clientWidth).map(l => l.innerText)"
    assert opened.widget("explorer").locator(".lm-TabBar-tabLabel").evaluate_all(cut) == []
    style = opened.widget("explorer").locator("pre:visible").first.evaluate("p => getComputedStyle(p).wordBreak")
    assert style == "normal"
    opened.page.set_viewport_size({"width": 1300, "height": 1250})


def test_a_path_is_played(opened: Page) -> None:
    choose(opened, "driver", "macvlan bridge")
    open_tab(opened, "picture")
    ask(opened, "net1", "net2")
    explorer = opened.widget("explorer")
    explorer.locator(".widget-play button").first.click()
    expect(explorer.locator("svg:visible > title")).to_contain_text(re.compile(r", step ([2-9]|\d\d)"))
    opened.picture("path-playing")
    explorer.locator(".widget-play button").first.click()  # pauses; what it has asked for until now is still drawn
    opened.page.wait_for_function(SAME_STEP)


def test_cancel_ends_the_question_and_the_next_one_is_answered(opened: Page) -> None:
    choose(opened, "driver", "ipvlan l3s")
    explorer = opened.widget("explorer")
    run_again(opened, 1)  # so that the question begins by starting a machine: nobody is quicker than that
    explorer.locator(".ipvkit-ask").click()
    explorer.locator(".ipvkit-cancel").click()
    assert "cancelled" in opened.status("explorer", "cancelled")
    assert "DISAGREEMENT" not in ask(opened, "net1", "net2")


def test_the_keyboard_is_enough(jupyter: Server, page: Page) -> None:
    page.page.goto(jupyter.notebook("keyboard.ipynb", EXPLORER))
    page.wait_until_idle()
    keys = page.page.keyboard
    page.run_by(lambda: keys.press("Control+Enter"))
    expect(page.widget("explorer")).to_be_visible()
    tab_to(page, "driver")
    for key in ("Space", "ArrowDown", "Enter"):  # an arrow alone is JupyterLab's: it goes to the next cell
        keys.press(key)
    tab_to(page, "To")
    keys.press("End")
    page.widget("explorer").locator("table:has-text('net1 → far')").wait_for()
    tab_to(page, "Ask the kernel")
    keys.press("Enter")
    assert "net1 → far: predicted" in page.status("explorer", "done")
    assert page.page.locator("select[title='driver']").input_value() == "ipvlan l3"
    tab_to(page, "picture")
    keys.press("ArrowRight")
    keys.press("Enter")
    expect(page.widget("explorer").locator("svg:visible > title")).to_contain_text("Reachability")
    page.picture("keyboard")


def test_after_a_restart_an_old_view_says_that_its_lab_is_gone(jupyter: Server, page: Page) -> None:
    page.run_all(jupyter.notebook("restart.ipynb", EXPLORER))
    page.widget("explorer").locator(".ipvkit-ask").click()
    page.status("explorer", "done")
    page.page.click('.lm-MenuBar-itemLabel:text-is("Kernel")')
    page.page.click('.lm-Menu-itemLabel:text-is("Restart Kernel…")')
    page.page.click(".jp-Dialog .jp-mod-accept")
    expect(page.widget("gone")).to_have_text("✗ lab gone · run this cell again")
    expect(page.widget("gone")).to_be_visible()
    expect(page.widget("said")).to_be_hidden()
    page.picture("after-a-restart")
    page.wait_until_idle()  # JupyterLab does not end in good order while a kernel is restarting


def run_again(page: Page, cell: int) -> None:
    """Run a code cell that has been run, and wait for its next number."""
    found = page.page.locator(".jp-Notebook .jp-CodeCell").nth(cell)
    prompt = found.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    found.locator(".jp-InputArea-editor").click()
    page.page.keyboard.press("Control+Enter")
    expect(prompt).not_to_have_text(before)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"))


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control with this label or text has the focus."""
    for _ in range(40):
        page.page.keyboard.press("Tab")
        if page.page.evaluate("(document.activeElement.title || document.activeElement.innerText).trim()") == name:
            return
    pytest.fail(f"Tab never came to {name!r}")
