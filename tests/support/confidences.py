"""What the stack was told, and what it handed out, in confidence: none of it may be written down in clear."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

#: Where secrets stand, by the names of parameters and members.
IN_QUERIES = frozenset({"code", "connection_code", "state"})
IN_BODIES = frozenset(
    {"access_token", "api_access_token", "connect_token", "connection_code", "credentials", "refresh_token"}
)
FINALIZE_LINK = re.compile(r"^/finalize-connection/jira/([^/]+)$")
#: Shorter words are no secrets, and stand in many a line.
SHORTEST = 8


class Confidences:
    """Collects secrets from the requests of a test session and their answers.

    Parameters
    ----------
    known
        Secrets that there are from the start, with their kinds.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._kinds = dict(known)

    def note(self, answer: requests.Response) -> None:
        """Note what is secret in an answer and in its request. What was refused may be anything."""
        if not answer.ok:
            return
        for kind, text in _found(answer):
            secret = text.rpartition(":")[2]  # credentials are a name and a secret
            if len(secret) >= SHORTEST:
                self._kinds.setdefault(secret, kind)

    def add(self, kind: str, *secrets: str) -> None:
        """Note secrets that no test has seen."""
        self._kinds = dict.fromkeys(secrets, kind) | self._kinds

    def kinds(self) -> set[str]:
        """Return what kinds of secrets there have been."""
        return set(self._kinds.values())

    def told_in(self, written: str) -> dict[str, str]:
        """Return the secrets that stand in a text, with their kinds."""
        return {secret: kind for secret, kind in self._kinds.items() if secret in written}


def _found(answer: requests.Response) -> Iterator[tuple[str, str]]:
    request = answer.request
    yield from _in_url(request.url or "")
    yield from _in_url(answer.headers.get("Location", ""))
    if "Authorization" in request.headers:
        yield "key", _text(request.headers["Authorization"]).rpartition(" ")[2]
    if "x-connect-token" in request.headers:
        yield "connect_token", _text(request.headers["x-connect-token"])
    for cookie in answer.cookies:
        yield "cookie", cookie.value or ""
    for body in (request.body, answer.content):
        yield from _in_body(_json(body))


def _in_url(url: str) -> Iterator[tuple[str, str]]:
    parts = urlsplit(url)
    for name, values in parse_qs(parts.query).items():
        if name in IN_QUERIES:
            yield from ((name, value) for value in values)
    yield from (("connection_code", code) for code in FINALIZE_LINK.findall(parts.path))


def _in_body(body: Any) -> Iterator[tuple[str, str]]:
    if isinstance(body, list):
        for entry in body:
            yield from _in_body(entry)
    if isinstance(body, dict):
        for name, value in body.items():
            if isinstance(value, str):
                yield from _in_url(value) if name == "authorization_uri" else ()
                yield from ((name, value),) if name in IN_BODIES else ()
            else:
                yield from _in_body(value)


def _json(body: Any) -> Any:
    try:
        return json.loads(body or "null")
    except (ValueError, TypeError):
        return None


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
