"""A user who walks through a consent: at the product, at the emulated Atlassian, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from local import person
from tests.support.gateway import HttpAnswer

if TYPE_CHECKING:
    from tests.support.deployed import Stack

CALLBACK = "/api/frontend/oauth/authorization-callback/jira"
SITES = "/api/frontend/finalize-connection/jira/fetch-available-sites"
CREATE = "/api/frontend/finalize-connection/jira/create-connection"
INITIATE = "/api/frontend/oauth/initiate-oauth-flow"

PLANT_NORTH = "11111111-2222-4333-8444-555555550001"
PLANT_SOUTH = "11111111-2222-4333-8444-555555550002"
DATA_TEAM = "11111111-2222-4333-8444-555555550003"


#: Sends a request to the product: method, URL, body, headers.
Send = Callable[[str, str, Any, Mapping[str, str]], HttpAnswer]


def over_http(stack: Stack) -> Send:
    """Return the way to a deployed stack, without any key."""

    def send(method: str, url: str, body: Any, headers: Mapping[str, str]) -> HttpAnswer:
        answer = stack.request(method, url, scope=None, json=body, headers=headers, allow_redirects=False)
        cookies = [answer.headers["Set-Cookie"]] if "Set-Cookie" in answer.headers else []
        plain = {name.lower(): value for name, value in answer.headers.items()}
        return HttpAnswer(answer.status_code, plain, answer.content, cookies)

    return send


class Atlassian:
    """The emulated Atlassian: its consent page, and its controls."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def decide(
        self, authorization_uri: str, *, sites: tuple[str, ...] = (PLANT_NORTH,), accept: bool = True
    ) -> str:
        """Answer the consent page as its first account, and return where it sends the browser."""
        return person.decide(self._session, authorization_uri, sites=sites, accept=accept)

    def control(self, **switches: Any) -> None:
        self._session.put(f"{self.url}/_control", json=switches, timeout=60).raise_for_status()

    def reset(self) -> None:
        self._session.delete(f"{self.url}/_control", timeout=60).raise_for_status()

    def revoke(self, **what: Any) -> None:
        self._session.post(f"{self.url}/_control/revoke", json=what, timeout=60).raise_for_status()

    def asked(self, path: str) -> list[dict[str, Any]]:
        """Return what was asked of a path."""
        log = self._session.get(f"{self.url}/_control/requests", timeout=60).json()
        entries: list[dict[str, Any]] = log if isinstance(log, list) else log["requests"]
        return [entry for entry in entries if entry["path"] == path]

    def token_calls(self, grant_type: str = "refresh_token") -> int:
        """Return how often the token endpoint was asked for a grant of this type."""
        return sum(entry.get("grant_type") == grant_type for entry in self.asked("/oauth/token"))

    def close(self) -> None:
        self._session.close()


@dataclass
class Browser:
    """Sends requests to the product, and keeps its cookies."""

    send: Send
    cookies: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, url: str, body: Any = None, **headers: str) -> HttpAnswer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.send(method, url, body, sent)
        for cookie in answer.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


@dataclass
class Walk:
    """One user's way to a connection, step by step."""

    browser: Browser
    atlassian: Atlassian
    code: str = ""

    def initiate(self, external_id: str = "team-1", **options: Any) -> Any:
        headers = options.pop("headers", {})
        body = {"provider": "jira", "external_id": external_id} | options
        return self.browser.call("POST", INITIATE, body, **headers)

    def consent(self, authorization_uri: str, **decision: Any) -> dict[str, str]:
        """Decide at Atlassian; return what it sends along to the callback."""
        location = self.atlassian.decide(authorization_uri, **decision)
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def come_back(self, sent: Mapping[str, str], **headers: str) -> Any:
        answer = self.browser.call("GET", f"{CALLBACK}?{urlencode(sent)}", **headers)
        location = answer.headers.get("location", "")
        if "/finalize-connection/" in location:
            self.code = location.rsplit("/", 1)[1]
        return answer

    def to_choice(self, external_id: str = "team-1", **options: Any) -> None:
        """Walk as far as the site-choice page."""
        sites = options.pop("sites", (PLANT_NORTH,))
        begun = self.initiate(external_id, **options)
        assert begun.status == 200, begun.text
        back = self.come_back(self.consent(begun.json()["authorization_uri"], sites=sites))
        assert back.status == 302, back.text

    def page(self) -> Any:
        return self.browser.call("GET", f"/finalize-connection/jira/{self.code}", Accept="text/html")

    def sites(self, **headers: str) -> Any:
        return self.browser.call("GET", f"{SITES}?connection_code={self.code}", **headers)

    def create(self, site_id: str = PLANT_NORTH, **headers: str) -> Any:
        return self.browser.call(
            "POST", CREATE, {"connection_code": self.code, "site_id": site_id}, **headers
        )

    def to_connection(self, external_id: str = "team-1", **options: Any) -> None:
        """Walk the whole way."""
        self.to_choice(external_id, **options)
        made = self.create()
        assert made.status == 200, made.text
