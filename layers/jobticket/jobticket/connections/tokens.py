"""Access tokens that are always fresh, however many ask for them at once.

Whoever needs a token and finds none takes the connection's lease and refreshes; everyone else waits for what
that brings. A refresh can die at any point: the lease runs out, the next caller sends the same refresh token
again (Atlassian takes it for ten more minutes), and the first result to be written counts.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.atlassian import (
    AppRefusedError,
    AtlassianApp,
    AtlassianUnavailableError,
    Grant,
    GrantDeadError,
)
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.connections.refreshes import RefreshStore
from jobticket.connections.store import ConnectionStore
from jobticket.connections.vault import DataKeyGoneError, Sealer, Vault
from jobticket.errors import InvalidError
from jobticket.jira.client import Pace
from jobticket.observability import count, logger

ACCESS_FIELD = "access_token"
REFRESH_FIELD = "refresh_token"

#: A call to the token endpoint ends well before its lease does, and a lease long before the ten minutes in
#: which a spent refresh token can be used again.
TOKEN_CALL_SECONDS = 12.0
LEASE = timedelta(seconds=16)
#: Long enough to see a dead holder's lease run out and another's refresh succeed, within a request.
WAIT_SECONDS = 25.0
#: A call with less time than this would be cut off half-way.
LEAST_CALL_SECONDS = 2.0
#: What callers are told to wait where Atlassian says nothing.
RETRY_SECONDS = 2
#: Nobody is given a token that is about to end.
MARGIN = timedelta(seconds=300)
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token, in clear."""

    text: str = field(repr=False)
    expires_at: datetime


class TokenSource:
    """Gives access tokens of OAuth connections.

    Parameters
    ----------
    store, vault
        Where connections and their secrets are.
    app
        Atlassian's token endpoint.
    now, pace
        Time, and chance.
    """

    def __init__(
        self,
        store: ConnectionStore,
        vault: Vault,
        app: AtlassianApp,
        *,
        now: Callable[[], datetime] = clock.now,
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._refreshes = RefreshStore(store.table)
        self._vault = vault
        self._app = app
        self._now = now
        self._pace = pace or Pace()

    def access_token(self, name: ConnectionId, deadline: Deadline) -> IssuedToken:
        """Return a good access token: one read, as long as there is one.

        Raises
        ------
        ConnectionNotFoundError
            401, if there is no such connection.
        InvalidError
            400, if it has no OAuth tokens.
        ReauthorizationNeededError
            403, if its grant is over.
        ConnectionUnavailableError
            503, if there is none to be had for now.
        """
        token = self._store.get_token(name)
        return self._open_if_usable(name, token) or self.refreshed(name, deadline)

    def of_read(self, connection: Connection, token: AccessToken | None, deadline: Deadline) -> IssuedToken:
        """Return a good access token of a connection that was just read together with its cached one.

        Raises
        ------
        ReauthorizationNeededError, ConnectionUnavailableError
            As ``access_token``.
        """
        return self._open_if_usable(connection.id, token) or self.refreshed(connection.id, deadline)

    def renewed(self, name: ConnectionId, refused: str, deadline: Deadline) -> IssuedToken:
        """Return another access token than the one that Jira has refused.

        Raises
        ------
        RefusalError
            As ``access_token``.
        """
        token = self._store.get_token(name)
        issued = self._open_if_usable(name, token)
        if issued is not None and issued.text != refused:
            return issued
        if token is not None:
            self._store.drop_token(name, token)
        return self.refreshed(name, deadline)

    def refreshed(self, name: ConnectionId, deadline: Deadline) -> IssuedToken:
        """Return the token that a refresh brings, one's own or somebody else's.

        Raises
        ------
        RefusalError
            As ``access_token``.
        """
        patience, since = deadline.sooner(WAIT_SECONDS), self._now()
        pause = FIRST_PAUSE_SECONDS
        while True:
            connection, token = self._read(name)
            issued = self._open_if_usable(name, token)
            if issued is None:
                self._respect_failure(connection, since)
                issued = self._try_to_refresh(connection, deadline)
            if issued is not None:
                return issued
            left = patience.left()
            if left <= 0:
                raise ConnectionUnavailableError(name)
            self._pace.sleep(min(pause * (0.5 + self._pace.random()), left))
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    def finish(self, name: ConnectionId, deadline: Deadline) -> bool:
        """End a refresh that was begun and never ended; tell whether there was still one to end.

        Raises
        ------
        RefusalError
            As ``access_token``, if it could not be ended.
        """
        connection = self._store.get(name)
        if connection is None or connection.unfinished_since is None:
            return False
        if not connection.is_usable(self._now()):
            return self._give_up(connection)
        return self._try_to_refresh(connection, deadline, even_if_fresh=True) is not None

    def _give_up(self, over: Connection) -> bool:
        """Leave the refresh of a consent that is over, and tell so once; False if it changed meanwhile."""
        if not self._refreshes.give_up(over):
            return False
        raise self._over(over.id, over.status(self._now()))

    def _read(self, name: ConnectionId) -> tuple[Connection, AccessToken | None]:
        connection, token = self._store.get_with_token(name)
        if connection is None:
            raise ConnectionNotFoundError(name)
        if connection.kind != "oauth":
            raise InvalidError("Connection has no OAuth tokens")
        if not connection.is_usable(self._now()):
            raise ReauthorizationNeededError(name)
        return connection, token

    def _respect_failure(self, connection: Connection, since: datetime) -> None:
        """Take another caller's word for it that there is no token to be had just now.

        Those who have waited for its refresh do, or each would ask in turn; and everybody does, for as long
        as Atlassian has said.
        """
        wait = 0.0
        if connection.retry_at is not None:
            wait = (connection.retry_at - self._now()).total_seconds()
        if wait > 0 or (connection.failed_at is not None and since < connection.failed_at):
            raise ConnectionUnavailableError(connection.id, retry_after=max(RETRY_SECONDS, math.ceil(wait)))

    def _open_if_usable(self, name: ConnectionId, token: AccessToken | None) -> IssuedToken | None:
        if token is None or self._now() >= token.usable_until:
            return None
        try:
            text = self._vault.open(name, ACCESS_FIELD, token.sealed)
        except DataKeyGoneError:
            return None
        return IssuedToken(text, token.expires_at)

    def _try_to_refresh(
        self, seen: Connection, deadline: Deadline, *, even_if_fresh: bool = False
    ) -> IssuedToken | None:
        """Refresh if nobody else does; None if somebody does, or has just done."""
        now = self._now()
        if seen.lease is not None and now < seen.lease.until:
            return None
        if deadline.left() < LEAST_CALL_SECONDS:
            raise ConnectionUnavailableError(seen.id)
        owner = secrets.token_urlsafe(12)
        held = self._refreshes.begin(seen, owner, now, now + LEASE)
        if held is None:
            return None
        if not even_if_fresh:
            # What was read before the lease may have been read while another refresh was being written.
            issued = self._open_if_usable(seen.id, self._store.get_token(seen.id))
            if issued is not None:
                self._refreshes.release(held, owner, begun=seen.unfinished_since is not None)
                return issued
        return self._refresh(Held(held, owner, was_unfinished=seen.unfinished_since is not None), deadline)

    def _refresh(self, held: Held, deadline: Deadline) -> IssuedToken | None:
        try:
            # A refresh token is spent only when its successor can be sealed; a fault here has sent nothing.
            self._vault.prepare()
            self._app.prepare()
            refresh_token = self._vault.open(held.name, REFRESH_FIELD, held.connection.secret)
        except AppRefusedError as error:
            raise self._app_refused(held, error) from None
        except Exception:
            self._refreshes.release(held.connection, held.owner, begun=held.was_unfinished)
            raise
        try:
            grant = self._app.refresh(refresh_token, deadline.sooner(TOKEN_CALL_SECONDS))
        except GrantDeadError as error:
            self._declare_dead(held, error)
            return None
        except AppRefusedError as error:
            raise self._app_refused(held, error) from None
        except AtlassianUnavailableError as error:
            logger.warning("access token not refreshed", reason=str(error))
            count("RefreshFailed")
            raise self._failed(held, error.retry_after, spent=error.outcome_unknown) from None
        return self._write_down(held, refresh_token, grant)

    def _write_down(self, held: Held, sent: str, grant: Grant) -> IssuedToken | None:
        now = self._now()
        name = held.name
        token = cached_token(self._vault, held.connection, grant, now)
        # An app without rotating tokens keeps the one that it has.
        secret = self._vault.seal(name, REFRESH_FIELD, grant.refresh_token or sent)
        if not self._refreshes.finish(held.connection, secret, token, now):
            logger.info("another refresh was written first")
            return None
        return IssuedToken(grant.access_token, token.expires_at)

    def _declare_dead(self, held: Held, error: GrantDeadError) -> None:
        if not self._refreshes.declare_dead(held.connection, held.owner):
            logger.info("another refresh was written first")
            return
        raise self._over(held.name, str(error))

    def _over(self, name: ConnectionId, reason: str) -> ReauthorizationNeededError:
        """Tell, once, that a connection has ended, and return the error for this caller."""
        logger.warning(
            "connection must be authorized again",
            external_id=name.external_id,
            provider=name.provider,
            reason=reason,
        )
        count("ConnectionDied")
        return ReauthorizationNeededError(name)

    def _app_refused(self, held: Held, error: AppRefusedError) -> ConnectionUnavailableError:
        logger.error("Atlassian refuses the app", reason=str(error))
        count("AppRefused")
        return self._failed(held, None, spent=False)

    def _failed(self, held: Held, wait: float | None, *, spent: bool) -> ConnectionUnavailableError:
        """Tell everybody who waits that there is no token, and return the error for this caller."""
        now = self._now()
        retry_at = None if wait is None else now + timedelta(seconds=wait)
        begun = spent or held.was_unfinished
        self._refreshes.release(held.connection, held.owner, begun=begun, failed_at=now, retry_at=retry_at)
        return ConnectionUnavailableError(held.name, retry_after=max(RETRY_SECONDS, math.ceil(wait or 0)))


@dataclass(frozen=True, slots=True)
class Held:
    """A connection whose lease this caller has.

    Attributes
    ----------
    was_unfinished
        Whether an earlier refresh had no end: then the token may be spent, whatever comes of this one.
    """

    connection: Connection
    owner: str
    was_unfinished: bool

    @property
    def name(self) -> ConnectionId:
        return self.connection.id


def cached_token(sealer: Sealer, connection: Connection, grant: Grant, now: datetime) -> AccessToken:
    """Return a grant's access token as it is kept: sealed, and not handed out to its very end."""
    lifetime = timedelta(seconds=grant.expires_in)
    usable_until = now + lifetime - min(MARGIN, lifetime / 2)
    if connection.expires_at is not None:
        usable_until = min(usable_until, connection.expires_at)
    return AccessToken(
        sealer.seal(connection.id, ACCESS_FIELD, grant.access_token), usable_until, now + lifetime
    )
