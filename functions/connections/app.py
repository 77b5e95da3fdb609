"""Connections for backends: list, test, remove, and credentials without OAuth (contract: connections.md)."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.connections import report
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.connections.api_tokens import TokenConnector
from jobticket.connections.model import ConnectionId, checked_id
from jobticket.errors import InvalidError
from jobticket.observability import logger
from jobticket.web.api import Answer, Api, Request, error_envelope
from jobticket.web.authentication import KeyRing, fetch_secret, secrets_client
from jobticket.web.paging import decode_cursor, encode_cursor, limit_of

PAGE = 100


class ConnectionsSettings(AccessSettings):
    """The environment of this function."""

    key_ring_secret: str


config = ConnectionsSettings.from_environment()
secrets = secrets_client()
ring = KeyRing(
    lambda: fetch_secret(secrets, config.key_ring_secret),
    time.monotonic,
    local=config.environment == "local",
)
access = JiraAccess.open(config)
connector = TokenConnector(
    access.store, access.vault, access.session, allow_http=config.environment == "local"
)
api = Api(error_envelope, ring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


def _named(request: Request, provider: object) -> ConnectionId:
    """Return the connection that a route under ``/connections/{external_id}`` is about.

    What a path cannot carry comes as a query parameter, which wins.
    """
    return checked_id(provider, request.query.get("external_id", request.path("external_id")))


@api.get("/api/backend/connections", scope="tokens")
def list_connections(request: Request) -> Answer:
    limit = limit_of(request.query) or PAGE
    cursor = request.query.get("cursor")
    page = access.store.page(limit, None if cursor is None else _position(cursor))
    now = clock.now()
    last = page.last
    following = None if last is None else encode_cursor([last.provider, last.external_id])
    return Answer(
        body={
            "connections": [report.summary(connection, now) for connection in page.connections],
            "next_cursor": following,
        }
    )


def _position(cursor: str) -> ConnectionId:
    match decode_cursor(cursor):
        case [str(provider), str(external_id)] if provider and external_id:
            return ConnectionId(provider, external_id)
        case _:
            raise InvalidError("Invalid cursor")


@api.put("/api/backend/connections/{external_id}/api-token", scope="tokens")
def put_api_token(request: Request) -> Answer:
    name = _named(request, request.json.get("provider"))
    connection, account = connector.connect(
        name,
        request.json.get("host"),
        request.json.get("credentials"),
        now=clock.now(),
        deadline=request.deadline,
    )
    return Answer(
        body={
            "external_id": name.external_id,
            "kind": connection.kind,
            "host": connection.site_url,
            "account": account.as_json(),
        }
    )


@api.post("/api/backend/connections/{external_id}/test", scope="tokens")
def test_connection(request: Request) -> Answer:
    name = _named(request, request.query.get("provider", "jira"))
    connection = access.connection(name.external_id, name.provider)
    return Answer(body=report.test_connection(access, connection, request.deadline))


@api.delete("/api/backend/connections/{external_id}", scope="tokens")
def delete_connection(request: Request) -> Answer:
    access.store.delete(_named(request, request.query.get("provider", "jira")))
    return Answer(204)
