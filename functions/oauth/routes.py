"""The routes of functions/oauth."""

from __future__ import annotations

from typing import Any

from jobticket.web.routes import (
    Example,
    Route,
    Routes,
    array_of,
    error_envelope,
    header,
    object_of,
    query,
)

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


_TROUBLE = {503: "AWS is busy or failing; `Retry-After` says when to try again."}


ROUTES = Routes(
    error_envelope,
    (
        Route(
            "beginConsent",
            "POST",
            "/api/frontend/oauth/initiate-oauth-flow",
            scope=None,
            summary="Begin a consent: where to send the user",
            answers={200: object_of(authorization_uri=_URL)},
            errors={
                400: "A field is missing or faulty, or the return_url is not of a configured origin.",
                401: "The connect token is missing or invalid.",
                403: "The connect token is for another connection, or the key lacks the scope tokens.",
                409: "In open mode: this external_id has a working connection.",
                503: "The deployment does not know its public URL, or its app at Atlassian.",
            },
            body=object_of(("return_url",), provider={"enum": ["jira"]}, external_id=_TEXT, return_url=_URL),
            parameters=(
                header(
                    "x-connect-token",
                    "A connect token, minted for exactly this connection and return_url.",
                    _TEXT,
                ),
                header("x-juncture-public-key", "Ignored.", _TEXT),
            ),
            description="The deployment decides who may begin: callers with a connect token or a key with "
            "the scope `tokens`, or (open mode) anybody.",
            example=Example(
                headers={"Origin": "http://localhost:3000", "Authorization": "Bearer local-key"},
                body={"provider": "jira", "external_id": "team-2"},
            ),
        ),
        Route(
            "preflightConsent",
            "OPTIONS",
            "/api/frontend/oauth/initiate-oauth-flow",
            scope=None,
            summary="Ask whether a page of another origin may call this",
            answers={204: None},
            example=Example(
                headers={
                    "Origin": "http://localhost:3000",
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "content-type",
                }
            ),
        ),
        Route(
            "completeConsent",
            "GET",
            "/api/frontend/oauth/authorization-callback/{provider}",
            scope=None,
            summary="Come back from Atlassian",
            answers={302: None},
            errors={
                400: "The state is unknown, used or expired, Atlassian refused the code, or the user did not "
                "grant access and there is no return_url. Browsers get a page.",
                503: "AWS is failing. Browsers get a page.",
            },
            parameters=(
                query("code", "Atlassian's authorization code.", _TEXT),
                query("state", "The state that the consent was begun with.", _TEXT, required=True),
                query("error", "What Atlassian says instead of a code, such as access_denied.", _TEXT),
            ),
            answer_headers={"Location": "The site-choice page, or the return_url after a denial."},
            for_browsers=True,
            example=Example(
                path={"provider": "jira"},
                query={
                    "code": "Zm9yIGEgc2FtcGxlLCBub3QgYSByZWFsIGNvZGU",
                    "state": "Zm9yIGEgc2FtcGxlLCBub3QgYSByZWFsIGNvZGU",
                },
                headers={"Accept": "text/html"},
            ),
        ),
        Route(
            "chooseSite",
            "GET",
            "/finalize-connection/jira/{connection_code}",
            scope=None,
            summary="Show the page on which the user chooses a site",
            answers={200: _PAGE},
            errors={
                400: "The code has expired or is not known: a page that says so.",
                403: "The page belongs to another browser: a page that says so.",
                502: "Atlassian does not list the sites: a page that says so.",
                503: "AWS is failing: a page that says so.",
            },
            example=Example(
                path={"connection_code": "Zm9yIGEgc2FtcGxlLCBub3QgYSByZWFsIGNvZGU"},
                headers={"Cookie": "finalize-0123456789abcdef=c2FtcGxl", "Accept": "text/html"},
            ),
        ),
        Route(
            "getStyle",
            "GET",
            "/finalize-connection/assets/page.css",
            scope=None,
            summary="The pages' style",
            answers={200: "text/css"},
            is_listed=False,
        ),
        Route(
            "getScript",
            "GET",
            "/finalize-connection/assets/page.js",
            scope=None,
            summary="The pages' script",
            answers={200: "text/javascript"},
            is_listed=False,
        ),
        Route(
            "listSites",
            "GET",
            "/api/frontend/finalize-connection/jira/fetch-available-sites",
            scope=None,
            summary="List the Jira sites that the user has granted",
            answers={200: object_of(sites=array_of(_SITE))},
            errors={**_EXPIRED, **_ANOTHER_BROWSER, 502: "Atlassian does not list the sites.", **_TROUBLE},
            parameters=(_CODE,),
            example=Example(query={"connection_code": "Zm9yIGEgc2FtcGxlLCBub3QgYSByZWFsIGNvZGU"}),
        ),
        Route(
            "preflightSites",
            "OPTIONS",
            "/api/frontend/finalize-connection/jira/fetch-available-sites",
            scope=None,
            summary="Ask whether a page of another origin may call this",
            answers={204: None},
        ),
        Route(
            "createConnection",
            "POST",
            "/api/frontend/finalize-connection/jira/create-connection",
            scope=None,
            summary="Make the connection to the chosen site",
            answers={200: object_of(("return_url",), success={"const": True}, return_url=_URL)},
            errors={
                **_ANOTHER_BROWSER,
                400: "A field is missing, the session has expired, or the site was not granted.",
                409: "In open mode: this external_id has a working connection.",
                502: "Atlassian does not list the sites.",
                **_TROUBLE,
            },
            body=object_of(connection_code=_TEXT, site_id=_TEXT),
            example=Example(
                body={
                    "connection_code": "Zm9yIGEgc2FtcGxlLCBub3QgYSByZWFsIGNvZGU",
                    "site_id": "11111111-2222-4333-8444-555555555555",
                }
            ),
        ),
        Route(
            "preflightConnection",
            "OPTIONS",
            "/api/frontend/finalize-connection/jira/create-connection",
            scope=None,
            summary="Ask whether a page of another origin may call this",
            answers={204: None},
        ),
    ),
)
