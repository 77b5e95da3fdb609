"""A deployment's health, and its API as a document and as a page. All of it is public."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
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

#: How long the result of a check is kept, in seconds.
HEALTH_SECONDS = 10.0


class SiteSettings(Settings):
    """The environment of this function."""

    jobs_table: str
    connections_table: str
    ticketing_table: str
    key_ring_secret: str
    atlassian_app_secret: str


HERE = Path(__file__).parent
DOCUMENT = (HERE / "openapi.json").read_text()
PAGE = (HERE / "docs.html").read_text()
VERSION = json.loads(DOCUMENT)["info"]["version"]

config = SiteSettings.from_environment()
dynamodb = dynamodb_client()
secrets = secrets_client()
api = Api(routes_of(__name__))


def _style_source(page: str) -> str:
    """Return the source for Content-Security-Policy that allows only the page's own style."""
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = hashlib.sha256(style.group(1).encode() if style else b"").digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


PAGE_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src {_style_source(PAGE)}; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, max-age=300",
}


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
        "jobs table": lambda: dynamodb.describe_table(TableName=config.jobs_table),
        "connections table": lambda: dynamodb.describe_table(TableName=config.connections_table),
        "ticketing table": lambda: dynamodb.describe_table(TableName=config.ticketing_table),
        "key ring": lambda: secrets.describe_secret(SecretId=config.key_ring_secret),
        "Atlassian app": lambda: secrets.describe_secret(SecretId=config.atlassian_app_secret),
    },
    time.monotonic,
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


@api.route("getHealth")
def get_health(_request: Request) -> Answer:
    checks = health.look()
    well = all(state == "reachable" for state in checks.values())
    body = {"status": "ok" if well else "degraded", "version": VERSION, "checks": checks}
    return Answer(200, body) if well else Answer(503, body, {"Retry-After": str(int(HEALTH_SECONDS))})


@api.route("getOpenapi")
def get_document(_request: Request) -> Answer:
    return Answer(
        body=DOCUMENT.encode(),
        headers={"Cache-Control": "public, max-age=300"},
        content_type="application/json",
    )


@api.route("getDocs")
def get_page(_request: Request) -> Answer:
    return Answer(body=PAGE, headers=PAGE_HEADERS, content_type="text/html; charset=utf-8")
