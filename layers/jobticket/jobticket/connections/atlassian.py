"""Atlassian's OAuth 2.0 (3LO): the token endpoint, the granted sites, and the account that granted them.

::

    AtlassianError
    ├── GrantDeadError              the code or refresh token is not valid any more
    ├── AppRefusedError             the app is refused, or its secret is invalid: the operator must act
    └── AtlassianUnavailableError   no usable answer; ``outcome_unknown`` if the token may be spent
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import requests

from jobticket import clock, foreign
from jobticket.clock import Deadline
from jobticket.connections.account import account_at
from jobticket.dataclass import dataclass, field
from jobticket.http.errors import NoAnswerError
from jobticket.http.retry_after import retry_after
from jobticket.http.transport import HttpAnswer, send
from jobticket.jira.client import Credential, JiraClient, Site
from jobticket.jira.errors import JiraError

#: A new app secret is in use within this time.
SECRET_SECONDS = 300.0
#: Only these say that the grant itself is dead.
DEAD = frozenset({"invalid_grant", "unauthorized_client"})
#: For client credentials these say the same: they are a connection's own, not the deployment's.
CLIENT_DEAD = frozenset({"invalid_client", "access_denied"})
MOST_SITES = 500
LONGEST_SCOPES = 4096
#: How long an access token may live, in seconds, and the default for any other value.
SHORTEST_LIFE, LONGEST_LIFE, USUAL_LIFE = 60, 30 * 86_400, 3600
#: The site-choice page waits this long for the account's name.
ACCOUNT_SECONDS = 5.0

_SITE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}")


class AtlassianError(Exception):
    """Atlassian did not do what it was asked."""


class GrantDeadError(AtlassianError):
    pass


class AppRefusedError(AtlassianError):
    pass


class AtlassianUnavailableError(AtlassianError):
    def __init__(self, message: str, *, outcome_unknown: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """The id and secret of the app that is registered at Atlassian."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens as Atlassian gives them."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    scopes: str | None = None


@dataclass(frozen=True, slots=True)
class GrantedSite:
    """A Jira site that the user has granted."""

    site_id: str
    name: str
    url: str
    avatar_url: str | None

    def as_json(self) -> dict[str, str | None]:
        named = {"site_id": self.site_id, "site_name": self.name, "site_url": self.url}
        return {**named, "avatar_url": self.avatar_url}


class AppSecret:
    """The app's credentials, kept for some minutes; ``fetch`` gets ``{"client_id", "client_secret"}``."""

    def __init__(self, fetch: Callable[[], str], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._app: AppCredentials | None = None
        self._fetched_at = 0.0

    def __call__(self) -> AppCredentials:
        """Return the credentials, or raise ``AppRefusedError`` if the secret's text is invalid."""
        # Read once: another thread may forget it at any moment.
        app = self._app
        if app is None or self._monotonic() - self._fetched_at >= SECRET_SECONDS:
            self._app = app = _app_of(self._fetch())
            self._fetched_at = self._monotonic()
        return app

    def forget(self) -> None:
        """Fetch them again next time: Atlassian has refused these."""
        self._app = None


def _app_of(text: str) -> AppCredentials:
    try:
        secret = json.loads(text)
        app = AppCredentials(secret["client_id"], secret["client_secret"])
    except (ValueError, LookupError, TypeError):
        # The cause could quote the text.
        raise AppRefusedError("the app's secret cannot be read") from None
    if not (app.client_id and app.client_secret):
        raise AppRefusedError("the app's secret has not been filled in")
    return app


class AtlassianApp:
    """Calls Atlassian as the registered app. Calls raise ``AtlassianError``."""

    def __init__(self, session: requests.Session, auth_url: str, api_url: str, secret: AppSecret) -> None:
        self._session = session
        self._auth_url = auth_url
        self._api_url = api_url
        self._secret = secret

    def prepare(self) -> None:
        """Fetch the app's secret if need be, so that the next call can be sent."""
        self._secret()

    def authorization_uri(self, *, scopes: str, redirect_uri: str, state: str) -> str:
        """Return where to send a user for consent."""
        query = {
            "audience": "api.atlassian.com",
            "client_id": self._secret().client_id,
            "scope": with_offline_access(scopes),
            "redirect_uri": redirect_uri,
            "state": state,
            "response_type": "code",
            "prompt": "consent",
        }
        return f"{self._auth_url}/authorize?{urlencode(query, quote_via=quote)}"

    def exchange(self, code: str, redirect_uri: str, deadline: Deadline) -> Grant:
        """Exchange an authorization code for tokens."""
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        return self._token(body, deadline)

    def refresh(self, refresh_token: str, deadline: Deadline) -> Grant:
        """Exchange a refresh token for its successor and an access token, without a retry."""
        return self._token({"grant_type": "refresh_token", "refresh_token": refresh_token}, deadline)

    def client_grant(self, secret: str, deadline: Deadline) -> Grant:
        """Exchange a service account's client credentials, as they are sealed, for an access token."""
        try:
            return self._asked({"grant_type": "client_credentials", **json.loads(secret)}, deadline)
        except AppRefusedError as error:
            if str(error) in CLIENT_DEAD:
                raise GrantDeadError(str(error)) from None
            raise

    def sites(self, access_token: str, deadline: Deadline) -> list[GrantedSite]:
        """Return the Jira sites that the access token reaches."""
        headers = {"Authorization": f"Bearer {access_token}"}
        url = f"{self._api_url}/oauth/token/accessible-resources"
        try:
            answer = send(self._session, "GET", url, to="Atlassian", deadline=deadline, headers=headers)
        except NoAnswerError as error:
            raise AtlassianUnavailableError(str(error), outcome_unknown=False) from None
        resources = json_of(answer.content)
        if answer.status != 200 or not isinstance(resources, list):
            raise AtlassianUnavailableError(f"status {answer.status}", outcome_unknown=False)
        return jira_sites(resources)

    def site_api_url(self, site_id: str) -> str:
        """Return where the gateway has a site's REST API."""
        return f"{self._api_url}/ex/jira/{quote(site_id, safe='')}"

    def site_id_of(self, url: str) -> str | None:
        """Return the site's id in a URL of the gateway; None for any other URL."""
        gateway = self.site_api_url("")
        return site_id_in(url.removeprefix(gateway)) if url.startswith(gateway) else None

    def account(self, access_token: str, site: GrantedSite, deadline: Deadline) -> str | None:
        """Return the name of the token's account; None if the site does not tell."""
        api_url = self.site_api_url(site.site_id)
        client = JiraClient(
            self._session,
            Site(api_url, site.url, "cloud", "oauth"),
            Credential(f"Bearer {access_token}", secrets=(access_token,)),
            deadline=deadline.sooner(ACCOUNT_SECONDS),
        )
        try:
            return account_at(client).display_name
        except JiraError:
            return None

    def _token(self, body: dict[str, str], deadline: Deadline) -> Grant:
        app = self._secret()
        credentials = {"client_id": app.client_id, "client_secret": app.client_secret}
        try:
            return self._asked(body | credentials, deadline)
        except AppRefusedError:
            self._secret.forget()
            raise

    def _asked(self, body: dict[str, str], deadline: Deadline) -> Grant:
        try:
            answer = send(
                self._session,
                "POST",
                f"{self._auth_url}/oauth/token",
                to="Atlassian",
                deadline=deadline,
                headers={"Content-Type": "application/json"},
                data=json.dumps(body).encode(),
            )
        except NoAnswerError as error:
            raise AtlassianUnavailableError(
                "the token endpoint gave no answer", outcome_unknown=error.outcome_unknown
            ) from None
        return grant_of(answer)


def with_offline_access(scopes: str) -> str:
    """Return the scopes, each once, and the one that gives a refresh token."""
    return " ".join(dict.fromkeys([*scopes.split(), "offline_access"]))


def grant_of(answer: HttpAnswer) -> Grant:
    """Return the tokens of the token endpoint's answer, or raise the error that it means."""
    body = json_of(answer.content)
    if answer.status == 200:
        return _grant(body)
    code = foreign.member(body, "error")
    # A rate limit says nothing about the grant, even if its body does.
    if 400 <= answer.status < 500 and answer.status != 429 and isinstance(code, str):
        if code in DEAD:
            raise GrantDeadError(code)
        # invalid_client, access_denied, or a request that Atlassian does not understand: the operator can
        # correct these, the user cannot.
        raise AppRefusedError(code[:60] if code.isascii() and code.isprintable() else "unreadable")
    raise AtlassianUnavailableError(
        f"the token endpoint answered {answer.status}",
        outcome_unknown=answer.status >= 500 or answer.status < 400,
        retry_after=retry_after(answer.headers, clock.now()),
    )


def _grant(body: Any) -> Grant:
    access, refresh = (foreign.token(foreign.member(body, f"{kind}_token")) for kind in ("access", "refresh"))
    if access is None or (refresh is None and body.get("refresh_token")):
        raise AtlassianUnavailableError("the token endpoint's answer cannot be read", outcome_unknown=True)
    seconds = foreign.integer(body.get("expires_in"), SHORTEST_LIFE, LONGEST_LIFE)
    scopes = foreign.text(body.get("scope"), LONGEST_SCOPES)
    return Grant(access, refresh, USUAL_LIFE if seconds is None else seconds, scopes)


def jira_sites(resources: list[Any]) -> list[GrantedSite]:
    """Return the entries with a scope of Jira's; Atlassian lists other products' sites too."""
    sites: dict[str, GrantedSite] = {}
    for entry in resources[:MOST_SITES]:
        match entry:
            case {"id": str(site_id), "scopes": list(scopes)} if site_id_in(site_id):
                url = foreign.url(entry.get("url"))
                if url is not None and any("jira" in scope for scope in foreign.texts(scopes)):
                    sites[site_id] = GrantedSite(
                        site_id,
                        foreign.text(entry.get("name")) or url.partition("://")[2][:255],
                        url.rstrip("/"),
                        foreign.url(entry.get("avatarUrl")),
                    )
    return list(sites.values())


def site_id_in(value: object) -> str | None:
    """Return a site's id as Atlassian sends it; None if its form is invalid."""
    return value if isinstance(value, str) and _SITE_ID.fullmatch(value) else None


def json_of(content: bytes) -> Any:
    """Return the JSON of an answer, None if it is not JSON."""
    try:
        return foreign.decoded(content)
    except ValueError:
        return None
