"""The emulated Jira against Atlassian's published documents: every answer that they describe."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from local.atlassian import agile, issue_parts, issues, metadata, webhook_routes
from local.atlassian.routing import Deployment, Route
from local.atlassian.search import Searches
from local.atlassian.testing import running
from tests.contract.jira_specification import (
    NotDescribedError,
    Specification,
    described_path,
    specifications_folder,
)
from tests.unit.atlassian.conftest import Auth

FOLDER = specifications_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="Atlassian's OpenAPI documents are not here")

ACCOUNT = ("demo@example.com", "local-api-token")
TEXT = {"type": "text", "text": "Some text", "marks": [{"type": "strong"}]}
DOCUMENT = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [TEXT]}]}
V = "/rest/api/{version}"


@dataclass(frozen=True, eq=False)
class Asked:
    """A call; ``{version}`` in the path and ``RICH`` in the body differ between the two versions."""

    method: str
    path: str
    status: int = 200
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None


RICH = object()
NEW_ISSUE = {"project": {"key": "PI"}, "summary": "New", "issuetype": {"id": "10001"}, "description": RICH}
REMOTE_LINK = {
    "globalId": "a=1",
    "relationship": "mentioned in",
    "object": {"url": "http://x.test/", "title": "X"},
}

CALLS = [
    Asked("GET", f"{V}/myself"),
    Asked("GET", f"{V}/serverInfo"),
    Asked("GET", f"{V}/project"),
    Asked("GET", f"{V}/project/search", query={"expand": "lead", "maxResults": 2}),
    Asked("GET", f"{V}/project/10000"),
    Asked("GET", f"{V}/project/NOPE", 404),
    Asked("GET", f"{V}/priority"),
    Asked("GET", f"{V}/priority/search"),
    Asked("GET", f"{V}/issuetype"),
    Asked("GET", f"{V}/issuetype/project", query={"projectId": 10000}),
    Asked("GET", f"{V}/status"),
    Asked("GET", f"{V}/field"),
    Asked("POST", f"{V}/issue", 201, body={"fields": NEW_ISSUE}),
    Asked("POST", f"{V}/issue", 400, body={"fields": {"project": {"key": "NOPE"}}}),
    Asked("PUT", f"{V}/issue/PI-42", 204, body={"fields": {"description": RICH, "summary": "Changed"}}),
    Asked(
        "PUT", f"{V}/issue/PI-42", 204, {"notifyUsers": "false"}, {"update": {"labels": [{"add": "more"}]}}
    ),
    Asked("GET", f"{V}/issue/PI-42", query={"expand": "changelog,renderedFields,names,schema"}),
    Asked("GET", f"{V}/issue/PI-1", query={"fields": "summary,description"}),
    Asked("GET", f"{V}/issue/PI-999", 404),
    Asked("GET", f"{V}/issue/PI-42/changelog", query={"maxResults": 10}),
    Asked("GET", f"{V}/issue/PI-42/transitions"),
    Asked("POST", f"{V}/issue/PI-2/transitions", 204, body={"transition": {"id": "31"}}),
    Asked(
        "POST", f"{V}/issue/PI-42/comment", 201, body={"body": RICH, "properties": [{"key": "k", "value": 1}]}
    ),
    Asked("GET", f"{V}/issue/PI-42/comment", query={"orderBy": "-created", "expand": "properties"}),
    Asked("GET", f"{V}/issue/PI-42/comment/10001"),
    Asked("GET", f"{V}/comment/10001/properties"),
    Asked("GET", f"{V}/comment/10001/properties/k"),
    Asked("PUT", f"{V}/comment/10001/properties/k", body={"value": 2}),
    Asked("PUT", f"{V}/issue/PI-42/properties/jobticket", 201, body={"job": "job_1"}),
    Asked("GET", f"{V}/issue/PI-42/properties"),
    Asked("GET", f"{V}/issue/PI-42/properties/jobticket"),
    Asked("DELETE", f"{V}/issue/PI-42/properties/jobticket", 204),
    Asked("POST", f"{V}/issue/PI-42/remotelink", 201, body=REMOTE_LINK),
    Asked("POST", f"{V}/issue/PI-42/remotelink", 200, body=REMOTE_LINK),
    Asked("GET", f"{V}/issue/PI-42/remotelink"),
    Asked("GET", f"{V}/issue/PI-42/remotelink", query={"globalId": "a=1"}),
    Asked("DELETE", f"{V}/issue/PI-42/remotelink/10001", 204),
    Asked(
        "POST", f"{V}/issue/bulkfetch", body={"issueIdsOrKeys": ["PI-42", "NO-1"], "fields": ["description"]}
    ),
    Asked("GET", f"{V}/issue/picker", query={"query": "PI-4"}),
    Asked("GET", f"{V}/issue/createmeta/PI/issuetypes"),
    Asked("GET", f"{V}/issue/createmeta/PI/issuetypes/10001"),
    Asked(
        "GET",
        f"{V}/search/jql",
        query={"jql": "project = PI", "fields": "summary,description", "maxResults": 5},
    ),
    Asked("POST", f"{V}/search/jql", body={"jql": "project = PI", "maxResults": 5000}),
    Asked("POST", f"{V}/search/jql", 400, body={"jql": "ORDER BY created"}),
    Asked("POST", f"{V}/search/approximate-count", body={"jql": "project = PI"}),
    Asked("DELETE", f"{V}/issue/PI-1", 204),
    Asked("GET", "/rest/agile/1.0/board", query={"projectKeyOrId": "SCRUM"}),
    Asked("GET", "/rest/agile/1.0/board/1"),
    Asked("GET", "/rest/agile/1.0/board/1/issue", query={"maxResults": 2}),
    Asked("GET", "/rest/agile/1.0/board/1/sprint", query={"state": "active"}),
    Asked("GET", "/rest/agile/1.0/board/2/sprint", 400),
    Asked("GET", "/rest/agile/1.0/sprint/2"),
    Asked("GET", "/rest/agile/1.0/sprint/2/issue", query={"fields": "summary,status"}),
]

# What the emulated site serves and the documents do not describe.
UNDESCRIBED = {
    "GET /rest/api/{version}/search": "removed: the documents keep it as deprecated, Cloud answers 410",
    "POST /rest/api/{version}/search": "removed: the documents keep it as deprecated, Cloud answers 410",
}


@pytest.fixture(scope="module")
def specification() -> Specification:
    assert FOLDER is not None
    return Specification(FOLDER)


@pytest.fixture(scope="module", params=["2", "3"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _with_rich_text(value: Any, version: str) -> Any:
    if value is RICH:
        return DOCUMENT if version == "3" else "Some *text*"
    if isinstance(value, dict):
        return {name: _with_rich_text(each, version) for name, each in value.items()}
    return value


@dataclass(frozen=True)
class Answered:
    path: str
    body: Any
    status: int
    answer: Any


@pytest.fixture(scope="module")
def exchanges(version: str) -> dict[Asked, Answered]:
    """Make all calls in the order of the table, as some build on others, on a fresh site for each version."""
    with running() as base_url, requests.Session() as session:
        session.auth = ACCOUNT
        return {asked: _exchange(session, base_url, version, asked) for asked in CALLS}


def _exchange(session: requests.Session, base_url: str, version: str, asked: Asked) -> Answered:
    path = asked.path.replace("{version}", version)
    body = _with_rich_text(asked.body, version)
    response = session.request(asked.method, base_url + path, params=asked.query, json=body, timeout=60)
    return Answered(path, body, response.status_code, response.json() if response.content else None)


def _name(asked: Asked) -> str:
    return f"{asked.method} {asked.path} {asked.status}"


@pytest.mark.parametrize("asked", CALLS, ids=_name)
def test_requests_and_answers_are_as_published(
    specification: Specification, exchanges: dict[Asked, Answered], asked: Asked
) -> None:
    answered = exchanges[asked]
    assert answered.status == asked.status, answered.answer
    problems = specification.answer_problems(asked.method, answered.path, answered.status, answered.answer)
    if asked.status < 400:
        problems += specification.request_problems(asked.method, answered.path, asked.query, answered.body)
    assert problems == []


def _routes() -> list[Route]:
    routes = [*issues.ROUTES, *issue_parts.ROUTES, *metadata.ROUTES, *agile.ROUTES, *Searches().routes()]
    return [route for route in routes if route.deployment is not Deployment.DATA_CENTER]


def _matches(route: Route, asked: Asked) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route.path))
    path = asked.path.replace("{version}", "3")
    return route.method == asked.method and re.fullmatch(pattern, path) is not None


@pytest.mark.parametrize("route", _routes(), ids=lambda route: f"{route.method} {route.path}")
def test_every_route_of_the_emulated_site_is_checked_or_listed(route: Route) -> None:
    checked = any(_matches(route, asked) for asked in CALLS)
    listed = f"{route.method} {route.path}" in UNDESCRIBED
    assert checked or listed
    assert not (checked and listed)


def test_webhooks_are_as_published(specification: Specification) -> None:
    """Only an app may use these routes, so they are called in order here, outside of the table."""
    events = ["jira:issue_updated"]
    filters = [{"events": events, "jqlFilter": each} for each in ("project = PI", "watchCount = 1")]
    calls = [
        Asked("POST", "/rest/api/3/webhook", body={"url": "http://127.0.0.1:9/x", "webhooks": filters}),
        Asked("POST", "/rest/api/3/webhook", 400, body={"url": "x", "webhooks": filters}),
        Asked("GET", "/rest/api/3/webhook"),
        Asked("PUT", "/rest/api/3/webhook/refresh", body={"webhookIds": [1]}),
        Asked("DELETE", "/rest/api/3/webhook", 202, body={"webhookIds": [1]}),
    ]
    assert {(asked.method, asked.path) for asked in calls} == {
        (route.method, route.path.replace("{version}", "3")) for route in webhook_routes.ROUTES
    }
    problems = []
    with running() as base_url:
        auth = Auth(base_url)
        app = auth.gateway(auth.tokens(scope="read:jira-work manage:jira-webhook")["access_token"])
        for asked in calls:
            response = app(asked.method, asked.path, asked.body)
            assert response.status_code == asked.status, response.text
            answer = response.json() if response.content else None
            problems += specification.answer_problems(asked.method, asked.path, asked.status, answer)
            problems += specification.request_problems(asked.method, asked.path, {}, asked.body)
    assert problems == []


def test_the_judge_finds_faults(specification: Specification) -> None:
    problems = specification.request_problems
    assert problems("GET", "/ex/jira/1/rest/api/2/project/search", {"maxResults": "many", "foo": "1"}) == [
        "query parameter maxResults: 'many' is not an integer",
        "query parameter foo is not described",
    ]
    assert problems("POST", "/rest/api/2/issue/PI-1/comment", {}, {"body": DOCUMENT})
    assert problems("POST", "/rest/api/3/issue/PI-1/comment", {}, {"body": "text"})
    assert problems("POST", "/rest/api/2/issue/bulkfetch", {}, {"issueIdsOrKeys": [1]})
    assert problems("POST", "/rest/api/2/issue/bulkfetch") == ["a body is required"]
    assert problems("GET", "/rest/api/2/myself", {}, {"a": 1}) == ["a body is not expected"]
    assert specification.answer_problems("GET", "/rest/api/2/project/search", 200, {"values": [{"id": 1}]})
    assert specification.answer_problems("GET", "/rest/api/2/myself", 204)
    with pytest.raises(NotDescribedError):
        problems("GET", "/rest/api/2/nothing")


def test_paths_are_found_without_gateway_and_version() -> None:
    assert described_path("/ex/jira/abc/rest/api/2/issue/A-1?fields=x") == "/rest/api/3/issue/A-1"
    assert described_path("/rest/agile/1.0/board") == "/rest/agile/1.0/board"
