"""A shift in the console, on the whole stack: scan by keyboard alone, see all follow, push, test, link a ticket."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.consent_flow import Atlassian, Walk, over_http
from tests.support.consent_flow import Browser as Visitor
from tests.support.deployed import Stack, running

PARTS = 20
DONE = 2


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of this file's own: a run pushes every job there is, at a site that other tests may have stopped."""
    with running(tmp_path_factory.mktemp("shift")) as own:
        yield own


@pytest.fixture
def desk(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1024, "height": 768})
    context.set_default_timeout(180_000)
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
    for part in parts[:DONE]:
        keyboard.type(part)
        keyboard.press("Enter")
    expect(desk.get_by_text(f"{PARTS + DONE} moves, 0 scrapped")).to_be_visible()
    expect(desk.locator(".answer.good")).to_contain_text("Completed")

    go(desk, f"#/paths/{path['id']}")
    expect(desk.locator(".column", has_text="Drill")).to_contain_text(str(PARTS - DONE))
    expect(desk.locator(".column.end", has_text="Completed")).to_contain_text(str(DONE))
    expect(desk.locator(".column", has_text="Drill")).to_contain_text("Bottleneck")
    expect(desk.locator(".canvas canvas")).to_be_visible()
    desk.get_by_text("Numbers as a table").click()
    expect(desk.locator("tbody tr").first.locator("td")).to_have_text([str(DONE), str(PARTS - DONE), "0"])

    go(desk, f"#/serials/{parts[-1]}")
    expect(desk.locator(".timeline li").first).to_contain_text("Saw → Drill")

    go(desk, f"#/jobs/{path['jobId']}")
    expect(desk.locator(".canvas canvas")).to_be_visible()
    desk.get_by_text("Numbers as a table").click()
    expect(desk.locator("tbody tr").first.locator("td")).to_have_text([str(PARTS), str(DONE)])
    desk.get_by_role("button", name="Push now").click()
    expect(desk.locator("#said")).to_contain_text("Pushed to PI-42.")
    go(desk, f"#/jobs/{path['jobId']}/pushes")
    expect(desk.locator(".row.push").first).to_contain_text("Pushed")
    go(desk, f"#/jobs/{path['jobId']}/history")
    expect(desk.locator(".timeline li").first).to_contain_text("Pushed")
    expect(desk.locator(".timeline li").last).to_contain_text("Created")

    go(desk, "#/connections")
    desk.get_by_role("button", name="Test shift-plant").click()
    expect(desk.locator("#said")).to_contain_text("shift-plant works, as")

    go(desk, "#/queues")
    expect(desk.get_by_role("heading", name="Ticket events")).to_be_visible()
    go(desk, "#/pushes")
    expect(desk.get_by_role("button", name="Pause all")).to_be_visible()


@pytest.fixture
def atlassian(stack: Stack) -> Iterator[Atlassian]:
    emulated = Atlassian(stack.atlassian_url)
    emulated.reset()
    yield emulated
    emulated.reset()
    emulated.close()


def open_console(page: Page, stack: Stack, view: str) -> None:
    page.goto(f"{stack.url}/console{view}")
    page.get_by_label("API key").fill(stack.keys["*"])
    page.keyboard.press("Enter")
    expect(page.locator("#freshness")).to_contain_text("Updated")


@pytest.fixture
def unchanged_jobs_too(stack: Stack) -> Iterator[None]:
    """Let scheduled pushes skip no job because it has not changed."""
    for skip in (False, True):
        assert stack.request("PUT", "/api/settings", json={"skipUnchanged": skip}).status_code == 200
        if not skip:
            yield


def test_a_failed_push_is_tried_again(
    desk: Page, stack: Stack, atlassian: Atlassian, path_and_parts: object, unchanged_jobs_too: None
) -> None:
    def figure(name: str) -> Locator:
        return desk.locator(".figures div", has_text=name).locator("dd")

    atlassian.control(faults=[{"method": "PUT", "path": "/issue/PI-42$", "status": 403, "times": 1}])
    assert stack.request("POST", "/api/jira/push-all").status_code == 202
    open_console(desk, stack, "#/pushes")
    expect(figure("Failed")).to_have_text("1")
    expect(figure("Waiting")).to_have_text("0")
    pushed = int(figure("Pushed").inner_text())
    expect(desk.locator(".row", has_text="PI-42")).to_be_visible()
    desk.get_by_role("button", name=re.compile("Retry all: .*403")).click()
    expect(desk.locator("#said")).to_have_text("1 push will be tried again")
    expect(figure("Pushed")).to_have_text(str(pushed + 1))
    expect(figure("Failed")).to_have_text("0")
    expect(desk.get_by_role("button", name=re.compile("Retry"))).to_have_count(0)


def test_a_connection_is_authorized_again(desk: Page, stack: Stack, atlassian: Atlassian) -> None:
    name = "shift-planner"
    Walk(Visitor(over_http(stack)), atlassian).to_connection(name)
    atlassian.revoke()
    open_console(desk, stack, f"#/connections/{name}")
    desk.get_by_role("button", name=f"Test {name}").click()
    expect(desk.locator("#problem")).to_contain_text("reauthorize")
    expect(desk.locator("header .chip")).to_have_text("Must be authorized again")
    desk.get_by_role("button", name=f"Authorize {name} again").click()
    desk.get_by_role("link", name="Continue at Atlassian").click()
    desk.get_by_label("Plant North").check()
    desk.get_by_role("button", name="Accept").click()
    desk.get_by_role("button", name="Connect").click()
    desk.wait_for_url(f"{stack.url}/console#/connections/{name}")
    expect(desk.locator("header .chip")).to_have_text("Works")
    desk.get_by_role("button", name=f"Test {name}").click()
    expect(desk.locator("#said")).to_contain_text(f"{name} works, as")
    assert stack.request("DELETE", f"/api/backend/connections/{name}").ok


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
    desk.get_by_label("Key of an existing ticket").fill("PI-42")
    desk.keyboard.press("Enter")
    expect(desk.locator("#said")).to_have_text("PI-42 is linked")
    expect(desk.get_by_role("link", name="PI-42")).to_be_visible()
    desk.get_by_role("button", name="Acknowledge").click()
    expect(desk.locator("header .chip")).to_have_text("Acknowledged")
    stack.request("DELETE", f"/api/anomalies/{anomaly}?archive=false")
    if made.status_code == 201:
        stack.request("DELETE", "/api/integrations/ticketing")
