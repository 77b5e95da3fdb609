"""The routes of functions/site."""

from __future__ import annotations

from jobticket.web.routes import (
    Example,
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
_PAGE = {200: "text/html", 304: None}


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
            answers={200: {"type": "object"}, 304: None},
        ),
        Route(
            "getStart",
            "GET",
            "/",
            scope=None,
            summary="Show what runs here",
            answers=_PAGE,
            is_listed=False,
        ),
        Route(
            "getDocs",
            "GET",
            "/docs",
            scope=None,
            summary="Show this document as a page",
            answers=_PAGE,
            is_listed=False,
        ),
        Route(
            "getConsole",
            "GET",
            "/console",
            scope=None,
            summary="Show the console",
            answers=_PAGE,
            is_listed=False,
        ),
        Route(
            "openAnomaly",
            "GET",
            "/datastores/{datastore_id}/anomalies",
            scope=None,
            summary="Lead from a ticket to its anomaly in the console",
            answers={302: None},
            example=Example(path={"datastore_id": "1"}, query={"id": "1"}),
            is_listed=False,
        ),
        Route(
            "getAsset",
            "GET",
            "/assets/{version}/{file}",
            scope=None,
            summary="Get a file that a page loads",
            answers={200: "text/javascript"},
            errors={404: "There is no such file."},
            example=Example(path={"version": "0123456789abcdef", "file": "console.js"}),
            is_listed=False,
        ),
        Route(
            "getFavicon",
            "GET",
            "/favicon.ico",
            scope=None,
            summary="Get the icon of all pages",
            answers={200: "image/svg+xml", 304: None},
            is_listed=False,
        ),
    ),
)
