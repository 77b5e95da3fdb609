"""What a connection is: access to one Jira, under a name that the caller chose."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from jobticket.dataclass import dataclass
from jobticket.errors import InvalidError
from jobticket.jira.client import Deployment
from jobticket.shown import Shown
from jobticket.store.lease import Lease

PROVIDERS = frozenset({"jira"})
#: ``oauth``: a user's consent. ``api_token``: user name and token (Basic). ``personal_access_token``: a token
#: of a Data Center (Bearer). ``client_credentials``: a service account's client id and secret.
Kind = Literal["oauth", "api_token", "personal_access_token", "client_credentials"]
Status = Literal["valid", "expired", "invalid"]

#: Which field of a connection by consent is sealed.
REFRESH_FIELD = "refresh_token"

#: A consent ends a year after it was given. Refreshes do not prolong it.
GRANT_LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class ConnectionId:
    """The name of a connection: one for each provider and external id."""

    provider: str
    external_id: str

    def __str__(self) -> str:
        return f"{self.provider}#{self.external_id}"


def checked_id(provider: object, external_id: object) -> ConnectionId:
    """Return the name that a request gives; 400 if it is invalid."""
    if not provider or external_id is None or external_id == "":
        raise InvalidError("Missing provider or external_id")
    if not isinstance(provider, str) or provider not in PROVIDERS:
        raise InvalidError("Invalid provider. Ensure that all provider names are lowercase.")
    if not isinstance(external_id, str) or not is_name(external_id):
        raise InvalidError("external_id must be a string of 1 to 255 characters")
    return ConnectionId(provider, external_id)


def is_name(text: str) -> bool:
    """Tell whether a text can be a name: its length, and no half of a surrogate pair, which has no UTF-8."""
    if not 1 <= len(text) <= 255:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection; its secret is sealed."""

    id: ConnectionId
    kind: Kind
    #: Identifies the authorization that made it. Work begun under an earlier one must not change this one.
    authorization: str
    #: The sealed refresh token or credentials.
    secret: bytes
    #: The site's id at Atlassian's gateway, if that is where it is called.
    site_id: str | None
    site_name: str
    site_url: str
    #: Where Jira's ``/rest`` is: the site's own URL, or Atlassian's gateway.
    api_url: str
    deployment: Deployment
    authorized_at: datetime
    account: str | None = None
    #: Counts the secrets of this authorization: each rotated refresh token has the next number.
    version: int = 1
    last_refreshed_at: datetime | None = None
    #: When the consent ends, or the token, if the caller has said.
    expires_at: datetime | None = None
    #: Jira has refused it for good: it needs a new authorization.
    invalid: bool = False
    selected_project_id: str | None = None
    #: Held by the caller that is refreshing it.
    lease: Lease | None = None
    #: When a refresh began whose result was never written: the refresh token may be spent.
    unfinished_since: datetime | None = None
    #: When the last refresh failed for a reason other than the grant.
    failed_at: datetime | None = None
    #: Atlassian asks for no call before that.
    retry_at: datetime | None = None
    #: What the consent has granted, separated by blanks; None if it is not known.
    scopes: str | None = None

    @property
    def has_tokens(self) -> bool:
        """Whether Atlassian gives access tokens for it."""
        return self.kind in {"oauth", "client_credentials"}

    @property
    def via(self) -> Literal["site", "gateway"]:
        return "site" if self.site_id is None else "gateway"

    @property
    def secret_field(self) -> str:
        """The field that its secret is sealed for. Credentials name their host: they open for no other."""
        return REFRESH_FIELD if self.kind == "oauth" else secret_field(self.api_url)

    def missing_scopes(self, asked: str) -> list[str]:
        """Return which of the scopes that a deployment asks for its consent lacks, if that is known."""
        if self.scopes is None:
            return []
        return [scope for scope in asked.split() if scope not in {*self.scopes.split(), "offline_access"}]

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def is_usable(self, now: datetime) -> bool:
        return not self.invalid and not self.is_expired(now)

    def status(self, now: datetime) -> Status:
        if self.invalid:
            return "invalid"
        return "expired" if self.is_expired(now) else "valid"

    def same_site(self, other: Connection) -> bool:
        if self.site_id is not None and other.site_id is not None:
            return self.site_id == other.site_id
        return self.site_url == other.site_url


def secret_field(api_url: str) -> str:
    """Return the field that credentials for a Jira are sealed for."""
    return f"credentials for {api_url}"


class ConnectionEvent(Shown):
    """What happened to a connection, and who did it: a key, a consent, the schedule, Jira or Atlassian."""

    shows_null = False

    at: str
    #: authorized, reauthorized, marked_invalid, marked_valid, expiring or removed.
    action: str
    by: str
    kind: Kind | None = None
    site_url: str | None = None
    #: For how many more days at most the connection works.
    days: int | None = None
    #: When the consent or token that is expiring ends.
    expires_on: str | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A cached access token, sealed."""

    sealed: bytes
    #: Some minutes before ``expires_at``: a caller that gets the token has time to use it.
    usable_until: datetime
    expires_at: datetime
