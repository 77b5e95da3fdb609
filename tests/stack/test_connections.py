"""Connections by consent on the deployed stack: made over HTTP, pushed through, kept, and nowhere in clear."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from jobticket.connections.model import ConnectionId
from jobticket.connections.store import partition
from tests.consent_flow import DATA_TEAM, PLANT_NORTH, Atlassian, Browser, Walk, over_http
from tests.deployed import Stack

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
    before = team.call("GET", "/api/settings")
    chosen = {"enabled": True, "pushEnabled": True, "externalId": team.external_id, "projectKey": "PI"}
    team.call("PUT", "/api/settings", chosen)
    made = team.call(
        "POST", "/api/jobs", {"name": "JOB-7", "goalQuantity": 5, "jiraTicketKey": "PI-7"}, status=201
    )
    route = {"jobId": made["id"], "name": "Main Route", "goalQuantity": 5, "steps": [{"name": "CNC"}]}
    team.call("POST", "/api/paths", route, status=201)
    yield made["id"]
    kept = {name: before[name] for name in ("enabled", "pushEnabled", "externalId") if name in before}
    team.call("PUT", "/api/settings", kept)


def push(team: Team, job: str) -> Any:
    return team.call("POST", "/api/jira/push", {"jobId": job})


def test_the_whole_way(team: Team) -> None:
    team.walk.to_choice(
        team.external_id, sites=(PLANT_NORTH, DATA_TEAM), return_url="http://localhost:3000/x"
    )
    page = team.walk.page()
    assert page.status == 200
    assert "Plant North" in page.text
    assert team.walk.create(DATA_TEAM).json() == {"success": True, "return_url": "http://localhost:3000/x"}
    listed = team.call("GET", "/api/backend/connections?limit=500")["connections"]
    (mine,) = [entry for entry in listed if entry["external_id"] == team.external_id]
    assert (mine["kind"], mine["site_name"], mine["status"]) == ("oauth", "Data Team", "valid")
    assert set(team.token()) == {"access_token", "expires_at"}
    team.call("DELETE", f"/api/backend/connections/{team.external_id}", status=204)
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


def test_no_row_and_no_log_holds_a_secret_in_clear(team: Team) -> None:
    minted = team.call(
        "POST",
        "/api/backend/connect-sessions",
        {"provider": "jira", "external_id": team.external_id},
        status=201,
    )
    begun = team.walk.initiate(team.external_id, headers={"x_connect_token": minted["connect_token"]})
    state = begun.json()["authorization_uri"].split("state=")[1].split("&")[0]
    rows = [_rows(team)]
    team.walk.come_back(team.walk.consent(begun.json()["authorization_uri"]))
    rows.append(_rows(team))
    team.walk.create()
    rows.append(_rows(team))
    query = f"provider=jira&external_id={team.external_id}"
    credentials = team.call("GET", f"/api/backend/connection-info/get-connection-credentials?{query}")
    secrets = [minted["connect_token"], state, team.walk.code, *team.walk.browser.cookies.values()]
    secrets += [credentials["refresh_token"], team.token()["access_token"]]
    logged = (team.stack.data_dir / "ministack.log").read_text(errors="replace") + _logs(team)
    assert '"message":"answered"' in logged
    written = "".join([*rows, logged])
    assert team.external_id in written
    assert [secret for secret in secrets if secret and secret in written] == []


def _logs(team: Team) -> str:
    """Return what the functions have logged: every event of every log group."""
    logs = team.stack.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    return "\n".join(
        event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    )


def _rows(team: Team) -> str:
    pages = team.dynamodb.get_paginator("scan").paginate(TableName=team.table)
    return "".join(repr(item) for page in pages for item in page["Items"])
