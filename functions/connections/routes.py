"""The routes of functions/connections."""

from __future__ import annotations

from typing import Any

from jobticket.web.routes import (
    CURSOR,
    LIMIT,
    NEXT_CURSOR,
    Example,
    Route,
    Routes,
    array_of,
    error_envelope,
    model,
    object_of,
    query,
)

_TEXT: dict[str, Any] = {"type": "string"}
_MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_MAYBE_TIME: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
_KINDS = ("api_token", "personal_access_token", "client_credentials")
_SCOPES = {"type": "array", "items": _TEXT}
_ACCOUNT = object_of(("accountId", "name"), displayName=_TEXT, accountId=_TEXT, name=_TEXT)
_CONNECTION = object_of(
    external_id=_TEXT,
    provider={"enum": ["jira"]},
    kind={"enum": ["oauth", *_KINDS]},
    site_name=_TEXT,
    site_url=_TEXT,
    selected_project_id=_MAYBE_TEXT,
    status={"enum": ["valid", "expired", "invalid"]},
    authorized_at={"type": "string", "format": "date-time"},
    last_refreshed_at=_MAYBE_TIME,
    expires_at=_MAYBE_TIME,
)
_IN_QUERY = query(
    "external_id", "The external id, where a path cannot carry it; wins over the path's.", _TEXT
)
_PROVIDER = query("provider", "Only jira.", {"enum": ["jira"], "default": "jira"})
_FAULTY = {400: "A field is missing or faulty; the text names it."}
_UNKNOWN = {401: "The key is missing or not known, or there is no such connection."}

_NAMED = (
    query("external_id", "The connection's external id.", _TEXT, required=True),
    query("provider", "Only jira.", {"enum": ["jira"]}, required=True),
)
_FLAG: dict[str, Any] = {"type": "boolean"}
_DEAD = {
    403: "The grant is over: needs_reauthorization is true, and missing_scopes names what it lacked. "
    "Or the key does not have the scope."
}


ROUTES = Routes(
    error_envelope,
    (
        Route(
            "listConnections",
            "GET",
            "/api/backend/connections",
            scope="tokens",
            summary="List connections, by external id",
            answers={200: object_of(connections=array_of(_CONNECTION), next_cursor=_MAYBE_TEXT)},
            errors={400: "The limit or the cursor is not valid."},
            parameters=(LIMIT, CURSOR),
            example=Example(query={"limit": "50"}),
        ),
        Route(
            "putApiToken",
            "PUT",
            "/api/backend/connections/{external_id}/api-token",
            scope="tokens",
            summary="Connect with a token of any kind",
            answers={
                200: object_of(
                    external_id=_TEXT,
                    kind={"enum": list(_KINDS)},
                    via={"enum": ["site", "gateway"]},
                    host=_TEXT,
                    account=_ACCOUNT,
                )
            },
            errors={400: "A field is faulty, or Jira refuses the credentials; each fault has its own text."},
            body=object_of(
                ("credentials", "client_id", "client_secret", "token_expires_at"),
                provider={"enum": ["jira"]},
                host=_TEXT,
                credentials=_TEXT,
                client_id=_TEXT,
                client_secret=_TEXT,
                token_expires_at=_TIME,
            ),
            parameters=(_IN_QUERY,),
            description="`host` is the URL at which people open Jira. `credentials` with a colon are an "
            "email and API token, or a user name and password; without one they are a service account's "
            "token, or a Data Center's personal access token. `client_id` and `client_secret`, instead of "
            "`credentials`, are a service account's client credentials. They are tried at the site and at "
            "Atlassian's gateway. Replaces the connection of that name.",
            example=Example(
                path={"external_id": "team-1"},
                body={
                    "provider": "jira",
                    "host": "https://your-domain.atlassian.net",
                    "credentials": "demo@example.com:local-api-token",
                },
            ),
            more_examples={
                "service-account": Example(
                    path={"external_id": "team-1"},
                    body={
                        "provider": "jira",
                        "host": "https://your-domain.atlassian.net",
                        "client_id": "local-service-client",
                        "client_secret": "local-service-secret",
                    },
                )
            },
        ),
        Route(
            "testConnection",
            "POST",
            "/api/backend/connections/{external_id}/test",
            scope="tokens",
            summary="Ask Jira whether the connection works",
            answers={
                200: object_of(
                    ("account", "error"), connected={"type": "boolean"}, account=_ACCOUNT, error=_TEXT
                )
            },
            errors={**_FAULTY, **_UNKNOWN},
            parameters=(_IN_QUERY, _PROVIDER),
            example=Example(path={"external_id": "team-1"}),
        ),
        Route(
            "deleteConnection",
            "DELETE",
            "/api/backend/connections/{external_id}",
            scope="tokens",
            summary="Remove a connection, its tokens, its connect tokens and the consents under way for it",
            answers={204: None},
            errors=_FAULTY,
            parameters=(_IN_QUERY, _PROVIDER),
            example=Example(path={"external_id": "anna%40example.com"}),
        ),
        Route(
            "getConnectionHistory",
            "GET",
            "/api/backend/connections/{external_id}/history",
            scope="tokens",
            summary="Show what happened to a connection, oldest first",
            answers={200: array_of(model("connections.model:ConnectionEvent"))},
            errors={
                400: "The limit or the cursor is not valid, or the name is faulty.",
                **_UNKNOWN,
                413: "The answer is too large: ask for pages.",
            },
            parameters=(_IN_QUERY, _PROVIDER, LIMIT, CURSOR),
            description="A removed connection keeps its history.",
            answer_headers=NEXT_CURSOR,
            example=Example(path={"external_id": "team-1"}, query={"limit": "20"}),
        ),
        Route(
            "createConnectSession",
            "POST",
            "/api/backend/connect-sessions",
            scope="tokens",
            summary="Mint a connect token for one connection",
            answers={201: object_of(connect_token=_TEXT, expires_at=_TIME)},
            errors=_FAULTY,
            body=object_of(
                ("return_url", "expires_in"),
                provider={"enum": ["jira"]},
                external_id=_TEXT,
                return_url=_TEXT,
                expires_in={"type": "integer", "minimum": 1, "maximum": 3600, "default": 900},
            ),
            description="The token permits a consent for exactly this connection and `return_url`. "
            "It is spent when the connection is made.",
            example=Example(body={"provider": "jira", "external_id": "team-1", "expires_in": 900}),
        ),
        Route(
            "checkConnection",
            "GET",
            "/api/backend/connection-info/check-connection-validity",
            scope="tokens",
            summary="Tell whether a connection can be used",
            answers={
                200: object_of(
                    ("expires_at", "missing_scopes"),
                    exists=_FLAG,
                    is_expired=_FLAG,
                    is_invalid=_FLAG,
                    expires_at=_MAYBE_TIME,
                    missing_scopes=_SCOPES,
                )
            },
            errors=_FAULTY,
            parameters=_NAMED,
            example=Example(query={"external_id": "team-1", "provider": "jira"}),
        ),
        Route(
            "getRefreshToken",
            "GET",
            "/api/backend/connection-info/get-connection-credentials",
            scope="tokens",
            summary="Get a connection's refresh token",
            answers={200: object_of(refresh_token=_TEXT, expires_at=_TIME, is_invalid=_FLAG)},
            errors={
                **_FAULTY,
                **_UNKNOWN,
                503: "The token cannot be read for now; Retry-After says when to try again.",
            },
            parameters=_NAMED,
            description="For debugging. Using it spends it: call get-access-token instead.",
            example=Example(query={"external_id": "team-1", "provider": "jira"}),
        ),
        Route(
            "getAccessToken",
            "GET",
            "/api/backend/connection-info/get-access-token",
            scope="tokens",
            summary="Get a fresh access token",
            answers={200: object_of(access_token=_TEXT, expires_at=_TIME)},
            errors={
                **_FAULTY,
                **_UNKNOWN,
                **_DEAD,
                503: "No token is available now; Retry-After says when to try again.",
            },
            parameters=_NAMED,
            example=Example(query={"external_id": "team-1", "provider": "jira"}),
        ),
    ),
)
