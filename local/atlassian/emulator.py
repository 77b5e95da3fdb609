"""The whole of it in one object, and who may ask what of it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from local.atlassian import agile, issue_parts, issues, metadata
from local.atlassian.controls import Controls, RequestLog
from local.atlassian.grants import Grants
from local.atlassian.limits import Limiter
from local.atlassian.model import Account
from local.atlassian.routing import Answer, Call, JiraError, Route, Router
from local.atlassian.search import Searches
from local.atlassian.world import Site, World

CLIENT_ID = "local-client-id"
CLIENT_SECRET = "local-client-secret"  # noqa: S105  # a fixed secret of a site that exists on loopback only

_UNAUTHORIZED_PAGE = (
    "<html><head><title>Unauthorized (401)</title></head><body>Unauthorized (401)</body></html>"
)
_HTML = {"Content-Type": "text/html;charset=UTF-8"}


@dataclass(slots=True)
class Request:
    """What arrived, without anything of the web server in it."""

    method: str
    raw_path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def authorization(self) -> tuple[str, str]:
        """Return the scheme in lower case, and the credentials."""
        scheme, _, credentials = self.headers.get("authorization", "").partition(" ")
        return scheme.lower(), credentials.strip()


@dataclass(slots=True)
class _Caller:
    """Who asks, and with which scopes; None stands for credentials that need none."""

    account: Account | None
    scopes: frozenset[str] | None
    failed: bool = False


class Emulator:
    """Sites, grants, switches, counters and the routes of the REST API."""

    def __init__(self, world: World, base_url: str) -> None:
        self.world = world
        self.base_url = base_url
        self.controls = Controls()
        self.grants = Grants()
        self.log = RequestLog()
        self.limiter = Limiter()
        routes: list[Route] = [*issues.ROUTES, *issue_parts.ROUTES, *metadata.ROUTES, *agile.ROUTES]
        self._router = Router([*routes, *Searches().routes()])

    def site_url(self, site: Site) -> str:
        return self.base_url if site is self.world.default_site else f"{self.base_url}/sites/{site.slug}"

    def gateway_url(self, site: Site) -> str:
        return f"{self.base_url}/ex/jira/{site.id}"

    def rest(self, request: Request) -> Answer:
        """Answer a call of the REST API, through the gateway or on a site's own host."""
        _, first, *rest = request.raw_path.split("/")
        if first == "ex":
            return self._gateway(request, rest)
        if first == "sites":
            site = self.world.site_by_slug(rest[0])
            if site is None or not site.jira:
                raise JiraError(404, body="Site temporarily unavailable")
            return self._direct(request, site, "/" + "/".join(rest[1:]))
        return self._direct(request, self.world.default_site, request.raw_path)

    def _gateway(self, request: Request, rest: list[str]) -> Answer:
        """Serve ``/ex/jira/{cloudId}/…`` with an access token."""
        scheme, token = request.authorization
        family = self.grants.holder(token, self.world.now()) if scheme == "bearer" else None
        if family is None:
            raise JiraError(401, body={"code": 401, "message": "Unauthorized"})
        site = self.world.sites.get(rest[1]) if len(rest) > 2 and rest[0] == "jira" else None
        if site is None or not site.jira:
            body = {
                "status": 404,
                "error": "Not Found",
                "message": "No message available",
                "path": request.raw_path,
            }
            raise JiraError(404, body=body)
        if site.id not in self.grants.sites.get(family.account, {}):
            raise JiraError(403, body={"code": 403, "message": "The app is not installed on this instance"})
        caller = _Caller(self.world.accounts[family.account], frozenset(family.scopes))
        call = self._call(request, site, caller, self.gateway_url(site), data_center=False)
        return self._limited(request, call, caller, "/" + "/".join(rest[2:]))

    def _direct(self, request: Request, site: Site, path: str) -> Answer:
        """Serve ``/rest/…`` on the site's own host with an API token, a password or a personal token."""
        data_center = self.controls.data_center
        caller = self._data_center_caller(request) if data_center else self._cloud_caller(request)
        call = self._call(request, site, caller, self.site_url(site), data_center=data_center)
        login = {"X-Seraph-Loginreason": "AUTHENTICATED_FAILED"} if caller.failed else {}
        try:
            answer = self._limited(request, call, caller, path)
        except JiraError as error:
            error.headers |= login
            raise
        answer.headers |= login
        return answer

    def _cloud_caller(self, request: Request) -> _Caller:
        scheme, credentials = request.authorization
        if scheme == "bearer":
            # An OAuth token on the site's own host is the commonest mistake; this is how the site puts it.
            raise JiraError(403, body={"error": "Failed to parse Connect Session Auth Token"})
        if scheme != "basic":
            return _Caller(None, None)
        self._refuse_disabled_basic()
        name, secret = _basic(credentials)
        accounts = self.world.accounts.values()
        found = next((each for each in accounts if each.email == name and each.api_token), None)
        right = found is not None and found.api_token == secret
        # Credentials that do not fit make an anonymous caller, not an error: only /myself tells.
        return _Caller(found if right else None, None, failed=not right)

    def _data_center_caller(self, request: Request) -> _Caller:
        scheme, credentials = request.authorization
        accounts = self.world.accounts.values()
        found = None
        if scheme == "bearer":
            found = next((each for each in accounts if each.personal_token == credentials), None)
        elif scheme == "basic":
            self._refuse_disabled_basic()
            name, secret = _basic(credentials)
            found = next((each for each in accounts if each.name == name and each.password == secret), None)
        if found is None:
            headers = {**_HTML, "WWW-Authenticate": 'OAuth realm="' + self.base_url + '"'}
            raise JiraError(401, body=_UNAUTHORIZED_PAGE, headers=headers)
        return _Caller(found, None)

    def _refuse_disabled_basic(self) -> None:
        if self.controls.basic_disabled:
            text = "Basic Authentication has been disabled on this instance."
            raise JiraError(403, body={"message": text, "status-code": 403})

    def _call(self, request: Request, site: Site, caller: _Caller, base: str, *, data_center: bool) -> Call:
        return Call(
            world=self.world,
            controls=self.controls,
            site=site,
            account=caller.account,
            base=base,
            site_url=self.site_url(site),
            data_center=data_center,
            query=request.query,
            raw_body=request.body,
        )

    def _limited(self, request: Request, call: Call, caller: _Caller, path: str) -> Answer:
        """Find the route, apply Cloud's limits, do the work."""
        route, call.params = self._router.find(request.method, path, data_center=call.data_center)
        self._check_scopes(route, caller)
        _check_content_type(request)
        if call.data_center:
            return route.handler(call)
        limits, now, site = self.controls.rate_limits, self.world.now(), call.site.id
        headers: dict[str, str] = {}
        if caller.scopes is not None:
            # API tokens know no hourly points, only bursts.
            headers = self.limiter.check_quota(limits, site, now)
        self.limiter.check_burst(limits, site, f"{route.method} {route.path}", now)
        self._check_issue_write(request, call)
        points = 1
        try:
            answer = route.handler(call)
            points = answer.points
        except JiraError as error:
            error.headers = {**headers, **error.headers}
            raise
        finally:
            if caller.scopes is not None:
                self.limiter.spend(site, points, now)
        answer.headers = {**headers, **answer.headers}
        return answer

    def _check_scopes(self, route: Route, caller: _Caller) -> None:
        if caller.scopes is not None and not caller.scopes.issuperset(route.scopes):
            status = self.controls.scope_mismatch_status
            raise JiraError(status, body={"code": status, "message": "Unauthorized; scope does not match"})

    def _check_issue_write(self, request: Request, call: Call) -> None:
        if request.method == "GET" or "issue" not in call.params:
            return
        if issue := call.site.issue(call.params["issue"]):
            limits = self.controls.rate_limits
            self.limiter.check_issue_write(limits, call.site.id, issue.id, self.world.now())


def _check_content_type(request: Request) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.body and request.method != "GET" and given != "application/json":
        raise JiraError(415, body={"message": "HTTP 415 Unsupported Media Type", "status-code": 415})


def _basic(credentials: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def describe(emulator: Emulator) -> dict[str, Any]:
    """Return what ``GET /_control`` shows: the switches, and what there is."""
    world = emulator.world
    return {
        **emulator.controls.model_dump(),
        "in_flight": emulator.log.in_flight,
        "max_in_flight": emulator.log.max_in_flight,
        "now": world.now(),
        "sites": [
            {
                "id": site.id,
                "name": site.name,
                "url": emulator.site_url(site),
                "jira": site.jira,
                "projects": {each.key: len(site.by_project[each.id]) for each in site.projects.values()},
            }
            for site in world.sites.values()
        ],
        "grants": [
            {"id": family.id, "account": family.account, "revoked": family.revoked}
            for family in emulator.grants.families.values()
        ],
    }
