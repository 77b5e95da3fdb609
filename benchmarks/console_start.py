"""How soon a view of the console is usable: ``python -m benchmarks console_start``.

Each view is opened in a fresh browser with a key, on a local stack that has just started: first while the
functions behind it are cold, then warm. Usable means that all its data are shown. The limit is 1.5 s, on a
machine with nothing else to do; the work of the processes depends less on that.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
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


def workers(stack: Stack) -> dict[str, float]:
    """Return the processes of functions and the seconds of a core that each has had, on Linux."""
    emulator = stack.description()["emulator_pid"]
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == emulator:
                found[process.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def looked_at(browser: Browser, stack: Stack) -> Iterator[list[str]]:
    """Open each view, and yield how long it took, how many processes it started, and their work."""
    for view in VIEWS:
        before = workers(stack)
        seconds = seconds_to(browser, stack, view)
        after = workers(stack)
        work = sum(after.values()) - sum(before.values())
        yield [f"{seconds:.2f} s", str(len(after.keys() - before.keys())), f"{work:.2f} s"]


def run() -> None:
    """Print the figures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        cold, warm = (list(looked_at(browser, stack)) for _ in range(2))
        browser.close()
    rows = [
        [view, *first, again[0], f"{LIMIT} s"] for view, first, again in zip(VIEWS, cold, warm, strict=True)
    ]
    columns = ["view", "cold", "processes started", "work of processes", "warm", "limit"]
    print_table("A view of the console is usable after", columns, rows)


if __name__ == "__main__":
    run()
