"""Every route gets every kind of bad request: it refuses with a documented error, and changes nothing.

The requests are made from the sample events, so a new route is covered by its event.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support import emulation
from tests.support.bad_input import BadRequest, bad_requests
from tests.support.dynamodb_calls import plain
from tests.support.gateway import LambdaContext
from tests.support.samples import EVENTS, event_of, lacks_jira

REFUSALS = {400, 401, 403, 404, 409, 413, 422}
#: Jira is unreachable here, and these functions may say so.
UPSTREAM = {502, 503, 504}
CASES = [
    (path.parent.name, path) for paths in EVENTS.values() for path in paths if "httpMethod" in event_of(path)
]


def dump() -> dict[str, list[str]]:
    """Return all items of the tables except counters: a skipped number changes nothing."""
    return {
        name: sorted(
            json.dumps(item.attrs, default=plain)
            for partition, items in table.items.items()
            for item in items.values()
            if not partition.value.startswith("COUNTER#")
        )
        for name, table in emulation.tables().items()
    }


def fault(request: BadRequest, answer: dict[str, Any], unchanged: bool) -> str | None:
    """Return what is wrong with an answer, or None."""
    status = answer["statusCode"]
    if status in (200, 201, 204, 302) and not request.refused:
        return None  # the changed request is still valid: without an optional field, for instance
    if not request.refused and lacks_jira(answer):
        return None if unchanged else "something has changed"
    if status not in REFUSALS | (set() if request.refused else UPSTREAM):
        return f"status {status}"
    if "text/html" in str(answer["multiValueHeaders"].get("Content-Type")):
        return None if unchanged else "something has changed"
    body = json.loads(answer["body"])
    text = body.get("message", body.get("error", body.get("detail")))
    if not isinstance(text, str) or not text:
        return "no message"
    if "is not valid" in text or "Traceback" in text:
        return f"no documented message: {text}"
    return None if unchanged else "something has changed"


@pytest.mark.parametrize(
    ("sampled_function", "path"),
    CASES,
    indirect=["sampled_function"],
    ids=[f"{name}/{path.stem}" for name, path in CASES],
)
def test_a_bad_request_is_refused_and_changes_nothing(sampled_function: ModuleType, path: Path) -> None:
    event = event_of(path)
    routes = sampled_function.api.routes
    methods = {route.method for route in routes if route.path == event["resource"]}
    faults: list[str] = []
    tried = refused = 0
    before = dump()
    for request in bad_requests(event, methods):
        answer = sampled_function.handler(request.event, LambdaContext())
        after = dump()
        tried += 1
        refused += answer["statusCode"] >= 400
        if found := fault(request, answer, unchanged=after == before):
            faults.append(f"{request.what}: {found} ({answer.get('body')})")
        before = after
    assert not faults, f"{len(faults)} of {tried}:\n" + "\n".join(faults)
    assert refused >= 4
