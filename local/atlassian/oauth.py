"""The token endpoint, the list of sites, the account: what auth.atlassian.com and the gateway answer."""

from __future__ import annotations

import hmac
from typing import Any

from local.atlassian.bodies import parse
from local.atlassian.default_data import SERVICE
from local.atlassian.emulator import Emulator, Request
from local.atlassian.grants import Family, InvalidGrantError, Issued
from local.atlassian.registered import CLIENT_ID, CLIENT_SECRET, SERVICE_CLIENT_ID, SERVICE_CLIENT_SECRET
from local.atlassian.routing import Answer, JiraError

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# A grant of another product, so that callers have something to filter out.
CONFLUENCE_SCOPES = ["read:confluence-space.summary"]


def _refuse(status: int, error: str, description: str) -> JiraError:
    body = {"error": error, "error_description": description}
    return JiraError(status, body=body, headers=_NO_STORE)


def token(emulator: Emulator, request: Request) -> Answer:
    """Serve ``POST /oauth/token``."""
    try:
        body = parse(request.body)
    except ValueError as error:
        raise _refuse(400, "invalid_request", "The request body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise _refuse(400, "invalid_request", "The request body is not a JSON object.")
    _check_client(body)
    issued = _issue(emulator, body)
    emulator.world.changed()
    shown: dict[str, Any] = {
        "access_token": issued.access_token,
        "expires_in": emulator.controls.access_token_seconds,
        "token_type": "Bearer",
        "scope": " ".join(issued.scopes),
    }
    if issued.refresh_token:
        shown["refresh_token"] = issued.refresh_token
    return Answer(shown, headers=dict(_NO_STORE))


def grant_type(body: bytes) -> str | None:
    """Return what kind of token was asked for, for the log of requests."""
    try:
        parsed = parse(body)
    except ValueError:
        return None
    found = parsed.get("grant_type") if isinstance(parsed, dict) else None
    return found if isinstance(found, str) else None


def _is_client(body: dict[str, Any], client_id: str, secret: str) -> bool:
    known_id = hmac.compare_digest(str(body.get("client_id")).encode(), client_id.encode())
    known_secret = hmac.compare_digest(str(body.get("client_secret")).encode(), secret.encode())
    return known_id and known_secret


def _check_client(body: dict[str, Any]) -> None:
    """Take the app for its users' grants and the service account for its own token, never the reverse."""
    if body.get("grant_type") == "client_credentials":
        known = _is_client(body, SERVICE_CLIENT_ID, SERVICE_CLIENT_SECRET)
    else:
        known = _is_client(body, CLIENT_ID, CLIENT_SECRET)
    if not known:
        raise _refuse(401, "access_denied", "Unauthorized")


def _issue(emulator: Emulator, body: dict[str, Any]) -> Issued:
    controls, now = emulator.controls, emulator.world.now()
    if body.get("grant_type") == "authorization_code":
        code, redirect_uri = _required(body, "code"), _required(body, "redirect_uri")
        try:
            return emulator.grants.exchange(code, redirect_uri, now, controls.access_token_seconds)
        except InvalidGrantError as error:
            raise _refuse(403, "invalid_grant", "Invalid authorization code") from error
    if body.get("grant_type") == "client_credentials":
        sites = [site.id for site in emulator.world.sites.values() if site.jira]
        scopes = emulator.logins.token_scopes()
        return emulator.grants.issue_to_service(
            SERVICE.account_id, sites, scopes, now, controls.access_token_seconds
        )
    if body.get("grant_type") == "refresh_token":
        refresh = _required(body, "refresh_token")
        try:
            return emulator.grants.refresh(
                refresh, now, controls.access_token_seconds, controls.reuse_interval_seconds
            )
        except InvalidGrantError as error:
            emulator.world.changed()
            raise _refuse(403, "invalid_grant", "Unknown or invalid refresh token.") from error
    raise _refuse(403, "unsupported_grant_type", f"Unsupported grant type: {body.get('grant_type')}")


def _required(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _refuse(400, "invalid_request", f"Missing required parameter: {name}")
    return value


def _holder(emulator: Emulator, request: Request) -> Family:
    scheme, credentials = request.authorization
    family = emulator.grants.holder(credentials, emulator.world.now()) if scheme == "bearer" else None
    if family is None:
        raise JiraError(401, body={"code": 401, "message": "Unauthorized"})
    return family


def accessible_resources(emulator: Emulator, request: Request) -> Answer:
    """Serve ``GET /oauth/token/accessible-resources``: every site that the user has granted at any time."""
    family = _holder(emulator, request)
    granted = emulator.grants.sites.get(family.account, {})
    shown = []
    for site in emulator.world.sites.values():
        scopes = granted.get(site.id) if site.jira else CONFLUENCE_SCOPES
        if scopes:
            shown.append(
                {
                    "id": site.id,
                    "url": emulator.site_url(site),
                    "name": site.name,
                    "scopes": [scope for scope in scopes if scope != "offline_access"],
                    "avatarUrl": f"{emulator.base_url}/images/avatars/{site.slug}-240.svg",
                }
            )
    return Answer(shown)


def me(emulator: Emulator, request: Request) -> Answer:
    """Serve ``GET /me``, which needs the scope read:me."""
    family = _holder(emulator, request)
    if "read:me" not in family.scopes:
        raise JiraError(403, body={"code": 403, "message": "Unauthorized; scope does not match"})
    account = emulator.world.accounts[family.account]
    return Answer(
        {
            "account_type": "atlassian",
            "account_id": account.account_id,
            "email": account.email,
            "name": account.display_name,
            "picture": f"{emulator.base_url}/images/avatars/{account.key}-48.svg",
            "account_status": "active",
        }
    )
