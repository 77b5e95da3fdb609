"""Whose credentials a request brings: at a Cloud site, at a Data Center, at the gateway, in a browser."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from local.atlassian.controls import Controls
from local.atlassian.grants import Grants
from local.atlassian.model import Account
from local.atlassian.routing import Headers, JiraError
from local.atlassian.world import Site, World

SCOPES: Final = (
    "read:jira-work",
    "write:jira-work",
    "read:jira-user",
    "read:board-scope:jira-software",
    "read:project:jira",
    "read:sprint:jira-software",
    "read:issue-details:jira",
    "read:jql:jira",
)
"""What a scoped API token or a service account may do, unless ``token_scopes`` says otherwise."""

_HTML = {"Content-Type": "text/html;charset=UTF-8"}
_LOGIN_REASON = "X-Seraph-LoginReason"
_FAILED, _DENIED = "AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"
_ANONYMOUS = "Client must be authenticated to access this resource."


@dataclass(slots=True)
class Caller:
    """Who asks, and with which scopes; None stands for credentials that need none."""

    account: Account | None
    scopes: frozenset[str] | None = None
    # Only an app's calls count against the points of an hour.
    app: bool = False
    login: str | None = None


class Logins:
    """The credentials that each door takes, and the failed logins of a Data Center."""

    def __init__(self, world: World, controls: Controls) -> None:
        self._world = world
        self._controls = controls
        self._failures: dict[str, int] = {}

    def clear(self) -> None:
        self._failures.clear()

    def token_scopes(self) -> list[str]:
        given = self._controls.token_scopes
        return list(SCOPES) if given is None else given

    def _find(self, fits: Callable[[Account], bool]) -> Account | None:
        return next((each for each in self._world.accounts.values() if fits(each)), None)

    def at_gateway(self, scheme: str, credentials: str, grants: Grants, site: Site | None) -> Caller:
        """Take access tokens, scoped API tokens as Basic, tokens of service accounts as Bearer."""
        scopes = frozenset(self.token_scopes())
        family = grants.holder(credentials, self._world.now()) if scheme == "bearer" else None
        if family is not None:
            if site and site.id not in grants.sites.get(family.account, {}):
                text = "The app is not installed on this instance"
                raise JiraError(403, body={"code": 403, "message": text})
            return Caller(self._world.accounts[family.account], frozenset(family.scopes), app=True)
        account = None
        if scheme == "bearer":
            account = self._find(lambda each: bool(credentials) and each.service_token == credentials)
        elif scheme == "basic":
            name, secret = _basic(credentials)
            account = self._find(lambda each: each.email == name and secret in _gateway_tokens(each))
        if account is None:
            raise JiraError(401, body={"code": 401, "message": "Unauthorized"})
        return Caller(account, scopes)

    def at_cloud_site(self, scheme: str, credentials: str) -> Caller:
        if scheme == "bearer":
            # An OAuth token on the site's own host is the commonest mistake; this is how the site puts it.
            raise JiraError(403, body={"error": "Failed to parse Connect Session Auth Token"})
        if scheme != "basic":
            return Caller(None)
        self._refuse_disabled_basic()
        name, secret = _basic(credentials)
        found = self._find(lambda each: each.email == name)
        if found and secret in _gateway_tokens(found):
            raise JiraError(401, body=_ANONYMOUS, headers=self.login_headers(_FAILED))
        if found and found.api_token and found.api_token == secret:
            return Caller(found)
        # Credentials that do not fit make an anonymous caller, not an error: only /myself tells.
        return Caller(None, login=_FAILED)

    def at_data_center(self, scheme: str, credentials: str, site_url: str) -> Caller:
        headers: Headers = {**_HTML, "WWW-Authenticate": f'OAuth realm="{site_url}"'}
        if scheme == "bearer":
            if found := self._find(lambda each: bool(credentials) and each.personal_token == credentials):
                return Caller(found, login="OK")
        elif scheme == "basic":
            self._refuse_disabled_basic()
            name, secret = _basic(credentials)
            if self.asks_for_captcha(name):
                self._failures[name] += 1
                headers |= self.login_headers(_DENIED)
                challenge = f"CAPTCHA_CHALLENGE; login-url={site_url}/login.jsp"
                headers |= {"X-Authentication-Denied-Reason": challenge}
                raise JiraError(403, body=_failure(_DENIED), headers=headers)
            if found := self._by_password(name, secret):
                return Caller(found, login="OK")
            headers |= self.login_headers(_FAILED)
        raise JiraError(401, body=_failure(_FAILED), headers=headers)

    def in_browser(self, name: str, password: str) -> bool:
        """Log in on the page, where a person solves the CAPTCHA: a right password ends it."""
        return self._by_password(name, password) is not None

    def asks_for_captcha(self, name: str) -> bool:
        limit = self._controls.captcha_after
        return limit is not None and self._failures.get(name, 0) >= limit

    def _by_password(self, name: str, secret: str) -> Account | None:
        """Return the account whose password fits, or count a failure of an account that exists."""
        found = self._find(lambda each: each.name == name)
        if found and found.password and found.password == secret:
            self._failures.pop(name, None)
            return found
        if found:
            self._failures[name] = self._failures.get(name, 0) + 1
        return None

    def _refuse_disabled_basic(self) -> None:
        if self._controls.basic_disabled:
            text = "Basic Authentication has been disabled on this instance."
            raise JiraError(403, body={"message": text, "status-code": 403})

    def login_headers(self, reason: str | None) -> Headers:
        """Return the header that tells how the login went, alone or in one of its odd forms."""
        if reason is None:
            return {}
        form = self._controls.login_reason
        if form == "plain":
            return {_LOGIN_REASON: reason}
        return {_LOGIN_REASON: ["OUT", reason] if form == "repeated" else f"OUT, {reason}"}


def _gateway_tokens(account: Account) -> list[str]:
    return [token for token in (account.scoped_token, account.service_token) if token]


def _failure(reason: str) -> str:
    told = f"Basic Authentication Failure - Reason : {reason}"
    return f"<html><head><title>Unauthorized (401)</title></head><body>{told}</body></html>"


def _basic(credentials: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret
