"""How the rest of the product reaches Jira: a client for a connection's name.

::

    access = JiraAccess(AccessSettings.from_environment())   # once a container
    client = access.client_for(external_id, deadline=request.deadline)
    client.get("/rest/api/2/issue/{issue}", issue="PROJ-1")

The errors of ``jobticket.connections.errors`` say that there is no client: most are refusals, with the status
and text of the answer. A caller that must name the connection uses their ``explanation``. What the client
itself raises is in ``jobticket.jira.errors``.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.clock import Deadline
from jobticket.config import Settings
from jobticket.connections import errors
from jobticket.connections.account import account_at
from jobticket.connections.atlassian import AppSecret, AtlassianApp
from jobticket.connections.connection_store import ConnectionStore
from jobticket.connections.credentials import bearer, credential_of
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.connections.tokens import IssuedToken, TokenSource
from jobticket.connections.vault import Vault, VaultError, kms_client
from jobticket.dataclass import replace
from jobticket.http.addresses import AddressPolicy
from jobticket.http.session import PrivateAuthority, new_session
from jobticket.jira.client import Credential, JiraClient, Pace, Site
from jobticket.jira.errors import JiraError, JiraLoginError, JiraRefusedCredentialsError
from jobticket.jira.rate_limits import RateLimits
from jobticket.observability import logger
from jobticket.secret_store import fetch_secret, secrets_client
from jobticket.store.table import Journal, Table, dynamodb_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient


class AccessSettings(Settings):
    """The environment of a function that reaches Jira through connections."""

    connections_table: str
    history_table: str
    history_retention_days: int
    encryption_key: str
    atlassian_app_secret: str
    atlassian_auth_url: str = "https://auth.atlassian.com"
    atlassian_api_url: str = "https://api.atlassian.com"
    atlassian_scopes: str = ""
    allow_private_hosts: bool = False
    private_ca_secret: str = ""
    private_ca_hosts: str = ""

    @property
    def journal(self) -> Journal:
        return Journal(self.history_table, self.history_retention_days)


class JiraAccess:
    """Makes Jira clients for connections of every kind; one a container.

    The methods that return a client raise ``ConnectionNotFoundError`` (401), ``ReauthorizationNeededError``
    (403), ``ConnectionUnavailableError`` (503, no access token for now) and ``SecretUnreadableError``.
    """

    def __init__(self, settings: AccessSettings, dynamodb: DynamoDBClient | None = None) -> None:
        """Make the container's access from a function's settings and, if it has one, its client."""
        table = Table(dynamodb or dynamodb_client(), settings.connections_table, settings.journal)
        secrets = functools.cache(secrets_client)
        hosts = settings.private_ca_hosts.replace(",", " ").split()
        authority = PrivateAuthority(hosts, lambda: _private_ca(secrets(), settings.private_ca_secret))
        allowed = AddressPolicy(settings.allow_private_hosts, allow_loopback=settings.environment == "local")
        app_secret = AppSecret(lambda: fetch_secret(secrets(), settings.atlassian_app_secret))
        self.store = ConnectionStore(table)
        self.vault = Vault(table, functools.cache(kms_client), settings.encryption_key)
        self.session = new_session(allowed, authority if settings.private_ca_secret else None)
        self.app = AtlassianApp(
            self.session, settings.atlassian_auth_url, settings.atlassian_api_url, app_secret
        )
        self.tokens = TokenSource(self.store, self.vault, self.app, scopes=settings.atlassian_scopes)
        self._now = clock.now
        self._pace = Pace()
        self._rate_limits = RateLimits()

    def connection(self, external_id: str, provider: str = "jira") -> Connection:
        """Return a connection, or raise ``ConnectionNotFoundError``."""
        name = ConnectionId(provider, external_id)
        connection = self.store.get(name)
        if connection is None:
            raise errors.ConnectionNotFoundError(name)
        return connection

    def client_for(self, external_id: str, provider: str = "jira", *, deadline: Deadline) -> JiraClient:
        """Return a client for a connection's Jira, with one read if its token is fresh."""
        return self.connected(external_id, provider, deadline=deadline)[1]

    def connected(
        self, external_id: str, provider: str = "jira", *, deadline: Deadline
    ) -> tuple[Connection, JiraClient]:
        """Return a connection and a client for it, with one read if its token is fresh."""
        name = ConnectionId(provider, external_id)
        connection, token = self.store.get_with_token(name)
        if connection is None:
            raise errors.ConnectionNotFoundError(name)
        return connection, self._client(connection, token, deadline)

    def client_of(self, connection: Connection, *, deadline: Deadline) -> JiraClient:
        """Return a client for a connection that has been read."""
        token = self.store.get_token(connection.id) if connection.has_tokens else None
        return self._client(connection, token, deadline)

    def unchecked_client(self, connection: Connection, *, deadline: Deadline) -> JiraClient:
        """Return a client even for credentials that Jira has refused: it may accept them by now.

        It does not mark them.
        """
        if connection.kind == "oauth":
            return self.client_of(connection, deadline=deadline)
        with _naming(connection.id):
            if connection.has_tokens:
                issued = self.tokens.refreshed(connection.id, deadline, even_if_dead=True)
                return self._client_with(connection, bearer(issued.text), deadline)
            return self._client_with(connection, self._opened(connection), deadline)

    def _client(self, connection: Connection, token: AccessToken | None, deadline: Deadline) -> JiraClient:
        if not connection.is_usable(self._now()):
            raise self.tokens.needs_authorization(connection)
        return self._client_with(connection, self._credential(connection, token, deadline), deadline)

    def _client_with(self, connection: Connection, credential: Credential, deadline: Deadline) -> JiraClient:
        return JiraClient(
            self.session,
            self._site(connection),
            credential,
            deadline=deadline,
            rate_limits=self._rate_limits,
            pace=self._pace,
        )

    def _site(self, connection: Connection) -> Site:
        api_url, quota = connection.api_url, connection.api_url
        if connection.has_tokens and connection.site_id is not None:
            # Not the stored URL: a changed row must not send the access token elsewhere.
            api_url = self.app.site_api_url(connection.site_id)
            # All consents of one app share one quota.
            quota = "oauth" if connection.kind == "oauth" else api_url
        return Site(
            api_url,
            connection.site_url,
            connection.deployment,
            quota,
            None if connection.kind == "oauth" else connection.authorization,
            connection.authorized_at,
        )

    def _credential(
        self, connection: Connection, token: AccessToken | None, deadline: Deadline
    ) -> Credential:
        with _naming(connection.id):
            if connection.has_tokens:
                issued = self.tokens.of_read(connection.id, token, deadline)
                return self._bearer(connection, issued, deadline)
            credential = self._opened(connection)
        return replace(credential, renew=self._confirming(connection, lambda: credential, deadline))

    def _opened(self, connection: Connection) -> Credential:
        return credential_of(self.vault.open(connection.id, connection.secret_field, connection.secret))

    def _bearer(self, connection: Connection, issued: IssuedToken, deadline: Deadline) -> Credential:
        def renew() -> Credential:
            with _naming(connection.id):
                again = self.tokens.renewed(connection.id, issued.text, deadline)
            return self._bearer(connection, again, deadline)

        if connection.kind != "oauth":
            renew = self._confirming(connection, renew, deadline)
        lacks = connection.missing_scopes(self.tokens.scopes)
        return replace(bearer(issued.text), renew=renew, missing_scopes=tuple(lacks))

    def _confirming(
        self, connection: Connection, renew: Callable[[], Credential], deadline: Deadline
    ) -> Callable[[], Credential]:
        """Return a renewal that asks ``/myself`` once whether Jira really refuses the credentials.

        If it does, the connection is marked. Neither the client nor a later one sends them again.
        """
        accepted: list[Credential] = []

        def confirmed() -> Credential:
            if accepted:
                return accepted[0]
            credential = replace(renew(), renew=None, confirmed=True)
            try:
                account_at(self._client_with(connection, credential, deadline))
            except (JiraRefusedCredentialsError, JiraLoginError) as error:
                raise self._refused(connection, error) from None
            accepted.append(credential)
            return credential

        return confirmed

    def _refused(self, connection: Connection, error: JiraError) -> errors.ReauthorizationNeededError:
        try:
            is_news = self.store.mark(connection, self._now(), invalid=True)
        except AWS_FAULTS:
            logger.exception("refused credentials not marked", external_id=connection.id.external_id)
            is_news = False
        if is_news:
            return self.tokens.died(connection, str(error))
        return self.tokens.needs_authorization(connection)


def _private_ca(client: SecretsManagerClient, secret_id: str) -> str:
    """Read the private certificate authority. Without it nothing is sent to its hosts."""
    try:
        pem = fetch_secret(client, secret_id)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except AWS_FAULTS as fault:
        logger.exception("the private certificate authority cannot be read", secret=secret_id)
        raise errors.AuthorityUnreadableError from fault
    except (ssl.SSLError, TypeError, ValueError):
        logger.error("the private certificate authority is not a PEM certificate", secret=secret_id)
        raise errors.AuthorityUnreadableError("is not a PEM certificate") from None
    return pem


@contextlib.contextmanager
def _naming(name: ConnectionId) -> Iterator[None]:
    """Name the connection in a fault of its secret, and tell whether the fault passes."""
    try:
        yield
    except VaultError as fault:
        logger.exception("a connection's secret cannot be read", external_id=name.external_id)
        raise errors.SecretUnreadableError(name, fault) from fault
    except AWS_FAULTS as fault:
        logger.exception("a connection's secret cannot be read for now", external_id=name.external_id)
        raise errors.ConnectionUnavailableError(name) from fault
