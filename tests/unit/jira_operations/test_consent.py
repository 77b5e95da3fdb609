"""The operations over a connection by consent: the scopes suffice, and calls go to the chosen site."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from jobticket.store.table import Update
from local.atlassian.default_data import PLANT_NORTH, PLANT_SOUTH
from tests.support.consents import store_consent
from tests.unit.atlassian.conftest import Auth
from tests.unit.conftest import gateway
from tests.unit.jira_operations.conftest import Atlassian, Jira
from tests.unit.jira_operations.test_refusals import READS, WRITES, call


@pytest.fixture
def consent(function: ModuleType, atlassian: Atlassian, monkeypatch: pytest.MonkeyPatch) -> Jira:
    """A connection whose user granted two sites and chose one."""
    monkeypatch.setattr(function.access.app, "_auth_url", atlassian.url)
    monkeypatch.setattr(function.access.app, "_api_url", atlassian.url)
    granted = Auth(atlassian.url).tokens(PLANT_NORTH, PLANT_SOUTH)
    store(function, atlassian, granted["refresh_token"], granted["access_token"])
    return Jira(gateway(function), "consent")


def store(function: ModuleType, atlassian: Atlassian, refresh_token: str, access_token: str) -> None:
    store_consent(
        function.access.store.table,
        function.access.vault,
        "consent",
        refresh_token=refresh_token,
        access_token=access_token,
        api_url=atlassian.url,
        site_id=PLANT_NORTH,
    )
    atlassian.forget()


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_every_operation(consent: Jira, atlassian: Atlassian, name: str) -> None:
    changes: dict[str, Any] = {"include_sprint": "true"} if name == "get-tickets-for-project" else {}
    answer = call(consent, name, **changes)
    assert answer.status in {200, 201, 204}, answer.text
    asked = [each["path"] for each in atlassian.asked()]
    assert asked
    assert all(path.startswith(f"/ex/jira/{PLANT_NORTH}/rest/") for path in asked)


def test_a_long_list(consent: Jira, atlassian: Atlassian) -> None:
    atlassian.create(project="LONG", count=450)
    found = call(consent, "get-tickets-for-project", jira_project_id="LONG").json()
    assert [each["key"] for each in found["tickets"]] == [f"LONG-{number}" for number in range(450, 0, -1)]


def test_calls_side_by_side_refresh_a_refused_token_once(
    consent: Jira, function: ModuleType, atlassian: Atlassian
) -> None:
    atlassian.create(project="LONG", count=900)
    store(function, atlassian, Auth(atlassian.url).tokens(PLANT_NORTH)["refresh_token"], "withdrawn")
    found = call(consent, "get-tickets-for-project", jira_project_id="LONG")
    assert (found.status, found.json()["total"]) == (200, 900)
    assert atlassian.count("POST", "/oauth/token") == 1


def test_a_grant_that_is_revoked(consent: Jira, atlassian: Atlassian) -> None:
    atlassian.session.post(f"{atlassian.url}/_control/revoke", json={})
    answer = call(consent, "get-projects")
    assert answer.status == 403
    assert answer.json()["needs_reauthorization"] is True


def test_atlassian_in_trouble_is_no_reason_to_connect_again(
    consent: Jira, function: ModuleType, atlassian: Atlassian
) -> None:
    atlassian.fault(
        {"path": "/rest/", "status": 401, "times": None, "body": {}},
        {"path": "/oauth/token", "status": 503, "times": None},
    )
    answer = call(consent, "create-ticket")
    assert (answer.status, answer.json()["error"]) == (503, "Failed to refresh access token")
    assert not function.access.connection("consent").invalid


def test_a_renewed_token_that_is_refused_tells_which_scopes_the_consent_lacks(
    consent: Jira, function: ModuleType, atlassian: Atlassian
) -> None:
    row = Update("CONNECTION#jira#consent", "CONNECTION", set={"scopes": "read:jira-work"})
    function.access.store.table.update(row)
    atlassian.fault({"path": "/rest/", "status": 401, "times": None, "body": {"message": "No."}})
    answer = call(consent, "get-projects")
    assert answer.status == 403
    assert answer.json() == {
        "error": "Connection is invalid or expired. Please reauthorize the connection.",
        "needs_reauthorization": True,
        "missing_scopes": ["write:jira-work", "read:jira-user"],
        "details": {"errorMessages": ["No."]},
    }
    assert atlassian.count("POST", "/oauth/token") == 1
