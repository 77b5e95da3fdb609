"""A client for a connection's name, of every kind, and what getting one costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobticket.aws import ConflictTimeoutError
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.connections.tokens import LEASE
from jobticket.connections.vault import VaultError
from jobticket.http.addresses import AddressPolicy
from jobticket.http.session import new_session
from jobticket.jira.errors import JiraAddressRefusedError, JiraRefusedCredentialsError
from jobticket.store.table import Update
from tests.unit.connections.conftest import Product

ISSUE = "/rest/api/2/issue/{issue}"


@pytest.fixture
def access(product: Product) -> JiraAccess:
    made: JiraAccess = product.connections.access
    return made


def by_credentials(product: Product, credentials: str = "demo@example.com:local-api-token") -> None:
    body = {"provider": "jira", "host": product.atlassian.url, "credentials": credentials}
    answered = product.backend.put("/api/backend/connections/team-1/api-token", body)
    assert answered.status == 200, answered.text


def deadline() -> Deadline:
    return Deadline.after(20)


def test_by_consent(product: Product, access: JiraAccess, calls: list[str]) -> None:
    product.walk().to_connection()
    access.client_for("team-1", deadline=deadline())
    calls.clear()
    client = access.client_for("team-1", deadline=deadline())
    assert calls == ["dynamodb:Query"]
    assert client.get(ISSUE, issue="PI-7")["key"] == "PI-7"
    assert (client.is_cloud, client.site.quota_key) == (True, "oauth")
    assert client.browse_url("PI-7") == f"{product.atlassian.url}/browse/PI-7"
    assert client.site.api_url.startswith(f"{product.atlassian.url}/ex/jira/")


def test_by_api_token(product: Product, access: JiraAccess, calls: list[str]) -> None:
    by_credentials(product)
    calls.clear()
    client = access.client_for("team-1", deadline=deadline())
    assert calls == ["dynamodb:Query"]
    assert client.get(ISSUE, issue="PI-7")["key"] == "PI-7"
    assert client.site.quota_key == product.atlassian.url
    connection = access.connection("team-1")
    calls.clear()
    access.client_of(connection, deadline=deadline())
    assert calls == []


def test_by_personal_access_token(product: Product, access: JiraAccess) -> None:
    product.atlassian.control(data_center=True)
    by_credentials(product, "local-personal-token")
    client = access.client_for("team-1", deadline=deadline())
    assert not client.is_cloud
    assert client.get(ISSUE, issue="PI-7")["key"] == "PI-7"


def test_together_with_what_it_is_for(product: Product, access: JiraAccess, calls: list[str]) -> None:
    product.walk().to_connection()
    access.client_for("team-1", deadline=deadline())
    calls.clear()
    connection, client = access.connected("team-1", deadline=deadline())
    assert calls == ["dynamodb:Query"]
    assert (connection.site_name, connection.selected_project_id) == ("Plant North", None)
    assert client.is_cloud


def test_an_expired_token_is_refreshed_on_the_way(product: Product, access: JiraAccess) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=1)
    assert access.client_for("team-1", deadline=deadline()).get(ISSUE, issue="PI-7")["key"] == "PI-7"
    assert product.atlassian.token_calls() == 1


def test_a_refused_token_is_renewed_once(product: Product, access: JiraAccess) -> None:
    product.walk().to_connection()
    client = access.client_for("team-1", deadline=deadline())
    product.atlassian.control(faults=[{"path": "/issue/PI-7", "status": 401}])
    assert client.get(ISSUE, issue="PI-7")["key"] == "PI-7"
    assert product.atlassian.token_calls() == 1
    product.atlassian.control(faults=[{"path": "/issue/PI-7", "status": 401, "times": None}])
    with pytest.raises(JiraRefusedCredentialsError):
        client.get(ISSUE, issue="PI-7")
    assert product.atlassian.token_calls() == 2


def test_a_grant_that_was_revoked_shows_at_the_first_refusal(product: Product, access: JiraAccess) -> None:
    product.walk().to_connection()
    client = access.client_for("team-1", deadline=deadline())
    product.atlassian.revoke()
    with pytest.raises(ReauthorizationNeededError):
        client.get(ISSUE, issue="PI-7")
    assert product.validity()["is_invalid"] is True


def test_no_connection(access: JiraAccess) -> None:
    with pytest.raises(ConnectionNotFoundError) as caught:
        access.client_for("team-1", deadline=deadline())
    assert (caught.value.status, caught.value.message) == (401, "Connection not found")
    assert caught.value.explanation == "The Jira connection team-1 does not exist"


def test_a_dead_one(product: Product, access: JiraAccess) -> None:
    product.walk().to_connection()
    product.atlassian.revoke()
    product.elapsed += timedelta(hours=1)
    for _ in range(2):
        with pytest.raises(ReauthorizationNeededError) as caught:
            access.client_for("team-1", deadline=deadline())
    assert caught.value.details == {"needs_reauthorization": True}
    assert caught.value.explanation == "The Jira connection team-1 must be authorized again"


def test_one_that_cannot_be_refreshed_for_now(product: Product, access: JiraAccess) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=1)
    product.atlassian.control(faults=[{"path": "/oauth/token", "status": 500}])
    with pytest.raises(ConnectionUnavailableError) as caught:
        access.client_for("team-1", deadline=deadline())
    assert "team-1" in caught.value.explanation


def test_one_whose_new_token_cannot_be_written_for_now(
    product: Product, access: JiraAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=1)

    def contended(*_: Any, **__: Any) -> None:
        raise ConflictTimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(access.store.table, "transact", contended)
        with pytest.raises(ConnectionUnavailableError):
            access.client_for("team-1", deadline=deadline())
    product.elapsed += LEASE
    assert access.client_for("team-1", deadline=deadline()).get("/rest/api/2/myself")


def test_a_host_that_is_not_allowed_any_more(
    product: Product, access: JiraAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses are looked at whenever a connection is used, not only when it is made."""
    by_credentials(product)
    with new_session(AddressPolicy()) as strict:
        monkeypatch.setattr(access, "session", strict)
        with pytest.raises(JiraAddressRefusedError):
            access.client_for("team-1", deadline=deadline()).get("/rest/api/2/myself")
    assert product.atlassian.asked("/rest/api/2/myself")[1:] == []


def _change_row(access: JiraAccess, **attributes: str) -> None:
    access.store.table.update(Update("CONNECTION#jira#team-1", "CONNECTION", set=attributes))


def test_a_row_pointed_elsewhere_gives_no_credentials_away(product: Product, access: JiraAccess) -> None:
    by_credentials(product)
    _change_row(access, api_url="https://evil.example")
    with pytest.raises(VaultError):
        access.client_for("team-1", deadline=deadline())


def test_a_row_pointed_elsewhere_gives_no_access_token_away(product: Product, access: JiraAccess) -> None:
    product.walk().to_connection()
    _change_row(access, api_url="https://evil.example")
    client = access.client_for("team-1", deadline=deadline())
    assert client.site.api_url.startswith(f"{product.atlassian.url}/ex/jira/")
