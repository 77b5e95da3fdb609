"""Connections without OAuth: an email with an API token, or a personal access token of a Data Center."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from jobticket import foreign
from jobticket.clock import Deadline
from jobticket.connections.connection_store import ConnectionStore, new_authorization
from jobticket.connections.hosts import check_host
from jobticket.connections.model import Connection, ConnectionId, Kind
from jobticket.connections.vault import Vault
from jobticket.errors import InvalidError
from jobticket.jira.client import Credential, Deployment, JiraClient, Site
from jobticket.jira.errors import (
    JiraAddressRefusedError,
    JiraError,
    JiraForbiddenError,
    JiraRefusedCredentialsError,
    JiraTimeoutError,
)

LONGEST_CREDENTIALS = 4096
#: Enough for two tries with a slow site, and well within a request.
VERIFY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Account:
    """The account that Jira knows by the credentials."""

    display_name: str
    account_id: str | None
    name: str | None

    @property
    def deployment(self) -> Deployment:
        """Cloud has account ids, a Data Center has user names."""
        return "data_center" if self.account_id is None else "cloud"

    def as_json(self) -> dict[str, str]:
        told = {"displayName": self.display_name, "accountId": self.account_id, "name": self.name}
        return {name: value for name, value in told.items() if value is not None}


def secret_field(host: str) -> str:
    """Return the field that credentials are sealed for: it names the host, so they open for no other."""
    return f"credentials for {host}"


def kind_of(credentials: str) -> Kind:
    """Return the kind of the credentials: a colon separates a user name from a token or password."""
    return "api_token" if ":" in credentials else "personal_access_token"


def credential_of(credentials: str) -> Credential:
    """Return the header value for these credentials, and the parts of it that no log may show."""
    if kind_of(credentials) == "personal_access_token":
        return Credential(f"Bearer {credentials}", secrets=(credentials,))
    encoded = base64.b64encode(credentials.encode()).decode()
    return Credential(f"Basic {encoded}", secrets=(credentials.partition(":")[2], encoded))


def check_credentials(credentials: object) -> str:
    """Return the credentials without surrounding blanks, if they can stand in a header; else 400."""
    if not isinstance(credentials, str) or not credentials.strip():
        raise InvalidError("credentials is required")
    text = credentials.strip()
    user, colon, secret = text.partition(":")
    well_formed = (user and secret) if colon else (text.isascii() and " " not in text)
    if len(text) > LONGEST_CREDENTIALS or not text.isprintable() or not well_formed:
        raise InvalidError("credentials must be email:api_token or a personal access token")
    return text


def account_of(body: Any) -> Account | None:
    """Return the account that ``/myself`` returned; None if the answer holds no account."""
    if not isinstance(body, dict):
        return None
    account_id, name = foreign.text(body.get("accountId")), foreign.text(body.get("name"))
    known_as = account_id or name
    if known_as is None:
        return None
    return Account(foreign.text(body.get("displayName")) or known_as, account_id, name)


def advice_on(error: JiraError) -> str:
    """Return what the caller can do about credentials that do not work."""
    if isinstance(error, JiraRefusedCredentialsError):
        return "Incorrect credentials: check the email and the token, and that the token has not expired"
    if isinstance(error, JiraForbiddenError):
        return "The account lacks permission to use Jira's REST API"
    if isinstance(error, JiraAddressRefusedError):
        return "host resolves to an address that this deployment does not allow"
    if isinstance(error, JiraTimeoutError):
        return "Network timeout: Jira did not answer; a firewall may be in the way"
    return f"Connection failed: check the host ({error})"


class TokenConnector:
    """Verifies and stores credentials; allows http hosts on the local stack only."""

    def __init__(
        self, store: ConnectionStore, vault: Vault, session: requests.Session, *, allow_http: bool
    ) -> None:
        self._store = store
        self._vault = vault
        self._session = session
        self._allow_http = allow_http

    def verify(self, host: object, credentials: object, deadline: Deadline) -> tuple[str, str, Account]:
        """Return host and credentials in their stored form, and their account.

        Raises
        ------
        InvalidError
            With its own text for each thing that can be wrong.
        """
        if not isinstance(host, str) or not host:
            raise InvalidError("host is required")
        checked = check_host(host, allow_http=self._allow_http)
        text = check_credentials(credentials)
        site = Site(checked, checked, "cloud", checked)
        client = JiraClient(
            self._session, site, credential_of(text), deadline=deadline.sooner(VERIFY_SECONDS)
        )
        try:
            account = account_of(client.get("/rest/api/2/myself"))
        except JiraError as error:
            raise InvalidError(advice_on(error)) from None
        if account is None:
            raise InvalidError("Connection failed: check the host (it does not answer like Jira)")
        return checked, text, account

    def connect(
        self, name: ConnectionId, host: object, credentials: object, *, now: datetime, deadline: Deadline
    ) -> tuple[Connection, Account]:
        """Verify the credentials and store them as this connection, in place of any earlier one."""
        checked, text, account = self.verify(host, credentials, deadline)
        connection = Connection(
            id=name,
            kind=kind_of(text),
            authorization=new_authorization(),
            secret=self._vault.seal(name, secret_field(checked), text),
            site_id=None,
            site_name=checked.partition("://")[2],
            site_url=checked,
            api_url=checked,
            deployment=account.deployment,
            authorized_at=now,
            account=account.display_name,
        )
        return self._store.replace(connection), account
