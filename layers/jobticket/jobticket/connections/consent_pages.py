"""The pages of a consent, from the templates and notices in ``functions/oauth/pages``.

A notice says what happened and what to do. Everything from outside is escaped here, once, on its way into a
template.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from jobticket.connections.atlassian import GrantedSite
from jobticket.web.api import Answer

ASSETS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}

#: No script, style, image or frame but the product's own; no form, no base, nothing embedded.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
CLOSE = "<p>You can close this page.</p>"


class ConsentPages:
    """Renders the pages; the folder holds their templates, notices, script and style."""

    def __init__(self, public_url: str, folder: Path) -> None:
        self._files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
        self._notices: dict[str, dict[str, str]] = json.loads(self._files["notices.json"])
        self._assets = f"{public_url}/finalize-connection/assets"
        self._endpoint = f"{public_url}/api/frontend/finalize-connection/jira/create-connection"

    def notice(self, status: int, name: str, return_url: str | None = None, **words: str) -> Answer:
        """Return the page of a notice; the words stand in its text."""
        texts = {part: Template(text).safe_substitute(words) for part, text in self._notices[name].items()}
        back = "" if return_url is None else _way_back(return_url)
        return self._page(status, "message.html", texts, {"afterwards": back})

    def choice(
        self,
        *,
        code: str,
        external_id: str,
        account: str | None,
        return_url: str | None,
        sites: list[GrantedSite],
    ) -> Answer:
        """Return the page on which the site is chosen."""
        if not sites:
            return self.notice(200, "no_sites", return_url)
        host = urlsplit(return_url).netloc if return_url else ""
        words = {
            "code": code,
            "endpoint": self._endpoint,
            "external_id": external_id,
            "account": account or "not known",
        }
        parts = {"sites": self._sites(sites), "return_row": "", "afterwards": CLOSE}
        if return_url is not None:
            parts["return_row"] = f"<div><dt>Returns to</dt><dd>{html.escape(host)}</dd></div>"
            parts["afterwards"] = _way_back(return_url)
        return self._page(200, "choice.html", words, parts)

    def asset(self, name: str) -> Answer:
        """Return the pages' script or style."""
        # Their names hold no version: a browser asks whether they have changed.
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return Answer(200, self._files[name], headers, ASSETS[name])

    def _page(self, status: int, template: str, words: Mapping[str, str], parts: Mapping[str, str]) -> Answer:
        escaped = {name: html.escape(text) for name, text in words.items()}
        body = Template(self._files[template]).substitute(escaped, assets=html.escape(self._assets), **parts)
        return Answer(status, body, HEADERS, "text/html; charset=utf-8")

    def _sites(self, sites: list[GrantedSite]) -> str:
        template = Template(self._files["site.html"])
        checked = " checked" if len(sites) == 1 else ""
        return "".join(template.substitute(_site(site), checked=checked) for site in sites)


def _way_back(return_url: str) -> str:
    host = html.escape(urlsplit(return_url).netloc)
    return f'<p><a href="{html.escape(return_url)}">Continue to {host}</a></p>'


def _site(site: GrantedSite) -> dict[str, Any]:
    return {
        "site_id": html.escape(site.site_id),
        "initial": html.escape(site.name[:1].upper()),
        "name": html.escape(site.name),
        "url": html.escape(site.url),
    }
