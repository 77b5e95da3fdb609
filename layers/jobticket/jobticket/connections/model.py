"""What a connection is: access to one Jira, under a name that the caller chose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from jobticket.errors import InvalidError
from jobticket.jira.client import Deployment
from jobticket.store.lease import Lease

PROVIDERS = frozenset({"jira"})
#: ``oauth``: a user's consent. ``api_token``: user name and token (Basic). ``personal_access_token``: a token
#: of a Data Center (Bearer).
Kind = Literal["oauth", "api_token", "personal_access_token"]
Status = Literal["valid", "expired", "invalid"]

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
    """One connection; its secret is sealed.

    Attributes
    ----------
    authorization
        Identifies the authorization that made it. Work begun under an earlier one must not change this one.
    version
        Counts the secrets of this authorization: each rotated refresh token has the next number.
    secret
        The sealed refresh token or credentials.
    api_url
        Where Jira's ``/rest`` is; without OAuth the same as ``site_url``.
    expires_at
        When the consent ends; None without OAuth.
    invalid
        Jira has refused it for good: it needs a new authorization.
    lease
        Held by the caller that is refreshing it.
    unfinished_since
        When a refresh began whose result was never written: the refresh token may be spent.
    failed_at
        When the last refresh failed for a reason other than the grant.
    retry_at
        Atlassian asks for no call before that.
    """

    id: ConnectionId
    kind: Kind
    authorization: str
    secret: bytes
    site_id: str | None
    site_name: str
    site_url: str
    api_url: str
    deployment: Deployment
    authorized_at: datetime
    account: str | None = None
    version: int = 1
    last_refreshed_at: datetime | None = None
    expires_at: datetime | None = None
    invalid: bool = False
    selected_project_id: str | None = None
    lease: Lease | None = None
    unfinished_since: datetime | None = None
    failed_at: datetime | None = None
    retry_at: datetime | None = None

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


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A cached access token, sealed.

    Attributes
    ----------
    usable_until
        Some minutes before ``expires_at``: a caller that gets the token has time to use it.
    """

    sealed: bytes
    usable_until: datetime
    expires_at: datetime
