"""Connections by consent on the deployed stack: made over HTTP, pushed through, kept, and nowhere in clear."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jobticket.connections.layout import partition
from jobticket.connections.model import ConnectionId
from tests.support.consent_flow import DATA_TEAM, PLANT_NORTH, Atlassian, Browser, Walk, over_http
from tests.support.deployed import Stack

CREDENTIALS = "demo@example.com:local-api-token"
TICKET = {"project": {"key": "PI"}, "issuetype": {"name": "Task"}, "summary": "Housings"}
_numbers = itertools.count(1)


class Team:
    """Somebody who connects on the stack."""

    def __init__(self, stack: Stack, atlassian: Atlassian) -> None:
        self.stack = stack
        self.atlassian = atlassian
        self.external_id = f"team-{next(_numbers)}"
        self.table = stack.outputs["ConnectionsTableName"]
        self.dynamodb = stack.client("dynamodb")
        self.walk = Walk(Browser(over_http(stack)), atlassian)
        self.api = stack.api()

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self.stack.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def token(self, status: int = 200) -> Any:
        query = f"provider=jira&external_id={self.external_id}"
        return self.call("GET", f"/api/backend/connection-info/get-access-token?{query}", status=status)

    def change_row(self, sort_key: str, attribute: str, value: str) -> None:
        """Change a text in one of the connection's rows: time cannot be told to pass here."""
        key = {"pk": {"S": partition(ConnectionId("jira", self.external_id))}, "sk": {"S": sort_key}}
        self.dynamodb.update_item(
            TableName=self.table,
            Key=key,
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": attribute},
            ExpressionAttributeValues={":value": {"S": value}},
        )

    def expire(self) -> None:
        self.change_row("ACCESS", "usable_until", "2020-01-01T00:00:00.000Z")


@pytest.fixture
def team(stack: Stack) -> Iterator[Team]:
    atlassian = Atlassian(stack.atlassian_url)
    atlassian.reset()
    yield Team(stack, atlassian)
    atlassian.reset()
    atlassian.close()


@pytest.fixture
def job(team: Team) -> Iterator[str]:
    """A job with a ticket, whose pushes go through the team's connection."""
    api = team.api
    before = api.settings.get()
    api.settings.change(enabled=True, push_enabled=True, external_id=team.external_id, project_key="PI")
    made = api.jobs.create(name="JOB-7", goal_quantity=5, jira_ticket_key="PI-7")["id"]
    api.paths.create(job_id=made, name="Main Route", goal_quantity=5, steps=[{"name": "CNC"}])
    yield made
    former = before.get("externalId") or ""
    api.settings.change(enabled=before["enabled"], push_enabled=before["pushEnabled"], external_id=former)


def push(team: Team, job: str) -> Any:
    return team.api.jobs.push(job)


def test_the_whole_way(team: Team) -> None:
    team.walk.to_choice(
        team.external_id, sites=(PLANT_NORTH, DATA_TEAM), return_url="http://localhost:3000/x"
    )
    page = team.walk.page()
    assert page.status == 200
    assert "Plant North" in page.text
    assert team.walk.create(DATA_TEAM).json() == {"success": True, "return_url": "http://localhost:3000/x"}
    (mine,) = [entry for entry in team.api.connections.list() if entry["external_id"] == team.external_id]
    assert (mine["kind"], mine["site_name"], mine["status"]) == ("oauth", "Data Team", "valid")
    assert set(team.token()) == {"access_token", "expires_at"}
    team.api.connections.delete(team.external_id)
    assert team.token(401) == {"error": "Connection not found"}


def test_the_original_paths_slash_is_accepted(team: Team) -> None:
    body = {"provider": "jira", "external_id": team.external_id}
    url = "/api/frontend/oauth/initiate-oauth-flow/"
    assert team.stack.request("POST", url, scope=None, json=body).status_code == 200


def test_a_browser_of_a_configured_origin_is_let_in(team: Team) -> None:
    url = "/api/frontend/oauth/initiate-oauth-flow"
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    answer = team.stack.request("OPTIONS", url, scope=None, headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    other = team.stack.request("OPTIONS", url, scope=None, headers=asked | {"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers


def test_jobs_are_pushed_through_a_consent(team: Team, job: str) -> None:
    team.walk.to_connection(team.external_id)
    assert push(team, job) == {"success": True}
    team.expire()
    assert push(team, job) == {"success": True}


@pytest.mark.parametrize(
    ("given", "kind", "via"),
    [
        ({"credentials": CREDENTIALS}, "api_token", "site"),
        ({"credentials": "scoped@example.com:local-scoped-token"}, "api_token", "gateway"),
        ({"credentials": "local-service-token"}, "api_token", "gateway"),
        (
            {"client_id": "local-service-client", "client_secret": "local-service-secret"},
            "client_credentials",
            "gateway",
        ),
    ],
    ids=["token", "scoped", "service", "client"],
)
def test_a_push_through_a_token_of_any_kind(
    team: Team, job: str, given: dict[str, str], kind: str, via: str
) -> None:
    host = f" {team.stack.atlassian_url}/ "
    told = team.api.connections.put_credentials(team.external_id, provider="jira", host=host, **given)
    assert (told["kind"], told["via"]) == (kind, via)
    assert push(team, job) == {"success": True}


def test_a_push_through_a_dead_grant_says_which(team: Team, job: str) -> None:
    team.walk.to_connection(team.external_id)
    team.expire()
    team.atlassian.revoke()
    error = f"The Jira connection {team.external_id} must be authorized again"
    assert push(team, job) == {"success": False, "error": error}


def test_the_keeper_ends_what_was_left_unfinished(team: Team) -> None:
    team.walk.to_connection(team.external_id)
    team.expire()
    team.atlassian.control(faults=[{"path": "/oauth/token", "drop": "after"}])
    team.token(503)
    team.change_row("CONNECTION", "unfinished_since", "2026-01-01T00:00:00.000Z")
    before = team.atlassian.token_calls()
    answer = team.stack.client("lambda").invoke(
        FunctionName=team.stack.outputs["ConnectionKeeperFunctionName"],
        Payload=json.dumps({"task": "finish"}),
    )
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read())["finished"] >= 1
    assert team.atlassian.token_calls() == before + 1
    team.token()
    assert team.atlassian.token_calls() == before + 1


KINDS = {
    "access_token",
    "client secret",
    "code",
    "connect_token",
    "connection_code",
    "cookie",
    "credentials",
    "key",
    "refresh_token",
    "state",
}


def test_no_row_and_no_log_holds_a_secret_in_clear(team: Team, job: str) -> None:
    """Everything that the session has logged and stored up to here, once there is something of each kind."""
    minted = team.api.connect_sessions.create(team.external_id)
    team.walk.to_choice(team.external_id, headers={"x_connect_token": minted["connect_token"]})
    waiting = team.stack.stored()
    assert team.walk.sites().status == team.walk.create().status == 200
    query = f"provider=jira&external_id={team.external_id}"
    team.call("GET", f"/api/backend/connection-info/get-connection-credentials?{query}")
    team.token()
    team.expire()
    push(team, job)
    team.expire()
    team.atlassian.control(faults=[{"path": "/oauth/token", "status": 500}])
    team.token(503)
    team.api.connections.put_credentials(
        team.external_id, provider="jira", host=team.atlassian.url, credentials=CREDENTIALS
    )
    push(team, job)
    assert team.stack.confidences.kinds() >= KINDS
    assert team.stack.confidences.told_in(waiting) == {}
    assert team.stack.told() == {}
    logged = team.stack.logged()
    assert '"message":"answered"' in logged
    assert '"message":"access token not refreshed"' in logged
    assert team.external_id in waiting


def test_what_is_told_would_be_found(team: Team) -> None:
    """The search itself: one line of a function with a token in it."""
    team.walk.to_connection(team.external_id)
    token = team.token()["access_token"]
    logs = team.stack.client("logs")
    logs.create_log_group(logGroupName="/told")
    try:
        logs.create_log_stream(logGroupName="/told", logStreamName="1")
        event = {"timestamp": int(time.time() * 1000), "message": f"Bearer {token}"}
        logs.put_log_events(logGroupName="/told", logStreamName="1", logEvents=[event])
        assert team.stack.told() == {token: "access_token"}
    finally:
        logs.delete_log_group(logGroupName="/told")
