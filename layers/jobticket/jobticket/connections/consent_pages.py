"""The pages of a consent, from the templates in ``functions/oauth/pages``.

Everything from outside is escaped here, once, on its way into a template.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from jobticket.connections.atlassian import GrantedSite
from jobticket.web.api import Answer

ASSETS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}

#: No script, style, image or frame but the product's own; no form, no base, nothing embedded.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
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


@dataclass(frozen=True, slots=True)
class PageNotice:
    """A page that says what happened and what to do."""

    title: str
    happened: str
    advice: str


EXPIRED_SIGN_IN = PageNotice(
    "This sign-in has expired",
    "The link from Atlassian was used already, or is older than 10 minutes. Nothing has been changed.",
    "Go back to the application that you came from and start connecting Jira again.",
)
INCOMPLETE = PageNotice(
    "This link is not complete",
    "It lacks what Atlassian sends along after a sign-in. Nothing has been changed.",
    "Go back to the application that you came from and start connecting Jira again.",
)
EXPIRED_PAGE = PageNotice(
    "This page has expired",
    "The site was chosen already, or more than 15 minutes have passed since you signed in.",
    "If Jira is not connected yet, go back to the application that you came from and start again.",
)
OTHER_BROWSER = PageNotice(
    "This link belongs to another browser",
    "A site can be chosen only in the browser that signed in at Atlassian.",
    "Open the page there, or go back to the application that you came from and start again.",
)
DENIED = PageNotice(
    "Access was not granted",
    "You did not allow access to Jira at Atlassian. Nothing has been changed.",
    "You can close this page, or go back to the application that you came from and start again.",
)
FAILED = PageNotice(
    "Connecting Jira failed",
    "Atlassian did not complete the sign-in. Nothing has been changed.",
    "Go back to the application that you came from and try again in a few minutes.",
)
UNAVAILABLE = PageNotice(
    "Connecting Jira is not possible for now",
    "A fault on this side keeps the sign-in from going on. Nothing has been changed.",
    "Load this page again in a moment, or go back to the application that you came from and start again.",
)

CLOSE = "<p>You can close this page.</p>"
NO_SITES = PageNotice(
    "No Jira site was granted",
    "Your Atlassian account has not allowed access to any Jira site. Nothing has been changed.",
    "Go back to the application that you came from, start again and choose a site at Atlassian.",
)


class ConsentPages:
    """Renders the pages; the folder holds their templates, script and style."""

    def __init__(self, public_url: str, folder: Path) -> None:
        self._files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
        self._assets = f"{public_url}/finalize-connection/assets"
        self._endpoint = f"{public_url}/api/frontend/finalize-connection/jira/create-connection"

    def notice(self, status: int, notice: PageNotice, cookies: tuple[str, ...] = ()) -> Answer:
        """Return a page with a notice."""
        words = {"title": notice.title, "happened": notice.happened, "advice": notice.advice}
        return self._page(status, "message.html", words, {}, cookies)

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
            return self.notice(200, NO_SITES)
        host = urlsplit(return_url).netloc if return_url else ""
        words = {
            "code": code,
            "endpoint": self._endpoint,
            "external_id": external_id,
            "account": account or "not known",
        }
        parts = {"sites": self._sites(sites), "return_row": "", "afterwards": CLOSE}
        if return_url is not None:
            shown, link = html.escape(host), html.escape(return_url)
            parts["return_row"] = f"<div><dt>Returns to</dt><dd>{shown}</dd></div>"
            parts["afterwards"] = f'<p><a href="{link}">Continue to {shown}</a></p>'
        return self._page(200, "choice.html", words, parts, ())

    def asset(self, name: str) -> Answer:
        """Return the pages' script or style."""
        # Their names hold no version: a browser asks whether they have changed.
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return Answer(200, self._files[name], headers, ASSETS[name])

    def _page(
        self,
        status: int,
        template: str,
        words: Mapping[str, str],
        parts: Mapping[str, str],
        cookies: tuple[str, ...],
    ) -> Answer:
        escaped = {name: html.escape(text) for name, text in words.items()}
        body = Template(self._files[template]).substitute(escaped, assets=html.escape(self._assets), **parts)
        return Answer(status, body, HEADERS, "text/html; charset=utf-8", cookies)

    def _sites(self, sites: list[GrantedSite]) -> str:
        template = Template(self._files["site.html"])
        checked = " checked" if len(sites) == 1 else ""
        return "".join(template.substitute(_site(site), checked=checked) for site in sites)


def _site(site: GrantedSite) -> dict[str, Any]:
    return {
        "site_id": html.escape(site.site_id),
        "initial": html.escape(site.name[:1].upper()),
        "name": html.escape(site.name),
        "url": html.escape(site.url),
    }
