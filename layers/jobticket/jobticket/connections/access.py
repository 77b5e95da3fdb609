"""How everything else of the product gets at Jira: a client for a connection's name.

::

    access = JiraAccess.open(AccessSettings.from_environment())   # once a container
    client = access.client_for(external_id, deadline=request.deadline)
    client.get("/rest/api/2/issue/{issue}", issue="PROJ-1")

``client_for`` raises the errors of ``jobticket.connections.errors``, which are refusals with the contract's
status and text and go through a handler as they are. A caller that must say which connection does not work
takes their ``explanation``. What the client then raises is in ``jobticket.jira.errors``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Self

import requests

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.clock import Deadline
from jobticket.config import Settings
from jobticket.connections.api_tokens import credential_of, secret_field
from jobticket.connections.atlassian import AppSecret, AtlassianApp
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
    SecretUnreadableError,
)
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.connections.store import ConnectionStore
from jobticket.connections.tokens import IssuedToken, TokenSource
from jobticket.connections.vault import Vault, VaultError, kms_client
from jobticket.http.addresses import AddressPolicy
from jobticket.http.session import new_session
from jobticket.jira.client import Credential, JiraClient, Pace, Site
from jobticket.jira.rate_limits import RateLimits
from jobticket.observability import logger
from jobticket.secret_store import fetch_secret, secrets_client
from jobticket.store.table import Table, dynamodb_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class AccessSettings(Settings):
    """What a function needs in its environment to reach Jira through connections."""

    connections_table: str
    encryption_key: str
    atlassian_app_secret: str
    atlassian_auth_url: str = "https://auth.atlassian.com"
    atlassian_api_url: str = "https://api.atlassian.com"
    allow_private_hosts: bool = False


def address_policy(settings: AccessSettings) -> AddressPolicy:
    """Return what this deployment may connect to."""
    return AddressPolicy(
        allow_private=settings.allow_private_hosts, allow_loopback=settings.environment == "local"
    )


class JiraAccess:
    """Makes Jira clients for connections of every kind. One a container.

    Parameters
    ----------
    store, vault
        Where connections and their secrets are.
    session
        The container's HTTP session.
    app
        Atlassian, for connections by consent.
    now, pace
        Time, and chance.
    """

    def __init__(
        self,
        store: ConnectionStore,
        vault: Vault,
        session: requests.Session,
        app: AtlassianApp,
        *,
        now: Callable[[], datetime] = clock.now,
        pace: Pace | None = None,
    ) -> None:
        self.store = store
        self.vault = vault
        self.session = session
        self.app = app
        self.tokens = TokenSource(store, vault, app, now=now, pace=pace)
        self._now = now
        self._pace = pace
        self._rate_limits = RateLimits()

    @classmethod
    def open(cls, settings: AccessSettings, dynamodb: DynamoDBClient | None = None) -> Self:
        """Make the container's access from a function's settings.

        Parameters
        ----------
        dynamodb
            The container's client, where it has one already.
        """
        table = Table(dynamodb or dynamodb_client(), settings.connections_table)
        vault = Vault(table, functools.cache(kms_client), settings.encryption_key)
        session = new_session(address_policy(settings))
        secrets = functools.cache(secrets_client)
        secret = AppSecret(lambda: fetch_secret(secrets(), settings.atlassian_app_secret))
        app = AtlassianApp(session, settings.atlassian_auth_url, settings.atlassian_api_url, secret)
        return cls(ConnectionStore(table), vault, session, app)

    def connection(self, external_id: str, provider: str = "jira") -> Connection:
        """Return a connection that exists.

        Raises
        ------
        ConnectionNotFoundError
            If there is none of that name.
        """
        name = ConnectionId(provider, external_id)
        connection = self.store.get(name)
        if connection is None:
            raise ConnectionNotFoundError(name)
        return connection

    def client_for(self, external_id: str, provider: str = "jira", *, deadline: Deadline) -> JiraClient:
        """Return a client for a connection's Jira, in one read of DynamoDB while its token is good.

        Raises
        ------
        ConnectionNotFoundError
            401, if there is no connection of that name.
        ReauthorizationNeededError
            403, if it must be authorized again.
        ConnectionUnavailableError
            503, if no access token can be had for now.
        SecretUnreadableError
            If its secret was changed, or its data key is gone: no refusal.
        """
        return self.connected(external_id, provider, deadline=deadline)[1]

    def connected(
        self, external_id: str, provider: str = "jira", *, deadline: Deadline
    ) -> tuple[Connection, JiraClient]:
        """Return a connection, with its selected project and site, and a client for it, in one read.

        Raises
        ------
        RefusalError
            As ``client_for``.
        """
        name = ConnectionId(provider, external_id)
        connection, token = self.store.get_with_token(name)
        if connection is None:
            raise ConnectionNotFoundError(name)
        return connection, self._client(connection, token, deadline)

    def client_of(self, connection: Connection, *, deadline: Deadline) -> JiraClient:
        """Return a client for a connection that was read before.

        Raises
        ------
        ReauthorizationNeededError, ConnectionUnavailableError
            As ``client_for``.
        """
        token = self.store.get_token(connection.id) if connection.kind == "oauth" else None
        return self._client(connection, token, deadline)

    def unchecked_client(self, connection: Connection, *, deadline: Deadline) -> JiraClient:
        """Return a client even for credentials that were refused before: to see whether they still are."""
        return self.client_of(replace(connection, invalid=False), deadline=deadline)

    def _client(self, connection: Connection, token: AccessToken | None, deadline: Deadline) -> JiraClient:
        if not connection.is_usable(self._now()):
            raise ReauthorizationNeededError(connection.id)
        return JiraClient(
            self.session,
            self._site(connection),
            self._credential(connection, token, deadline),
            deadline=deadline,
            rate_limits=self._rate_limits,
            pace=self._pace,
        )

    def _site(self, connection: Connection) -> Site:
        api_url, quota = connection.api_url, connection.api_url
        if connection.kind == "oauth" and connection.site_id is not None:
            # Not as the row says: whoever could change it would be sent the access token. One app's consents
            # share one quota.
            api_url, quota = self.app.site_api_url(connection.site_id), "oauth"
        return Site(api_url, connection.site_url, connection.deployment, quota)

    def _credential(
        self, connection: Connection, token: AccessToken | None, deadline: Deadline
    ) -> Credential:
        with _faults_told(connection.id):
            if connection.kind != "oauth":
                field = secret_field(connection.api_url)
                return credential_of(self.vault.open(connection.id, field, connection.secret))
            return self._bearer(connection.id, self.tokens.of_read(connection, token, deadline), deadline)

    def _bearer(self, name: ConnectionId, issued: IssuedToken, deadline: Deadline) -> Credential:
        def renew() -> Credential:
            with _faults_told(name):
                return self._bearer(name, self.tokens.renewed(name, issued.text, deadline), deadline)

        return Credential(f"Bearer {issued.text}", renew, secrets=(issued.text,))


@contextlib.contextmanager
def _faults_told(name: ConnectionId) -> Iterator[None]:
    """Say of a fault on the way to a secret whose it is, and whether another try may do better."""
    try:
        yield
    except VaultError as fault:
        logger.exception("a connection's secret cannot be read", external_id=name.external_id)
        raise SecretUnreadableError(name, fault) from fault
    except AWS_FAULTS as fault:
        logger.exception("a connection's secret cannot be read for now", external_id=name.external_id)
        raise ConnectionUnavailableError(name) from fault
