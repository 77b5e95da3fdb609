"""A shift in the console, on the whole stack: scan by keyboard alone, see all follow, push, test, link a ticket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.deployed import Stack

PARTS = 20


@pytest.fixture
def desk(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1024, "height": 768})
    context.set_default_timeout(60_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def path_and_parts(stack: Stack) -> tuple[dict[str, str], list[str]]:
    token = {
        "provider": "jira",
        "host": stack.atlassian_url,
        "credentials": "demo@example.com:local-api-token",
    }
    assert stack.request("PUT", "/api/backend/connections/shift-plant/api-token", json=token).ok
    settings = {"enabled": True, "pushEnabled": True, "externalId": "shift-plant", "projectKey": "PI"}
    assert stack.request("PUT", "/api/settings", json=settings).ok
    order = {"name": "Shift order", "goalQuantity": PARTS, "jiraTicketKey": "PI-42"}
    job = stack.request("POST", "/api/jobs", json=order).json()
    route = {
        "jobId": job["id"],
        "name": "Shift route",
        "goalQuantity": PARTS,
        "steps": [{"name": "Saw"}, {"name": "Drill"}],
    }
    path = stack.request("POST", "/api/paths", json=route).json()
    made = stack.request("POST", "/api/serials", json={"pathId": path["id"], "quantity": PARTS}).json()
    return path, [serial["id"] for serial in made]


def go(page: Page, view: str) -> None:
    page.evaluate(
        "view => { document.getElementById('freshness').textContent = ''; location.hash = view; }", view
    )
    expect(page.locator("#freshness")).to_contain_text("Updated")


def test_a_shift(desk: Page, stack: Stack, path_and_parts: tuple[dict[str, str], list[str]]) -> None:
    path, parts = path_and_parts
    desk.goto(f"{stack.url}/console#/scan/{path['id']}")
    keyboard = desk.keyboard
    expect(desk.get_by_label("API key")).to_be_focused()
    keyboard.type(stack.keys["*"])
    keyboard.press("Enter")
    expect(desk.locator("#serial")).to_be_focused()
    for part in parts:
        keyboard.type(part)
        keyboard.press("Enter")
    expect(desk.get_by_text(f"{PARTS} moves, 0 scrapped")).to_be_visible()
    expect(desk.locator(".answer.good")).to_contain_text(f"{parts[-1]}Now at Drill")

    go(desk, f"#/paths/{path['id']}")
    expect(desk.locator(".column", has_text="Drill")).to_contain_text(str(PARTS))
    expect(desk.locator(".column", has_text="Drill")).to_contain_text("Bottleneck")
    expect(desk.locator(".canvas canvas")).to_be_visible()
    desk.get_by_text("Numbers as a table").click()
    expect(desk.locator("tbody tr").first.locator("td")).to_have_text(["0", str(PARTS), "0"])

    go(desk, f"#/serials/{parts[0]}")
    expect(desk.locator(".timeline li").first).to_contain_text("Saw → Drill")

    go(desk, f"#/jobs/{path['jobId']}")
    expect(desk.locator(".canvas canvas")).to_be_visible()
    desk.get_by_role("button", name="Push now").click()
    expect(desk.locator("#said")).to_contain_text("Pushed to PI-42.")
    go(desk, f"#/jobs/{path['jobId']}/pushes")
    expect(desk.locator(".row.push").first).to_contain_text("Pushed")

    go(desk, "#/connections")
    desk.get_by_role("button", name="Test shift-plant").click()
    expect(desk.locator("#said")).to_contain_text("shift-plant works, as")

    go(desk, "#/queues")
    expect(desk.get_by_role("heading", name="Ticket events")).to_be_visible()
    go(desk, "#/pushes")
    expect(desk.get_by_role("button", name="Pause all")).to_be_visible()


def test_an_anomaly_gets_a_ticket(desk: Page, stack: Stack, path_and_parts: object) -> None:
    integration = {"type": "jira", "external_id": "shift-plant", "project_key": "PI"}
    made = stack.request("POST", "/api/integrations/ticketing", json=integration)
    assert made.status_code in (201, 409)
    report = {
        "type": "record",
        "datastore": {"id": 1, "name": "CRM"},
        "failed_checks": [{"message": "Empty"}],
    }
    anomaly = stack.request("POST", "/api/anomalies", json=report).json()["id"]
    desk.goto(f"{stack.url}/datastores/1/anomalies?id={anomaly}")
    desk.get_by_label("API key").fill(stack.keys["*"])
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", name=f"Anomaly {anomaly}")).to_be_visible()
    desk.get_by_label("Key of a ticket that there is").fill("PI-42")
    desk.keyboard.press("Enter")
    expect(desk.locator("#said")).to_have_text("PI-42 is linked")
    expect(desk.get_by_role("link", name="PI-42")).to_be_visible()
    desk.get_by_role("button", name="Acknowledge").click()
    expect(desk.locator("header .chip")).to_have_text("Acknowledged")
    stack.request("DELETE", f"/api/anomalies/{anomaly}?archive=false")
    if made.status_code == 201:
        stack.request("DELETE", "/api/integrations/ticketing")
