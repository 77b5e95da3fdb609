"""A route as it is declared: once, in the ``routes.py`` beside a function's ``app.py``.

The function binds its handlers to these routes. The OpenAPI document, the sample events and the test of
template.yaml are made from them. Models are named, not imported: a function's start pays for none of this.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jobticket.dataclass import dataclass, field

Schema = Mapping[str, Any]
Envelope = Callable[[int, str, Mapping[str, Any]], dict[str, Any]]


def message_envelope(status: int, message: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the error body of the jobs family."""
    return {"statusCode": status, "message": message, **details}


def error_envelope(_status: int, message: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the error body of the connections and Jira family."""
    return {"error": message, **details}


def detail_envelope(_status: int, message: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the error body of the ticketing family."""
    return {"detail": message, **details}


def model(name: str) -> dict[str, Any]:
    """Return the schema of a model, named as in ``jobs.bodies:NewJob``."""
    return {"$ref": name}


def query(name: str, description: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def header(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def array_of(entry: Schema) -> dict[str, Any]:
    return {"type": "array", "items": entry}


def object_of(optional: Sequence[str] = (), **members: Schema) -> dict[str, Any]:
    """Return the schema of an object whose members are all present, except the optional ones."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": members, "required": required}


LIMIT = query("limit", "The most entries to return.", {"type": "integer", "minimum": 1, "maximum": 500})
CURSOR = query("cursor", "Where the page starts: the cursor from the page before.", {"type": "string"})
NEXT_CURSOR = {"x-next-cursor": "The cursor of the next page; absent on the last page."}
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "A repeat with the same key and body within 24 hours gets the first answer.",
    {"type": "string", "minLength": 1, "maxLength": 255},
)


@dataclass(frozen=True)
class Example:
    """A request that the route answers: shown in the document, and sent as the route's sample event."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Route:
    """One route of a function."""

    #: A verb and what it is done to, such as ``createJob``; unique in the whole API.
    name: str
    method: str
    path: str
    #: The scope that callers need; None on a public route.
    scope: str | None
    summary: str
    #: Each status of success with the schema of its body: a media type if it is not JSON, None without one.
    answers: Mapping[int, Schema | str | None]
    #: Each status of a refusal with its reason. 401, 403, 500 and 503 of any route need not be named.
    errors: Mapping[int, str] = field(default_factory=dict)
    body: Schema | None = None
    #: Query and header parameters; those of the path are found in it.
    parameters: Sequence[Mapping[str, Any]] = ()
    #: What else a caller must know.
    description: str = ""
    #: Headers of success, each with its meaning.
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether a browser gets a page when it is refused. If success is a page, so is a refusal.
    for_browsers: bool = False
    example: Example = Example()
    #: Further ones, by name, where one route does several things.
    more_examples: Mapping[str, Example] = field(default_factory=dict)
    #: The name of the route whose handler this one shares.
    alias_of: str | None = None
    #: Whether the document lists it: pages and what they load are for browsers, not for callers.
    is_listed: bool = True


@dataclass(frozen=True)
class Routes:
    """Every route of one function, and the envelope of its errors."""

    envelope: Envelope
    routes: Sequence[Route]


def routes_of(beside: str, module: str = "routes") -> Routes:
    """Return the routes declared beside a module: ``app`` in Lambda, ``functions.<name>.app`` elsewhere."""
    routes: Routes = importlib.import_module(re.sub(r"\w+$", module, beside)).ROUTES
    return routes
