"""Connections for backends: every route takes a key, none involves a user."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock, foreign
from jobticket.aws import AWS_FAULTS
from jobticket.connections import connect_tokens, report
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.connections.connector import TokenConnector
from jobticket.connections.credentials import checked_expiry, checked_login
from jobticket.connections.errors import ConnectionUnavailableError
from jobticket.connections.layout import history_of, written
from jobticket.connections.model import ConnectionEvent, ConnectionId, checked_id, is_name
from jobticket.connections.origins import ReturnOrigins
from jobticket.connections.sessions import SessionStore
from jobticket.connections.vault import VaultError
from jobticket.errors import InvalidError
from jobticket.history.records import Stamp, page_of_records
from jobticket.observability import logger
from jobticket.store.unit_of_work import attempts
from jobticket.web.api import Answer, Api, Request
from jobticket.web.authentication import stored_ring
from jobticket.web.paging import Part, decode_cursor, encode_cursor, limit_of
from jobticket.web.routes import routes_of

PAGE = 100
SECRET = {"Cache-Control": "no-store"}


class ConnectionsSettings(AccessSettings):
    """The environment of this function."""

    key_ring_secret: str
    return_origins: str = ""


config = ConnectionsSettings.from_environment()
ring = stored_ring(config.key_ring_secret, local=config.environment == "local")
access = JiraAccess(config)
sessions = SessionStore(access.store.table)
minter = connect_tokens.ConnectTokens(sessions)
origins = ReturnOrigins.parse(config.return_origins)
connector = TokenConnector(
    access.store, access.vault, access.session, access.app, allow_http=config.environment == "local"
)
api = Api(routes_of(__name__), ring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


def _named(request: Request, provider: object) -> ConnectionId:
    """Return the connection that a route under ``/connections/{external_id}`` names.

    An external id that a path cannot carry comes as a query parameter, which wins.
    """
    return checked_id(provider, request.query.get("external_id", request.path("external_id")))


@api.route("listConnections")
def list_connections(request: Request) -> Answer:
    limit = limit_of(request.query) or PAGE
    cursor = request.query.get("cursor")
    connections, last = access.store.page(limit, None if cursor is None else _position(cursor))
    now = clock.now()
    following = None if last is None else encode_cursor([last.provider, last.external_id])
    return Answer(
        body={
            "connections": [report.listed(connection, now) for connection in connections],
            "next_cursor": following,
        }
    )


def _position(cursor: str) -> ConnectionId:
    match decode_cursor(cursor):
        # Only a valid name is a valid key of the table.
        case [str(provider), str(external_id)] if is_name(provider) and is_name(external_id):
            return ConnectionId(provider, external_id)
        case _:
            raise InvalidError("Invalid cursor")


@api.route("putApiToken")
def put_api_token(request: Request) -> Answer:
    body, now = request.json, clock.now()
    name = _named(request, body.get("provider"))
    login = checked_login(body.get("credentials"), body.get("client_id"), body.get("client_secret"))
    connection, account = connector.connect(
        name,
        body.get("host"),
        login,
        expires_at=checked_expiry(body.get("token_expires_at"), now),
        stamp=Stamp(now, request.caller.name),
        deadline=request.deadline,
    )
    return Answer(
        body={
            "external_id": name.external_id,
            "kind": connection.kind,
            "via": connection.via,
            "host": connection.site_url,
            "account": account.as_json(),
        }
    )


@api.route("testConnection")
def test_connection(request: Request) -> Answer:
    name = _named(request, request.query.get("provider", "jira"))
    connection = access.connection(name.external_id, name.provider)
    return Answer(body=report.test_connection(access, connection, request.deadline))


@api.route("deleteConnection")
def delete_connection(request: Request) -> Answer:
    name = _named(request, request.query.get("provider", "jira"))
    stamp = Stamp(clock.now(), request.caller.name)
    for work in attempts(access.store.table):
        with work:
            access.store.add_deletion(work, name, stamp)
            sessions.add_new_generation(work, name, stamp.at)
    return Answer(204)


@api.route("getConnectionHistory")
def get_connection_history(request: Request) -> Answer:
    name, part = _named(request, request.query.get("provider", "jira")), Part(request.query)
    subject = history_of(name)
    place = part.place(subject)
    found, following = page_of_records(access.store.table, subject, clock.now(), part.limit, place)
    if not found and place is None:
        access.connection(name.external_id, name.provider)  # the history of a removed connection stays
    return Answer(body=[ConnectionEvent.of(item) for item in found], headers=part.headers(subject, following))


# --- consent ------------------------------------------------------------------------------------------------


@api.route("createConnectSession")
def create_connect_session(request: Request) -> Answer:
    body = request.json
    name = checked_id(body.get("provider"), body.get("external_id"))
    return_url = origins.check(body.get("return_url"))
    token, until = minter.mint(name, return_url, _seconds(body.get("expires_in")))
    return Answer(201, {"connect_token": token, "expires_at": clock.iso_milliseconds(until)}, SECRET)


def _seconds(value: object) -> int:
    longest = connect_tokens.LONGEST_SECONDS
    seconds = connect_tokens.SECONDS if value is None else foreign.integer(value, 1, longest)
    if seconds is None:
        raise InvalidError(f"expires_in must be an integer from 1 to {longest}")
    return seconds


@api.route("checkConnection")
def check_connection(request: Request) -> Answer:
    connection = access.store.get(_queried(request))
    if connection is None:
        return Answer(body={"exists": False, "is_expired": False, "is_invalid": False})
    missing = connection.missing_scopes(config.atlassian_scopes)
    return Answer(
        body={
            "exists": True,
            "is_expired": connection.is_expired(clock.now()),
            "is_invalid": connection.invalid,
            "expires_at": written(connection.expires_at),
            **({"missing_scopes": missing} if missing else {}),
        }
    )


@api.route("getRefreshToken")
def get_refresh_token(request: Request) -> Answer:
    name = _queried(request)
    with _unavailable_while_unreadable(name):
        connection = access.connection(name.external_id, name.provider)
        if connection.kind != "oauth":
            lacks = "refresh token" if connection.has_tokens else "OAuth tokens"
            raise InvalidError(f"Connection has no {lacks}")
        refresh_token = access.vault.open(name, connection.secret_field, connection.secret)
    return Answer(
        body={
            "refresh_token": refresh_token,
            "expires_at": written(connection.expires_at),
            "is_invalid": connection.invalid,
        },
        headers=SECRET,
    )


@api.route("getAccessToken")
def get_access_token(request: Request) -> Answer:
    name = _queried(request)
    with _unavailable_while_unreadable(name):
        issued = access.tokens.access_token(name, request.deadline)
    return Answer(
        body={"access_token": issued.text, "expires_at": clock.iso_milliseconds(issued.expires_at)},
        headers=SECRET,
    )


@contextlib.contextmanager
def _unavailable_while_unreadable(name: ConnectionId) -> Iterator[None]:
    """Answer 503 if a secret cannot be read: the grant may still be valid."""
    try:
        yield
    except (*AWS_FAULTS, VaultError) as fault:
        logger.exception("a connection's secret cannot be read", external_id=name.external_id)
        raise ConnectionUnavailableError(name) from fault


def _queried(request: Request) -> ConnectionId:
    external_id, provider = request.query.get("external_id"), request.query.get("provider")
    if not external_id or not provider:
        raise InvalidError("Missing external_id or provider")
    return checked_id(provider, external_id)
