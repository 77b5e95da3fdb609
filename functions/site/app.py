"""The public pages, the deployment's health, and its API as a document."""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket.aws import AWS_FAULTS, reason
from jobticket.config import Settings
from jobticket.observability import logger
from jobticket.secret_store import secrets_client
from jobticket.store.table import dynamodb_client
from jobticket.web.api import Answer, Api, Request
from jobticket.web.routes import routes_of
from jobticket.web.static_files import StaticFiles

#: How long the result of a check is kept, in seconds.
HEALTH_SECONDS = 10.0


class SiteSettings(Settings):
    """The environment of this function."""

    jobs_table: str
    connections_table: str
    ticketing_table: str
    key_ring_secret: str
    atlassian_app_secret: str
    atlassian_url: str = ""


HERE = Path(__file__).parent
DOCUMENT = HERE / "openapi.json"

config = SiteSettings.from_environment()
# Only /health needs them: a start that serves a page pays for no client.
dynamodb = functools.cache(dynamodb_client)
secrets = functools.cache(secrets_client)
api = Api(routes_of(__name__))
files = StaticFiles(HERE / "pages", "page_libraries")

#: What every page may load: its own files, and calls of this origin.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
#: The console never makes HTML of text: the browser itself refuses it.
OWN_PAGE = PAGE_HEADERS | {
    "Content-Security-Policy": f"{POLICY}; img-src 'self'; require-trusted-types-for 'script'"
}
#: The API reference has two icons in its style sheet.
REFERENCE = PAGE_HEADERS | {"Content-Security-Policy": f"{POLICY}; img-src 'self' data:"}


class Health:
    """Checks what the product depends on, at most every ten seconds.

    Parameters
    ----------
    checks
        For each dependency, a call that raises if it cannot be reached.
    monotonic
        Seconds on a clock that never goes back.
    """

    def __init__(self, checks: Mapping[str, Callable[[], Any]], monotonic: Callable[[], float]) -> None:
        self._checks = checks
        self._monotonic = monotonic
        self._seen: tuple[float, dict[str, str]] | None = None

    def look(self) -> dict[str, str]:
        """Return each dependency's state."""
        if self._seen is None or self._monotonic() - self._seen[0] >= HEALTH_SECONDS:
            with ThreadPoolExecutor(max_workers=len(self._checks)) as pool:
                states = dict(zip(self._checks, pool.map(_state, self._checks.items()), strict=True))
            self._seen = (self._monotonic(), states)
        return self._seen[1]


def _state(check: tuple[str, Callable[[], Any]]) -> str:
    name, call = check
    try:
        call()
    except AWS_FAULTS as error:
        logger.warning("unreachable", dependency=name, error=reason(error))
        return "unreachable"
    return "reachable"


health = Health(
    {
        "jobs table": lambda: dynamodb().describe_table(TableName=config.jobs_table),
        "connections table": lambda: dynamodb().describe_table(TableName=config.connections_table),
        "ticketing table": lambda: dynamodb().describe_table(TableName=config.ticketing_table),
        "key ring": lambda: secrets().describe_secret(SecretId=config.key_ring_secret),
        "Atlassian app": lambda: secrets().describe_secret(SecretId=config.atlassian_app_secret),
    },
    time.monotonic,
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


@functools.cache
def version() -> str:
    """Return the product's version."""
    return str(json.loads(DOCUMENT.read_bytes())["info"]["version"])


@functools.cache
def document() -> bytes:
    return DOCUMENT.read_bytes()


@api.route("getHealth")
def get_health(_request: Request) -> Answer:
    dynamodb(), secrets()  # before the threads: boto3 makes clients in one thread at a time
    checks = health.look()
    well = all(state == "reachable" for state in checks.values())
    body = {"status": "ok" if well else "degraded", "version": version(), "checks": checks}
    return Answer(200, body) if well else Answer(503, body, {"Retry-After": str(int(HEALTH_SECONDS))})


@api.route("getOpenapi")
def get_openapi(request: Request) -> Answer:
    return files.content(request, "openapi.json", document(), {})


@api.route("getStart")
def get_start(request: Request) -> Answer:
    # Only the local stack has an emulated Jira to look at.
    hidden = "" if config.atlassian_url else " hidden"
    return files.page(request, "start.html", OWN_PAGE, jira=escape(config.atlassian_url), hidden=hidden)


@api.route("getDocs")
def get_docs(request: Request) -> Answer:
    return files.page(request, "docs.html", REFERENCE)


@api.route("getConsole")
def get_console(request: Request) -> Answer:
    return files.page(request, "console.html", OWN_PAGE)


@api.route("openAnomaly")
def open_anomaly(request: Request) -> Answer:
    id_ = request.query.get("id", "")
    place = f"#/anomalies/{id_}" if re.fullmatch("[0-9]{1,19}", id_) else "#/anomalies"
    # Relative: the address may begin with a stage.
    return Answer(302, headers=PAGE_HEADERS | {"Location": f"../../console{place}"})


@api.route("getAsset")
def get_asset(request: Request) -> Answer:
    return files.asset(request, request.path("version"), request.path("file"))


@api.route("getFavicon")
def get_favicon(request: Request) -> Answer:
    return files.icon(request, "favicon.svg")
