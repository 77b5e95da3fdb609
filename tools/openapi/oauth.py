"""The routes of functions/oauth."""

from __future__ import annotations

from typing import Any

from tools.openapi.operation import Operation, array_of, object_of, query

_TEXT: dict[str, Any] = {"type": "string"}
_URL: dict[str, Any] = {"type": "string", "format": "uri"}
_PAGE = "text/html"
_CODE = query("connection_code", "The code of the pending connection.", _TEXT, required=True)
_SITE = object_of(
    site_id=_TEXT,
    site_name=_TEXT,
    site_url=_URL,
    avatar_url={"type": ["string", "null"], "format": "uri"},
)
_ANOTHER_BROWSER = {403: "Neither the cookie of the browser that signed in nor a key with the scope tokens."}
_EXPIRED = {400: "A parameter is missing, or the session has expired or does not exist."}
_PREFLIGHT = Operation("Ask whether a page of another origin may call this", {204: None})


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": _TEXT}


_INITIATE = "/api/frontend/oauth/initiate-oauth-flow"
_SITES = "/api/frontend/finalize-connection/jira/fetch-available-sites"
_CREATE = "/api/frontend/finalize-connection/jira/create-connection"

_TROUBLE = {503: "AWS is busy or in trouble; `Retry-After` says when to try again."}

OPERATIONS = {
    f"POST {_INITIATE}": Operation(
        "Begin a consent: where to send the user",
        {200: object_of(authorization_uri=_URL)},
        {
            400: "A field is missing or faulty, or the return_url is not of a configured origin.",
            401: "A connect token is required, or the one that came is not good.",
            403: "The connect token is for another connection, or the key lacks the scope tokens.",
            409: "In open mode: a connection that works has this external_id.",
            503: "The deployment does not know its public URL, or its app at Atlassian.",
        },
        object_of(("return_url",), provider={"enum": ["jira"]}, external_id=_TEXT, return_url=_URL),
        (
            _header("x-connect-token", "A connect token, minted for exactly this connection and return_url."),
            _header("x-juncture-public-key", "Ignored."),
        ),
        description="Who may begin is a setting of the deployment: whoever brings a connect token or a key "
        "with the scope `tokens`, or (open mode) anybody.",
    ),
    f"OPTIONS {_INITIATE}": _PREFLIGHT,
    "GET /api/frontend/oauth/authorization-callback/{provider}": Operation(
        "Come back from Atlassian",
        {302: None},
        {
            400: "The state is unknown, used or expired, Atlassian refused the code, or the user did not "
            "grant access and there is no return_url. Browsers get a page.",
            503: "AWS is in trouble. Browsers get a page.",
        },
        parameters=(
            query("code", "Atlassian's authorization code.", _TEXT),
            query("state", "The state that the consent was begun with.", _TEXT, required=True),
            query("error", "What Atlassian says instead of a code, such as access_denied.", _TEXT),
        ),
        answer_headers={"Location": "The site-choice page, or the return_url after a denial."},
        for_browsers=True,
    ),
    "GET /finalize-connection/jira/{connection_code}": Operation(
        "Show the page on which the user chooses a site",
        {200: _PAGE},
        {
            400: "The code has expired or is not known: a page that says so.",
            403: "The page belongs to another browser: a page that says so.",
            502: "Atlassian does not list the sites: a page that says so.",
            503: "AWS is in trouble: a page that says so.",
        },
    ),
    "GET /finalize-connection/assets/page.css": Operation("The pages' style", {200: "text/css"}),
    "GET /finalize-connection/assets/page.js": Operation("The pages' script", {200: "text/javascript"}),
    f"GET {_SITES}": Operation(
        "List the Jira sites that the user has granted",
        {200: object_of(sites=array_of(_SITE))},
        {**_EXPIRED, **_ANOTHER_BROWSER, 502: "Atlassian does not list the sites.", **_TROUBLE},
        parameters=(_CODE,),
    ),
    f"OPTIONS {_SITES}": _PREFLIGHT,
    f"POST {_CREATE}": Operation(
        "Make the connection to the chosen site",
        {200: object_of(("return_url",), success={"const": True}, return_url=_URL)},
        {
            **_ANOTHER_BROWSER,
            400: "A field is missing, the session has expired, or the site was not granted.",
            409: "In open mode: a connection that works has this external_id.",
            502: "Atlassian does not list the sites.",
            **_TROUBLE,
        },
        object_of(connection_code=_TEXT, site_id=_TEXT),
    ),
    f"OPTIONS {_CREATE}": _PREFLIGHT,
}
