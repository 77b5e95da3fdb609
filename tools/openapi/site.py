"""The routes of functions/site."""

from __future__ import annotations

from tools.openapi.operation import Operation, object_of

_REACHABLE = {"type": "string", "enum": ["reachable", "unreachable"]}
_HEALTH = object_of(
    status={"type": "string", "enum": ["ok", "degraded"]},
    version={"type": "string"},
    checks={"type": "object", "additionalProperties": _REACHABLE},
)

OPERATIONS = {
    "GET /health": Operation(
        "Tell whether the deployment can reach its tables and secrets",
        {200: _HEALTH, 503: _HEALTH},
        description="Cached for 10 seconds.",
    ),
    "GET /openapi.json": Operation("Get this document", {200: {"type": "object"}}),
    "GET /docs": Operation("Read this document as a page", {200: "text/html"}),
}
