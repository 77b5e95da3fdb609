"""The whole of it in one object, and who may ask what of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.atlassian import agile, issue_parts, issues, metadata, webhook_routes
from local.atlassian.controls import Controls, RequestLog
from local.atlassian.grants import Grants
from local.atlassian.limits import Limiter
from local.atlassian.logins import Caller, Logins
from local.atlassian.registered import CLIENT_ID, CLIENT_SECRET
from local.atlassian.routing import Answer, Call, Headers, JiraError, Route, Router
from local.atlassian.search import Searches
from local.atlassian.webhooks import App, Sender
from local.atlassian.world import Event, Site, World

_NO_PAGE = "<html><head><title>Not Found (404)</title></head><body>Not Found (404)</body></html>"
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


class Emulator:
    """Sites, grants, switches, counters and the routes of the REST API."""

    def __init__(self, world: World, base_url: str) -> None:
        self.world = world
        self.base_url = base_url
        self.controls = Controls()
        self.grants = Grants()
        self.log = RequestLog()
        self.limiter = Limiter()
        self.logins = Logins(world, self.controls)
        self.sender = Sender(self.controls, App(CLIENT_ID, CLIENT_SECRET), world.now)
        world.on_event = self._happened
        routes: list[Route] = [*issues.ROUTES, *issue_parts.ROUTES, *metadata.ROUTES, *agile.ROUTES]
        self._router = Router([*routes, *Searches().routes(), *webhook_routes.ROUTES])

    @property
    def _context(self) -> str:
        return self.controls.context_path if self.controls.data_center else ""

    def site_url(self, site: Site) -> str:
        if site is self.world.default_site:
            return self.base_url + self._context
        return f"{self.base_url}/sites/{site.slug}"

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
        return self._direct(request, self.world.default_site, self._below_context(request.raw_path))

    def _below_context(self, raw_path: str) -> str:
        """Return the path as the application sees it; outside a Data Center's context there is nothing."""
        context = self._context
        if not raw_path.startswith(f"{context}/rest/"):
            raise JiraError(404, body=_NO_PAGE, headers=_HTML)
        return raw_path.removeprefix(context)

    def tenant_info(self, request: Request) -> Answer:
        """Serve ``/_edge/tenant_info``, where anybody may ask for a Cloud site's id."""
        _, first, *rest = request.raw_path.split("/")
        site = self.world.site_by_slug(rest[0]) if first == "sites" else self.world.default_site
        if site is None or self.controls.data_center:
            raise JiraError(404, body=_NO_PAGE, headers=_HTML)
        return Answer({"cloudId": site.id})

    def _gateway(self, request: Request, rest: list[str]) -> Answer:
        """Serve ``/ex/jira/{cloudId}/…``."""
        site = self.world.sites.get(rest[1]) if len(rest) > 2 and rest[0] == "jira" else None
        site = site if site and site.jira else None
        caller = self.logins.at_gateway(*request.authorization, self.grants, site)
        if site is None:
            body = {
                "status": 404,
                "error": "Not Found",
                "message": "No message available",
                "path": request.raw_path,
            }
            raise JiraError(404, body=body)
        call = self._call(request, site, caller, self.gateway_url(site), data_center=False)
        return self._limited(request, call, caller, "/" + "/".join(rest[2:]))

    def _direct(self, request: Request, site: Site, path: str) -> Answer:
        """Serve ``/rest/…`` on the site's own host with an API token, a password or a personal token."""
        data_center = self.controls.data_center
        if data_center:
            caller = self.logins.at_data_center(*request.authorization, self.site_url(site))
        else:
            caller = self.logins.at_cloud_site(*request.authorization)
        call = self._call(request, site, caller, self.site_url(site), data_center=data_center)
        login = self.logins.login_headers(caller.login)
        try:
            answer = self._limited(request, call, caller, path)
        except JiraError as error:
            error.headers |= login
            raise
        answer.headers = {**answer.headers, **login}
        return answer

    def _call(self, request: Request, site: Site, caller: Caller, base: str, *, data_center: bool) -> Call:
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
            app=caller.app,
        )

    def _happened(self, site: Site, event: Event) -> None:
        """Send the webhooks of a change, by the API or on a page."""
        if not site.webhooks:
            return
        request = Request("POST", "", {}, {}, b"")
        caller = Caller(self.world.accounts[event.author])
        data_center = self.controls.data_center
        call = self._call(request, site, caller, self.site_url(site), data_center=data_center)
        for delivery in webhook_routes.deliveries(call, event):
            self.sender.send(delivery)

    def _limited(self, request: Request, call: Call, caller: Caller, path: str) -> Answer:
        """Find the route, apply the limits, do the work."""
        if call.data_center:
            return self._at_data_center(request, call, path)
        route, call.params = self._router.find(request.method, path, data_center=False)
        self._check_scopes(route, caller)
        _check_content_type(request)
        limits, now, site = self.controls.rate_limits, self.world.now(), call.site.id
        headers: Headers = {}
        if caller.app:
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
            if caller.app:
                self.limiter.spend(site, points, now)
        answer.headers = {**headers, **answer.headers}
        return answer

    def _at_data_center(self, request: Request, call: Call, path: str) -> Answer:
        assert call.account is not None
        limits = self.controls.rate_limits
        headers = self.limiter.take_token(limits, call.account.name, self.world.now())
        try:
            route, call.params = self._router.find(request.method, path, data_center=True)
            _check_content_type(request)
            answer = route.handler(call)
        except JiraError as error:
            error.headers = {**headers, **error.headers}
            raise
        answer.headers = {**headers, **answer.headers}
        return answer

    def _check_scopes(self, route: Route, caller: Caller) -> None:
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
