"""The page in a real Chromium: axe-core finds nothing, nothing is fetched, it fits a phone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import factories
import pytest

from fivefold.report import html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

VIEWS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
    "phone, dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium, or skip with the reason."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


def show(browser: Browser, folder: Path, name: str, view: str) -> tuple[Page, list[str]]:
    """Open a page with all its details open; return it and every address that it asked for."""
    file = folder / f"{name}.html"
    file.write_bytes(html.render_document(getattr(factories, name)()))
    page = browser.new_context(**VIEWS[view]).new_page()  # type: ignore[arg-type]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    return page, asked


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["document", "hostile"])
def test_axe_finds_no_violation(browser: Browser, tmp_path: Path, name: str, view: str) -> None:
    """No accessibility violation, best practices included, with every fold open."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page, _ = show(browser, tmp_path, name, view)
    found = axe.run(page).response["violations"]
    assert [(item["id"], [node["html"][:160] for node in item["nodes"]][:3]) for item in found] == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["document", "hostile"])
def test_the_page_fits_and_asks_for_nothing(browser: Browser, tmp_path: Path, name: str, view: str) -> None:
    """No sideways scrolling at any width; one request, the file itself; no message of the content policy."""
    page, asked = show(browser, tmp_path, name, view)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert asked == [page.url]
    assert page.evaluate("getComputedStyle(document.body).marginTop") == "0px"


def test_the_pictures_are_drawn(browser: Browser, tmp_path: Path) -> None:
    """Ladder, strip and curves have a size, and a failed bar is not drawn in the colour of a passed one."""
    page, _ = show(browser, tmp_path, "document", "light")
    for part in (".ladder", ".strip", ".curves polyline", ".plot-intervals svg"):
        box = page.locator(part).first.bounding_box()
        assert box
        assert box["width"] > 200
    colours = {
        name: page.evaluate(f"getComputedStyle(document.querySelector('.dot.{name}')).fill")
        for name in ("fail", "pass")
    }
    assert colours["fail"] != colours["pass"]
