"""Atlassian's side of a consent: the token endpoint, the sites that were granted, who granted them.

::

    AtlassianError
    ├── GrantDeadError              the code or refresh token buys nothing any more
    ├── AppRefusedError             the app itself is not taken, or its secret is none: an operator's fault
    └── AtlassianUnavailableError   no usable answer; ``outcome_unknown`` if the token may be spent
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import requests

from jobticket import clock, foreign
from jobticket.clock import Deadline
from jobticket.connections.api_tokens import account_of
from jobticket.http.errors import NoAnswerError
from jobticket.http.transport import HttpAnswer, send
from jobticket.jira import rate_limits
from jobticket.jira.client import Credential, JiraClient, Site
from jobticket.jira.errors import JiraError

#: A rotated app secret is in use within this time.
SECRET_SECONDS = 300.0
#: What says that the grant itself is over. Nothing else does.
DEAD = frozenset({"invalid_grant", "unauthorized_client"})
MOST_SITES = 500
#: How long an access token may live, in seconds, and what counts where an answer says anything else.
SHORTEST_LIFE, LONGEST_LIFE, USUAL_LIFE = 60, 30 * 86_400, 3600
#: A page does not wait longer to say whose account it is.
ACCOUNT_SECONDS = 5.0


_SITE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}")


class AtlassianError(Exception):
    """Atlassian did not give what was asked for."""


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
class App:
    """The registered app's name and secret at Atlassian."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens as Atlassian hands them out."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class GrantedSite:
    """A Jira site that the user has granted."""

    site_id: str
    name: str
    url: str
    avatar_url: str | None

    def as_json(self) -> dict[str, str | None]:
        return {
            "site_id": self.site_id,
            "site_name": self.name,
            "site_url": self.url,
            "avatar_url": self.avatar_url,
        }


class AppSecret:
    """The app's secret, fetched when it is first needed and kept for some minutes.

    Parameters
    ----------
    fetch
        Returns the secret's JSON text, ``{"client_id", "client_secret"}``.
    """

    def __init__(self, fetch: Callable[[], str], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._app: App | None = None
        self._fetched_at = 0.0

    def __call__(self) -> App:
        """Return the app.

        Raises
        ------
        AppRefusedError
            If the secret's text is none.
        """
        # Another thread may forget it at any moment: what is returned is looked at once.
        app = self._app
        if app is None or self._monotonic() - self._fetched_at >= SECRET_SECONDS:
            self._app = app = _app_of(self._fetch())
            self._fetched_at = self._monotonic()
        return app

    def forget(self) -> None:
        """Fetch it anew next time: Atlassian did not take this one."""
        self._app = None


def _app_of(text: str) -> App:
    try:
        secret = json.loads(text)
        app = App(secret["client_id"], secret["client_secret"])
    except (ValueError, LookupError, TypeError):
        # What is wrong with the text could show some of it.
        raise AppRefusedError("the app's secret cannot be read") from None
    if not (app.client_id and app.client_secret):
        raise AppRefusedError("the app's secret has not been filled in")
    return app


class AtlassianApp:
    """Calls Atlassian as the registered app.

    Parameters
    ----------
    auth_url, api_url
        https://auth.atlassian.com and https://api.atlassian.com, but for the local stack.
    """

    def __init__(self, session: requests.Session, auth_url: str, api_url: str, secret: AppSecret) -> None:
        self._session = session
        self._auth_url = auth_url
        self._api_url = api_url
        self._secret = secret

    def prepare(self) -> None:
        """Have the app's secret at hand, so that what is sent next can be."""
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
        """Trade an authorization code for tokens.

        Raises
        ------
        AtlassianError
            If there are none.
        """
        return self._token(
            {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}, deadline
        )

    def refresh(self, refresh_token: str, deadline: Deadline) -> Grant:
        """Trade a refresh token for its successor and an access token. It is sent once.

        Raises
        ------
        AtlassianError
            If there are none.
        """
        return self._token({"grant_type": "refresh_token", "refresh_token": refresh_token}, deadline)

    def sites(self, access_token: str, deadline: Deadline) -> list[GrantedSite]:
        """Return the Jira sites that the access token reaches.

        Raises
        ------
        AtlassianUnavailableError
            If Atlassian does not say.
        """
        headers = {"Authorization": f"Bearer {access_token}"}
        url = f"{self._api_url}/oauth/token/accessible-resources"
        try:
            answer = send(self._session, "GET", url, to="Atlassian", deadline=deadline, headers=headers)
        except NoAnswerError as error:
            raise AtlassianUnavailableError(str(error), outcome_unknown=False) from None
        resources = _json(answer.content)
        if answer.status != 200 or not isinstance(resources, list):
            raise AtlassianUnavailableError(f"status {answer.status}", outcome_unknown=False)
        return jira_sites(resources)

    def site_api_url(self, site_id: str) -> str:
        """Return where the REST API of a granted site is."""
        return f"{self._api_url}/ex/jira/{quote(site_id, safe='')}"

    def account(self, access_token: str, site: GrantedSite, deadline: Deadline) -> str | None:
        """Return the name of the account behind the token; None if the site does not say."""
        api_url = self.site_api_url(site.site_id)
        client = JiraClient(
            self._session,
            Site(api_url, site.url, "cloud", "oauth"),
            Credential(f"Bearer {access_token}", secrets=(access_token,)),
            deadline=deadline.sooner(ACCOUNT_SECONDS),
        )
        try:
            account = account_of(client.get("/rest/api/2/myself"))
        except JiraError:
            return None
        return None if account is None else account.display_name

    def _token(self, body: dict[str, str], deadline: Deadline) -> Grant:
        app = self._secret()
        sent = body | {"client_id": app.client_id, "client_secret": app.client_secret}
        try:
            answer = send(
                self._session,
                "POST",
                f"{self._auth_url}/oauth/token",
                to="Atlassian",
                deadline=deadline,
                headers={"Content-Type": "application/json"},
                data=json.dumps(sent).encode(),
            )
        except NoAnswerError as error:
            raise AtlassianUnavailableError(
                "the token endpoint gave no answer", outcome_unknown=error.outcome_unknown
            ) from None
        try:
            return grant_of(answer)
        except AppRefusedError:
            self._secret.forget()
            raise


def with_offline_access(scopes: str) -> str:
    """Return the scopes with the one that gives a refresh token, each once."""
    return " ".join(dict.fromkeys([*scopes.split(), "offline_access"]))


def grant_of(answer: HttpAnswer) -> Grant:
    """Return the tokens of the token endpoint's answer.

    Raises
    ------
    AtlassianError
        The kind that the answer stands for.
    """
    body = _json(answer.content)
    if answer.status == 200:
        return _grant(body)
    code = body.get("error") if isinstance(body, Mapping) else None
    # A rate limit says nothing about the grant, whatever its body says.
    if 400 <= answer.status < 500 and answer.status != 429 and isinstance(code, str):
        if code in DEAD:
            raise GrantDeadError(code)
        # invalid_client, access_denied, or a request that Atlassian does not understand: all of them are
        # mended by whoever runs this, none by the user.
        raise AppRefusedError(code[:60] if code.isascii() and code.isprintable() else "unreadable")
    raise AtlassianUnavailableError(
        f"the token endpoint answered {answer.status}",
        outcome_unknown=answer.status >= 500 or answer.status < 400,
        retry_after=rate_limits.retry_after(answer.headers, clock.now()),
    )


def _grant(body: Any) -> Grant:
    said = body if isinstance(body, Mapping) else {}
    access, refresh = foreign.token(said.get("access_token")), foreign.token(said.get("refresh_token"))
    if access is None or (refresh is None and said.get("refresh_token")):
        raise AtlassianUnavailableError("the token endpoint's answer cannot be read", outcome_unknown=True)
    seconds = foreign.integer(said.get("expires_in"), SHORTEST_LIFE, LONGEST_LIFE)
    return Grant(access, refresh, USUAL_LIFE if seconds is None else seconds)


def jira_sites(resources: list[Any]) -> list[GrantedSite]:
    """Return the entries that carry a scope of Jira's; other products' sites are listed there too."""
    sites: dict[str, GrantedSite] = {}
    for entry in resources[:MOST_SITES]:
        match entry:
            case {"id": str(site_id), "scopes": list(scopes)} if _SITE_ID.fullmatch(site_id):
                url = foreign.url(entry.get("url"))
                if url is not None and any("jira" in scope for scope in foreign.texts(scopes)):
                    sites[site_id] = GrantedSite(
                        site_id,
                        foreign.text(entry.get("name")) or url.partition("://")[2][:255],
                        url.rstrip("/"),
                        foreign.url(entry.get("avatarUrl")),
                    )
    return list(sites.values())


def _json(content: bytes) -> Any:
    try:
        return foreign.decoded(content)
    except ValueError:
        return None
