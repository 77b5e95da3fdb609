"""A headless Chromium, and axe-core to judge what it shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

# A test browser: no sandbox (tests run as root in containers), and no traffic of its own.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# A function's first start on a busy machine takes longer than the usual 5 s.
expect.set_options(timeout=180_000)


def chromium() -> str:
    """Return the browser's program; `make test` installs one. The one without windows takes half the time."""
    for name in (
        os.environ.get("CHROMIUM", ""),
        "chromium-headless-shell",
        "chromium",
        "chromium-browser",
        "google-chrome",
    ):
        if name and (found := shutil.which(name)):
            return found
    raise LookupError("no Chromium: run tools/install_chromium.sh, or name one in CHROMIUM")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(params=["desktop light", "phone dark"])
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A fresh visitor, once at a desk in light mode and once on a phone in dark mode."""
    if request.param == "phone dark":
        made = browser.new_context(
            viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True
        )
    else:
        made = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    made.set_default_timeout(180_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test if its script fails or its policy is violated."""
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield opened
    assert faults == []


@pytest.fixture
def accessible() -> Callable[..., None]:
    """Return a check that axe-core finds no violation, and that nothing is wider than the screen."""

    def check(page: Page, but: Sequence[str] = (), only: Sequence[str] = ()) -> None:
        # axe-core comes from outside of the page, past its Content-Security-Policy, as a person's tool would.
        if page.evaluate("window.axe === undefined"):
            page.evaluate(AXE)
        options: dict[str, Any] = {
            "rules": {rule: {"enabled": False} for rule in but},
            "resultTypes": ["violations"],
        }
        if only:
            options["runOnly"] = only
        violations = page.evaluate(
            "options => axe.run(document, options).then(({violations}) => violations)", options
        )
        assert violations == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    return check
