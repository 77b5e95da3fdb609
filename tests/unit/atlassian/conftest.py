"""A fresh emulated Atlassian for each test, and a caller for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from local.atlassian.default_data import DANA, PLANT_NORTH
from local.atlassian.testing import running

SCOPES = (
    "read:jira-work write:jira-work read:jira-user read:board-scope:jira-software read:project:jira "
    "read:sprint:jira-software read:issue-details:jira read:jql:jira offline_access"
)
REDIRECT_URI = "http://127.0.0.1:8000/callback"


class Caller:
    """Calls one base URL with fixed credentials."""

    def __init__(self, base_url: str, auth: tuple[str, str] | None = None, bearer: str | None = None) -> None:
        self.base_url = base_url
        self.session = requests.Session()
        # Without this a .netrc of the machine could add credentials of its own.
        self.session.trust_env = False
        self.session.auth = auth
        if bearer:
            self.session.headers["Authorization"] = f"Bearer {bearer}"

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        return self.session.request(
            method, self.base_url + path, json=body, params=query, timeout=60, allow_redirects=False
        )

    def get(self, path: str, **query: Any) -> requests.Response:
        return self("GET", path, **query)

    def field(self, key: str, name: str) -> Any:
        return self.get(f"/rest/api/2/issue/{key}", fields=name).json()["fields"][name]

    def control(self, **switches: Any) -> None:
        assert self("PUT", "/_control", switches).status_code == 200

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/_control/requests").json()
        return found


class Auth(Caller):
    """What an app does at auth.atlassian.com."""

    def parameters(self, **changes: str) -> dict[str, str]:
        return {
            "audience": "api.atlassian.com",
            "client_id": "local-client-id",
            "scope": SCOPES,
            "redirect_uri": REDIRECT_URI,
            "state": "some state&more",
            "response_type": "code",
            "prompt": "consent",
            **changes,
        }

    def decide(
        self, *sites: str, account: str = DANA.account_id, decision: str = "accept", **changes: str
    ) -> requests.Response:
        form = [*self.parameters(**changes).items(), ("account", account), ("decision", decision)]
        form += [("site", site) for site in sites]
        return self.session.post(self.base_url + "/authorize", data=form, timeout=60, allow_redirects=False)

    def code(self, *sites: str, **changes: str) -> str:
        location = self.decide(*(sites or (PLANT_NORTH,)), **changes).headers["Location"]
        return parse_qs(urlsplit(location).query)["code"][0]

    def token(self, **body: str) -> requests.Response:
        client = {"client_id": "local-client-id", "client_secret": "local-client-secret"}
        return self("POST", "/oauth/token", {**client, **body})

    def exchange(self, code: str, redirect_uri: str = REDIRECT_URI) -> requests.Response:
        return self.token(grant_type="authorization_code", code=code, redirect_uri=redirect_uri)

    def refresh(self, token: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def tokens(self, *sites: str, **changes: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.exchange(self.code(*sites, **changes)).json()
        return answer

    def gateway(self, access_token: str, site: str = PLANT_NORTH) -> Caller:
        return Caller(f"{self.base_url}/ex/jira/{site}", bearer=access_token)


@pytest.fixture
def base_url() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def jira(base_url: str) -> Caller:
    """The default site with an API token."""
    return Caller(base_url, ("demo@example.com", "local-api-token"))


@pytest.fixture
def nobody(base_url: str) -> Caller:
    return Caller(base_url)


@pytest.fixture
def auth(base_url: str) -> Auth:
    return Auth(base_url)
