"""The start page and the API reference in a browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.deployed import Stack

Accessible = Callable[..., None]

#: What Swagger UI's own markup breaks; none of it is ours to change.
SWAGGER_UI = [
    "color-contrast",
    "heading-order",
    "nested-interactive",
    "region",
    "scrollable-region-focusable",
]


def test_the_start_page_leads_everywhere(page: Page, stack: Stack, accessible: Accessible) -> None:
    page.goto(stack.url)
    expect(page.get_by_role("status")).to_contain_text("is up, and reaches all it needs")
    accessible(page)
    for name in ("Console", "API reference", "Health", "Emulated Jira", "OpenAPI document", "Licences"):
        link = page.get_by_role("link", name=name)
        assert page.request.get(str(link.evaluate("element => element.href"))).ok, name


def test_the_api_reference_is_searched_and_tried_out(
    page: Page, stack: Stack, accessible: Accessible
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{stack.url}/docs")
    page.get_by_placeholder("Filter").fill("scrap a")
    page.get_by_placeholder("Filter").fill("scrapSerial")
    expect(page.locator(".opblock")).to_have_count(1)
    expect(page.locator(".opblock-summary-operation-id")).to_have_text("scrapSerial")
    page.get_by_placeholder("Filter").fill("getSettings")
    page.get_by_role("button", name="Authorize").click()
    page.locator("input[aria-label=auth-bearer-value]").fill(stack.keys["*"])
    page.locator(".auth-btn-wrapper").get_by_role("button", name="Apply").click()
    page.locator(".auth-btn-wrapper").get_by_role("button", name="Close").click()
    page.locator(".opblock-summary-control").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table td.response-col_status:not(.col_header)")).to_contain_text(
        "200"
    )
    accessible(page, but=SWAGGER_UI)
    assert [url for url in asked if not url.startswith((stack.url, "data:"))] == []
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") == '[{},{},""]'
