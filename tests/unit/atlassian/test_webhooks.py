"""Webhooks: who may register them, what they tell, how they are signed, and what may happen on their way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.atlassian.default_data import DANA, PLANT_NORTH, ROBIN
from tests.support.webhook_receiver import Receiver, receiving
from tests.unit.atlassian.conftest import SCOPES, Auth, Caller

HOOK = "/rest/api/3/webhook"
ISSUE = "/rest/api/2/issue/PI-2"
DAY = 86_400
WITH_WEBHOOKS = f"{SCOPES} manage:jira-webhook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def app(auth: Auth) -> Caller:
    return auth.gateway(auth.tokens(scope=WITH_WEBHOOKS)["access_token"])


def _register(app: Caller, url: str, *filters: str, **more: Any) -> list[dict[str, Any]]:
    webhooks = [{"events": ["jira:issue_updated"], "jqlFilter": each, **more} for each in filters]
    answer = app("POST", HOOK, {"url": url, "webhooks": webhooks})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["webhookRegistrationResult"]
    return results


def _decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _signature(signed: str, algorithm: str = "sha256") -> bytes:
    return hmac.new(b"local-client-secret", signed.encode(), algorithm).digest()


def test_only_apps_register_webhooks(jira: Caller, auth: Auth, receiver: Receiver) -> None:
    for method, path in (("GET", HOOK), ("POST", HOOK), ("DELETE", HOOK), ("PUT", f"{HOOK}/refresh")):
        answer = jira(method, path, None if method == "GET" else {})
        assert (answer.status_code, answer.json()["errorMessages"]) == (
            403,
            ["Only apps can access this resource."],
        )
    without_scope = auth.gateway(auth.tokens()["access_token"])
    assert without_scope.get(HOOK).json()["message"] == "Unauthorized; scope does not match"


def test_a_change_is_told_and_signed_with_the_apps_secret(
    jira: Caller, app: Caller, receiver: Receiver
) -> None:
    (made,) = _register(app, receiver.url + "?token=1", "project = PI AND issuetype != Epic")
    jira("POST", f"{ISSUE}/transitions", {"transition": {"id": "31"}})
    told = receiver.next()
    assert told.path == "/hook"  # the query of an app's address is lost
    assert told.headers["X-Atlassian-Webhook-Identifier"]
    assert told.json["matchedWebhookIds"] == [made["createdWebhookId"]]
    assert (told.json["webhookEvent"], told.json["issue_event_type_name"]) == (
        "jira:issue_updated",
        "issue_generic",
    )
    assert (told.json["issue"]["key"], told.json["user"]["displayName"]) == ("PI-2", "Dana Demo")
    items = {each["field"]: each for each in told.json["changelog"]["items"]}
    assert (items["status"]["fromString"], items["status"]["toString"]) == ("To Do", "Done")
    scheme, _, token = told.headers["Authorization"].partition(" ")
    signed, _, signature = token.rpartition(".")
    header, claims = (json.loads(_decoded(each)) for each in signed.split("."))
    assert (scheme, header) == ("Bearer", {"typ": "JWT", "alg": "HS256"})
    assert (claims["iss"], claims["exp"] - claims["iat"]) == ("local-client-id", 180)
    assert _decoded(signature) == _signature(signed)


def test_filters_decide_what_is_told(jira: Caller, app: Caller, receiver: Receiver) -> None:
    _register(app, receiver.url, "project = PI", fieldIdsFilter=["status"])
    jira("PUT", ISSUE, {"fields": {"summary": "Other field"}})
    jira("PUT", "/rest/api/2/issue/SCRUM-1", {"fields": {"summary": "Other project"}})
    jira("POST", "/rest/api/2/issue/SCRUM-1/transitions", {"transition": {"id": "21"}})
    jira("POST", f"{ISSUE}/comment", {"body": "No change of a field"})
    jira("POST", f"{ISSUE}/transitions", {"transition": {"id": "21"}})
    kinds = [(each["event"], each["issue"]) for each in jira.get("/_control/webhooks").json()["deliveries"]]
    assert kinds == [("jira:issue_updated", "PI-2")] * 2  # a comment has no changelog to be filtered by


@pytest.mark.parametrize(
    ("jql", "error"),
    [
        ("project is not EMPTY", "The operator is not is unsupported"),
        ("watchCount = 1", "The clause watchCount is unsupported"),
        ("project = PI AND labels = x", "The clause labels is unsupported"),
        ("NOT project = PI", "The operator NOT is unsupported"),
        ("issuekey > PI-1", "The operator > is unsupported"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("", "The JQL filter is missing"),
    ],
)
def test_errors_of_a_filter_come_with_a_200(app: Caller, receiver: Receiver, jql: str, error: str) -> None:
    good, bad = _register(app, receiver.url, "project IN (PI, SCRUM)", jql)
    assert "createdWebhookId" in good
    assert bad == {"errors": [error]}


def test_one_address_and_five_webhooks_for_an_app(app: Caller, receiver: Receiver) -> None:
    results = _register(app, receiver.url, *["project = PI"] * 6)
    assert ["errors" in each for each in results] == [False] * 5 + [True]
    ids = [each["createdWebhookId"] for each in results[:5]]
    assert app("DELETE", HOOK, {"webhookIds": [*ids[1:], 99]}).status_code == 202
    (other,) = _register(app, receiver.url + "/other", "project = PI")
    assert other == {"errors": ["Only a single URL per app is allowed to be registered."]}
    page = app.get(HOOK).json()
    assert [(each["id"], each["url"]) for each in page["values"]] == [(ids[0], receiver.url)]
    assert app("DELETE", HOOK, {}).status_code == 400


def test_they_end_after_30_days_unless_refreshed(jira: Caller, auth: Auth, receiver: Receiver) -> None:
    def app_now() -> Caller:
        return auth.gateway(auth.tokens(scope=WITH_WEBHOOKS)["access_token"])

    (made,) = _register(app_now(), receiver.url, "project = PI")
    jira.control(clock_offset_seconds=29 * DAY)
    refreshed = app_now()("PUT", f"{HOOK}/refresh", {"webhookIds": [made["createdWebhookId"], 99]}).json()
    jira.control(clock_offset_seconds=58 * DAY)
    (shown,) = app_now().get(HOOK).json()["values"]
    assert shown["expirationDate"] == refreshed["expirationDate"]
    jira("PUT", ISSUE, {"fields": {"summary": "Told"}})
    assert receiver.next().json["issue"]["fields"]["summary"] == "Told"
    jira.control(clock_offset_seconds=60 * DAY)
    assert app_now().get(HOOK).json()["values"] == []
    jira("PUT", ISSUE, {"fields": {"summary": "Not told"}})
    assert len(jira.get("/_control/webhooks").json()["deliveries"]) == 1


def test_an_administrators_webhook_is_signed_over_its_body(jira: Caller, receiver: Receiver) -> None:
    jira("POST", "/_control/webhooks", {"url": receiver.url + "?a=1", "secret": "shared"})
    shown = jira.get("/_control/webhooks")
    assert (shown.json()["webhooks"][0]["secret"], "shared" in shown.text) == (True, False)
    jira("POST", f"{ISSUE}/comment", {"body": "A comment"})
    told = {each.json["webhookEvent"]: each for each in (receiver.next(), receiver.next())}
    assert told.keys() == {"comment_created", "jira:issue_updated"}
    assert told["comment_created"].json["comment"]["body"] == "A comment"
    for each in told.values():
        assert each.path == "/hook?a=1"
        digest = hmac.new(b"shared", each.body, hashlib.sha256).hexdigest()
        assert each.headers["X-Hub-Signature"] == f"sha256={digest}"
        assert "Authorization" not in each.headers
        assert "matchedWebhookIds" not in each.json


def test_every_change_is_told_wherever_it_is_made(jira: Caller, receiver: Receiver) -> None:
    jira(
        "POST",
        "/_control/webhooks",
        {"url": receiver.url, "events": ["jira:issue_updated", "jira:issue_deleted"]},
    )
    form = {"status": "10001", "account": ROBIN.account_id}
    jira.session.post(jira.base_url + "/browse/PI-2", data=form, timeout=60)
    by_page = receiver.next().json
    assert (by_page["user"]["displayName"], by_page["issue"]["fields"]["status"]["name"]) == (
        "Robin Reed",
        "Done",
    )
    jira("POST", "/_control/move", {"issue": "PI-2", "project": "SCRUM"})
    moved = receiver.next().json
    assert (moved["issue_event_type_name"], moved["issue"]["key"]) == ("issue_moved", "SCRUM-13")
    jira("DELETE", "/rest/api/2/issue/SCRUM-13")
    assert receiver.next().json["webhookEvent"] == "jira:issue_deleted"


def test_a_call_that_is_not_taken_is_repeated(jira: Caller, receiver: Receiver) -> None:
    jira.control(webhooks={"retry_seconds": 0})
    jira("POST", "/_control/webhooks", {"url": receiver.url, "events": ["jira:issue_updated"]})
    receiver.statuses = [503, 429, 401]
    jira("PUT", ISSUE, {"fields": {"summary": "x"}})
    first, second, third = (receiver.next() for _ in range(3))
    assert {each.headers["X-Atlassian-Webhook-Identifier"] for each in (first, second, third)} == {
        first.headers["X-Atlassian-Webhook-Identifier"]
    }
    assert [each.headers.get("X-Atlassian-Webhook-Retry") for each in (first, second, third)] == [
        None,
        "1",
        "2",
    ]
    assert first.body == third.body
    jira("PUT", ISSUE, {"fields": {"summary": "y"}})
    # A 401 is final: the next call is of the next event.
    assert receiver.next().json["issue"]["fields"]["summary"] == "y"


def test_webhooks_are_lost_and_doubled_on_demand(jira: Caller, receiver: Receiver) -> None:
    jira("POST", "/_control/webhooks", {"url": receiver.url, "events": ["jira:issue_updated"]})
    jira.control(webhooks={"lose": 1})
    jira("PUT", ISSUE, {"fields": {"summary": "lost"}})
    jira.control(webhooks={"lose": 0, "double": 1, "delay_ms": 1})
    jira("PUT", ISSUE, {"fields": {"summary": "twice"}})
    assert [receiver.next().json["issue"]["fields"]["summary"] for _ in range(2)] == ["twice", "twice"]


@pytest.mark.parametrize("forge", ["secret", "unsigned", "expired", "none", "HS512", "RS256"])
def test_webhooks_are_forged_on_demand(jira: Caller, app: Caller, receiver: Receiver, forge: str) -> None:
    _register(app, receiver.url, "project = PI")
    jira.control(webhooks={"forge": forge, "scheme": "JWT"})
    jira("PUT", ISSUE, {"fields": {"summary": "x"}})
    authorization = receiver.next().headers.get("Authorization")
    if forge == "unsigned":
        assert authorization is None
        return
    assert authorization is not None
    scheme, _, token = authorization.partition(" ")
    signed, _, signature = token.rpartition(".")
    header, claims = (json.loads(_decoded(each)) for each in signed.split("."))
    assert (scheme, header["alg"]) == ("JWT", forge if forge in ("none", "HS512", "RS256") else "HS256")
    assert (_decoded(signature) == _signature(signed)) is (forge in ("expired", "RS256"))
    if forge == "expired":
        assert claims["exp"] < claims["iat"] + DAY


def test_webhooks_are_kept(tmp_path: Any) -> None:
    from local.atlassian.testing import running

    with running(data_dir=tmp_path) as base_url:
        Caller(base_url)("POST", "/_control/webhooks", {"url": "http://127.0.0.1:9/x", "secret": "s"})
    with running(data_dir=tmp_path) as base_url:
        (kept,) = Caller(base_url).get("/_control/webhooks").json()["webhooks"]
        assert (kept["url"], kept["secret"], kept["site"]) == ("http://127.0.0.1:9/x", True, PLANT_NORTH)
        assert Caller(base_url)("DELETE", "/_control/webhooks").status_code == 204
        assert Caller(base_url).get("/_control/webhooks").json()["webhooks"] == []


def test_transitions_may_be_odd(jira: Caller) -> None:
    path = f"{ISSUE}/transitions"

    def offered(**query: str) -> list[tuple[str, str]]:
        found = jira.get(path, **query).json()["transitions"]
        return [(each["id"], each["to"]["name"]) for each in found]

    jira.control(transitions={"missing": ["To Do"], "doubled": ["Done"]})
    assert offered() == [("21", "In Progress"), ("31", "Done"), ("311", "Done")]
    jira.control(transitions={"missing": [], "doubled": [], "with_screen": ["Done"]})
    screen = jira.get(path, expand="transitions.fields").json()["transitions"][2]
    assert (screen["hasScreen"], screen["fields"]["resolution"]["required"]) == (True, True)
    refused = jira("POST", path, {"transition": {"id": "31"}})
    assert (refused.status_code, refused.json()["errors"]) == (400, {"resolution": "Resolution is required."})
    done = {"transition": {"id": "31"}, "fields": {"resolution": {"name": "Done"}}}
    assert jira("POST", path, {**done, "transition": {"id": "21"}}).status_code == 400
    jira.control(transitions={"forbidden": ["Done"]})
    assert "is not valid for the current state" in jira("POST", path, done).json()["errorMessages"][0]
    assert jira.field("PI-2", "status")["name"] == "To Do"
    jira.control(transitions={"forbidden": []})
    assert jira("POST", path, done).status_code == 204
    assert jira.field("PI-2", "status")["name"] == "Done"
    assert (
        DANA.display_name
        == jira.get(ISSUE, expand="changelog").json()["changelog"]["histories"][0]["author"]["displayName"]
    )
