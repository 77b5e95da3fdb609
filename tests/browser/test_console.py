"""The console in a browser, against scripted answers: every view, its words, its key, its clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.support.deployed import Stack
from tests.support.scripted_api import CONNECTIONS, HOSTILE, JOB, JOB_FLOW, SERIAL, VIEWS, ScriptedApi, ago

KEY = "a-key-that-is-typed-in"
LARGEST_VIEW = 120 * 1024
#: What axe-core judges by colours: all that another scheme changes.
OF_COLOURS = ("color-contrast", "link-in-text-block")
HIDE = "Object.defineProperty(document, 'hidden', {configurable: true, value: %s})"
SHOWN = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def desk(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(180_000)
    yield made
    made.close()


@pytest.fixture
def api(desk: BrowserContext) -> ScriptedApi:
    return ScriptedApi(desk)


@pytest.fixture
def console(desk: BrowserContext, api: ScriptedApi, stack: Stack) -> Iterator[Page]:
    """The console with a key typed in; it fails the test if its script fails or its policy is violated."""
    page = desk.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    page.clock.install()
    page.goto(f"{stack.url}/console")
    sign_in(page)
    expect(page.locator("#freshness")).to_contain_text("Updated")  # what the first view asks for is asked
    yield page
    assert faults == []


def sign_in(page: Page, key: str = KEY) -> None:
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")
    views = page.get_by_role("navigation", name="Views")
    expect(views).to_contain_text("Jobs")
    expect(views).not_to_have_attribute("aria-busy", "true")  # all of what the key may do is known


def go(page: Page, view: str) -> None:
    page.evaluate(
        "view => { document.getElementById('freshness').textContent = ''; location.hash = view; }", view
    )
    expect(page.locator("#freshness")).to_contain_text("Updated")


@pytest.mark.parametrize("view", VIEWS)
def test_a_view(
    console: Page, api: ScriptedApi, stack: Stack, accessible: Callable[..., None], view: str
) -> None:
    urls: list[str] = []
    console.on("request", lambda request: urls.append(request.url))
    if view == "#/jobs":
        go(console, "#/queues")  # it is shown already
    of_the_view_before = set(api.asked)  # which may ask once more while it ends
    api.asked.clear()
    go(console, view)
    asked = [each for each in api.asked if each not in of_the_view_before] or api.asked
    assert 1 <= len(asked) <= 2, "requests of data"
    expect(console.locator("main h1")).to_have_count(1)
    for width in (1280, 768, 360):
        console.set_viewport_size({"width": width, "height": 740})
        console.emulate_media(color_scheme="light", reduced_motion="reduce")  # no colours in between
        accessible(console)
        console.emulate_media(color_scheme="dark")
        accessible(console, only=OF_COLOURS)
    assert console.evaluate("window.broken") is None
    assert console.locator("main img, main script, main iframe, [href^=javascript]").count() == 0
    assert [url for url in urls if not url.startswith(f"{stack.url}/")] == []
    assert (
        console.evaluate(
            "performance.getEntries().reduce((sum, entry) => sum + (entry.encodedBodySize ?? 0), 0)"
        )
        <= LARGEST_VIEW
    )


def test_text_is_shown_as_it_is(console: Page) -> None:
    go(console, "#/anomalies/7/comments")
    expect(console.get_by_text(HOSTILE).last).to_be_visible()


def test_a_key_stays_in_the_tab(console: Page, api: ScriptedApi, desk: BrowserContext, stack: Stack) -> None:
    assert api.keys == {f"Bearer {KEY}"}
    assert console.evaluate("Object.keys(sessionStorage).sort()") == ["jobticket.key", "jobticket.scopes"]
    assert console.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    assert desk.cookies() == []
    assert KEY not in console.url + "".join(path for _, path in api.asked) + console.content()
    console.reload()
    expect(console.locator("#freshness")).to_contain_text("Updated")
    other = desk.new_page()
    other.goto(f"{stack.url}/console")
    expect(other.get_by_label("API key")).to_be_focused()
    console.get_by_role("button", name="Forget key").click()
    assert console.evaluate("sessionStorage.length") == 0
    expect(console.get_by_label("API key")).to_be_focused()


def test_a_wrong_key_is_not_kept(desk: BrowserContext, api: ScriptedApi, stack: Stack) -> None:
    api.answers["/api/jobs"] = 401, {"statusCode": 401, "message": "Unauthorized"}
    page = desk.new_page()
    page.goto(f"{stack.url}/console")
    page.get_by_label("API key").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_have_text("This key is not known here.")
    assert page.evaluate("sessionStorage.length") == 0


def test_what_is_shown_follows_the_scopes(desk: BrowserContext, api: ScriptedApi, stack: Stack) -> None:
    for path in ("/api/operations", "/api/backend/connections", "/api/anomalies"):
        api.answers[path] = 403, {"statusCode": 403, "message": "Forbidden"}
    page = desk.new_page()
    page.goto(f"{stack.url}/console")
    sign_in(page)
    expect(page.get_by_role("navigation", name="Views").get_by_role("link")).to_have_text(["Jobs", "Scan"])
    page.evaluate("location.hash = '#/queues'")
    expect(page.get_by_role("heading", name="This key cannot open this view")).to_be_visible()


def test_a_view_opens_before_all_scopes_are_known(
    desk: BrowserContext, api: ScriptedApi, stack: Stack
) -> None:
    held: list[Route] = []
    desk.route("**/api/operations", lambda route: held.append(route))
    page = desk.new_page()
    page.goto(f"{stack.url}/console")
    page.get_by_label("API key").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#freshness")).to_contain_text("Updated")
    page.evaluate("location.hash = '#/queues'")
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()  # not yet that the key cannot open it
    desk.unroute("**/api/operations")
    held[0].fallback()
    expect(page.get_by_role("heading", name="Ticket events")).to_be_visible()


def test_it_polls_while_it_is_seen(console: Page, api: ScriptedApi) -> None:
    go(console, "#/queues")
    api.asked.clear()
    with console.expect_request("**/api/operations"):
        console.clock.fast_forward(5_000)
    expect(console.locator("#freshness")).to_contain_text("Updated")
    console.evaluate(HIDE % "true")
    console.evaluate(SHOWN)
    api.asked.clear()
    console.clock.fast_forward(180_000)
    assert api.asked == []
    console.evaluate(HIDE % "false")
    with console.expect_request("**/api/operations"):
        console.evaluate(SHOWN)


def test_what_a_deployment_does_not_have_is_said(console: Page, api: ScriptedApi) -> None:
    del api.answers["/api/operations"]
    console.evaluate("location.hash = '#/pushes'")
    expect(console.get_by_role("heading", name="Not available in this deployment")).to_be_visible()
    del api.answers["/api/jobs/job_One/flow"]
    go(console, "#/jobs/job_One")
    expect(console.get_by_text("The burn-up is not available in this deployment.")).to_be_visible()


def test_a_fault_keeps_what_was_shown(console: Page, api: ScriptedApi) -> None:
    go(console, "#/queues")
    api.answers["/api/operations"] = 503, {"statusCode": 503, "message": "AWS is busy"}
    console.clock.fast_forward(5_000)
    expect(console.locator("#freshness")).to_have_text("Not up to date: AWS is busy")
    expect(console.get_by_role("heading", name="Ticket events")).to_be_visible()


@pytest.mark.parametrize("view", ["#/queues", "#/jobs/job_One"])
def test_a_key_that_is_revoked_leads_to_the_sign_in(console: Page, api: ScriptedApi, view: str) -> None:
    go(console, view)
    for path in ("/api/operations", "/api/jobs/job_One"):
        api.answers[path] = 401, {"statusCode": 401, "message": "Unauthorized"}
    console.clock.fast_forward(5_000)
    expect(console.get_by_label("API key")).to_be_focused()
    assert console.evaluate("sessionStorage.length") == 0


def test_an_operator_goes_on_retries_and_redrives(console: Page, api: ScriptedApi) -> None:
    api.answers |= {
        "PUT /api/settings": {},
        "POST /api/jira/pushes/retry": {"retried": 3, "complete": True},
        "POST /api/operations/redrive": {"moved": 2},
    }
    api.answers["/api/operations"] = api.answers["/api/operations"] | {
        "stops": [{"site": "site a/b", "until": ago(hours=-1), "reason": "slow"}]
    }
    api.answers["DELETE /api/operations/stops/site%20a%2Fb"] = 204, None
    go(console, "#/pushes/run_1")
    said = console.locator("#said")
    console.get_by_role("button", name="Pause all").click()
    expect(said).to_have_text("Scheduled pushes are paused")
    console.get_by_role("button", name="Go on now with site a/b").click()
    expect(said).to_have_text("site a/b goes on")
    console.get_by_role("button", name="Retry all").first.click()
    expect(said).to_have_text("3 pushes will be tried again")
    go(console, "#/queues")
    expect(console.get_by_text("These are not sent again from here")).to_be_visible()
    console.get_by_role(
        "button", name="Try again what failed"
    ).click()  # of the one queue that has failures and takes them
    expect(said).to_contain_text("2 messages will be tried again")


def test_a_list_of_jobs_goes_on(console: Page, desk: BrowserContext) -> None:
    def page_of(route: Route) -> None:
        if "cursor=second" in route.request.url:
            route.fulfill(json=[JOB | {"id": "job_Late", "name": "The late one"}])
        else:
            route.fulfill(json=[], headers={"x-next-cursor": "second"})

    desk.route("**/api/jobs?**", page_of)
    go(console, "#/jobs?search=late")
    expect(console.get_by_text("None so far")).to_be_visible()
    console.get_by_role("button", name="Look further").click()
    expect(console.get_by_role("link", name="The late one")).to_be_visible()
    expect(console.get_by_role("button", name="Look further")).to_have_count(0)


def test_a_view_does_not_wait_for_its_slowest_part(console: Page, desk: BrowserContext) -> None:
    held: list[Route] = []
    desk.route("**/api/jobs/job_One/flow?**", lambda route: held.append(route))
    with console.expect_request("**/flow?**"):
        console.evaluate("location.hash = '#/jobs/job_One'")
    expect(console.get_by_role("button", name="Push now")).to_be_enabled()
    expect(console.get_by_text("Loading…")).to_be_visible()
    held[0].fulfill(json=JOB_FLOW)
    expect(console.locator(".canvas canvas")).to_be_visible()


def test_a_history_is_read_on_from_its_end(console: Page, desk: BrowserContext) -> None:
    entry = {"at": ago(days=1), "action": "changed", "by": "planner"}  # two changes of a moment are two
    history, sizes = [entry] * 40, [0]

    def page_of(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        begin, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        page = history[begin : begin + limit]
        sizes.append(len(page))
        following = {"x-next-cursor": str(begin + limit)} if begin + limit < len(history) else {}
        route.fulfill(json=page, headers=following)

    desk.route("**/api/jobs/job_One/history?**", page_of)
    go(console, "#/jobs/job_One/history")
    entries = console.locator(".timeline li")
    expect(entries).to_have_count(40)
    for number in (41, 42, 43):
        history.append(entry | {"by": f"planner {number}"})
        console.clock.fast_forward(5_000)
        expect(entries).to_have_count(number)
        expect(entries.first).to_contain_text(f"planner {number}")
    assert sizes[-1] <= 2


class TestManyConnections:
    @pytest.fixture(autouse=True)
    def pages(self, desk: BrowserContext, api: ScriptedApi) -> None:  # after its answers, so that these win
        def page_of(route: Route) -> None:
            second = "cursor=two" in route.request.url
            listed = [CONNECTIONS[0] | {"external_id": "the last" if second else "the first"}]
            route.fulfill(json={"connections": listed, "next_cursor": None if second else "two"})

        desk.route("**/api/backend/connections?**", page_of)

    def test_they_are_turned_over(self, console: Page) -> None:
        go(console, "#/connections")
        expect(console.get_by_role("link", name="the first")).to_be_visible()
        console.get_by_role("link", name="Next page").click()
        expect(console.get_by_role("link", name="the last")).to_be_visible()
        expect(console.get_by_role("link", name="Next page")).to_have_count(0)
        console.get_by_role("link", name="First page").click()
        expect(console.get_by_role("link", name="the first")).to_be_visible()

    def test_one_is_found_wherever_it_stands(self, console: Page, api: ScriptedApi) -> None:
        api.answers["/api/backend/connections/the%20last/history"] = []
        go(console, "#/connections/the%20last")
        expect(console.get_by_role("heading", name="the last")).to_be_visible()


def test_failures_of_a_run_that_is_long_ago(console: Page, desk: BrowserContext, api: ScriptedApi) -> None:
    begun = ago(days=3)
    run = api.answers["/api/operations"]["runs"][0] | {"run_id": "old", "at": begun, "failed": 2}
    api.answers["/api/operations"] = api.answers["/api/operations"] | {"runs": [run]}

    def page_of(route: Route) -> None:
        second = "cursor=two" in route.request.url
        failed = {"jobId": "job_One", "status": "failed", "by": "schedule", "error": "403"}
        of_old = failed | {"ticketKey": "PI-OLD", "runId": "old", "at": ago(days=2)}
        newer = failed | {"ticketKey": "PI-NEW", "runId": "new", "at": ago(days=1)}
        listed = [of_old] if second else [newer] * 3
        route.fulfill(json={"pushes": listed, "next_cursor": "three" if second else "two"})

    desk.route("**/api/jira/pushes?**", page_of)
    go(console, "#/pushes")
    expect(console.get_by_role("link", name="PI-OLD").first).to_be_visible()
    expect(console.get_by_role("link", name="PI-NEW")).to_have_count(0)


class Floor:
    """A scripted shop floor: one part, which moves as it is told."""

    def __init__(self, api: ScriptedApi, **changes: Any) -> None:
        self.serial: dict[str, Any] = (
            SERIAL | {"id": "SN-00009", "status": "in_progress", "currentStepIndex": 0} | changes
        )
        self.moves: list[dict[str, Any]] = []
        api.answers["/api/serials/SN-00009"] = 200, lambda _body, _query: self.serial
        api.answers["POST /api/serials/SN-00009/advance"] = 200, self.advance
        api.answers["POST /api/serials/SN-00009/scrap"] = 200, self.scrap

    def advance(self, body: dict[str, Any], _query: Any) -> Any:
        self.moves.append(body)
        self.serial = self.serial | {"currentStepIndex": self.serial["currentStepIndex"] + 1}
        return self.serial

    def scrap(self, body: dict[str, Any], _query: Any) -> Any:
        self.moves.append(body)
        self.serial = self.serial | {"status": "scrapped"}
        return self.serial


def scan(page: Page, number: str) -> None:
    page.keyboard.type(number)
    page.keyboard.press("Enter")


class TestScan:
    @pytest.fixture
    def station(self, console: Page) -> Page:
        go(console, "#/scan/path_Main")
        expect(console.locator("#serial")).to_be_focused()
        return console

    def test_a_part_moves_once_however_often_it_is_scanned(self, station: Page, api: ScriptedApi) -> None:
        floor = Floor(api)
        station.get_by_label("Your name").fill("Ada")
        station.locator("#serial").focus()
        scan(station, "sn-00009")
        scan(station, "sn-00009")
        expect(station.locator(".answer.warn")).to_contain_text("Scanned twice: it moved once")
        assert floor.moves == [{"fromStepIndex": 0, "operator": "Ada"}]
        station.clock.fast_forward(4_000)
        scan(station, "sn-00009")
        expect(station.locator(".answer.good")).to_contain_text("Now at QC")
        expect(station.get_by_text("2 moves, 0 scrapped")).to_be_visible()
        expect(station.locator("#serial")).to_be_focused()

    def test_scrapping_needs_a_reason_and_is_chosen_anew(self, station: Page, api: ScriptedApi) -> None:
        floor = Floor(api)
        station.get_by_label("Scraps").check()
        station.get_by_label("Reason").select_option("damaged")
        scan(station, "SN-00009")
        expect(station.locator(".answer.warn")).to_contain_text("Scrapped: damaged")
        assert floor.moves == [{"reason": "damaged"}]
        expect(station.get_by_label("Moves")).to_be_checked()

    @pytest.mark.parametrize(
        ("path", "answer", "told"),
        [
            ("POST /api/serials/SN-00009/advance", (409, {"message": "x"}), "Somebody else has moved it"),
            ("/api/serials/SN-00009", (404, {"message": "SerialNumber not found"}), "no such serial number"),
            ("/api/serials/SN-00009", (200, SERIAL | {"pathId": "path_Other"}), "belongs to another path"),
            ("/api/serials/SN-00009", (200, SERIAL), "It is scrapped for good."),
            (
                "/api/serials/SN-00009",
                (200, SERIAL | {"status": "completed", "currentStepIndex": -1}),
                "It is completed already.",
            ),
        ],
    )
    def test_what_goes_wrong_is_said_in_words(
        self, station: Page, api: ScriptedApi, path: str, answer: Any, told: str
    ) -> None:
        Floor(api)
        api.answers[path] = answer
        scan(station, "SN-00009")
        expect(station.locator(".answer.bad")).to_contain_text(told)

    @pytest.mark.parametrize("done", [True, False])
    def test_a_lost_answer_is_settled_by_looking(self, station: Page, api: ScriptedApi, done: bool) -> None:
        floor = Floor(api)

        def lose(body: dict[str, Any], query: Any) -> Any:
            if done:
                floor.advance(body, query)
            return {"message": "Internal Server Error"}

        api.answers["POST /api/serials/SN-00009/advance"] = 500, lose
        scan(station, "SN-00009")
        kind, told = ("good", "Now at Deburr") if done else ("bad", "it has not moved. Scan it again")
        expect(station.locator(f".answer.{kind}")).to_contain_text(told)
        assert len([1 for method, _ in api.asked if method == "POST"]) == 1

    def test_a_part_that_could_not_be_looked_at_does_not_move_twice(
        self, station: Page, api: ScriptedApi
    ) -> None:
        floor = Floor(api)
        part = api.answers["/api/serials/SN-00009"]

        def lose(body: dict[str, Any], query: Any) -> Any:
            floor.advance(body, query)
            api.answers["/api/serials/SN-00009"] = 503, {"message": "AWS is busy"}
            return {"message": "Internal Server Error"}

        api.answers["POST /api/serials/SN-00009/advance"] = 500, lose
        scan(station, "SN-00009")
        expect(station.locator(".answer.bad")).to_contain_text("is not done twice")
        api.answers["/api/serials/SN-00009"] = part
        scan(station, "SN-00009")
        expect(station.locator(".answer.good")).to_contain_text("Now at Deburr")
        expect(station.get_by_text("1 move, 0 scrapped")).to_be_visible()
        assert len(floor.moves) == 1


def test_the_way_to_authorize_again(console: Page, api: ScriptedApi) -> None:
    minted: list[dict[str, Any]] = []

    def mint(body: dict[str, Any], _query: Any) -> Any:
        minted.append(body)
        return {"connect_token": "a-connect-token", "expires_at": ago()}

    api.answers["POST /api/backend/connect-sessions"] = 201, mint
    uri = "https://auth.atlassian.com/authorize?state=x"
    api.answers["POST /api/frontend/oauth/initiate-oauth-flow"] = {"authorization_uri": uri}
    go(console, "#/connections")
    console.get_by_role("button", name=re.compile("Authorize plant 1")).click()
    expect(console.get_by_role("link", name="Continue at Atlassian")).to_have_attribute("href", uri)
    assert minted[0]["return_url"].endswith(
        "/console#/connections/"
        + "plant%201%20%3Cimg%20src%3Dx%20onerror%3D%22window.broken%20%3D%20true%22%3E"
    )
