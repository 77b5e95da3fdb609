"""Webhooks at Jira: the administrator's secret, and those that are registered for an OAuth connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobticket.clock import Deadline
from jobticket.jira.errors import JiraError
from jobticket.ticketing.webhook_store import Registration
from tests.support.gateway import LambdaContext
from tests.unit.ticketing.conftest import INTEGRATION, Shop


def registrations(shop: Shop) -> list[tuple[str, str]]:
    return [call for call in shop.atlassian.asked() if "webhook" in call[1]]


def test_the_secret_is_shown_once_and_kept_sealed(shop: Shop, function: Any) -> None:
    answer = shop.api.post(f"{INTEGRATION}/webhook")
    assert answer.status == 200
    made = answer.json()
    assert made["url"].endswith("/api/webhooks/jira")
    assert function.webhooks.store.secret(1) == made["secret"]
    items = shop.table.get("WEBHOOK#1", "WEBHOOK")
    assert made["secret"].encode() not in str(items).encode()
    assert made["secret"] not in shop.api.get(INTEGRATION).text
    again = shop.api.post(f"{INTEGRATION}/webhook").json()["secret"]
    assert again != made["secret"]
    assert function.webhooks.store.secret(1) == again


def test_without_an_integration_there_is_no_secret(shop: Shop) -> None:
    assert shop.api.delete(INTEGRATION).status == 204
    assert shop.api.post(f"{INTEGRATION}/webhook").status == 404


def test_tickets_are_followed_once_there_is_a_webhook(shop: Shop) -> None:
    number = shop.anomaly()["id"]
    shop.link(number, "PI-2")
    shop.worker.run()
    shop.api.post(f"{INTEGRATION}/webhook")
    answer = shop.worker.module.handler({"sweep": True}, LambdaContext(remaining_ms=60_000))
    assert answer["changed"] == 1


def test_a_connection_that_may_not_registers_nothing(shop: Shop) -> None:
    assert shop.api.put(INTEGRATION, {}).status == 200
    assert registrations(shop) == []


class Registered:
    """Stands for Jira's registration."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids: set[int] = set()
        self.extended = 0
        self.until = datetime.now(UTC) + timedelta(days=30)
        path = "jobticket.jira.dynamic_webhooks"
        monkeypatch.setattr(f"{path}.register", self.register)
        monkeypatch.setattr(f"{path}.registered", lambda _client, _url: sorted(self.ids))
        monkeypatch.setattr(f"{path}.remove", lambda _client, ids: self.ids.difference_update(ids))
        monkeypatch.setattr(f"{path}.extend", self.extend)

    def register(self, _client: Any, _url: str, projects: list[str]) -> int:
        assert "MISC" in projects
        self.ids.add(max(self.ids, default=0) + 1)
        return max(self.ids)

    def extend(self, _client: Any, ids: tuple[int, ...]) -> datetime:
        assert set(ids) == self.ids
        self.extended += 1
        return self.until


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, function: Any) -> Registered:
    monkeypatch.setattr(type(function.webhooks), "_may_register", lambda _self, _stored: True)
    monkeypatch.setattr(
        type(function.webhooks),
        "_client",
        lambda webhooks, _registration, deadline: None,
    )
    return Registered(monkeypatch)


def test_saving_registers_anew_and_removing_removes(
    shop: Shop, registered: Registered, function: Any
) -> None:
    assert shop.api.put(INTEGRATION, {}).status == 200
    assert shop.api.put(INTEGRATION, {}).status == 200
    assert len(registered.ids) == 1
    assert function.webhooks.store.registration(1).webhook_ids == tuple(registered.ids)
    assert shop.api.delete(INTEGRATION).status == 204
    assert registered.ids == set()
    assert function.webhooks.store.registration(1) is None


def test_a_webhook_is_extended_in_time_and_not_before(
    shop: Shop, registered: Registered, function: Any
) -> None:
    shop.api.put(INTEGRATION, {})
    now, deadline = datetime.now(UTC), Deadline.after(60)
    function.webhooks.extend(now + timedelta(days=10), deadline)
    assert registered.extended == 0
    registered.until = now + timedelta(days=46)
    function.webhooks.extend(now + timedelta(days=16), deadline)
    assert registered.extended == 1
    function.webhooks.extend(now + timedelta(days=17), deadline)
    assert registered.extended == 1


def test_one_that_cannot_be_extended_is_told_of_before_it_ends(
    shop: Shop, registered: Registered, function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, counted = datetime.now(UTC), list[str]()
    function.webhooks.store.register(1, Registration("x", (1,), now + timedelta(days=14)))

    def fails(_client: Any, _ids: Any) -> datetime:
        raise JiraError("no")

    monkeypatch.setattr("jobticket.jira.dynamic_webhooks.extend", fails)
    monkeypatch.setattr(
        "jobticket.ticketing.webhook_registration.count", lambda name, value: counted.append(name)
    )
    function.webhooks.extend(now, Deadline.after(60))
    assert counted == []
    function.webhooks.extend(now + timedelta(days=10), Deadline.after(60))
    assert counted == ["WebhooksExpiring"]
