"""The sample events of ``events/``: one for every function and route, and each goes through its handler.

Functions are found by their folders, so that a new one is held to this from its first day.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jobticket.connections.vault import Vault
from jobticket.dynamo import Table
from jobticket.jobs import bodies, layout, serials
from jobticket.jobs import model as jobs
from tests.consents import store_consent
from tests.gateway import LambdaContext
from tests.unit.conftest import KEYS, client, key_ring, load_function

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(folder.parent.name for folder in ROOT.glob("functions/*/app.py"))
EVENTS = {name: sorted((ROOT / "events" / name).glob("*.json")) for name in FUNCTIONS}
MOMENT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def event_of(path: Path) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(path.read_text())
    return event


@pytest.fixture
def function(aws: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A cold container of the function, which knows the key of the samples and reaches nothing outside."""

    def no_network(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("there is no network here")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket, "create_connection", no_network)
    keys = KEYS | {"local-key": ["*"]}
    client("secretsmanager").put_secret_value(SecretId="key-ring", SecretString=key_ring(keys))
    seed_jobs()
    seed_connections()
    name: str = request.param
    kept = sys.modules.pop(f"functions.{name}.app", None)
    module = load_function(name, cold=True)
    if kept is not None:
        monkeypatch.setitem(sys.modules, f"functions.{name}.app", kept)
    else:
        monkeypatch.delitem(sys.modules, f"functions.{name}.app")
    return module


def seed_connections() -> None:
    """Put in what the samples of the connections function name: one by consent, with a good token."""
    table = Table(client("dynamodb"), os.environ["CONNECTIONS_TABLE"])
    store_consent(table, Vault(table, lambda: client("kms"), os.environ["ENCRYPTION_KEY"]), "team-1")


def seed_jobs() -> None:
    """Put in what the samples of the jobs function name: two jobs, two paths, 20 serial numbers."""
    table = Table(client("dynamodb"), os.environ["JOBS_TABLE"])
    stamps = {"created_at": "2026-11-22T09:30:00.000Z", "updated_at": "2026-11-22T09:30:00.000Z"}
    order = jobs.Job(id="job_BracketOrder", name="JOB-2024-001", goal_quantity=50, **stamps)
    planned = jobs.Job(id="job_PlannedOrder", name="JOB-2024-002", goal_quantity=50, **stamps)
    table.put(layout.job_item(order) | {"path_count": 2})
    table.put(layout.job_item(planned))
    for path_id in ("path_MillingRoute", "path_ReworkRoute1"):
        steps = [jobs.ProcessStep(id=f"step_{n:012d}", name=f"Step {n}", order=n) for n in range(3)]
        path = jobs.Path(
            id=path_id,
            job_id=order.id,
            name="Milling",
            goal_quantity=50,
            advancement_mode="flexible",
            steps=steps,
            **stamps,
        )
        table.put(layout.path_item(path))
        table.put({"pk": layout.path_pk(path_id), "sk": layout.PATH_SORT, "job_id": order.id})
    body = bodies.NewSerials(path_id="path_MillingRoute", quantity=20)
    serials.create_serials(table, body, MOMENT, lambda _made: [])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_event(name: str) -> None:
    assert EVENTS[name], f"events/{name}/ has no event"


def test_no_event_is_left_over() -> None:
    folders = {path.parent.name for path in ROOT.glob("events/*/*.json")}
    assert folders <= set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS, indirect=True, ids=str)
def test_every_route_has_an_event_and_every_event_a_route(
    function: ModuleType, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["function"]
    if not hasattr(function, "api"):
        pytest.skip("called by a schedule or a queue")
    routes = {(route.method, route.path) for route in function.api.routes if route.method != "OPTIONS"}
    sampled = [(event["httpMethod"], event["resource"]) for event in map(event_of, EVENTS[name])]
    assert routes <= set(sampled), f"without an event: {sorted(routes - set(sampled))}"
    known = routes | {(route.method, route.path) for route in function.api.routes}
    assert set(sampled) <= known, f"without a route: {sorted(set(sampled) - known)}"


@pytest.mark.parametrize(
    ("function", "path"),
    [(name, path) for name in FUNCTIONS for path in EVENTS[name]],
    indirect=["function"],
    ids=[f"{name}/{path.stem}" for name in FUNCTIONS for path in EVENTS[name]],
)
def test_every_event_goes_through_its_handler(function: ModuleType, path: Path) -> None:
    event = event_of(path)
    answer = function.handler(event, LambdaContext())
    if "httpMethod" not in event:
        # A schedule's work, or a queue's: it may fail by an exception or by naming messages, and does neither.
        assert not (answer or {}).get("batchItemFailures")
        return
    status = answer["statusCode"]
    assert 200 <= status < 500, answer
    assert status not in (401, 403) or "Authorization" not in event["headers"], answer
    assert "Not Found" not in str(answer.get("body")), "the event names no route of its function"
    if path.parent.name == "jobs":
        assert status < 300, answer


@pytest.mark.parametrize(
    "path",
    [path for paths in EVENTS.values() for path in paths],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_an_event_of_the_gateway_agrees_with_itself(path: Path) -> None:
    event = event_of(path)
    if "httpMethod" not in event:
        return
    filled = event["resource"]
    for name, value in (event["pathParameters"] or {}).items():
        filled = filled.replace(f"{{{name}}}", value)
    assert event["path"] == filled
    assert event["multiValueHeaders"] == {name: [value] for name, value in event["headers"].items()}
    query = event["queryStringParameters"]
    assert event["multiValueQueryStringParameters"] == (
        query and {name: [value] for name, value in query.items()}
    )
    assert event["requestContext"]["resourcePath"] == event["resource"]
    assert event["requestContext"]["httpMethod"] == event["httpMethod"]
    if event["body"] is not None:
        assert isinstance(json.loads(event["body"]), dict)
