"""The site builds without a warning, and fetches nothing from outside."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [
        Path(sys.executable).with_name("mkdocs"),
        "build",
        "--site-dir",
        out,
        "-f",
        folder / "mkdocs.yml",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """What the site is made of, with the package as it is installed (`make tree`)."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "docs", folder / "docs")
    for name in ("mkdocs.yml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, folder)
    package = folder / "build" / "tree" / "pocketrec"
    shutil.copytree(ROOT / "pocketrec", package)
    for name in ("core", "runtimes", "train", "convert", "benchmarks", "android_assets", "cli"):
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("client", "sample", "__pycache__"))
    return folder


@pytest.mark.full
def test_the_site_builds_strictly_and_needs_nothing_from_outside(copy, tmp_path):
    done = build(copy, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img)[^>]*?(?:src|href)=\"?(https?:[^\" >]*)", page.read_text("utf-8"))
        assert loaded == [], page


@pytest.mark.full
@pytest.mark.parametrize("broken", ["[x](no-such-page.md)", "[x](parity.md#no-such-heading)"])
def test_a_broken_link_fails_the_build(copy, tmp_path, broken):
    page = copy / "docs" / "ci.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(f"{text}\n{broken}\n", encoding="utf-8")
    done = build(copy, tmp_path / "site")
    page.write_text(text, encoding="utf-8")
    assert done.returncode == 1 and "no-such" in done.stderr


@pytest.mark.full
def test_no_page_scrolls_sideways_on_a_phone(copy, tmp_path):
    """Wide tables and terminal output scroll inside themselves."""
    from playwright.sync_api import sync_playwright
    from pocketrec.runtimes.litert_js import missing_browser

    if reason := missing_browser():
        pytest.skip(reason)
    assert build(copy, tmp_path / "site").returncode == 0
    with sync_playwright() as browsers:
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = browsers.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        wide = {}
        for path in sorted((tmp_path / "site").rglob("*.html")):
            page.goto(path.as_uri())
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > 390:
                wide[path.name] = width
        browser.close()
    assert wide == {}
