"""Webhooks at Jira: the administrator's secret, and those that are registered for an OAuth connection."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobticket.clock import Deadline
from jobticket.jira.errors import JiraError
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
        self.asked: list[str] = []
        self.until = datetime.now(UTC) + timedelta(days=30)
        path = "jobticket.jira.dynamic_webhooks"
        monkeypatch.setattr(f"{path}.register", self.register)
        monkeypatch.setattr(f"{path}.registered", self.registered)
        monkeypatch.setattr(f"{path}.remove", lambda _client, ids: self.ids.difference_update(ids))
        monkeypatch.setattr(f"{path}.extend", self.extend)

    def registered(self, _client: Any, url: str) -> list[int]:
        assert url == "http://127.0.0.1:8000/api/webhooks/jira"
        self.asked.append("list")
        return sorted(self.ids)

    def register(self, _client: Any, _url: str, projects: list[str]) -> int:
        self.asked.append("register")
        assert "MISC" in projects
        self.ids.add(max(self.ids, default=0) + 1)
        return max(self.ids)

    def extend(self, _client: Any, ids: tuple[int, ...]) -> datetime:
        assert set(ids) == self.ids
        self.asked.append("extend")
        return self.until


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, function: Any) -> Registered:
    monkeypatch.setattr(type(function.webhooks), "_may_register", lambda _self, _stored: True)
    monkeypatch.setattr(
        type(function.webhooks),
        "_client",
        lambda webhooks, registration, deadline: webhooks.access.client_for(
            registration.external_id, "ticketing", deadline=deadline
        ),
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


@pytest.fixture
def asked(registered: Registered, shop: Shop) -> list[str]:
    """What the keeper asks Jira for, with a webhook of today."""
    registered.until = datetime.now(UTC) + timedelta(days=45)
    assert shop.api.put(INTEGRATION, {}).status == 200
    registered.asked.clear()
    return registered.asked


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([0, 0.5], []),
        ([1, 1.01, 1.5], ["list"]),
        ([14], ["list"]),
        ([16, 16.5], ["list", "extend"]),
        ([16, 17, 18], ["list", "extend", "list", "list"]),
    ],
)
def test_a_webhook_is_checked_once_a_day_and_extended_in_time(
    asked: list[str], function: Any, days: list[float], expected: list[str]
) -> None:
    now = datetime.now(UTC)
    for day in days:
        function.webhooks.keep(now + timedelta(days=day), Deadline.after(60))
    assert asked == expected


@pytest.mark.parametrize("days", [2, 40])
def test_a_webhook_that_jira_forgot_or_that_expired_is_registered_again(
    asked: list[str], registered: Registered, function: Any, days: int
) -> None:
    registered.ids.clear()
    now = datetime.now(UTC) + timedelta(days=days)
    function.webhooks.keep(now, Deadline.after(60))
    function.webhooks.keep(now, Deadline.after(60))
    assert asked == ["list", "register"]
    kept = function.webhooks.store.registration(1)
    assert kept.webhook_ids == tuple(registered.ids)
    assert kept.expires_at - now > timedelta(days=29)


def test_what_another_connection_registered_is_left_to_expire(asked: list[str], function: Any) -> None:
    kept = function.webhooks.store.registration(1)
    function.webhooks.store.register(1, replace(kept, external_id="another"))
    function.webhooks.keep(datetime.now(UTC) + timedelta(days=16), Deadline.after(60))
    assert asked == []


def test_one_that_cannot_be_kept_is_told_of_before_it_ends(
    asked: list[str], function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, counted = datetime.now(UTC), list[str]()

    def fails(_client: Any, _url: str) -> list[int]:
        raise JiraError("no")

    monkeypatch.setattr("jobticket.jira.dynamic_webhooks.registered", fails)
    monkeypatch.setattr(
        "jobticket.ticketing.webhook_registration.count", lambda name, value: counted.append(name)
    )
    for day in (14, 24):
        function.webhooks.keep(now + timedelta(days=day), Deadline.after(60))
        assert counted == []
    for day in (26, 40):
        function.webhooks.keep(now + timedelta(days=day), Deadline.after(60))
    assert counted == ["WebhooksExpiring"] * 2
    assert asked == []


@pytest.mark.parametrize("works", [True, False])
def test_another_connection_removes_what_the_former_one_registered(
    asked: list[str],
    registered: Registered,
    function: Any,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    works: bool,
) -> None:
    kept, former = function.webhooks.store.registration(1), list[str]()
    function.webhooks.store.register(1, replace(kept, external_id="former", webhook_ids=(77,)))
    registered.ids = {77}

    def client_of(_webhooks: Any, registration: Any, _deadline: Deadline) -> None:
        former.append(registration.external_id)
        if not works:
            raise JiraError("no")

    monkeypatch.setattr(type(function.webhooks), "_client", client_of)
    monkeypatch.setattr("jobticket.jira.dynamic_webhooks.registered", lambda _client, _url: [])
    assert shop.api.put(INTEGRATION, {}).status == 200
    assert former == ["former"]
    assert (77 in registered.ids) is not works
    now = function.webhooks.store.registration(1)
    assert now.external_id == kept.external_id
    assert set(now.webhook_ids) == registered.ids - {77}
    monkeypatch.setattr(type(function.webhooks), "_may_register", lambda _self, _stored: False)
    function.webhooks.store.register(1, replace(kept, external_id="former"))
    assert shop.api.put(INTEGRATION, {}).status == 200
    assert function.webhooks.store.registration(1) is None
