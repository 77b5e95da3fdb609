"""The sample events in ``events/``: every function and route has one, and its handler accepts it.

Functions are found by their folders, so the rules hold for a new one at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.gateway import LambdaContext
from tests.support.samples import EVENTS, FUNCTIONS, ROOT, event_of, lacks_jira


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_event(name: str) -> None:
    assert EVENTS[name], f"events/{name}/ has no event"


def test_no_event_is_left_over() -> None:
    folders = {path.parent.name for path in ROOT.glob("events/*/*.json")}
    assert folders <= set(FUNCTIONS)


@pytest.mark.parametrize("sampled_function", FUNCTIONS, indirect=True, ids=str)
def test_every_route_has_an_event_and_every_event_a_route(
    sampled_function: ModuleType, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["sampled_function"]
    if not hasattr(sampled_function, "api"):
        pytest.skip("called by a schedule or a queue")
    routes = {
        (route.method, route.path) for route in sampled_function.api.routes if route.method != "OPTIONS"
    }
    sampled = [(event["httpMethod"], event["resource"]) for event in map(event_of, EVENTS[name])]
    assert routes <= set(sampled), f"without an event: {sorted(routes - set(sampled))}"
    known = routes | {(route.method, route.path) for route in sampled_function.api.routes}
    assert set(sampled) <= known, f"without a route: {sorted(set(sampled) - known)}"


def is_unknown_route(answer: dict[str, Any]) -> bool:
    return answer["statusCode"] == 404 and "Not Found" in json.loads(answer["body"]).values()


@pytest.mark.parametrize(
    ("sampled_function", "path"),
    [(name, path) for name in FUNCTIONS for path in EVENTS[name]],
    indirect=["sampled_function"],
    ids=[f"{name}/{path.stem}" for name in FUNCTIONS for path in EVENTS[name]],
)
def test_every_event_goes_through_its_handler(sampled_function: ModuleType, path: Path) -> None:
    event = event_of(path)
    answer = sampled_function.handler(event, LambdaContext())
    if "httpMethod" not in event:
        # A schedule or a queue: neither an exception nor a failed message.
        assert not (answer or {}).get("batchItemFailures")
        return
    status = answer["statusCode"]
    assert 200 <= status < 500 or lacks_jira(answer), answer
    assert status not in (401, 403) or "Authorization" not in event["headers"], answer
    assert not is_unknown_route(answer), "the event names no route of its function"
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
