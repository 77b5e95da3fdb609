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

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Self

import requests

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.config import Settings
from jobticket.connections.api_tokens import SECRET_FIELD, credential_of
from jobticket.connections.errors import ConnectionNotFoundError, ReauthorizationNeededError
from jobticket.connections.model import Connection, ConnectionId
from jobticket.connections.store import ConnectionStore
from jobticket.connections.vault import Vault, kms_client
from jobticket.dynamo import Table, dynamodb_client
from jobticket.jira.addresses import AddressPolicy
from jobticket.jira.client import Credential, JiraClient, Pace, Site
from jobticket.jira.limits import RateLimits
from jobticket.jira.session import new_session

__all__ = ["AccessSettings", "JiraAccess", "address_policy"]


class AccessSettings(Settings):
    """What a function needs in its environment to reach Jira through connections."""

    connections_table: str
    encryption_key: str
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
    now
        The time.
    pace
        Passed on to the clients.
    """

    def __init__(
        self,
        store: ConnectionStore,
        vault: Vault,
        session: requests.Session,
        *,
        now: Callable[[], datetime] = clock.now,
        pace: Pace | None = None,
    ) -> None:
        self.store = store
        self.vault = vault
        self.session = session
        self._now = now
        self._pace = pace
        self._rate_limits = RateLimits()

    @classmethod
    def open(cls, settings: AccessSettings) -> Self:
        """Make the container's access from a function's settings."""
        table = Table(dynamodb_client(), settings.connections_table)
        vault = Vault(table, functools.cache(kms_client), settings.encryption_key)
        return cls(ConnectionStore(table), vault, new_session(address_policy(settings)))

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
        """
        return self.client_of(self.connection(external_id, provider), deadline=deadline)

    def client_of(self, connection: Connection, *, deadline: Deadline) -> JiraClient:
        """Return a client for a connection that was read before.

        Raises
        ------
        ReauthorizationNeededError, ConnectionUnavailableError
            As ``client_for``.
        """
        if not connection.is_usable(self._now()):
            raise ReauthorizationNeededError(connection.id)
        return self.unchecked_client(connection, deadline=deadline)

    def unchecked_client(self, connection: Connection, *, deadline: Deadline) -> JiraClient:
        """Return a client even for a connection that was refused before: to see whether it still is."""
        return JiraClient(
            self.session,
            site_of(connection),
            self._credential(connection),
            deadline=deadline,
            rate_limits=self._rate_limits,
            pace=self._pace,
        )

    def _credential(self, connection: Connection) -> Credential:
        return credential_of(self.vault.open(connection.id, SECRET_FIELD, connection.secret))


def site_of(connection: Connection) -> Site:
    """Return the site that a connection leads to."""
    # One app's consents share one quota; credentials have a site's for themselves.
    quota = "oauth" if connection.kind == "oauth" else connection.api_url
    return Site(connection.api_url, connection.site_url, connection.deployment, quota)
