"""The API page in a browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.deployed import Stack


def test_the_api_page_reads_well(page: Page, stack: Stack, accessible: Callable[[Page], None]) -> None:
    page.goto(f"{stack.url}/docs")
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobticket API")
    accessible(page)
    entry = page.locator("summary", has_text="/api/jobs/{id}").first
    entry.focus()
    page.keyboard.press("Enter")
    expect(entry.locator("xpath=..")).to_have_attribute("open", "")
    accessible(page)
