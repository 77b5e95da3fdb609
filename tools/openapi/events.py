"""Sample events: each route's example as API Gateway sends it, with nothing that no function reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jobticket.web.routes import Example, Route, Routes


def sample_events(routes: Routes) -> dict[str, str]:
    """Return the text of every sample event of a function, by the name of its file."""
    return {
        _file_name(name): _text(_event(route, example))
        for route in routes.routes
        for name, example in {route.name: route.example, **route.more_examples}.items()
    }


def _file_name(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def _event(route: Route, example: Example) -> dict[str, Any]:
    headers = {"Accept": "*/*", "X-Forwarded-Proto": "https"}
    if route.scope:
        headers["Authorization"] = "Bearer local-key"
    if example.body is not None:
        headers["Content-Type"] = "application/json"
    headers |= example.headers
    path = re.sub(r"\{(\w+)\}", lambda part: example.path[part[1]], route.path)
    return {
        "resource": route.path,
        "path": path,
        "httpMethod": route.method,
        "headers": headers,
        "multiValueHeaders": _lists(headers),
        "queryStringParameters": example.query or None,
        "multiValueQueryStringParameters": _lists(example.query) or None,
        "pathParameters": example.path or None,
        "requestContext": {"resourcePath": route.path, "httpMethod": route.method, "stage": "live"},
        "body": None if example.body is None else json.dumps(example.body, ensure_ascii=False),
        "isBase64Encoded": False,
    }


def _lists(values: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in values.items()}


def _text(event: Mapping[str, Any]) -> str:
    members = [
        f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in event.items()
    ]
    return "{\n" + ",\n".join(members) + "\n}\n"
