"""Who connected, replaced and removed a connection, and when it stopped working: recorded with the change."""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from jobticket.clock import Deadline
from jobticket.history.events import event_of
from jobticket.store.table import plain_item
from tests.support.gateway import Gateway
from tests.unit.conftest import client, gateway
from tests.unit.connections.conftest import MYSELF, Product, sent_twice
from tests.unit.jira.wire import WireJira, answer

OF_TEAM = "/api/backend/connections/team-1"
SECRET = "ATATT-very-secret"


def history(api: Gateway, query: str = "") -> list[dict[str, Any]]:
    answered = api.get(f"{OF_TEAM}/history{query}")
    assert answered.status == 200, answered.text
    told: list[dict[str, Any]] = answered.json()
    return told


def done(api: Gateway) -> list[tuple[str, str]]:
    return [(each["action"], each["by"]) for each in history(api)]


def put(api: Gateway, jira: WireJira) -> None:
    body = {"provider": "jira", "host": jira.url, "credentials": f"mia@example.com:{SECRET}"}
    assert api.put(f"{OF_TEAM}/api-token", body).status == 200


def test_credentials_from_the_first_to_the_removal(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF), answer(401), answer(401), answer(body=MYSELF), answer(body=MYSELF)]
    put(api, jira)
    for _ in range(3):
        api.post(f"{OF_TEAM}/test")
    put(api, jira)
    api.delete(OF_TEAM)
    assert done(api) == [
        ("authorized", "every-scope"),
        ("marked_invalid", "Jira"),
        ("marked_valid", "Jira"),
        ("reauthorized", "every-scope"),
        ("removed", "every-scope"),
    ]
    first = history(api, "?limit=1")[0]
    assert {name: first[name] for name in first if name != "at"} == {
        "action": "authorized",
        "by": "every-scope",
        "kind": "api_token",
        "site_url": jira.url,
    }
    assert SECRET not in repr(client("dynamodb").scan(TableName="history")["Items"])


def test_pages(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF)] * 3
    for _ in range(3):
        put(api, jira)
    whole = history(api)
    first = api.get(f"{OF_TEAM}/history?limit=2")
    cursor = first.headers["x-next-cursor"]
    rest = api.get(f"{OF_TEAM}/history?cursor={cursor}")
    assert [*first.json(), *rest.json()] == whole
    assert "x-next-cursor" not in rest.headers
    other = api.get(f"/api/backend/connections/team-2/history?cursor={cursor}")
    assert (other.status, other.json()) == (400, {"error": "Invalid cursor"})


def test_what_is_not_there(api: Gateway) -> None:
    assert api.delete(OF_TEAM).status == 204
    answered = api.get(f"{OF_TEAM}/history")
    assert (answered.status, answered.json()) == (401, {"error": "Connection not found"})


def test_lost_answers_record_nothing_twice(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF), answer(401)]
    for change in (
        lambda: put(api, jira),
        lambda: api.post(f"{OF_TEAM}/test"),
        lambda: api.delete(OF_TEAM),
    ):
        with sent_twice("TransactWriteItems") as repeated:
            change()
        assert repeated
    assert [action for action, _ in done(api)] == ["authorized", "marked_invalid", "removed"]


def test_a_consent_that_dies_and_is_given_anew(product: Product) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=2)
    product.atlassian.revoke()
    for _ in range(2):
        assert product.access_token().status == 403
    product.elapsed += timedelta(minutes=1)
    product.walk().to_connection()
    assert done(product.backend) == [
        ("authorized", "consent"),
        ("marked_invalid", "Atlassian"),
        ("reauthorized", "consent"),
    ]
    assert sent("Connection Needs Authorization") == [{"action": "marked_invalid", "by": "Atlassian"}]


def test_the_keeper_tells_of_an_end_ahead(product: Product) -> None:
    end = product.now() + timedelta(days=20)
    body = {
        "provider": "jira",
        "host": product.atlassian.url,
        "credentials": "demo@example.com:local-api-token",
        "token_expires_at": end.isoformat(),
    }
    product.backend.put(f"{OF_TEAM}/api-token", body)
    for _ in range(2):
        product.keeper.keeper.start_sweep()
        product.keeper.keeper.sweep(Deadline.after(900))
    told = history(product.backend)[1:]
    assert [(each["action"], each["by"], each["days"]) for each in told] == [("expiring", "schedule", 30)]
    (event,) = sent("Connection Expiring")
    assert event["days"] == 30


def sent(kind: str) -> list[dict[str, Any]]:
    """Return the details of a kind of event, without what differs each time."""
    items = map(plain_item, client("dynamodb").scan(TableName="history")["Items"])
    events = [event for item in items if (event := event_of(item)) is not None and event.type == kind]
    assert all(event.detail["externalId"] == "team-1" for event in events)
    return [
        {name: value for name, value in event.detail.items() if name not in ("id", "at", "externalId")}
        for event in events
    ]


@pytest.mark.parametrize("key", ["only-jobs", "only-jira", "only-ticketing", "only-admin"])
def test_needs_the_scope(function: ModuleType, key: str) -> None:
    assert gateway(function, key).get(f"{OF_TEAM}/history").status == 403
