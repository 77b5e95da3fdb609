"""What one route's entry says beyond its method, path and scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from jobticket.shown import Shown

#: A body is a model; what is answered is shown; either may stand within a schema of its own.
Schema = type[BaseModel] | type[Shown] | Mapping[str, Any]


def query(
    name: str, description: str, schema: Mapping[str, Any], *, required: bool = False
) -> dict[str, Any]:
    """Return a query parameter."""
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": dict(schema),
    }


def array_of(entry: Schema) -> dict[str, Any]:
    """Return the schema of a list of models."""
    return {"type": "array", "items": entry}


def object_of(optional: Sequence[str] = (), **members: Schema) -> dict[str, Any]:
    """Return the schema of an object whose members are all present, but for the optional ones."""
    return {
        "type": "object",
        "properties": dict(members),
        "required": [name for name in members if name not in optional],
    }


LIMIT = query("limit", "At most so many entries.", {"type": "integer", "minimum": 1, "maximum": 500})
CURSOR = query("cursor", "Where the page starts: what the page before gave.", {"type": "string"})
NEXT_CURSOR = {"x-next-cursor": "The cursor of the next page; absent on the last."}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeat with the same key and body within 24 hours gets the first answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


@dataclass(frozen=True)
class Operation:
    """The entry of one route.

    Parameters
    ----------
    summary
        What the route does, in a few words.
    success
        The status of success and the schema of its body; None has no body.
    errors
        The statuses with which it refuses, each with its reason. 401, 403, 500 and 503 need not be named.
    body
        The request's body.
    parameters
        Query and header parameters; those of the path are found in it.
    for_browsers
        Whether a browser sees a page where it is refused. Where success is a page, it does anyway.
    """

    summary: str
    success: Mapping[int, Schema | str | None]
    errors: Mapping[int, str] = field(default_factory=dict)
    body: Schema | None = None
    parameters: Sequence[Mapping[str, Any]] = ()
    description: str = ""
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    for_browsers: bool = False
