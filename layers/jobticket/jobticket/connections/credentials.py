"""Credentials without OAuth: their forms, and what to do about those that do not work."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Literal

from jobticket import foreign
from jobticket.dataclass import dataclass, field
from jobticket.errors import InvalidError
from jobticket.jira import errors
from jobticket.jira.client import Credential
from jobticket.jira.errors import JiraError

LONGEST_CREDENTIALS = 4096
MALFORMED = "credentials must be email:api_token or a personal access token"

#: ``basic``: a user name and a token or password, with a colon between them. ``bearer``: a bare token.
#: ``client``: a service account's client id and secret, for which Atlassian gives access tokens.
Form = Literal["basic", "bearer", "client"]


@dataclass(frozen=True, slots=True)
class Login:
    """What a caller connects with; ``text`` is what is sealed."""

    form: Form
    text: str = field(repr=False)


def checked_login(credentials: object, client_id: object = None, client_secret: object = None) -> Login:
    """Return what a caller connects with, if it can stand in a header or a body; else 400."""
    if client_id is None and client_secret is None:
        return _checked_credentials(credentials)
    if credentials is not None:
        raise InvalidError("Either credentials or client_id and client_secret must be given, not both")
    client = {"client_id": foreign.token(client_id), "client_secret": foreign.token(client_secret)}
    for name, value in client.items():
        if value is None or len(value) > LONGEST_CREDENTIALS:
            raise InvalidError(f"{name} must be a text without blanks")
    return Login("client", json.dumps(client))


def _checked_credentials(credentials: object) -> Login:
    if not isinstance(credentials, str) or not credentials.strip():
        raise InvalidError("credentials is required")
    text = credentials.strip()
    user, colon, secret = text.partition(":")
    well_formed = (user and secret) if colon else (text.isascii() and " " not in text)
    if len(text) > LONGEST_CREDENTIALS or not text.isprintable() or not well_formed:
        raise InvalidError(MALFORMED)
    return Login("basic" if colon else "bearer", text)


def checked_expiry(value: object, now: datetime) -> datetime | None:
    """Return when a token ends, if the caller tells; 400 if that is malformed or past."""
    if value is None:
        return None
    moment = foreign.moment(value)
    if moment is None:
        raise InvalidError("token_expires_at must be a timestamp of ISO 8601")
    if moment <= now:
        raise InvalidError("token_expires_at has passed")
    return moment


def credential_of(credentials: str) -> Credential:
    """Return the header value for these credentials, and the parts of it that no log may show."""
    _, colon, secret = credentials.partition(":")
    if not colon:
        return bearer(credentials)
    encoded = base64.b64encode(credentials.encode()).decode()
    return Credential(f"Basic {encoded}", secrets=(secret, encoded))


def bearer(token: str) -> Credential:
    """Return the header value for a token."""
    return Credential(f"Bearer {token}", secrets=(token,))


def advice_on(error: JiraError, form: Form = "basic") -> str:
    """Return what the caller can do about credentials that do not work."""
    match error:
        case errors.JiraRefusedCredentialsError():
            return f"Incorrect credentials: check {_CHECKED[form]}"
        case errors.JiraLoginError():
            return error.explanation
        case errors.JiraMissingScopeError():
            return "The token lacks a scope: Jira's /myself needs read:jira-user"
        case errors.JiraForbiddenError():
            return "The account lacks permission to use Jira's REST API"
        case errors.JiraAddressRefusedError():
            return "host resolves to an address that this deployment does not allow"
        case errors.JiraUntrustedError():
            return "The host's certificate is not trusted: check the host (or set PrivateCaHosts)"
        case errors.JiraTimeoutError():
            return "Network timeout: Jira did not answer; a firewall may be in the way"
        case errors.JiraMalformedAnswerError(messages=(told, *_)):
            return f"Connection failed: check the host ({told})"
    return f"Connection failed: check the host ({error})"


_CHECKED: dict[Form, str] = {
    "basic": "the email and the token, and that the token has not expired",
    "bearer": "the token, and that it has not expired; a person's API token is given as email:token",
    "client": "client_id and client_secret, and that the service account may use this site",
}
