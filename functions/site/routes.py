"""The routes of functions/site."""

from __future__ import annotations

from jobticket.web.routes import (
    Route,
    Routes,
    message_envelope,
    object_of,
)

_REACHABLE = {"type": "string", "enum": ["reachable", "unreachable"]}
_HEALTH = object_of(
    status={"type": "string", "enum": ["ok", "degraded"]},
    version={"type": "string"},
    checks={"type": "object", "additionalProperties": _REACHABLE},
)


ROUTES = Routes(
    message_envelope,
    (
        Route(
            "getHealth",
            "GET",
            "/health",
            scope=None,
            summary="Tell whether the deployment can reach its tables and secrets",
            answers={200: _HEALTH, 503: _HEALTH},
            description="Cached for 10 seconds.",
        ),
        Route(
            "getOpenapi",
            "GET",
            "/openapi.json",
            scope=None,
            summary="Get this document",
            answers={200: {"type": "object"}},
        ),
        Route(
            "getDocs",
            "GET",
            "/docs",
            scope=None,
            summary="Read this document as a page",
            answers={200: "text/html"},
        ),
    ),
)
