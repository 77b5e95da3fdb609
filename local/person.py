"""What a person does in a browser to connect an account, for the demonstration and for tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from urllib.parse import urljoin

import requests

SECONDS = 60


def decide(
    session: requests.Session,
    authorization_uri: str,
    *,
    sites: Sequence[str] | None = None,
    accept: bool = True,
) -> str:
    """Answer Atlassian's consent page as its first account; return where it sends the browser.

    Parameters
    ----------
    sites
        The ids of the sites to choose; None for the first one of the page.

    Raises
    ------
    requests.HTTPError
        If the page is refused.
    """
    page = session.get(authorization_uri, timeout=SECONDS)
    page.raise_for_status()
    fields = [
        (name, unescape(value))
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page.text)
    ]
    account = re.findall(r'<option value="([^"]+)"', page.text)[0]
    fields += [("account", account), ("decision", "accept" if accept else "deny")]
    if sites is None:
        sites = re.findall(r'name="site" value="([^"]+)"', page.text)[:1]
    fields += [("site", site) for site in sites]
    url = urljoin(authorization_uri, "/authorize")
    answer = session.post(url, data=fields, allow_redirects=False, timeout=SECONDS)
    return answer.headers["Location"]


def connect(session: requests.Session, url: str, authorization_uri: str) -> str:
    """Accept on Atlassian's page with its first account, choose the first site; return the site's name.

    Parameters
    ----------
    session
        The browser: it keeps the product's cookie.
    url
        Where the product is.
    authorization_uri
        The address to which the product sends the person.

    Raises
    ------
    requests.HTTPError
        If a step is refused.
    """
    back = session.get(decide(session, authorization_uri), allow_redirects=False, timeout=SECONDS)
    code = back.headers["Location"].rsplit("/", 1)[1]
    choice = f"{url}/api/frontend/finalize-connection/jira"
    sites = session.get(f"{choice}/fetch-available-sites?connection_code={code}", timeout=SECONDS)
    sites.raise_for_status()
    chosen = sites.json()["sites"][0]
    body = {"connection_code": code, "site_id": chosen["site_id"]}
    session.post(f"{choice}/create-connection", json=body, timeout=SECONDS).raise_for_status()
    return str(chosen["site_name"])
