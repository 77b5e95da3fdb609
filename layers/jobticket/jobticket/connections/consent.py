"""A user's consent, from its beginning to a connection.

1. A backend mints a connect token (``ConnectSessions``), or the deployment lets anybody begin.
2. ``Consent.begin``: a state is kept and the user is sent to Atlassian.
3. ``Consent.accept``: Atlassian sends the user back with a code, which is traded for tokens. They are kept
   as a pending connection; nothing that exists changes.
4. ``Consent.sites``, ``Consent.finalize``: the user says which of the granted sites is meant, and in one
   transaction the connection is written and everything that led to it is used up.

Deleting the connection ends all of it, at whatever step it is (``sessions``).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.atlassian import (
    AppRefusedError,
    AtlassianApp,
    AtlassianError,
    Grant,
    GrantedSite,
)
from jobticket.connections.model import GRANT_LIFETIME, Connection, ConnectionId
from jobticket.connections.sessions import KEPT_LONGER, SessionStore, digest, new_secret
from jobticket.connections.store import ConnectionStore, new_authorization
from jobticket.connections.tokens import REFRESH_FIELD, cached_token
from jobticket.connections.vault import Sealer, Vault
from jobticket.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    UnauthenticatedError,
    UnavailableError,
    UpstreamError,
)
from jobticket.observability import count, logger
from jobticket.store.table import ConditionFailedError, Item, Write

STATE_LIFETIME = timedelta(seconds=600)
PENDING_LIFETIME = timedelta(minutes=15)
CONNECT_TOKEN_SECONDS = 900
LONGEST_CONNECT_TOKEN_SECONDS = 3600

INVALID_STATE = "Invalid state or expired state. Please try again."
EXCHANGE_FAILED = "Failed to exchange authorization code for tokens"
NO_APP = "The deployment does not know its app at Atlassian: put its id and secret into the app secret"
EXPIRED_SESSION = "Connection ID not found: session is either expired or does not exist"
STILL_VALID = "A connection already exists for this external_id. Reauthorize it with a connect token."


@dataclass(frozen=True, slots=True)
class Permit:
    """By what right a consent was begun.

    Attributes
    ----------
    may_replace
        Whether it may take the place of a connection that still works.
    connect
        The digest of the connect token, which is used up at the end.
    generation
        That of the connection's name when it was begun: a deletion since then has ended it.
    """

    may_replace: bool
    connect: str | None = None
    generation: str | None = None


@dataclass(frozen=True, slots=True)
class Minted:
    """What a connect token is good for."""

    key: str
    name: ConnectionId
    return_url: str | None
    generation: str | None

    def permit(self, name: ConnectionId, return_url: str | None) -> Permit:
        """Return the permit for what is asked for; without a return URL it is the token's.

        Raises
        ------
        ForbiddenError
            If the token was minted for something else.
        """
        if self.name != name or (return_url is not None and return_url != self.return_url):
            raise ForbiddenError("The connect token is for another connection or return_url")
        return Permit(may_replace=True, connect=self.key, generation=self.generation)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who comes to finalize: the browser that gave the consent, by its cookie, or a backend, by its key.

    Attributes
    ----------
    has_key
        Asked only if the cookie is not the right one.
    """

    cookie: str | None = field(repr=False)
    has_key: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A consent that was given: the code of the page to go on with, and the browser's own secret for it."""

    code: str = field(repr=False)
    cookie: str = field(repr=False)
    id: str


@dataclass(frozen=True, slots=True)
class Denied:
    """A consent that was not given."""

    error: str
    return_url: str | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A consent that waits for its site."""

    id: str
    name: ConnectionId
    return_url: str | None
    permit: Permit
    authorized_at: datetime
    grant: Grant


class ConnectSessions:
    """Mints connect tokens and finds them again: a backend's word that somebody may connect."""

    def __init__(self, sessions: SessionStore, now: Callable[[], datetime] = clock.now) -> None:
        self._sessions = sessions
        self._now = now

    def mint(self, name: ConnectionId, return_url: str | None, seconds: int) -> tuple[str, datetime]:
        """Return a connect token for this connection and return URL alone, and when it ends."""
        token = new_secret()
        now = self._now()
        until = now + timedelta(seconds=seconds)
        record = {
            "provider": name.provider,
            "external_id": name.external_id,
            "return_url": return_url,
            "generation": self._sessions.generation(name),
        }
        self._sessions.put("CONNECT", digest("CONNECT", token), record, until=until, kept=until + KEPT_LONGER)
        return token, until

    def find(self, token: str) -> Minted:
        """Return what a connect token is good for.

        It stays good until a connection comes of it: a user may have to begin twice.

        Raises
        ------
        UnauthenticatedError
            If there is no such token (any more).
        """
        key = digest("CONNECT", token)
        record = self._sessions.get("CONNECT", key, self._now())
        if record is None or self._sessions.was_ended(record):
            raise UnauthenticatedError("Invalid or expired connect token")
        name = ConnectionId(record["provider"], record["external_id"])
        return Minted(key, name, record.get("return_url"), record.get("generation"))


class Consent:
    """Leads users through a consent.

    Parameters
    ----------
    vault
        Keeps the tokens of consents under way.
    sealer
        Seals those of the connections that come of them.
    scopes
        What is asked for.
    public_url
        The base of the product's own links.
    """

    def __init__(
        self,
        sessions: SessionStore,
        store: ConnectionStore,
        vault: Vault,
        sealer: Sealer,
        app: AtlassianApp,
        *,
        scopes: str,
        public_url: str,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._sessions = sessions
        self._store = store
        self._vault = vault
        self._sealer = sealer
        self._app = app
        self._scopes = scopes
        self._public_url = public_url
        self._now = now

    def begin(self, name: ConnectionId, return_url: str | None, permit: Permit) -> str:
        """Return where to send the user.

        Raises
        ------
        ConflictError
            409, if this would replace a connection that works and may not.
        UnavailableError
            503, if nobody has told the deployment its app.
        """
        try:
            self._app.prepare()
        except AppRefusedError as error:
            logger.error("Atlassian would refuse the app", reason=str(error))
            count("AppRefused")
            raise UnavailableError(NO_APP) from None
        if not permit.may_replace:
            self._refuse_replacement(self._store.outline(name))
        state = new_secret()
        until = self._now() + STATE_LIFETIME
        generation = permit.generation if permit.connect else self._sessions.generation(name)
        record = {
            "provider": name.provider,
            "external_id": name.external_id,
            "return_url": return_url,
            "may_replace": permit.may_replace,
            "connect": permit.connect,
            "generation": generation,
        }
        self._sessions.put("STATE", digest("STATE", state), record, until=until, kept=until)
        return self._app.authorization_uri(
            scopes=self._scopes, redirect_uri=self.callback_url(name.provider), state=state
        )

    def callback_url(self, provider: str) -> str:
        """Return where Atlassian sends users back to."""
        return f"{self._public_url}/api/frontend/oauth/authorization-callback/{provider}"

    def deny(self, provider: str, state: str, error: str) -> Denied:
        """Take note that the user said no.

        Raises
        ------
        InvalidError
            If the state is not good.
        """
        record = self._take_state(provider, state)
        return Denied(error, record.get("return_url"))

    def accept(self, provider: str, state: str, code: str, deadline: Deadline) -> Accepted:
        """Trade Atlassian's code for tokens and keep them until a site is chosen.

        Raises
        ------
        InvalidError
            If the state is not good, or the code buys nothing.
        """
        # A state is used up only when what comes of it can be kept: what fails here can be tried again.
        self._vault.prepare()
        try:
            self._app.prepare()
            record = self._take_state(provider, state)
            grant = self._app.exchange(code, self.callback_url(provider), deadline)
        except AppRefusedError as error:
            logger.error("Atlassian refuses the app", reason=str(error))
            count("AppRefused")
            raise InvalidError(EXCHANGE_FAILED) from None
        except AtlassianError as error:
            logger.warning("code not exchanged", reason=type(error).__name__)
            raise InvalidError(EXCHANGE_FAILED) from None
        if grant.refresh_token is None:
            logger.error("Atlassian gave no refresh token: the app lacks the scope offline_access")
            raise InvalidError(EXCHANGE_FAILED)
        return self._keep_pending(record, grant)

    def pending(self, code: str, visitor: Visitor) -> Pending:
        """Return the consent that a page's code stands for.

        Raises
        ------
        InvalidError
            400, if there is none (any more).
        ForbiddenError
            403, if this is not the browser that gave it.
        """
        key = digest("PENDING", code)
        record = self._sessions.get("PENDING", key, self._now())
        if record is None or self._sessions.was_ended(record):
            raise InvalidError(EXPIRED_SESSION)
        if not _matches(record["cookie"], visitor.cookie) and not visitor.has_key():
            raise ForbiddenError("This link belongs to another browser")
        return self._pending_of(key, record)

    def sites(self, pending: Pending, deadline: Deadline) -> list[GrantedSite]:
        """Return the Jira sites that the user has granted, in this consent or any earlier one.

        Raises
        ------
        UpstreamError
            502, if Atlassian does not say.
        """
        try:
            return self._app.sites(pending.grant.access_token, deadline)
        except AtlassianError as error:
            logger.warning("sites not fetched", reason=str(error))
            raise UpstreamError("Failed to fetch Jira sites") from None

    def account(self, pending: Pending, sites: list[GrantedSite], deadline: Deadline) -> str | None:
        """Return the name of the Atlassian account that gave the consent, if a site tells it."""
        return self._app.account(pending.grant.access_token, sites[0], deadline) if sites else None

    def finalize(self, pending: Pending, site_id: str, deadline: Deadline) -> Connection:
        """Make the connection to the chosen site, once.

        Raises
        ------
        InvalidError
            If the site was not granted, or the consent was used up or ended meanwhile.
        ConflictError
            If a connection stands there that may not be replaced.
        """
        sites = {site.site_id: site for site in self.sites(pending, deadline)}
        if site_id not in sites:
            raise InvalidError("The site is not one of those granted")
        connection = self._connection(pending, sites[site_id])
        token = cached_token(self._sealer, connection, pending.grant, pending.authorized_at)
        used_up: list[Write] = [
            self._sessions.spending("PENDING", pending.id),
            self._sessions.going_on(pending.name, pending.permit.generation),
        ]
        if pending.permit.connect is not None:
            used_up.append(self._sessions.spending("CONNECT", pending.permit.connect))
        permit = _anything if pending.permit.may_replace else self._refuse_replacement
        try:
            return self._store.replace(connection, token, permit=permit, alongside=used_up)
        except ConditionFailedError as failed:
            if failed.position < 2:
                raise InvalidError(EXPIRED_SESSION) from None
            raise ForbiddenError("The connect token has been used") from None
        except ConflictError:
            # What stands there may be what a first submit of this very page has made.
            if self._sessions.get("PENDING", pending.id, self._now()) is None:
                raise InvalidError(EXPIRED_SESSION) from None
            raise

    def _take_state(self, provider: str, state: str) -> Item:
        key = digest("STATE", state)
        # Read before it is taken: trouble with the rest uses up no state.
        record = self._sessions.get("STATE", key, self._now())
        if record is None or record["provider"] != provider or self._sessions.was_ended(record):
            raise InvalidError(INVALID_STATE)
        if self._sessions.take("STATE", key, self._now()) is None:
            raise InvalidError(INVALID_STATE)
        return record

    def _keep_pending(self, record: Item, grant: Grant) -> Accepted:
        code, cookie = new_secret(), new_secret()
        key = digest("PENDING", code)
        name = ConnectionId(record["provider"], record["external_id"])
        now = self._now()
        until = now + PENDING_LIFETIME
        carried = {part: record.get(part) for part in ("return_url", "may_replace", "connect", "generation")}
        pending: dict[str, Any] = carried | {
            "provider": name.provider,
            "external_id": name.external_id,
            "cookie": digest("COOKIE", cookie),
            "authorized_at": clock.iso_milliseconds(now),
            "expires_in": grant.expires_in,
            "access": self._vault.seal(name, f"pending access {key}", grant.access_token),
            "refresh": self._vault.seal(name, f"pending refresh {key}", grant.refresh_token or ""),
        }
        self._sessions.put("PENDING", key, pending, until=until, kept=until)
        return Accepted(code, cookie, key[:16])

    def _pending_of(self, key: str, record: Item) -> Pending:
        name = ConnectionId(record["provider"], record["external_id"])
        grant = Grant(
            self._vault.open(name, f"pending access {key}", record["access"]),
            self._vault.open(name, f"pending refresh {key}", record["refresh"]),
            record["expires_in"],
        )
        return Pending(
            id=key,
            name=name,
            return_url=record.get("return_url"),
            permit=Permit(record["may_replace"], record.get("connect"), record.get("generation")),
            authorized_at=clock.parse_iso(record["authorized_at"]),
            grant=grant,
        )

    def _connection(self, pending: Pending, site: GrantedSite) -> Connection:
        connection = Connection(
            id=pending.name,
            kind="oauth",
            authorization=new_authorization(),
            secret=b"",
            site_id=site.site_id,
            site_name=site.name,
            site_url=site.url,
            api_url=self._app.site_api_url(site.site_id),
            deployment="cloud",
            authorized_at=pending.authorized_at,
            last_refreshed_at=pending.authorized_at,
            expires_at=pending.authorized_at + GRANT_LIFETIME,
        )
        sealed = self._sealer.seal(pending.name, REFRESH_FIELD, pending.grant.refresh_token or "")
        return replace(connection, secret=sealed)

    def _refuse_replacement(self, earlier: Connection | None) -> None:
        if earlier is not None and earlier.is_usable(self._now()):
            raise ConflictError(STILL_VALID)


def _anything(_earlier: Connection | None) -> None:
    """Let any connection be replaced."""


def _matches(expected: str, cookie: str | None) -> bool:
    return cookie is not None and hmac.compare_digest(expected, digest("COOKIE", cookie))
