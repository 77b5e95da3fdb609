"""Calls a function as API Gateway does: matches the route, leaves the path encoded, sends the proxy event."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from jobticket.web.api import Api

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass
class LambdaContext:
    """What Lambda tells a function about the call."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id: str = "00000000-0000-4000-8000-000000000000"
    remaining_ms: int = 29_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass(frozen=True)
class HttpAnswer:
    """An answer as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: list[str] = field(default_factory=list)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Gateway:
    """One function behind API Gateway.

    Parameters
    ----------
    api, handler
        The function's routes and its entry point.
    key
        The key sent with each request, unless the request says otherwise.
    """

    def __init__(self, api: Api, handler: Handler, key: str | None) -> None:
        self._api = api
        self._handler = handler
        self._key = key

    def event(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        parts = urlsplit(url)
        # As clients do, and what is encoded already stays: API Gateway hands a path on as it came.
        path = quote(parts.path, safe="/%:@!$&'()*+,;=~")
        resource, parameters = self._match(method, path)
        sent = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        sent |= dict(headers or {})
        text = body if isinstance(body, str | None) else json.dumps(body)
        every: dict[str, list[str]] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            every.setdefault(name, []).append(value)
        query = {name: values[-1] for name, values in every.items()}
        return {
            "resource": resource,
            "path": path,
            "httpMethod": method,
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": query or None,
            "multiValueQueryStringParameters": every or None,
            "pathParameters": parameters or None,
            "stageVariables": None,
            "requestContext": {
                "resourcePath": resource,
                "httpMethod": method,
                "path": path,
                "requestId": "00000000-0000-4000-8000-000000000000",
                "stage": "live",
                "identity": {"sourceIp": "192.0.2.1"},
            },
            "body": text,
            "isBase64Encoded": False,
        }

    def _match(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        candidates = sorted(self._api.routes, key=lambda route: route.path.count("{"))
        for route in candidates:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)
            match = re.fullmatch(pattern, path)
            if match and route.method == method:
                return route.path, match.groupdict()
        raise LookupError(f"API Gateway has no route for {method} {path}")

    def call(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        answer = self._handler(self.event(method, url, body, headers), LambdaContext())
        raw = answer.get("body") or ""
        content = base64.b64decode(raw) if answer.get("isBase64Encoded") else raw.encode()
        multi: dict[str, list[str]] = answer.get("multiValueHeaders") or {}
        got = {name.lower(): ", ".join(values) for name, values in multi.items()}
        if got.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        cookies = next((values for name, values in multi.items() if name.lower() == "set-cookie"), [])
        return HttpAnswer(answer["statusCode"], got, content, cookies)

    def get(self, url: str, **options: Any) -> HttpAnswer:
        return self.call("GET", url, **options)

    def post(self, url: str, body: Any = None, **options: Any) -> HttpAnswer:
        return self.call("POST", url, body, **options)

    def put(self, url: str, body: Any = None, **options: Any) -> HttpAnswer:
        return self.call("PUT", url, body, **options)

    def delete(self, url: str, body: Any = None, **options: Any) -> HttpAnswer:
        return self.call("DELETE", url, body, **options)
