"""What backends are told about a connection."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import botocore.client
import pytest

from jobticket.connections.tokens import LEASE, MARGIN
from jobticket.store import table as dynamo
from jobticket.store.table import Update
from tests.support.faults import LOST, refused
from tests.unit.conftest import client, gateway, load_function
from tests.unit.connections.conftest import Product

PREFIX = "/api/backend/connection-info/"
ROUTES = ["check-connection-validity", "get-connection-credentials", "get-access-token"]
NAMED = "?provider=jira&external_id=team-1"


def by_credentials(product: Product) -> None:
    answered = product.backend.put(
        "/api/backend/connections/team-1/api-token",
        {
            "provider": "jira",
            "host": product.atlassian.url,
            "credentials": "demo@example.com:local-api-token",
        },
    )
    assert answered.status == 200, answered.text


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "Missing external_id or provider"),
        ("?provider=jira", "Missing external_id or provider"),
        ("?external_id=x", "Missing external_id or provider"),
        ("?external_id=&provider=jira", "Missing external_id or provider"),
        ("?external_id=x&provider=JIRA", "Invalid provider. Ensure that all provider names are lowercase."),
        ("?provider=jira&external_id=" + "x" * 256, "external_id must be a string of 1 to 255 characters"),
    ],
)
def test_faulty_questions(product: Product, route: str, query: str, text: str) -> None:
    answered = product.backend.get(PREFIX + route + query)
    assert (answered.status, answered.json()) == (400, {"error": text})


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("key", ["only-jobs", "only-jira", "only-ticketing", "only-admin"])
def test_needs_the_scope(product: Product, route: str, key: str) -> None:
    answered = gateway(product.connections, key).get(PREFIX + route + NAMED)
    assert (answered.status, answered.json()) == (403, {"error": "This key does not have the scope: tokens"})


def test_a_connection_that_is_not_there(product: Product) -> None:
    assert product.validity() == {"exists": False, "is_expired": False, "is_invalid": False}
    for route in ROUTES[1:]:
        answered = product.backend.get(PREFIX + route + NAMED)
        assert (answered.status, answered.json()) == (401, {"error": "Connection not found"})


def test_a_connection_by_consent(product: Product) -> None:
    product.walk().to_connection()
    validity = product.validity()
    assert set(validity) == {"exists", "is_expired", "is_invalid", "expires_at"}
    assert (validity["exists"], validity["is_expired"], validity["is_invalid"]) == (True, False, False)
    credentials = product.backend.get(PREFIX + "get-connection-credentials" + NAMED)
    assert set(credentials.json()) == {"refresh_token", "expires_at", "is_invalid"}
    issued = product.access_token()
    assert set(issued.json()) == {"access_token", "expires_at"}
    for answered in (credentials, issued):
        assert answered.headers["cache-control"] == "no-store"


def test_a_connection_by_credentials(product: Product) -> None:
    by_credentials(product)
    assert product.validity() == {
        "exists": True,
        "is_expired": False,
        "is_invalid": False,
        "expires_at": None,
    }
    for route in ROUTES[1:]:
        answered = product.backend.get(PREFIX + route + NAMED)
        assert (answered.status, answered.json()) == (400, {"error": "Connection has no OAuth tokens"})
    product.atlassian.control(faults=[{"path": "myself", "status": 401}])
    product.backend.post("/api/backend/connections/team-1/test")
    assert product.validity()["is_invalid"] is True


def test_the_token_works_at_jira(product: Product) -> None:
    product.walk().to_connection()
    tested = product.backend.post("/api/backend/connections/team-1/test").json()
    assert tested["connected"] is True
    assert tested["account"]["displayName"] == "Dana Demo"


def test_a_token_is_refreshed_when_it_must_be_and_not_before(product: Product) -> None:
    product.walk().to_connection()
    first = product.access_token().json()["access_token"]
    product.elapsed += timedelta(hours=1) - MARGIN - timedelta(minutes=1)
    assert product.access_token().json()["access_token"] == first
    assert product.atlassian.token_calls() == 0
    product.elapsed += timedelta(minutes=2)
    assert product.access_token().json()["access_token"] != first
    assert product.atlassian.token_calls() == 1


def test_a_revoked_grant(product: Product) -> None:
    product.walk().to_connection()
    product.atlassian.revoke()
    product.elapsed += timedelta(hours=1)
    for _ in range(2):
        answered = product.access_token()
        assert answered.status == 403
        assert answered.json() == {
            "error": "Connection is invalid or expired. Please reauthorize the connection.",
            "needs_reauthorization": True,
        }
    assert product.atlassian.token_calls() == 1
    assert product.validity()["is_invalid"] is True
    tested = product.backend.post("/api/backend/connections/team-1/test").json()
    assert tested == {
        "connected": False,
        "error": "Connection is invalid or expired. Please reauthorize the connection.",
    }
    credentials = product.backend.get(PREFIX + "get-connection-credentials" + NAMED).json()
    assert credentials["is_invalid"] is True


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "9"}},
        {"drop": "before"},
        {"drop": "after"},
    ],
    ids=["500", "429", "lost before", "lost after"],
)
def test_atlassians_trouble_is_not_the_grants(product: Product, fault: dict[str, Any]) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=1)
    product.atlassian.control(faults=[{"path": "/oauth/token", **fault}])
    answered = product.access_token()
    assert (answered.status, answered.json()) == (503, {"error": "Failed to refresh access token"})
    assert int(answered.headers["retry-after"]) >= 1
    assert product.validity()["is_invalid"] is False
    product.elapsed += timedelta(seconds=int(answered.headers["retry-after"]))
    assert product.access_token().status == 200


def test_jira_refuses_a_cached_token(product: Product) -> None:
    product.walk().to_connection()
    first = product.access_token().json()["access_token"]
    product.atlassian.control(faults=[{"path": "myself", "status": 401}])
    assert product.backend.post("/api/backend/connections/team-1/test").json()["connected"] is True
    assert product.access_token().json()["access_token"] != first
    assert product.atlassian.token_calls() == 1


def test_jira_refuses_the_new_token_as_well(product: Product) -> None:
    product.walk().to_connection()
    product.atlassian.control(faults=[{"path": "myself", "status": 401, "times": None}])
    tested = product.backend.post("/api/backend/connections/team-1/test").json()
    assert tested["connected"] is False
    assert product.atlassian.token_calls() == 1
    assert product.validity()["is_invalid"] is False  # the refresh says that the grant is alive


def test_delete_takes_the_tokens_along(product: Product) -> None:
    product.walk().to_connection()
    assert product.backend.delete("/api/backend/connections/team-1").status == 204
    rows = client("dynamodb").scan(TableName="connections")["Items"]
    assert [row for row in rows if row["pk"]["S"].startswith("CONNECTION#")] == []
    assert product.access_token().status == 401


# --- when AWS is in trouble ---------------------------------------------------------------------------------

THROTTLED = refused("ThrottlingException")
DOWN = refused("InternalServerError", 500)
TROUBLE = {
    "read of the token": ("dynamodb:GetItem", "fresh"),
    "unwrapping of the data key": ("kms:Decrypt", "cold"),
    "read of the data key": ("dynamodb:GetItem", "cold"),
    "read of the connection": ("dynamodb:Query", "expired"),
    "taking of the lease": ("dynamodb:UpdateItem", "expired"),
    "client secret": ("secretsmanager:GetSecretValue", "expired"),
    "writing of the new token": ("dynamodb:TransactWriteItems", "expired"),
}


@pytest.mark.parametrize("error", [THROTTLED, DOWN, LOST], ids=["throttled", "down", "no answer"])
@pytest.mark.parametrize(("operation", "state"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_at_aws_says_nothing_about_the_grant(
    product: Product, monkeypatch: pytest.MonkeyPatch, operation: str, state: str, error: Exception
) -> None:
    product.walk().to_connection()
    access = product.connections.access
    product.access_token()  # the ring of keys is known
    if state == "expired":
        product.elapsed += timedelta(hours=1)
    else:
        monkeypatch.setattr(access.vault, "_data_keys", {})
    access.app._secret.forget()
    call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    skipped = operation == "dynamodb:GetItem" and state == "cold"
    failed: list[str] = []

    def failing(target: Any, asked: str, parameters: Any) -> Any:
        nonlocal skipped
        if f"{target.meta.service_model.service_name}:{asked}" != operation:
            return call(target, asked, parameters)
        if skipped:
            skipped = False
            return call(target, asked, parameters)
        failed.append(asked)
        raise error

    monkeypatch.setattr(dynamo, "CONFLICT_PATIENCE_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", failing)
        answered = product.access_token()
    assert failed
    assert (answered.status, answered.json()) == (503, {"error": "Failed to refresh access token"})
    assert int(answered.headers["retry-after"]) > 0
    product.elapsed += LEASE
    assert product.validity()["is_invalid"] is False
    assert product.access_token().status == 200


def test_an_apps_secret_that_was_spoilt_says_nothing_about_the_grant(product: Product) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=1)
    walk = product.walk()
    sent = walk.consent(walk.initiate("team-2").json()["authorization_uri"])
    with product.monkeypatch.context() as patch:
        for module in (product.oauth, product.connections):
            module.access.app._secret.forget()
            patch.setattr(module.access.app._secret, "_fetch", lambda: '{"client_id":"')
        answered = product.access_token()
        assert (answered.status, answered.json()) == (503, {"error": "Failed to refresh access token"})
        answered = walk.come_back(sent)
        assert (answered.status, answered.json()) == (
            400,
            {"error": "Failed to exchange authorization code for tokens"},
        )
    assert walk.come_back(sent).status == 302
    assert product.validity()["is_invalid"] is False
    assert product.access_token().status == 200
    assert product.atlassian.token_calls() == 1


def test_trouble_at_aws_while_credentials_are_read(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    product.walk().to_connection()
    monkeypatch.setattr(product.connections.access.vault, "_data_keys", {})

    def unwrap(*_: Any) -> bytes:
        raise THROTTLED

    monkeypatch.setattr(product.connections.access.vault, "_unwrap", unwrap)
    answered = product.backend.get(PREFIX + "get-connection-credentials" + NAMED)
    assert answered.status == 503
    assert "retry-after" in answered.headers


# --- what it costs ------------------------------------------------------------------------------------------


def test_a_warm_container_makes_one_read(product: Product, calls: list[str]) -> None:
    product.walk().to_connection()
    product.access_token()
    calls.clear()
    product.access_token()
    assert calls == ["dynamodb:GetItem"]
    assert product.atlassian.token_calls() == 0


def test_a_cold_container_makes_three_calls_more(
    product: Product, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    product.walk().to_connection()
    monkeypatch.delitem(sys.modules, "functions.connections.app", raising=False)
    cold = load_function("connections")
    monkeypatch.delitem(sys.modules, "functions.connections.app")
    calls.clear()
    assert gateway(cold).get(PREFIX + "get-access-token" + NAMED).status == 200
    assert calls == ["secretsmanager:GetSecretValue", "dynamodb:GetItem", "dynamodb:GetItem", "kms:Decrypt"]
    calls.clear()
    gateway(cold).get(PREFIX + "get-access-token" + NAMED)
    assert calls == ["dynamodb:GetItem"]


# --- scopes that a grant lacks ------------------------------------------------------------------------------


def test_tells_which_scopes_a_grant_lacks(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product.oauth.consent, "scopes", "read:jira-work")
    product.walk().to_connection()
    lacks = ["write:jira-work", "read:jira-user"]
    assert product.validity()["missing_scopes"] == lacks
    product.elapsed += timedelta(hours=2)
    assert product.access_token().status == 200
    assert product.validity()["missing_scopes"] == lacks, "a refresh tells again"
    product.atlassian.revoke()
    product.elapsed += timedelta(hours=2)
    for _ in range(2):
        refused = product.access_token()
        assert (refused.status, refused.json()["missing_scopes"]) == (403, lacks)


def test_a_consent_that_jira_refuses_is_no_matter_of_tokens(product: Product) -> None:
    product.walk().to_connection()
    product.atlassian.control(faults=[{"path": "myself", "status": 401, "times": None}])
    tested = product.backend.post("/api/backend/connections/team-1/test").json()
    assert tested == {
        "connected": False,
        "error": "Connection is invalid or expired. Please reauthorize the connection.",
    }


def test_a_grant_that_lacks_no_scope_says_nothing_of_scopes(product: Product) -> None:
    product.walk().to_connection()
    assert "missing_scopes" not in product.validity()
    product.atlassian.revoke()
    product.elapsed += timedelta(hours=2)
    assert "missing_scopes" not in product.access_token().json()


def test_a_connection_from_before_scopes_were_kept(product: Product) -> None:
    product.walk().to_connection()
    row = Update("CONNECTION#jira#team-1", "CONNECTION", remove=["scopes"])
    product.connections.access.store.table.update(row)
    assert "missing_scopes" not in product.validity()


# --- a token endpoint that limits ---------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["9223372036854775807", "86400", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_absurd_pause_of_the_token_endpoint_is_believed_for_an_hour(product: Product, asked: str) -> None:
    for external_id in ("team-1", "team-2"):
        product.walk().to_connection(external_id)
    product.elapsed += timedelta(hours=2)
    product.atlassian.control(
        faults=[{"path": "/oauth/token", "status": 429, "headers": {"Retry-After": asked}}]
    )
    limited = product.access_token()
    assert limited.status == 503
    assert 3600 < int(limited.headers["retry-after"]) <= 86_400
    asked_so_far = product.atlassian.token_calls()
    assert product.access_token("team-2").status == 200, "another connection is not held up"
    held = product.access_token()
    assert (held.status, int(held.headers["retry-after"]) <= 3600) == (503, True)
    assert product.atlassian.token_calls() == asked_so_far + 1
    product.elapsed += timedelta(minutes=61)
    assert product.access_token().status == 200


def test_a_new_authorization_forgets_a_pause(product: Product) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=2)
    product.atlassian.control(
        faults=[{"path": "/oauth/token", "status": 429, "headers": {"Retry-After": "3000"}}]
    )
    assert product.access_token().status == 503
    minted = product.backend.post(
        "/api/backend/connect-sessions", {"provider": "jira", "external_id": "team-1"}
    ).json()["connect_token"]
    walk = product.walk()
    walk.to_choice("team-1", headers={"x_connect_token": minted})
    assert walk.create().status == 200
    assert product.access_token().status == 200
