"""The consent in a browser: at a desk and on a phone, by keyboard alone, and when it goes wrong.

The emulated Atlassian's consent page stands in for Atlassian's; everything else is the product's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.support.consent_flow import Atlassian
from tests.support.deployed import Stack

RETURN_URL = "http://localhost:3000/connected"
CREATE = "**/create-connection"
Accessible = Callable[[Page], None]
_numbers = itertools.count(1)


class Visit:
    """A user who connects in a browser."""

    def __init__(self, stack: Stack, page: Page) -> None:
        self.stack = stack
        self.page = page
        self.external_id = f"browser-{next(_numbers)}"

    def begin(self, return_url: str | None = None) -> None:
        """Go to Atlassian's consent page."""
        body = {"provider": "jira", "external_id": self.external_id}
        body |= {} if return_url is None else {"return_url": return_url}
        url = "/api/frontend/oauth/initiate-oauth-flow"
        begun = self.stack.request("POST", url, scope=None, json=body)
        self.page.goto(begun.json()["authorization_uri"])

    def accept(self, *sites: str) -> None:
        for site in sites:
            self.page.get_by_label(site).check()
        self.page.get_by_role("button", name="Accept").click()

    def to_choice(self, *sites: str, return_url: str | None = None) -> None:
        self.begin(return_url)
        self.accept(*(sites or ("Plant North",)))
        expect(self.page).to_have_title("Choose a Jira site")

    def expire(self) -> None:
        """Let the time of the choice have passed, without its row having been deleted."""
        dynamodb, table = self.stack.client("dynamodb"), self.stack.outputs["ConnectionsTableName"]
        (row,) = (
            item
            for page in dynamodb.get_paginator("scan").paginate(TableName=table)
            for item in page["Items"]
            if item["pk"]["S"].startswith("PENDING#") and item["external_id"]["S"] == self.external_id
        )
        dynamodb.put_item(TableName=table, Item=row | {"valid_until": {"S": "2020-01-01T00:00:00.000Z"}})

    def status(self) -> str | None:
        listed = self.stack.request("GET", "/api/backend/connections?limit=500").json()["connections"]
        found = [entry["status"] for entry in listed if entry["external_id"] == self.external_id]
        return found[0] if found else None


@pytest.fixture
def visit(stack: Stack, page: Page) -> Iterator[Visit]:
    atlassian = Atlassian(stack.atlassian_url)
    atlassian.reset()
    atlassian.revoke()
    yield Visit(stack, page)
    atlassian.reset()
    atlassian.close()


@pytest.fixture
def app(context: BrowserContext) -> list[str]:
    """The application that users come from: it notes where it was returned to."""
    returned: list[str] = []

    def serve(route: Route) -> None:
        returned.append(route.request.url)
        page = "<!doctype html><html lang=en><title>The application</title><h1>Back</h1></html>"
        route.fulfill(status=200, content_type="text/html", body=page)

    context.route("http://localhost:3000/**", serve)
    return returned


def test_a_user_connects_and_returns(visit: Visit, app: list[str], accessible: Accessible) -> None:
    visit.to_choice("Plant North", "Plant South", return_url=RETURN_URL)
    page = visit.page
    expect(page.get_by_text(visit.external_id)).to_be_visible()
    expect(page.get_by_text("Dana Demo")).to_be_visible()
    expect(page.get_by_text("localhost:3000", exact=True)).to_be_visible()
    accessible(page)
    page.get_by_label("Plant South").check()
    accessible(page)
    page.get_by_role("button", name="Connect").click()
    page.wait_for_url(RETURN_URL)
    assert app == [RETURN_URL]
    assert visit.status() == "valid"


def test_without_a_way_back_there_is_a_word_of_success(visit: Visit, accessible: Accessible) -> None:
    visit.to_choice("Data Team")
    expect(visit.page.get_by_label("Data Team")).to_be_checked()  # the only one
    visit.page.get_by_role("button", name="Connect").click()
    heading = visit.page.get_by_role("heading", name="Connected")
    expect(heading).to_be_focused()  # so that a screen reader reads it out
    expect(visit.page.get_by_text("Jira site Data Team is connected.")).to_be_visible()
    expect(visit.page).to_have_title("Connected")
    accessible(visit.page)


def tab_to(wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(20):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        wanted.page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to {wanted}")


def test_the_keyboard_is_enough(visit: Visit, app: list[str]) -> None:
    visit.begin(RETURN_URL)
    keyboard = visit.page.keyboard
    for site in ("Plant North", "Plant South"):
        tab_to(visit.page.get_by_label(site))
        keyboard.press("Space")
    tab_to(visit.page.get_by_role("button", name="Accept"))
    keyboard.press("Enter")
    expect(visit.page).to_have_title("Choose a Jira site")
    expect(visit.page.get_by_role("button", name="Connect")).to_be_enabled()  # the script is there
    keyboard.press("Tab")
    expect(visit.page.get_by_role("radio").first).to_be_focused()
    keyboard.press("ArrowDown")
    expect(visit.page.get_by_label("Plant South")).to_be_checked()
    keyboard.press("Tab")
    expect(visit.page.get_by_role("button", name="Connect")).to_be_focused()
    keyboard.press("Enter")
    visit.page.wait_for_url(RETURN_URL)
    assert visit.status() == "valid"


def test_a_choice_must_be_made(visit: Visit) -> None:
    visit.to_choice("Plant North", "Plant South")
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.page.get_by_role("button", name="Connect").click()
    expect(visit.page.get_by_role("radio").first).to_be_focused()
    assert asked == []


def test_while_it_works_the_button_does_not(visit: Visit, accessible: Accessible) -> None:
    visit.to_choice()
    page = visit.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(CREATE, hold)
    button = page.get_by_role("button", name="Connect")
    with page.expect_request(CREATE):
        button.click()
    expect(button).to_be_disabled()
    expect(page.get_by_role("status")).to_have_text("Connecting…")
    accessible(page)
    # A second submit, past the disabled button.
    page.evaluate("document.getElementById('choice').requestSubmit()")
    assert len(held) == 1
    held[0].continue_()
    expect(page.get_by_role("heading", name="Connected")).to_be_visible()


@pytest.fixture
def refused_page(context: BrowserContext) -> Iterator[Page]:
    """A page whose requests may be refused, which Chromium calls an error, but which makes none itself."""
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    yield opened
    assert faults == []


@pytest.fixture
def unlucky(visit: Visit, refused_page: Page) -> Visit:
    visit.page = refused_page
    return visit


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/finalize-connection/jira/nothing", "This page has expired"),
        ("/api/frontend/oauth/authorization-callback/jira?state=x&code=y", "This sign-in has expired"),
        ("/api/frontend/oauth/authorization-callback/jira", "This link is not complete"),
    ],
)
def test_pages_that_say_what_went_wrong(
    stack: Stack, refused_page: Page, accessible: Accessible, path: str, title: str
) -> None:
    refused_page.goto(stack.url + path)
    expect(refused_page.get_by_role("heading", name=title)).to_be_visible()
    accessible(refused_page)


def test_a_denial_leads_back(unlucky: Visit) -> None:
    unlucky.begin(RETURN_URL)
    # A redirect leads there, which no route sees: nobody answers.
    with unlucky.page.expect_request("http://localhost:3000/**") as back:
        unlucky.page.get_by_role("button", name="Deny").click()
    assert back.value.url == f"{RETURN_URL}?error=access_denied"
    assert unlucky.status() is None


def test_a_denial_without_a_way_back(unlucky: Visit, accessible: Accessible) -> None:
    unlucky.begin()
    unlucky.page.get_by_role("button", name="Deny").click()
    expect(unlucky.page.get_by_role("heading", name="Access was not granted")).to_be_visible()
    accessible(unlucky.page)


def test_a_code_that_expires_while_the_page_is_open(unlucky: Visit, accessible: Accessible) -> None:
    unlucky.to_choice()
    unlucky.expire()
    unlucky.page.get_by_role("button", name="Connect").click()
    expect(unlucky.page.get_by_role("alert")).to_contain_text("session is either expired or does not exist")
    accessible(unlucky.page)
    unlucky.page.reload()
    expect(unlucky.page.get_by_role("heading", name="This page has expired")).to_be_visible()
    accessible(unlucky.page)
    assert unlucky.status() is None


def test_where_no_site_was_granted(visit: Visit, stack: Stack, accessible: Accessible) -> None:
    visit.begin()
    atlassian = Atlassian(stack.atlassian_url)
    atlassian.control(faults=[{"path": "accessible-resources", "status": 200, "body": []}])
    visit.accept("Plant North")
    expect(visit.page.get_by_role("heading", name="No Jira site was granted")).to_be_visible()
    accessible(visit.page)
    atlassian.close()


def test_a_link_that_was_passed_on(unlucky: Visit, browser: Browser, accessible: Accessible) -> None:
    unlucky.to_choice()
    elsewhere = browser.new_context()
    stranger = elsewhere.new_page()
    stranger.goto(unlucky.page.url)
    expect(stranger.get_by_role("heading", name="This link belongs to another browser")).to_be_visible()
    accessible(stranger)
    elsewhere.close()


def test_the_same_page_in_two_tabs_connects_once(unlucky: Visit, context: BrowserContext) -> None:
    unlucky.to_choice()
    second = context.new_page()
    second.goto(unlucky.page.url)
    unlucky.page.get_by_role("button", name="Connect").click()
    expect(unlucky.page.get_by_role("heading", name="Connected")).to_be_visible()
    second.get_by_role("button", name="Connect").click()
    expect(second.get_by_role("alert")).to_contain_text("session is either expired or does not exist")
    assert unlucky.status() == "valid"
    second.reload()
    expect(second.get_by_role("heading", name="Connected")).to_be_visible()
    second.close()


@pytest.mark.parametrize("trouble", ["refused", "not json", "lost"])
def test_what_fails_can_be_tried_again(unlucky: Visit, accessible: Accessible, trouble: str) -> None:
    unlucky.to_choice()
    page = unlucky.page
    answers: dict[str, Callable[[Route], None]] = {
        "refused": lambda route: route.fulfill(status=502, json={"error": "Failed to fetch Jira sites"}),
        "not json": lambda route: route.fulfill(status=504, body="<html>"),
        "lost": lambda route: route.abort(),
    }
    page.route(CREATE, answers[trouble], times=1)
    button = page.get_by_role("button", name="Connect")
    button.click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(button).to_be_enabled()
    expect(button).to_be_focused()
    accessible(page)
    button.click()
    expect(page.get_by_role("heading", name="Connected")).to_be_visible()


def test_a_failed_exchange(unlucky: Visit, stack: Stack, accessible: Accessible) -> None:
    unlucky.begin()
    atlassian = Atlassian(stack.atlassian_url)
    atlassian.control(faults=[{"path": "/oauth/token", "status": 500}])
    unlucky.accept("Plant North")
    expect(unlucky.page.get_by_role("heading", name="Connecting Jira failed")).to_be_visible()
    accessible(unlucky.page)
    atlassian.close()


def test_two_tabs(visit: Visit, context: BrowserContext) -> None:
    other = Visit(visit.stack, context.new_page())
    visit.to_choice()
    other.to_choice()
    for one in (visit, other):
        one.page.get_by_role("button", name="Connect").click()
        expect(one.page.get_by_role("heading", name="Connected")).to_be_visible()
        assert one.status() == "valid"
    other.page.close()
