"""The consent page: which sites the app may reach, and in whose name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from local.atlassian.emulator import Emulator, Request
from local.atlassian.html import page
from local.atlassian.model import Account
from local.atlassian.registered import CLIENT_ID
from local.atlassian.routing import Answer
from local.atlassian.world import Site

_SCOPE = re.compile(r"offline_access|(read|write|manage|delete):[a-z-]+(:[a-z-]+)*")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_EXPLAINED = {
    "read:jira-work": "View projects, tickets, comments and histories",
    "write:jira-work": "Create and edit tickets, add comments",
    "manage:jira-webhook": "Be told of changes as soon as they are made",
    "read:jira-user": "View user profiles",
    "read:me": "View your profile",
    "read:board-scope:jira-software": "View boards",
    "read:project:jira": "View the settings of projects",
    "read:sprint:jira-software": "View sprints",
    "read:issue-details:jira": "View all details of tickets",
    "read:jql:jira": "Check search queries",
    "offline_access": "Do all this while you are away",
}
_VERBS = {"read": "View", "write": "Create and edit", "manage": "Manage", "delete": "Delete"}
Parameters = dict[str, str]
_CARRIED = ("audience", "client_id", "scope", "redirect_uri", "state", "response_type", "prompt")


class _BadRequestError(Exception):
    """An authorization request that cannot be sent back to the app, because it is the app's mistake."""


@dataclass(frozen=True, slots=True)
class _Asked:
    redirect_uri: str
    state: str
    scopes: list[str]


def _check(parameters: Parameters) -> _Asked:
    if parameters.get("client_id") != CLIENT_ID:
        raise _BadRequestError("The client_id is not known.")
    redirect_uri = parameters.get("redirect_uri", "")
    target = urlsplit(redirect_uri)
    if target.scheme not in ("http", "https") or target.hostname not in _LOOPBACK or target.fragment:
        raise _BadRequestError("The redirect_uri is not registered for this app.")
    if parameters.get("audience") != "api.atlassian.com":
        raise _BadRequestError("The audience must be api.atlassian.com.")
    if parameters.get("response_type") != "code":
        raise _BadRequestError("The response_type must be code.")
    if not parameters.get("state"):
        raise _BadRequestError("The state is missing.")
    scopes = parameters.get("scope", "").split()
    unknown = [scope for scope in scopes if not _SCOPE.fullmatch(scope)]
    if not scopes or unknown:
        raise _BadRequestError(f"The scope is missing or not known: {' '.join(unknown)}")
    return _Asked(redirect_uri, parameters["state"], scopes)


def show(emulator: Emulator, request: Request) -> Answer:
    """Serve ``GET /authorize``."""
    parameters = {name: values[0] for name, values in request.query.items()}
    try:
        asked = _check(parameters)
    except _BadRequestError as error:
        return _refusal(str(error))
    return _form(emulator, parameters, asked)


def _refusal(reason: str) -> Answer:
    body = (
        "<h1>Something went wrong</h1>"
        f'<p class="card error" role="alert">{escape(reason)}</p>'
        "<p>The app that sent you here has made a mistake. Go back to it and try again.</p>"
    )
    return page("Something went wrong", body, status=400)


def _form(
    emulator: Emulator, parameters: Parameters, asked: _Asked, problem: str = "", status: int = 200
) -> Answer:
    sites = [site for site in emulator.world.sites.values() if site.jira]
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(parameters[name])}">'
        for name in _CARRIED
        if name in parameters
    )
    scopes = "".join(f"<li>{escape(_in_words(scope))}</li>" for scope in asked.scopes)
    host = urlsplit(asked.redirect_uri).netloc
    body = (
        "<h1>Jobticket wants to use Jira in your name</h1>"
        f"{_problem(problem)}"
        f'<form method="post" action="/authorize">{hidden}'
        f"{_accounts(_people(emulator))}"
        "<fieldset class='card'><legend>Sites that it may reach</legend>"
        f"{''.join(_site(emulator, site) for site in sites)}</fieldset>"
        f"<h2>It may then</h2><ul>{scopes}</ul>"
        f'<p class="soft">Afterwards you return to {escape(host)}.</p>'
        '<div class="row"><button class="main" name="decision" value="accept">Accept</button>'
        '<button name="decision" value="deny" formnovalidate>Deny</button></div></form>'
    )
    return page("Authorize Jobticket", body, status=status)


def _in_words(scope: str) -> str:
    """Return what a scope permits; an unknown one is spelt out."""
    verb, _, rest = scope.partition(":")
    return _EXPLAINED.get(scope) or f"{_VERBS[verb]} {rest.partition(':')[0].replace('-', ' ')}"


def _problem(text: str) -> str:
    return f'<p class="card error" role="alert">{escape(text)}</p>' if text else ""


def _people(emulator: Emulator) -> list[Account]:
    return [account for account in emulator.world.accounts.values() if not account.service_token]


def _accounts(accounts: list[Account]) -> str:
    options = "".join(
        f'<option value="{escape(account.account_id)}">{escape(account.display_name)} '
        f"({escape(account.email)})</option>"
        for account in accounts
    )
    return f'<p><label>Signed in as <select name="account">{options}</select></label></p>'


def _site(emulator: Emulator, site: Site) -> str:
    return (
        f'<label class="choice"><input type="checkbox" name="site" value="{escape(site.id)}">'
        f'<span>{escape(site.name)}<br><span class="soft">{escape(emulator.site_url(site))}</span></span>'
        "</label>"
    )


def decide(emulator: Emulator, request: Request) -> Answer:
    """Serve ``POST /authorize``: back to the app with a code, or with access_denied."""
    form = parse_qs(request.body.decode(errors="replace"), keep_blank_values=True)
    parameters = {name: values[0] for name, values in form.items()}
    try:
        asked = _check(parameters)
    except _BadRequestError as error:
        return _refusal(str(error))
    if parameters.get("decision") != "accept":
        reason = "User did not authorize the request"
        return _back(asked, {"error": "access_denied", "error_description": reason})
    known = emulator.world.sites
    sites = [each for each in form.get("site", ()) if each in known and known[each].jira]
    account = emulator.world.accounts.get(parameters.get("account", ""))
    if account is None:
        return _form(emulator, parameters, asked, "Choose an account.", 400)
    if not sites:
        return _form(emulator, parameters, asked, "Choose at least one site.", 400)
    expires = emulator.world.now() + emulator.controls.code_seconds
    code = emulator.grants.consent(account.account_id, sites, asked.scopes, asked.redirect_uri, expires)
    emulator.world.changed()
    return _back(asked, {"code": code})


def _back(asked: _Asked, parameters: Parameters) -> Answer:
    separator = "&" if urlsplit(asked.redirect_uri).query else "?"
    location = asked.redirect_uri + separator + urlencode({**parameters, "state": asked.state})
    return Answer(
        None, 302, {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    )
