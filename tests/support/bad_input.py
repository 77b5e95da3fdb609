"""From a good request, every kind of bad one: what a broken client, or a hostile one, might send instead."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

#: No part of a request is as good as any of these, and each is wrong for most.
WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    1e308,
    "",
    " \t\n",
    "x" * 5000,
    "💡\u202eüß\u0000",
    "7",
    [],
    [None],
    ["x" * 300, 5, {}],
    [[]],
    {},
    {"name": {"deep": [1]}},
)
MALFORMED = (
    "{",
    "[]",
    "[1]",
    '"text"',
    "5",
    "nul",
    "{'name': 1}",
    '{"a": 1} {',
    '{"name": "\\ud800"}',
    "[" * 50_000,
    '{"a":' * 50_000,
    '{"a": ' + "9" * 5000 + "}",
    "<xml/>",
    "a=1&b=2",
)
TEXTS = (
    "",
    " ",
    "x",
    "-1",
    "0",
    "1e9",
    "x" * 3000,
    "💡\u202e",
    "a\u0000b",
    "%",
    "../..",
    "' OR 1=1 --",
    "{id}",
)
IDS = (
    "x",
    "job_000000000000",
    "path_000000000000",
    "SN-99999",
    "SN-00001x",
    "x" * 3000,
    "💡\u202e",
    "a\u0000b",
    "a b",
    "%",
    "' OR 1=1 --",
    "{id}",
)
#: No client's library sends these in a path, and none of them names anything.
UNDECODABLE = ("%", "%2", "%zz", "50%", "%ff", "%c3", "%ed%a0%80", "\ud800")
LONE_SURROGATE = "a\ud800b"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


@dataclass(frozen=True)
class BadRequest:
    """A request, and what is bad about it.

    Attributes
    ----------
    refused
        Whether it must be refused, however the rest of the product stands.
    """

    what: str
    event: dict[str, Any]
    refused: bool

    @property
    def can_be_sent(self) -> bool:
        """Whether HTTP can carry it: half of a surrogate pair comes in an event alone."""
        event = self.event
        texts = [*(event["pathParameters"] or {}).values(), *event["headers"].values()]
        for name, value in (event["queryStringParameters"] or {}).items():
            texts += [name, value]
        return not any("\ud800" <= character <= "\udfff" for character in "".join(texts))

    @property
    def target(self) -> str:
        """The path and query as a client writes them."""
        path: str = self.event["resource"]
        for name, value in (self.event["pathParameters"] or {}).items():
            path = path.replace(f"{{{name}}}", value)
        query = self.event["queryStringParameters"]
        return f"{path}?{urlencode(query)}" if query else path


def bad_requests(event: dict[str, Any], methods: set[str]) -> Iterator[BadRequest]:
    """Return every bad request that can be made of a good one.

    Parameters
    ----------
    event
        A good request, as API Gateway sends it.
    methods
        Those that the route's path has.
    """
    yield from _bodies(event)
    yield from _parameters(event)
    for method in METHODS:
        if method not in methods:
            yield _with(event, f"method {method}", refused=True, httpMethod=method)
    if "Authorization" in event["headers"]:
        for value in (None, "Bearer", "Bearer wrong", "Basic eDp5", "Bearer 💡", "Bearer " + "x" * 5000):
            yield _with_header(event, "Authorization", value)
    if event["httpMethod"] == "POST" and "Idempotency-Key" in event["headers"]:
        for value in ("", "x" * 256):
            yield _with_header(event, "Idempotency-Key", value)
    for name in ("Idempotency-Key", "Authorization", "Cookie", "X-Connect-Token", "X-Foreign"):
        yield _with_header(event, name, f"Bearer {LONE_SURROGATE}")


def _with(event: dict[str, Any], what: str, *, refused: bool = False, **change: Any) -> BadRequest:
    changed = copy.deepcopy(event) | change
    query = changed["queryStringParameters"]
    changed["multiValueQueryStringParameters"] = query and {name: [value] for name, value in query.items()}
    return BadRequest(what, changed, refused)


def _with_header(event: dict[str, Any], name: str, value: str | None) -> BadRequest:
    headers = {other: kept for other, kept in event["headers"].items() if other != name}
    if value is not None:
        headers[name] = value
    what = f"{name} {str(value)[:20]!a}"
    multi = {name: [value] for name, value in headers.items()}
    return _with(event, what, refused=True, headers=headers, multiValueHeaders=multi)


def _bodies(event: dict[str, Any]) -> Iterator[BadRequest]:
    if event["body"] is None:
        return
    for text in MALFORMED:
        yield _with(event, f"body {text[:20]!r}", refused=True, body=text)
    good = json.loads(event["body"])
    yield _with(event, "no body", body=None)
    for place in _places(good):
        for value in WRONG:
            body = copy.deepcopy(good)
            _put(body, place, value)
            yield _with(event, f"{place} = {str(value)[:20]!r}", body=json.dumps(body))
        body = copy.deepcopy(good)
        _put(body, place, LONE_SURROGATE)
        yield _with(event, f"{place} = {LONE_SURROGATE!a}", refused=True, body=json.dumps(body))
        body = copy.deepcopy(good)
        _remove(body, place)
        yield _with(event, f"{place} missing", body=json.dumps(body))


def _places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Return where a body's members are; of a list, its first entry stands for all."""
    members: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list) and value:
        members = [(0, value[0])]
    for name, member in members:
        yield (*at, name)
        yield from _places(member, (*at, name))


def _put(body: Any, place: tuple[str | int, ...], value: Any) -> None:
    for part in place[:-1]:
        body = body[part]
    body[place[-1]] = value


def _remove(body: Any, place: tuple[str | int, ...]) -> None:
    for part in place[:-1]:
        body = body[part]
    del body[place[-1]]


def _parameters(event: dict[str, Any]) -> Iterator[BadRequest]:
    for name in event["pathParameters"] or {}:
        for value in IDS:
            parameters = event["pathParameters"] | {name: quote(value, safe="")}
            yield _with(event, f"{name} {value[:20]!r}", pathParameters=parameters)
        for value in UNDECODABLE:
            parameters = event["pathParameters"] | {name: value}
            yield _with(event, f"{name} = {value!a}", refused=True, pathParameters=parameters)
    for name in event["queryStringParameters"] or {}:
        for value in TEXTS:
            query = event["queryStringParameters"] | {name: value}
            yield _with(event, f"?{name}={value[:20]!r}", queryStringParameters=query)
        query = {other: kept for other, kept in event["queryStringParameters"].items() if other != name}
        yield _with(event, f"?{name} missing", queryStringParameters=query or None)
        query = event["queryStringParameters"] | {name: LONE_SURROGATE}
        yield _with(event, f"?{name}={LONE_SURROGATE!a}", refused=True, queryStringParameters=query)
    for name in ("foreign", LONE_SURROGATE):
        query = (event["queryStringParameters"] or {}) | {name: LONE_SURROGATE}
        yield _with(event, f"?{name!a}={LONE_SURROGATE!a}", refused=True, queryStringParameters=query)
    query = {"limit": "x", "cursor": "💡", "\u0000": "x" * 3000}
    yield _with(event, "foreign query", queryStringParameters=query)
