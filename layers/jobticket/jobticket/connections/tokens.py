"""Access tokens that are always fresh, however many callers ask at once.

A caller that finds no fresh token takes the connection's lease and refreshes; all others wait for its result.
A refresh can die at any point. Then its lease runs out, and the next caller sends the same refresh token
again: Atlassian accepts it for ten more minutes. The first result to be written counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections import atlassian
from jobticket.connections.connection_store import ConnectionStore
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.connections.refreshes import RefreshStore
from jobticket.connections.vault import DataKeyGoneError, Sealer, Vault
from jobticket.dataclass import dataclass, field
from jobticket.errors import InvalidError
from jobticket.jira.client import Pace
from jobticket.jira.rate_limits import LONGEST_PAUSE_SECONDS
from jobticket.observability import count, logger
from jobticket.store.lease import Lease

ACCESS_FIELD = "access_token"

#: A call of the token endpoint ends well before its lease does, and a lease long before the ten minutes in
#: which a spent refresh token still works.
TOKEN_CALL_SECONDS = 12.0
LEASE = timedelta(seconds=16)
#: Within a request, a waiting caller sees a dead holder's lease expire and the next refresh succeed.
WAIT_SECONDS = 25.0
#: A call with less time than this would be cut off half-way.
LEAST_CALL_SECONDS = 2.0
#: What callers are told to wait if Atlassian names no time.
RETRY_SECONDS = 2
#: A token counts as fresh until this long before its end.
MARGIN = timedelta(seconds=300)
#: Between looks at another caller's refresh.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 2.0


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token, in clear."""

    text: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Refresh:
    """A refresh that this caller has begun, with the connection as it stands under the lease."""

    connection: Connection
    lease: Lease
    #: An earlier refresh is unfinished: then the token may be spent, whatever the outcome of this one.
    was_unfinished: bool


class TokenSource:
    """Gives access tokens of consents, and of a service account's client credentials.

    ``scopes`` are those that the deployment asks for.
    The public methods raise ``ConnectionNotFoundError`` (401), ``InvalidError`` (400) for a connection
    without tokens, ``ReauthorizationNeededError`` (403) if the grant is dead, and
    ``ConnectionUnavailableError`` (503) if there is no token for now.
    """

    def __init__(
        self,
        store: ConnectionStore,
        vault: Vault,
        app: atlassian.AtlassianApp,
        *,
        scopes: str = "",
        now: Callable[[], datetime] = clock.now,
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._refreshes = RefreshStore(store.table)
        self._vault = vault
        self._app = app
        self.scopes = scopes
        self._now = now
        self._pace = pace or Pace()

    def access_token(self, name: ConnectionId, deadline: Deadline) -> IssuedToken:
        """Return a fresh access token, with one read if one is cached."""
        return self.of_read(name, self._store.get_token(name), deadline)

    def of_read(self, name: ConnectionId, token: AccessToken | None, deadline: Deadline) -> IssuedToken:
        """Return a fresh access token of a connection whose cached token has just been read."""
        return self._open_if_fresh(name, token) or self.refreshed(name, deadline)

    def renewed(self, name: ConnectionId, refused: str, deadline: Deadline) -> IssuedToken:
        """Return another access token than the one that Jira has refused."""
        token = self._store.get_token(name)
        issued = self._open_if_fresh(name, token)
        if issued is not None and issued.text != refused:
            return issued
        if token is not None:
            self._store.drop_token(name, token)
        return self.refreshed(name, deadline)

    def refreshed(self, name: ConnectionId, deadline: Deadline, *, even_if_dead: bool = False) -> IssuedToken:
        """Return the token of the next refresh, this caller's or another's.

        With ``even_if_dead`` client credentials are tried that were refused before: they may work by now.
        """
        patience, since = deadline.sooner(WAIT_SECONDS), self._now()
        pause = FIRST_WAIT_SECONDS
        while True:
            connection, token = self._read(name, even_if_dead=even_if_dead)
            issued = self._open_if_fresh(name, token)
            if issued is None:
                self._respect_failure(connection, since)
                issued = self._try_to_refresh(connection, deadline)
            if issued is not None:
                return issued
            left = patience.left()
            if left <= 0:
                raise ConnectionUnavailableError(name)
            self._pace.sleep(min(pause * (0.5 + self._pace.random()), left))
            pause = min(pause * 1.5, LONGEST_WAIT_SECONDS)

    def finish(self, name: ConnectionId, deadline: Deadline) -> bool:
        """Finish an interrupted refresh; False if there is none, or another caller finishes it."""
        connection = self._store.get(name)
        if connection is None or connection.unfinished_since is None:
            return False
        if connection.is_usable(self._now()):
            return self._try_to_refresh(connection, deadline, even_if_fresh=True) is not None
        if not self._refreshes.give_up(connection):
            return False
        raise self.died(connection, connection.status(self._now()))

    def died(self, connection: Connection, reason: str) -> ReauthorizationNeededError:
        """Report, once, that a connection has died; return the error for this caller."""
        logger.warning(
            "connection must be authorized again",
            external_id=connection.id.external_id,
            provider=connection.id.provider,
            reason=reason,
        )
        count("ConnectionDied")
        return self.needs_authorization(connection)

    def needs_authorization(self, connection: Connection) -> ReauthorizationNeededError:
        """Return the error for callers of a connection that does not work any more."""
        return ReauthorizationNeededError(connection.id, connection.missing_scopes(self.scopes))

    def _read(self, name: ConnectionId, *, even_if_dead: bool) -> tuple[Connection, AccessToken | None]:
        connection, token = self._store.get_with_token(name)
        if connection is None:
            raise ConnectionNotFoundError(name)
        if not connection.has_tokens:
            raise InvalidError("Connection has no OAuth tokens")
        tried_anyway = even_if_dead and connection.kind == "client_credentials"
        if not connection.is_usable(self._now()) and not tried_anyway:
            raise self.needs_authorization(connection)
        return connection, token

    def _respect_failure(self, connection: Connection, since: datetime) -> None:
        """Refuse if a refresh failed that this caller waited for, or Atlassian asks for no call yet.

        Otherwise all waiting callers would try in turn.
        """
        wait = 0.0
        if connection.retry_at is not None:
            wait = (connection.retry_at - self._now()).total_seconds()
        if wait > 0 or (connection.failed_at is not None and since < connection.failed_at):
            raise ConnectionUnavailableError(connection.id, retry_after=_whole_seconds(wait))

    def _open_if_fresh(self, name: ConnectionId, token: AccessToken | None) -> IssuedToken | None:
        if token is None or self._now() >= token.usable_until:
            return None
        try:
            return IssuedToken(self._vault.open(name, ACCESS_FIELD, token.sealed), token.expires_at)
        except DataKeyGoneError:
            return None

    def _try_to_refresh(
        self, seen: Connection, deadline: Deadline, *, even_if_fresh: bool = False
    ) -> IssuedToken | None:
        """Refresh under the lease; None if another caller has it, or its result was written first."""
        now = self._now()
        if seen.lease is not None and now < seen.lease.until:
            return None
        if deadline.left() < LEAST_CALL_SECONDS:
            raise ConnectionUnavailableError(seen.id)
        lease = Lease.begin(now, LEASE)
        connection = self._refreshes.begin(seen, lease, now)
        if connection is None:
            return None
        refresh = _Refresh(connection, lease, was_unfinished=seen.unfinished_since is not None)
        if not even_if_fresh:
            # The token was read before the lease was taken: another refresh may have ended in between.
            issued = self._open_if_fresh(seen.id, self._store.get_token(seen.id))
            if issued is not None:
                self._refreshes.release(connection, lease, begun=refresh.was_unfinished)
                return issued
        return self._refresh(refresh, deadline)

    def _refresh(self, refresh: _Refresh, deadline: Deadline) -> IssuedToken | None:
        connection = refresh.connection
        try:
            # A refresh token is spent only when its successor can be sealed; a fault here has sent nothing.
            self._vault.prepare()
            if connection.kind == "oauth":
                self._app.prepare()
            sent = self._vault.open(connection.id, connection.secret_field, connection.secret)
        except atlassian.AppRefusedError as error:
            raise self._app_refused(refresh, error) from None
        except Exception:
            self._refreshes.release(connection, refresh.lease, begun=refresh.was_unfinished)
            raise
        ask = self._app.refresh if connection.kind == "oauth" else self._app.client_grant
        try:
            grant = ask(sent, deadline.sooner(TOKEN_CALL_SECONDS))
        except atlassian.GrantDeadError as error:
            if not self._refreshes.declare_dead(connection, refresh.lease, self._now()):
                logger.info("another refresh was written first")
                return None
            raise self.died(connection, str(error)) from None
        except atlassian.AppRefusedError as error:
            raise self._app_refused(refresh, error) from None
        except atlassian.AtlassianUnavailableError as error:
            logger.warning("access token not refreshed", reason=str(error))
            count("RefreshFailed")
            raise self._failed(refresh, error.retry_after, spent=error.outcome_unknown) from None
        return self._keep(connection, sent, grant)

    def _keep(self, connection: Connection, sent: str, grant: atlassian.Grant) -> IssuedToken | None:
        now = self._now()
        token = cached_token(self._vault, connection, grant, now)
        # An app without rotating refresh tokens keeps the one it has, and so do client credentials.
        kept = grant.refresh_token if connection.kind == "oauth" else None
        secret = self._vault.seal(connection.id, connection.secret_field, kept or sent)
        if not self._refreshes.succeed(connection, secret, token, now, grant.scopes):
            logger.info("another refresh was written first")
            return None
        return IssuedToken(grant.access_token, token.expires_at)

    def _app_refused(self, refresh: _Refresh, error: atlassian.AppRefusedError) -> ConnectionUnavailableError:
        logger.error("Atlassian refuses the app", reason=str(error))
        count("AppRefused")
        return self._failed(refresh, None, spent=False)

    def _failed(self, refresh: _Refresh, wait: float | None, *, spent: bool) -> ConnectionUnavailableError:
        """Store the failure for the callers that wait; return the error for this one."""
        now = self._now()
        self._refreshes.release(
            refresh.connection,
            refresh.lease,
            begun=spent or refresh.was_unfinished,
            failed_at=now,
            retry_at=None if wait is None else now + timedelta(seconds=min(wait, LONGEST_PAUSE_SECONDS)),
        )
        return ConnectionUnavailableError(refresh.connection.id, retry_after=_whole_seconds(wait or 0))


def _whole_seconds(wait: float) -> int:
    return max(RETRY_SECONDS, math.ceil(wait))


def cached_token(
    sealer: Sealer, connection: Connection, grant: atlassian.Grant, now: datetime
) -> AccessToken:
    """Return a grant's access token as it is cached: sealed, and fresh for less than its life."""
    lifetime = timedelta(seconds=grant.expires_in)
    fresh_until = now + lifetime - min(MARGIN, lifetime / 2)
    if connection.expires_at is not None:
        fresh_until = min(fresh_until, connection.expires_at)
    sealed = sealer.seal(connection.id, ACCESS_FIELD, grant.access_token)
    return AccessToken(sealed, fresh_until, now + lifetime)
