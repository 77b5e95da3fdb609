"""What a person does in a browser to connect an account, done by a program for the demonstration."""

from __future__ import annotations

import re
from html import unescape

import requests

SECONDS = 60


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
    page = session.get(authorization_uri, timeout=SECONDS)
    page.raise_for_status()
    fields = [
        (name, unescape(value))
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    ]
    account, site = (re.findall(pattern, page.text)[0] for pattern in (_ACCOUNT, _SITE))
    fields += [("account", account), ("site", site), ("decision", "accept")]
    at_atlassian = authorization_uri.partition("/authorize")[0]
    accepted = session.post(f"{at_atlassian}/authorize", data=fields, allow_redirects=False, timeout=SECONDS)
    back = session.get(accepted.headers["Location"], allow_redirects=False, timeout=SECONDS)
    code = back.headers["Location"].rsplit("/", 1)[1]
    choice = f"{url}/api/frontend/finalize-connection/jira"
    sites = session.get(f"{choice}/fetch-available-sites?connection_code={code}", timeout=SECONDS)
    sites.raise_for_status()
    chosen = sites.json()["sites"][0]
    body = {"connection_code": code, "site_id": chosen["site_id"]}
    session.post(f"{choice}/create-connection", json=body, timeout=SECONDS).raise_for_status()
    return str(chosen["site_name"])


_ACCOUNT = r'<option value="([^"]+)"'
_SITE = r'name="site" value="([^"]+)"'
