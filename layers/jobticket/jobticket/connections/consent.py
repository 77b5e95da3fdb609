"""A user's consent, from its beginning to a connection.

::

    who        route                           here                 records it makes and spends
    ---------  ------------------------------  -------------------  ----------------------------------------
    backend    POST connect-sessions           ConnectTokens.mint   → CONNECT, found by the connect token
    user       POST initiate-oauth-flow        Consent.begin        → STATE, found by the state in the link
    Atlassian  GET authorization-callback      Consent.accept       STATE → PENDING, found by connection_code
               (the user said no)              Consent.decline      STATE →
    user       GET finalize-connection, sites  Consent.pending      (needs the browser's cookie, too)
    user       POST create-connection          Consent.finalize     PENDING, CONNECT → CONNECTION, ACCESS
    user       GET finalize-connection, again  Consent.chosen       (the outcome, for 15 minutes)

Each record is found by a secret that the step before it handed out (``sessions``). It carries the same
``ConsentRequest`` all the way. Without connect tokens (``ConnectMode`` ``open``) the way begins with the
second step. No connection changes before the last step, which is one transaction. Deleting the connection
ends the consent at any step. The routes are in ``functions/connections`` (the first) and ``functions/oauth``.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.atlassian import AppRefusedError, AtlassianApp, AtlassianError, Grant, GrantedSite
from jobticket.connections.connect_tokens import ConsentRequest
from jobticket.connections.connection_store import ConnectionStore, new_authorization
from jobticket.connections.model import GRANT_LIFETIME, REFRESH_FIELD, Connection
from jobticket.connections.sessions import OUTCOME, SessionStore, digest, new_secret
from jobticket.connections.tokens import cached_token
from jobticket.connections.vault import Sealer, Vault
from jobticket.dataclass import dataclass, field, replace
from jobticket.errors import ConflictError, ForbiddenError, InvalidError, UnavailableError, UpstreamError
from jobticket.history.records import Stamp
from jobticket.observability import count, logger
from jobticket.store.table import Item
from jobticket.store.unit_of_work import attempts

STATE_LIFETIME = timedelta(seconds=600)
PENDING_LIFETIME = timedelta(minutes=15)

INVALID_STATE = "Invalid state or expired state. Please try again."
EXCHANGE_FAILED = "Failed to exchange authorization code for tokens"
NO_APP = "The deployment does not know its app at Atlassian: put its id and secret into the app secret"
EXPIRED_SESSION = "Connection ID not found: session is either expired or does not exist"
STILL_VALID = "A connection already exists for this external_id. Reauthorize it with a connect token."


@dataclass(frozen=True, slots=True)
class Accepted:
    """A consent that the user gave: its connection_code, and the secret of the browser that may use it."""

    code: str = field(repr=False)
    cookie: str = field(repr=False)
    id: str


class ExchangeError(InvalidError):
    """Atlassian gave no tokens for a code."""

    def __init__(self, return_url: str | None) -> None:
        super().__init__(EXCHANGE_FAILED)
        self.return_url = return_url


@dataclass(frozen=True, slots=True)
class Chosen:
    """The outcome of a consent: the chosen site, and where the user came from."""

    site_name: str
    return_url: str | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A consent that waits for its site to be chosen; ``cookie`` is the digest of the browser's secret."""

    id: str
    cookie: str
    request: ConsentRequest
    authorized_at: datetime
    grant: Grant


@dataclass
class Consent:
    """Leads users through a consent. What it raises are refusals, given here by their status.

    The vault keeps the tokens of consents under way, the sealer those of new connections.
    """

    sessions: SessionStore
    store: ConnectionStore
    vault: Vault
    sealer: Sealer
    app: AtlassianApp
    scopes: str
    public_url: str
    now: Callable[[], datetime] = clock.now

    def begin(self, request: ConsentRequest) -> str:
        """Store a state and return Atlassian's page for the user.

        409 if a connection works that it may not replace, 503 if the deployment has no app secret.
        """
        try:
            self.app.prepare()
        except AppRefusedError as error:
            logger.error("the app secret cannot be used", reason=str(error))
            count("AppRefused")
            raise UnavailableError(NO_APP) from None
        if not request.may_replace:
            self._check_replacement(request, self.store.outline(request.name))
        if request.connect is None:
            request = replace(request, generation=self.sessions.generation(request.name))
        state = new_secret()
        until = self.now() + STATE_LIFETIME
        self.sessions.put("STATE", digest("STATE", state), request.record(), until)
        return self.app.authorization_uri(
            scopes=self.scopes, redirect_uri=self.callback_url(request.name.provider), state=state
        )

    def callback_url(self, provider: str) -> str:
        """Return where Atlassian sends users back to."""
        return f"{self.public_url}/api/frontend/oauth/authorization-callback/{provider}"

    def decline(self, provider: str, state: str) -> str | None:
        """End a consent that the user did not give; return its return URL. 400 if the state is invalid."""
        return self._spend_state(provider, state).return_url

    def accept(self, provider: str, state: str, code: str, deadline: Deadline) -> Accepted:
        """Exchange Atlassian's code for tokens and keep them until a site is chosen.

        400 if the state is invalid, or Atlassian gives no tokens for the code.
        """
        # The state is spent only when the tokens can be kept and asked for: before that the user can reload.
        self.vault.prepare()
        back = None
        try:
            self.app.prepare()
            request = self._spend_state(provider, state)
            back = request.return_url
            grant = self.app.exchange(code, self.callback_url(provider), deadline)
        except AppRefusedError as error:
            logger.error("Atlassian refuses the app", reason=str(error))
            count("AppRefused")
            raise ExchangeError(back) from None
        except AtlassianError as error:
            logger.warning("code not exchanged", reason=type(error).__name__)
            raise ExchangeError(back) from None
        if grant.refresh_token is None:
            logger.error("Atlassian gave no refresh token: the app lacks the scope offline_access")
            raise ExchangeError(back)
        return self._keep_pending(request, grant)

    def pending(self, code: str, cookie: str | None, has_key: Callable[[], bool]) -> Pending:
        """Return the pending connection of a connection_code.

        400 if it has expired; 403 for another browser than the one that gave the consent, without a key.
        """
        key = digest("PENDING", code)
        record = self.sessions.get("PENDING", key, self.now())
        if record is None:
            raise InvalidError(EXPIRED_SESSION)
        if not _matches(record["cookie"], cookie) and not has_key():
            raise ForbiddenError("This link belongs to another browser")
        return self._pending_of(key, record)

    def chosen(self, code: str, cookie: str | None) -> Chosen | None:
        """Return what the site of a connection_code is, if this browser has chosen it."""
        record = self.sessions.get("PENDING", digest("PENDING", code), self.now(), OUTCOME)
        if record is None or not _matches(record["cookie"], cookie):
            return None
        return Chosen(record["site_name"], record.get("return_url"))

    def sites(self, pending: Pending, deadline: Deadline) -> list[GrantedSite]:
        """Return the Jira sites that the user has granted, in this consent or an earlier one; or 502."""
        try:
            return self.app.sites(pending.grant.access_token, deadline)
        except AtlassianError as error:
            logger.warning("sites not fetched", reason=str(error))
            raise UpstreamError("Failed to fetch Jira sites") from None

    def account(self, pending: Pending, sites: list[GrantedSite], deadline: Deadline) -> str | None:
        """Return the name of the Atlassian account that gave the consent, if its first site answers."""
        return self.app.account(pending.grant.access_token, sites[0], deadline) if sites else None

    def finalize(self, pending: Pending, site_id: str, deadline: Deadline) -> None:
        """Make the connection to the chosen site, once: the consent is spent in the same transaction.

        400 if the site was not granted, or the consent was used or ended meanwhile; 403 if its connect token
        was; 409 if a connection works that it may not replace.
        """
        sites = {site.site_id: site for site in self.sites(pending, deadline)}
        if site_id not in sites:
            raise InvalidError("The site is not one of those granted")
        request, expired = pending.request, InvalidError(EXPIRED_SESSION)
        connection = self._connection(pending, sites[site_id])
        token = cached_token(self.sealer, connection, pending.grant, pending.authorized_at)
        outcome = request.record() | {"cookie": pending.cookie, "site_name": connection.site_name}
        stamp = Stamp(self.now(), "consent")
        until = stamp.at + PENDING_LIFETIME
        for work in attempts(self.store.table):
            with work:
                earlier = self.store.outline(request.name)
                try:
                    self._check_replacement(request, earlier)
                except ConflictError:
                    # The connection that exists may come from an earlier submit of this very page.
                    if self.sessions.get("PENDING", pending.id, self.now()) is None:
                        raise expired from None
                    raise
                self.store.add_replacement(work, connection, earlier, stamp, token)
                self.sessions.add_spending(work, "PENDING", pending.id, expired)
                self.sessions.add_outcome(work, pending.id, outcome, until)
                self.sessions.require_generation(work, request.name, request.generation, expired)
                if request.connect is not None:
                    used = ForbiddenError("The connect token has been used")
                    self.sessions.add_spending(work, "CONNECT", request.connect, used)

    def _spend_state(self, provider: str, state: str) -> ConsentRequest:
        key = digest("STATE", state)
        # Read first: a fault of another read must not spend the state.
        record = self.sessions.get("STATE", key, self.now())
        if record is None or record["provider"] != provider or not self.sessions.spend("STATE", key):
            raise InvalidError(INVALID_STATE)
        return ConsentRequest.of(record)

    def _keep_pending(self, request: ConsentRequest, grant: Grant) -> Accepted:
        code, cookie = new_secret(), new_secret()
        key = digest("PENDING", code)
        now = self.now()
        until = now + PENDING_LIFETIME
        record: dict[str, Any] = request.record() | {
            "cookie": digest("COOKIE", cookie),
            "authorized_at": clock.iso_milliseconds(now),
            "expires_in": grant.expires_in,
            "scopes": grant.scopes,
            "access": self.vault.seal(request.name, f"pending access {key}", grant.access_token),
            "refresh": self.vault.seal(request.name, f"pending refresh {key}", grant.refresh_token or ""),
        }
        self.sessions.put("PENDING", key, record, until)
        return Accepted(code, cookie, key[:16])

    def _pending_of(self, key: str, record: Item) -> Pending:
        request = ConsentRequest.of(record)
        grant = Grant(
            self.vault.open(request.name, f"pending access {key}", record["access"]),
            self.vault.open(request.name, f"pending refresh {key}", record["refresh"]),
            record["expires_in"],
            record.get("scopes"),
        )
        return Pending(key, record["cookie"], request, clock.parse_iso(record["authorized_at"]), grant)

    def _connection(self, pending: Pending, site: GrantedSite) -> Connection:
        name = pending.request.name
        return Connection(
            id=name,
            kind="oauth",
            authorization=new_authorization(),
            secret=self.sealer.seal(name, REFRESH_FIELD, pending.grant.refresh_token or ""),
            site_id=site.site_id,
            site_name=site.name,
            site_url=site.url,
            api_url=self.app.site_api_url(site.site_id),
            deployment="cloud",
            authorized_at=pending.authorized_at,
            last_refreshed_at=pending.authorized_at,
            expires_at=pending.authorized_at + GRANT_LIFETIME,
            scopes=pending.grant.scopes,
        )

    def _check_replacement(self, request: ConsentRequest, earlier: Connection | None) -> None:
        if not request.may_replace and earlier is not None and earlier.is_usable(self.now()):
            raise ConflictError(STILL_VALID)


def _matches(expected: str, cookie: str | None) -> bool:
    return cookie is not None and hmac.compare_digest(expected, digest("COOKIE", cookie))
