"""The page in a real browser: Chromium, or what is made from it; skipped where there is none.

It is the one that the environment variable CHROMIUM names, or the first of these that is installed.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

import pixelrnn
from pixelrnn.report import audited, build

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


def find_browser():
    """Return the path of a browser; None if there is none."""
    if wanted := os.environ.get("CHROMIUM"):
        assert Path(wanted).exists(), f"CHROMIUM is set to {wanted}, which does not exist"
        return wanted
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def browser():
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium is installed; one elsewhere can be named by the variable CHROMIUM")
    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_cleanly_and_fits(browser, digits, colour, tmp_path, width, scheme):
    folders = digits.runs(tmp_path / "digits") + colour.runs(tmp_path / "photos")
    folders.append(digits.run(tmp_path / "x", label="A name that goes on and on_" * 4))
    seen = {"image_presentations": 67_500, "validation_bits_per_dim": 2.1}
    for model, seed in (("pixelcnn", 8), ("pixelcnn", 9), ("row-lstm", 8)):
        folders.append(digits.run(tmp_path / f"{model}-{seed}", model, last=seen, best=seen))
        recipe = folders[-1] / "recipe.toml"
        recipe.write_text(recipe.read_text().replace("seed = 7", f"seed = {seed}"))
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
    assert page.locator("table.pairs, table.seeds, table.validations").count() == 3
    assert troubles == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    page.close()


def test_a_page_that_is_too_wide_or_loads_something_is_found(browser):
    """What the test above looks at sees a fault."""
    page = browser.new_page(viewport={"width": 400, "height": 800})
    troubles, requests = [], []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.route("**/*", lambda route: route.abort())
    page.set_content(
        "<div style='width: 500px'>wide</div><img src='http://localhost:9/a.png'>"
        "<script>console.error('a'); nothing()</script>"
    )
    assert page.evaluate("document.documentElement.scrollWidth") > 400
    assert requests == ["http://localhost:9/a.png"]
    assert "a" in troubles
    assert any("nothing is not defined" in text for text in troubles)
    page.close()


def test_a_browser_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys.modules[__name__], "BROWSERS", ("chromium",))
    assert find_browser() is None
    (tmp_path / "chromium").touch(mode=0o755)
    assert find_browser() == str(tmp_path / "chromium")
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "missing"))
    with pytest.raises(AssertionError, match="does not exist"):
        find_browser()


@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_of_unusual_images_fits(browser, tmp_path, width):
    from pixelrnn.cli.main import app

    out = tmp_path / "page.html"
    command = ["score", "digits-pixelcnn", "--data", "letters", "-n", "9", "--reference", "digits"]
    app([*command, "--out", str(tmp_path / "s.csv"), "--html", str(out)], standalone_mode=False)
    page = browser.new_page(viewport={"width": width, "height": 800})
    troubles = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("requestfailed", lambda request: troubles.append(request.url))
    page.goto(out.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.naturalWidth === 8)")
    assert page.locator("figure").count() == 9
    assert troubles == []


@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_of_an_audit_fits_and_has_a_key_of_what_is_drawn(browser, tmp_path, width):
    def sees_itself(images):
        return images.float().repeat(1, 4, 1, 1)[:, :, None]

    found = pixelrnn.audit(logits=sees_itself, shape=(1, 5, 6), num_levels=4, minutes=0.2)
    out = audited.write(found, tmp_path / "page.html")
    page = browser.new_page(viewport={"width": width, "height": 800})
    troubles = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(out.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    fills = "[...document.querySelectorAll('{} rect')].map(cell => getComputedStyle(cell).fill)"
    drawn, key = (set(page.evaluate(fills.format(part))) for part in (".maps", ".key"))
    assert drawn == key
    assert len(key) > 1
    assert troubles == []
    page.close()
