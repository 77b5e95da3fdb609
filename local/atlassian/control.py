"""The controls over HTTP, under ``/_control``: no part of Jira."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.atlassian import catalogue, default_data
from local.atlassian.bodies import parse
from local.atlassian.emulator import Emulator, Request, describe
from local.atlassian.grants import Grants
from local.atlassian.model import Board, Project, Sprint, Webhook
from local.atlassian.routing import Answer, JiraError
from local.atlassian.webhook_routes import EVENTS
from local.atlassian.world import Site

_DAY_MS = 86_400_000


class _IssueSpec(BaseModel):
    model_config = ConfigDict(extra="forbid")

    summary: str
    description: str | None = None
    labels: list[str] = []
    priority: str = catalogue.DEFAULT_PRIORITY
    type: str = catalogue.TASK.id
    status: str = catalogue.TO_DO.id
    resolution: str | None = None
    assignee: str | None = None
    parent: str | None = None
    sprint: int | None = None
    custom: dict[str, Any] = {}
    attachments: dict[str, str] = {}


class _BoardSpec(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    type: str = "scrum"
    # Sprints of other boards that this one shows too.
    sprint_ids: list[int] = []


class _SprintSpec(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    state: str = "future"
    goal: str = ""


class _Bulk(BaseModel):
    """What to create, in numbers or one by one. The project is created if it does not exist."""

    model_config = ConfigDict(extra="forbid")

    # A Data Center lets its administrators allow digits first, ``_`` and ``-``.
    project: str = Field(pattern=r"^[A-Z0-9][A-Z0-9_-]{1,59}$")
    site: str | None = None
    lead: str | None = None
    count: int = Field(default=0, ge=0, le=200_000)
    issues: list[_IssueSpec] = []
    boards: int | list[_BoardSpec] = 0
    board: int | None = None
    sprints: int | list[_SprintSpec] = 0
    issues_per_sprint: int = Field(default=0, ge=0)


def _json(request: Request, read: Callable[[bytes], Any] = parse) -> dict[str, Any]:
    try:
        body = read(request.body or b"{}")
    except ValueError as error:
        raise JiraError(400, body={"error": "The body is not valid JSON."}) from error
    if not isinstance(body, dict):
        raise JiraError(400, body={"error": "The body is not a JSON object."})
    return body


def _invalid(error: ValidationError) -> JiraError:
    problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    return JiraError(400, body={"error": "; ".join(problems)})


def show(emulator: Emulator, _request: Request) -> Answer:
    return Answer(describe(emulator))


def change(emulator: Emulator, request: Request) -> Answer:
    try:
        # Switches are not kept, and a fault's body may be what Jira should never send.
        emulator.controls.change(_json(request, json.loads))
    except ValidationError as error:
        raise _invalid(error) from error
    emulator.world.clock_offset = emulator.controls.clock_offset_seconds
    return show(emulator, request)


def reset(emulator: Emulator, _request: Request) -> Answer:
    """Put every switch back, forget the counters and the log; data and grants stay."""
    emulator.controls.reset()
    emulator.world.clock_offset = 0
    emulator.limiter.clear()
    emulator.sender.log.clear()
    emulator.logins.clear()
    emulator.log.clear()
    return Answer(status=204)


def reset_data(emulator: Emulator, request: Request) -> Answer:
    """Start again: default data, no grants, normal switches."""
    reset(emulator, request)
    emulator.grants = Grants()
    emulator.world.sites.clear()
    default_data.fill(emulator.world)
    emulator.world.changed()
    return Answer(status=204)


def requests(emulator: Emulator, _request: Request) -> Answer:
    return Answer(list(emulator.log.entries))


def clear_requests(emulator: Emulator, _request: Request) -> Answer:
    emulator.log.clear()
    return Answer(status=204)


def _site(emulator: Emulator, name: str | None) -> Site:
    world = emulator.world
    site = world.default_site if name is None else world.sites.get(name) or world.site_by_slug(name)
    if site is None or not site.jira:
        raise JiraError(400, body={"error": f"There is no Jira site '{name}'."})
    return site


def create(emulator: Emulator, request: Request) -> Answer:
    """Create many issues, boards or sprints at once."""
    try:
        bulk = _Bulk.model_validate(_json(request))
    except ValidationError as error:
        raise _invalid(error) from error
    site = _site(emulator, bulk.site)
    project = site.project(bulk.project) or _new_project(site, bulk)
    boards = _create_boards(site, project, bulk)
    sprints = _create_sprints(emulator, site, project, bulk, boards)
    keys = _create_issues(emulator, site, project, bulk, sprints)
    emulator.world.changed(site)
    created = {"project_id": str(project.id), "boards": boards, "sprints": sprints, "issues": keys[:1000]}
    return Answer({**created, "count": len(keys)}, 201)


def _new_project(site: Site, bulk: _Bulk) -> Project:
    name = bulk.project.title()
    return site.add_project(Project(site.next_id("project"), bulk.project, name, bulk.lead))


def _create_boards(site: Site, project: Project, bulk: _Bulk) -> list[int]:
    specs = bulk.boards
    if isinstance(specs, int):
        specs = [_BoardSpec(name=f"{project.key} board {number}") for number in range(1, specs + 1)]
    made = [
        site.add_board(Board(site.next_id("board"), each.name, each.type, project.id, each.sprint_ids))
        for each in specs
    ]
    return [board.id for board in made]


def _create_sprints(
    emulator: Emulator, site: Site, project: Project, bulk: _Bulk, boards: list[int]
) -> list[int]:
    specs = bulk.sprints
    if isinstance(specs, int):
        specs = [
            _SprintSpec(
                name=f"{project.key} sprint {number}", state="active" if number == specs else "closed"
            )
            for number in range(1, specs + 1)
        ]
    if not specs:
        return []
    targets = [bulk.board] if bulk.board is not None else boards
    if not targets or any(each not in site.boards for each in targets):
        raise JiraError(400, body={"error": "Sprints need a board: name one, or create some."})
    return [_create_sprint(emulator, site, spec, board) for board in targets for spec in specs]


def _create_sprint(emulator: Emulator, site: Site, spec: _SprintSpec, board_id: int) -> int:
    now = emulator.world.now_ms()
    start = {"closed": now - 28 * _DAY_MS, "active": now - 7 * _DAY_MS}.get(spec.state)
    end = start + 14 * _DAY_MS if start is not None else None
    complete = end if spec.state == "closed" else None
    number = site.next_id("sprint")
    sprint = Sprint(number, spec.name, spec.state, board_id, now, start, end, complete, spec.goal)
    site.boards[board_id].sprint_ids.append(site.add_sprint(sprint).id)
    return number


def _create_issues(
    emulator: Emulator, site: Site, project: Project, bulk: _Bulk, sprints: list[int]
) -> list[str]:
    specs = [
        *bulk.issues,
        *(_IssueSpec(summary=f"{project.name} item {number}") for number in range(1, bulk.count + 1)),
        *(
            _IssueSpec(summary=f"Sprint {sprint} item {number}", sprint=sprint)
            for sprint in sprints
            for number in range(1, bulk.issues_per_sprint + 1)
        ),
    ]
    return [_create_issue(emulator, site, project, spec) for spec in specs]


def _create_issue(emulator: Emulator, site: Site, project: Project, spec: _IssueSpec) -> str:
    parent = site.issue(spec.parent) if spec.parent else None
    values = {
        "summary": spec.summary,
        "description": spec.description,
        "labels": spec.labels,
        "priority_id": spec.priority,
        "type_id": spec.type,
        "status_id": spec.status,
        "resolution_id": spec.resolution,
        "assignee": spec.assignee,
        "parent_id": parent.id if parent else None,
        "sprint_ids": [spec.sprint] if spec.sprint is not None else [],
        "custom": spec.custom,
        "attachments": spec.attachments,
        "reporter": default_data.DANA.account_id,
    }
    return emulator.world.create_issue(site, project, default_data.DANA.account_id, values).key


def move(emulator: Emulator, request: Request) -> Answer:
    """Move an issue to another project; its old key still finds it."""
    body = _json(request)
    site = _site(emulator, body.get("site"))
    issue, project = site.issue(str(body.get("issue"))), site.project(str(body.get("project")))
    if issue is None or project is None:
        raise JiraError(400, body={"error": "Name an existing issue and an existing project."})
    emulator.world.move_issue(site, issue, project, default_data.DANA.account_id)
    return Answer({"id": str(issue.id), "key": issue.key})


def revoke(emulator: Emulator, request: Request) -> Answer:
    """Revoke the grant of a refresh token, all of an account, one by its id, or every one."""
    body = _json(request)
    revoked = emulator.grants.revoke_by(
        refresh_token=body.get("refresh_token"), account=body.get("account"), grant=body.get("grant")
    )
    emulator.world.changed()
    return Answer({"revoked": revoked})


class _AdminWebhook(BaseModel):
    """A webhook as an administrator sets it up."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(pattern=r"^https?://")
    secret: str | None = None
    events: list[str] = list(EVENTS)
    jql: str = ""
    site: str | None = None


def show_webhooks(emulator: Emulator, _request: Request) -> Answer:
    """Return all webhooks, without their secrets, and what was sent."""
    registered = [
        {**asdict(webhook), "secret": webhook.secret is not None, "site": site.id}
        for site in emulator.world.sites.values()
        for webhook in site.webhooks.values()
    ]
    return Answer({"webhooks": registered, "deliveries": list(emulator.sender.log)})


def add_webhook(emulator: Emulator, request: Request) -> Answer:
    try:
        wanted = _AdminWebhook.model_validate(_json(request))
    except ValidationError as error:
        raise _invalid(error) from error
    site = _site(emulator, wanted.site)
    webhook = Webhook(site.next_id("webhook"), wanted.url, wanted.events, wanted.jql, secret=wanted.secret)
    site.webhooks[webhook.id] = webhook
    emulator.world.changed()
    return Answer({"id": webhook.id}, 201)


def remove_webhooks(emulator: Emulator, _request: Request) -> Answer:
    for site in emulator.world.sites.values():
        site.webhooks.clear()
    emulator.sender.log.clear()
    emulator.world.changed()
    return Answer(status=204)


ROUTES = [
    ("GET", "/_control", show),
    ("PUT", "/_control", change),
    ("DELETE", "/_control", reset),
    ("DELETE", "/_control/data", reset_data),
    ("GET", "/_control/requests", requests),
    ("DELETE", "/_control/requests", clear_requests),
    ("POST", "/_control/issues", create),
    ("POST", "/_control/move", move),
    ("GET", "/_control/webhooks", show_webhooks),
    ("POST", "/_control/webhooks", add_webhook),
    ("DELETE", "/_control/webhooks", remove_webhooks),
    ("POST", "/_control/revoke", revoke),
]
