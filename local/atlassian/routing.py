"""Calls, answers, errors and the table of routes.

A route's handler is an ordinary function from a :class:`Call` to an :class:`Answer`; waiting, faults, limits
and the wire are the application's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import unquote

from local.atlassian.bodies import parse
from local.atlassian.controls import Controls
from local.atlassian.model import Account, Issue, Project
from local.atlassian.world import Site, World

T = TypeVar("T")
Headers = dict[str, str | list[str]]
"""A list is a header that is sent several times."""
NOT_VISIBLE = "Issue does not exist or you do not have permission to see it."


class JiraError(Exception):
    """An answer other than success, in Jira's shape unless it has a ``body`` of its own."""

    def __init__(
        self,
        status: int,
        *messages: str,
        errors: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str | list[str]] | None = None,
    ) -> None:
        super().__init__(status, *messages)
        self.status = status
        self.headers: Headers = dict(headers or {})
        self.body = (
            body if body is not None else {"errorMessages": list(messages), "errors": dict(errors or {})}
        )


@dataclass(slots=True)
class Answer:
    """``body`` is JSON unless it is a string; ``points`` is what the call costs of a rate limit."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)
    points: int = 1


class Deployment(Enum):
    BOTH = "both"
    CLOUD = "cloud"
    DATA_CENTER = "data center"


@dataclass(slots=True)
class Call:
    """One request, after authentication.

    ``base`` is what links in the answer start with: the gateway's address of the site or the site's own.
    ``version`` is the platform API's ("2" or "3"), which decides between markup and documents.
    """

    world: World
    controls: Controls
    site: Site
    account: Account | None
    base: str
    site_url: str
    data_center: bool
    query: Mapping[str, list[str]]
    raw_body: bytes
    template: str = ""
    # Whether an app asks, in the name of the account.
    app: bool = False
    params: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        return self.params.get("version", "2")

    @property
    def documents(self) -> bool:
        return self.version == "3"

    @property
    def author(self) -> str:
        assert self.account is not None
        return self.account.account_id

    def text(self, name: str, default: str = "") -> str:
        values = self.query.get(name)
        return values[0] if values else default

    def texts(self, name: str) -> list[str]:
        """Return a list parameter, given repeatedly or with commas."""
        joined = ",".join(self.query.get(name, ()))
        return [part.strip() for part in joined.split(",") if part.strip()]

    def number(self, name: str, default: int) -> int:
        value = self.text(name)
        if not value:
            return default
        try:
            return int(value)
        except ValueError:
            raise JiraError(400, f"The value '{value}' of {name} is not a number.") from None

    def flag(self, name: str) -> bool:
        return self.text(name).lower() == "true"

    def json(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object."""
        try:
            body = parse(self.raw_body)
        except ValueError as error:
            text = "There was an error parsing JSON. Check that your request body is valid."
            raise JiraError(400, text) from error
        if not isinstance(body, dict):
            raise invalid_payload()
        return body

    def page(self, default: int, cap: int) -> tuple[int, int]:
        """Return startAt and maxResults as asked for, the latter no more than Jira gives."""
        start, size = self.number("startAt", 0), self.number("maxResults", default)
        if start < 0:
            raise JiraError(400, "The value of startAt must not be negative.")
        if size < 0:
            raise JiraError(400, "The value of maxResults must not be negative.")
        return start, min(size, cap)

    def sees(self, project: Project) -> bool:
        return self.account is not None and project.key not in self.controls.hidden_projects

    def sees_issue(self, issue: Issue) -> bool:
        return issue.key not in self.controls.hidden_issues and self.sees(
            self.site.projects[issue.project_id]
        )

    @property
    def named_issue(self) -> Issue | None:
        """The issue that the path names, if it does, for any caller."""
        return self.site.issue(self.params.get("issue", ""))

    def issue(self) -> Issue:
        """Return the issue the path names, or answer 404 as Jira does for both reasons."""
        issue = self.site.issue(self.params["issue"])
        if issue is None or not self.sees_issue(issue):
            raise JiraError(404, NOT_VISIBLE)
        return issue

    def writable_issue(self, refusal: str) -> Issue:
        issue = self.issue()
        if self.site.projects[issue.project_id].key in self.controls.read_only_projects:
            raise JiraError(403, refusal)
        return issue

    def project(self, id_or_key: str) -> Project:
        project = self.site.project(id_or_key)
        if project is None or not self.sees(project):
            kind = "id" if id_or_key.isdigit() else "key"
            raise JiraError(404, f"No project could be found with {kind} '{id_or_key}'.")
        return project

    def visible_projects(self) -> list[Project]:
        return [project for project in self.site.projects.values() if self.sees(project)]


def one_of(body: dict[str, Any], name: str, kind: type[T], default: T) -> T:
    """Return a member of a body, which must be of a kind if it is there; null is as if it were not."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise invalid_payload()
    return value


def list_of(body: dict[str, Any], name: str, kind: type[T]) -> list[T]:
    """Return a list out of a body, all of one kind; empty if it is not there."""
    values: list[Any] = one_of(body, name, list, [])
    if not all(isinstance(value, kind) for value in values):
        raise invalid_payload()
    return values


def invalid_payload() -> JiraError:
    text = "Invalid request payload. Refer to the REST API documentation and try again."
    return JiraError(400, text)


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path template, with the OAuth scopes it needs and where it exists."""

    method: str
    path: str
    handler: Handler
    scopes: tuple[str, ...]
    deployment: Deployment = Deployment.BOTH


READ = ("read:jira-work",)
WRITE = ("write:jira-work",)


class _Node:
    __slots__ = ("children", "name", "routes", "wildcard")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.wildcard: _Node | None = None
        self.name = ""
        self.routes: dict[str, list[Route]] = {}


class Router:
    """A tree of path segments: a look-up costs the depth of the path, whatever the number of routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._node(route.path).routes.setdefault(route.method, []).append(route)

    def _node(self, path: str) -> _Node:
        node = self._root
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                node.wildcard = node.wildcard or _Node()
                node = node.wildcard
                node.name = segment[1:-1]
            else:
                node = node.children.setdefault(segment, _Node())
        return node

    def find(self, method: str, raw_path: str, *, data_center: bool) -> tuple[Route, dict[str, str]]:
        """Return the route and the path's parameters, or raise 404 or 405 as Jira does."""
        params: dict[str, str] = {}
        node = self._descend(raw_path, params)
        routes = node.routes if node else {}
        wrong = Deployment.CLOUD if data_center else Deployment.DATA_CENTER
        usable = {name: [r for r in each if r.deployment is not wrong] for name, each in routes.items()}
        if (data_center and params.get("version") == "3") or not any(usable.values()):
            raise JiraError(404, body={"message": "null for uri: " + raw_path, "status-code": 404})
        if not usable.get(method):
            raise JiraError(405, body={"message": "HTTP 405 Method Not Allowed", "status-code": 405})
        return usable[method][0], params

    def _descend(self, raw_path: str, params: dict[str, str]) -> _Node | None:
        node: _Node | None = self._root
        for raw in raw_path.strip("/").split("/"):
            segment = unquote(raw)
            assert node is not None
            child = node.children.get(segment)
            if child is None and (child := node.wildcard):
                if child.name == "version" and segment not in ("2", "3"):
                    return None
                params[child.name] = segment
            if child is None:
                return None
            node = child
        return node
