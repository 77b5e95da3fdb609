"""How soon a view of the console is usable: ``python -m benchmarks console_start``.

Each view is opened in a fresh browser with a key, on a local stack that has just started: first while the
functions behind it are cold, then warm. Usable means that its data are shown. The limit is 1.5 s.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.table import print_table
from tests.browser.conftest import ARGUMENTS, chromium
from tests.support.deployed import Stack, running

VIEWS = ("jobs", "scan", "pushes", "connections", "anomalies", "queues")
LIMIT = 1.5


def seconds_to(browser: Browser, stack: Stack, view: str) -> float:
    """Open a view as somebody who has typed in a key, and return how long it takes to show its data."""
    context = browser.new_context()
    session = {"jobticket.key": stack.keys["*"], "jobticket.scopes": "jobs tokens ticketing admin"}
    context.add_init_script(f"Object.assign(sessionStorage, {json.dumps(session)})")
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(f"{stack.url}/console#/{view}", wait_until="commit")
    page.locator("#freshness", has_text="Updated").wait_for()
    taken = time.perf_counter() - begun
    context.close()
    return taken


def run() -> None:
    """Print the figures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        cold, warm = ({view: seconds_to(browser, stack, view) for view in VIEWS} for _ in range(2))
        browser.close()
    rows = [[view, f"{cold[view]:.2f} s", f"{warm[view]:.2f} s", f"{LIMIT} s"] for view in VIEWS]
    print_table("A view of the console is usable after", ["view", "cold", "warm", "limit"], rows)


if __name__ == "__main__":
    run()
