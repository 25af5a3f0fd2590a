"""The page in a real browser; skipped where there is none."""

from pathlib import Path

import pytest

from pixelrnn.report import build

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_cleanly_and_fits(browser, digits, colour, tmp_path, width, scheme):
    folders = digits.runs(tmp_path / "digits") + colour.runs(tmp_path / "photos")
    folders.append(digits.run(tmp_path / "x", label="A name that goes on and on_" * 4))
    out = build(folders, tmp_path / "report.html")
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    troubles, requests = [], []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(request.url))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(out.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert shown
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    series = page.evaluate(
        "new Set([...document.querySelectorAll('.wide svg g path')]"
        ".map(path => getComputedStyle(path).stroke)).size"
    )
    assert series > 3  # every model's own colour was resolved
    assert troubles == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    page.close()
