"""The report in headless Chromium, from file://: nothing leaves the page, nothing overflows, everything is drawn."""

import json

import pytest
from playwright.sync_api import sync_playwright
from pocketrec.runtimes.litert_js import browser, missing_browser

from tests.benchmarks.report.reported import break_cell, change, only_reports
from tests.conftest import call

pytestmark = pytest.mark.full
VIEWS = {"light": (1280, "light"), "dark": (1280, "dark"), "telephone": (390, "light")}


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    folder = only_reports(tiny, tmp_path_factory.mktemp("page") / "run")
    change(folder, "reports/parity.json", break_cell)
    done = call("report", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def chromium():
    if missing := missing_browser():
        pytest.skip(missing)
    with sync_playwright() as started:
        launched = started.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def opened(chromium, folder):
    """A function that opens the report in a view; what the page said and asked for is kept on it."""
    contexts = []

    def open_view(name):
        width, scheme = VIEWS[name]
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto((folder / "reports" / "report.html").as_uri())
        return page

    yield open_view
    for context in contexts:
        context.close()


@pytest.mark.parametrize("view", VIEWS)
def test_page_is_whole_quiet_and_alone(opened, folder, view):
    page = opened(view)
    assert page.said == []
    assert [url for url in page.asked if not url.startswith("data:")] == [(folder / "reports" / "report.html").as_uri()]
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    cells = page.locator("[data-cell]").count()
    assert cells == len(json.loads((folder / "reports" / "parity.json").read_text())["results"])
    size = "narrow" if view == "telephone" else "wide"
    drawn = page.locator(f".plot.{size} svg").all()
    assert drawn and all(svg.is_visible() for svg in drawn)
    for svg in drawn:
        assert svg.locator("[role=graphics-symbol][aria-label]").count() > 5
    assert not page.locator(f".plot.{'wide' if size == 'narrow' else 'narrow'} svg").first.is_visible()


def test_dark_mode_follows_the_system_and_the_button(opened):
    ground = "getComputedStyle(document.body).backgroundColor"
    text = "getComputedStyle(document.querySelector('.plot.wide text')).fill"
    light, dark = opened("light"), opened("dark")
    as_light, as_dark = ((page.evaluate(ground), page.evaluate(text)) for page in (light, dark))
    assert as_light[0] != as_dark[0] and as_light[1] != as_dark[1]
    light.get_by_role("button", name="Switch to dark colours").click()
    assert (light.evaluate(ground), light.evaluate(text)) == as_dark
    light.emulate_media(color_scheme="dark")
    assert light.evaluate(ground) == as_dark[0]


def test_matrix_is_one_tab_stop_and_arrows_move_in_it(opened):
    page = opened("light")
    assert page.locator('#grid td[tabindex="0"]').count() == 1
    page.locator('#grid td[tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("[document.activeElement.cellIndex, document.activeElement.getAttribute('aria-label')]")
    assert focused[0] == 2 and "float16" in focused[1]
    assert focused[1].split(": ")[0] in page.locator("#cell h3").inner_text()
    assert page.locator("#cell table").count() == 2  # measures beside their gates, and edges


def test_colour_is_never_alone(opened):
    page = opened("light")
    assert {text[0] for text in page.locator("[data-cell]").all_inner_texts()} <= set("✓✗!–")
    assert page.locator("td.fail").first.inner_text().startswith("✗")


def test_pointing_at_a_mark_says_what_it_is(opened):
    page = opened("light")
    page.locator("#figure-recall .wide [role=graphics-symbol][aria-roledescription=point]").first.hover(force=True)
    assert "at recall" in page.locator("#tip").inner_text()


def test_pages_of_a_run_without_latency_have_no_empty_charts(chromium, folder, tmp_path):
    bare = only_reports(folder, tmp_path / "run")
    (bare / "reports" / "latency.json").unlink()
    assert call("report", bare).code == 0
    page = chromium.new_page()
    page.goto((bare / "reports" / "report.html").as_uri())
    assert page.locator("figure").count() == 1 and page.locator(".missing").count() == 5
    page.close()
