"""Every route decodes the parameters of its path, which API Gateway passes on percent-encoded.

The requests are made from the sample events, so a new route is covered by its event.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest

from tests.support import emulation
from tests.support.gateway import LambdaContext
from tests.support.samples import EVENTS, event_of

CASES = [
    (name, path)
    for name, paths in EVENTS.items()
    for path in paths
    if "{" in event_of(path).get("resource", "") and "pathParameters" in event_of(path)
]
sampled = pytest.mark.parametrize(
    ("sampled_function", "path"),
    CASES,
    indirect=["sampled_function"],
    ids=[f"{name}/{path.stem}" for name, path in CASES],
)


def with_parameters(event: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    path = event["resource"]
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", value)
    return event | {"pathParameters": parameters, "path": path}


def wholly_encoded(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in unquote(text).encode())


TIMES = {"updatedAt", "forceCompletedAt", "scrappedAt", "updated", "created"}


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(member) for name, member in value.items() if name not in TIMES}
    return [without_times(entry) for entry in value] if isinstance(value, list) else value


def comparable(answer: dict[str, Any]) -> tuple[int, Any]:
    body = json.loads(answer["body"]) if answer["body"].startswith(("{", "[")) else answer["body"]
    return answer["statusCode"], without_times(body)


@sampled
def test_a_parameter_means_the_same_however_it_is_encoded(sampled_function: ModuleType, path: Path) -> None:
    event = event_of(path)
    before = {name: copy.deepcopy(table.items) for name, table in emulation.tables().items()}
    plain = sampled_function.handler(event, LambdaContext())
    for name, table in emulation.tables().items():
        table.items = before[name]
    parameters = {name: wholly_encoded(value) for name, value in event["pathParameters"].items()}
    encoded = sampled_function.handler(with_parameters(event, parameters), LambdaContext())
    assert comparable(encoded) == comparable(plain)


@sampled
@pytest.mark.parametrize("value", ["%", "%zz", "%ff", "%ed%a0%80"])
def test_a_parameter_that_is_no_encoded_text_is_refused(
    sampled_function: ModuleType, path: Path, value: str
) -> None:
    event = event_of(path)
    answer = sampled_function.handler(
        with_parameters(event, dict.fromkeys(event["pathParameters"], value)), LambdaContext()
    )
    body = json.loads(answer["body"])
    assert answer["statusCode"] == 400
    assert "Invalid percent-encoding in the path" in body.values()


def test_every_route_with_a_parameter_is_among_them() -> None:
    functions = {"connections", "job_sync", "jobs", "oauth", "operations", "site", "ticketing"}
    assert {name for name, _ in CASES} == functions
