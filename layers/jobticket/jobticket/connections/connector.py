"""Connects with credentials of any kind: which kind they are, and where they work, is found by trying.

=========  ==================================================================================
form       where it is tried
=========  ==================================================================================
``basic``  the site; a Cloud site that refuses it: Atlassian's gateway (scoped API tokens)
``bearer`` Cloud: the gateway (a service account's token); else the host (a Data Center)
``client`` the gateway, with an access token of Atlassian's token endpoint
=========  ==================================================================================

A site is on Cloud if it tells its id without a login. If the host is the gateway's URL, only that is tried.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

import requests

from jobticket import foreign
from jobticket.clock import Deadline
from jobticket.connections import atlassian
from jobticket.connections.account import Account, account_at
from jobticket.connections.connection_store import ConnectionStore, new_authorization
from jobticket.connections.credentials import Login, advice_on, bearer, credential_of
from jobticket.connections.hosts import checked_host
from jobticket.connections.model import Connection, ConnectionId, Kind
from jobticket.connections.tokens import cached_token
from jobticket.connections.vault import Vault
from jobticket.dataclass import dataclass, replace
from jobticket.errors import InvalidError
from jobticket.history.records import Stamp
from jobticket.http.errors import NoAnswerError
from jobticket.http.transport import send
from jobticket.jira import errors
from jobticket.jira.client import Credential, JiraClient, Site
from jobticket.jira.errors import JiraError

#: Enough for a slow site and a slow gateway, and well within a request.
VERIFY_SECONDS = 20.0
TENANT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a login works. Without a site's id that is the site itself."""

    api_url: str
    site_url: str
    site_id: str | None
    account: Account


@dataclass
class TokenConnector:
    """Verifies and stores credentials; allows http hosts on the local stack only."""

    store: ConnectionStore
    vault: Vault
    session: requests.Session
    app: atlassian.AtlassianApp
    allow_http: bool

    def connect(
        self,
        name: ConnectionId,
        host: object,
        login: Login,
        *,
        expires_at: datetime | None = None,
        stamp: Stamp,
        deadline: Deadline,
    ) -> tuple[Connection, Account]:
        """Verify a login and store it as this connection, in place of any earlier one.

        Each thing that can be wrong is a 400 with its own text.
        """
        if not isinstance(host, str) or not host.strip():
            raise InvalidError("host is required")
        url = checked_host(host, allow_http=self.allow_http)
        within = deadline.sooner(VERIFY_SECONDS)
        with _advising(login):
            grant = self.app.client_grant(login.text, within) if login.form == "client" else None
            credential = credential_of(login.text) if grant is None else bearer(grant.access_token)
            found = self._find(url, login, credential, within)
        connection = Connection(
            id=name,
            kind=_kind(login, found),
            authorization=new_authorization(),
            secret=b"",
            site_id=found.site_id,
            site_name=found.site_url.partition("://")[2],
            site_url=found.site_url,
            api_url=found.api_url,
            deployment=found.account.deployment,
            authorized_at=stamp.at,
            account=found.account.display_name,
            expires_at=expires_at,
        )
        secret = self.vault.seal(name, connection.secret_field, login.text)
        connection = replace(connection, secret=secret)
        token = None if grant is None else cached_token(self.vault, connection, grant, stamp.at)
        return self.store.replace(connection, stamp, token), found.account

    def _find(self, host: str, login: Login, credential: Credential, deadline: Deadline) -> _Found:
        site_id = self.app.site_id_of(host)
        if site_id is not None:
            return self._at(None, site_id, credential, deadline)
        if login.form == "basic":
            return self._by_login(host, credential, deadline)
        site_id = self._site_id_at(host, deadline)
        if site_id is not None:
            return self._at(host, site_id, credential, deadline)
        if login.form == "client":
            raise InvalidError(
                "client_id and client_secret work for Jira Cloud only: the host does not tell a site's id"
            )
        return self._at(host, None, credential, deadline)

    def _by_login(self, host: str, credential: Credential, deadline: Deadline) -> _Found:
        try:
            return self._at(host, None, credential, deadline)
        except errors.JiraStatusError as refusal:
            site_id = self._site_id_at(host, deadline) if refusal.status in {401, 403} else None
            if site_id is None:
                raise
            try:
                return self._at(host, site_id, credential, deadline)
            except JiraError as error:
                # A site refuses scoped tokens with 401. So the gateway knows more then, if it answers at all.
                lost = isinstance(error, errors.JiraUnreachableError | errors.JiraTimeoutError)
                raise refusal if lost or refusal.status == 403 else error from None

    def _site_id_at(self, host: str, deadline: Deadline) -> str | None:
        """Ask a host for its id as a Cloud site, without a login; None if it tells none."""
        url = f"{host}/_edge/tenant_info"
        try:
            answer = send(self.session, "GET", url, to="Jira", deadline=deadline.sooner(TENANT_SECONDS))
        except NoAnswerError:
            return None
        said = atlassian.json_of(answer.content) if answer.status == 200 else None
        return atlassian.site_id_in(foreign.member(said, "cloudId"))

    def _at(
        self, host: str | None, site_id: str | None, credential: Credential, deadline: Deadline
    ) -> _Found:
        """Ask whose the credential is: at the gateway if there is a site's id, else at the host."""
        api_url = host or "" if site_id is None else self.app.site_api_url(site_id)
        site = Site(api_url, host or api_url, "cloud", api_url)
        client = JiraClient(self.session, site, credential, deadline=deadline)
        account = account_at(client)
        return _Found(api_url, host or _public_url(client) or api_url, site_id, account)


def _public_url(client: JiraClient) -> str | None:
    """Ask the gateway where people open the site."""
    try:
        said = client.get("/rest/api/2/serverInfo")
    except JiraError:
        return None
    url = foreign.url(foreign.member(said, "baseUrl"))
    return None if url is None else url.rstrip("/")


def _kind(login: Login, found: _Found) -> Kind:
    if login.form == "client":
        return "client_credentials"
    return "personal_access_token" if login.form == "bearer" and found.site_id is None else "api_token"


@contextlib.contextmanager
def _advising(login: Login) -> Iterator[None]:
    """Say what is wrong with a login, with Jira's own words as details."""
    try:
        yield
    except atlassian.GrantDeadError:
        raise InvalidError(advice_on(errors.JiraRefusedCredentialsError(401, ""), login.form)) from None
    except atlassian.AtlassianError as error:
        raise InvalidError(f"Connection failed: Atlassian gives no access token ({error})") from None
    except JiraError as error:
        said = {"details": error.details} if error.details else {}
        raise InvalidError(advice_on(error, login.form), details=said) from None
