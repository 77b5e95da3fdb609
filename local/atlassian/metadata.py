"""The site itself over REST: who am I, projects, priorities, issue types, fields."""

from __future__ import annotations

from typing import Any

from local.atlassian import catalogue, wire
from local.atlassian.model import Project
from local.atlassian.routing import READ, Answer, Call, Deployment, JiraError, Route

_LOCALE = "en_GB"


def myself(call: Call) -> Answer:
    if call.account is None:
        body = "Client must be authenticated to access this resource."
        headers = {"WWW-Authenticate": 'OAuth realm="' + call.base.replace("http://", "https://") + '"'}
        raise JiraError(401, body=body, headers=headers)
    shown = {**wire.author(call, call.author), "locale": _LOCALE}
    shown["groups"] = {"size": 1, "items": []}
    shown["applicationRoles"] = {"size": 1, "items": []}
    return Answer({**shown, "expand": "groups,applicationRoles"})


def server_info(call: Call) -> Answer:
    version = "10.3.12" if call.data_center else "1001.0.0-SNAPSHOT"
    shown = {
        "baseUrl": call.site_url,
        "version": version,
        "versionNumbers": [10, 3, 12] if call.data_center else [1001, 0, 0],
        "deploymentType": "Server" if call.data_center else "Cloud",
        "buildNumber": 10030012 if call.data_center else 100290,
        "buildDate": "2025-11-20T00:00:00.000+0200",
        "serverTime": wire.jira_date(call.world.now_ms()),
        "scmInfo": "0" * 40,
        "serverTitle": call.site.name,
    }
    if not call.data_center:
        shown |= {"displayUrl": call.site_url, "serverTimeZone": wire.TIME_ZONE_NAME}
    return Answer(shown)


def _show_project(call: Call, project: Project, expand: list[str]) -> dict[str, Any]:
    shown = wire.project(call, project) | {"expand": "description,lead,issueTypes,url,projectKeys,insight"}
    if not call.data_center:
        shown |= {"style": "classic", "isPrivate": False, "properties": {}}
    # A project without a lead simply has no such key.
    if "lead" in expand and project.lead:
        shown["lead"] = wire.author(call, project.lead)
    if "description" in expand:
        shown["description"] = project.description
    if "issueTypes" in expand:
        shown["issueTypes"] = [wire.issue_type(call, each) for each in types_of(call, project)]
    return shown


def types_of(call: Call, project: Project) -> list[str]:
    """Return the ids of a project's issue types."""
    names = call.controls.project_issue_types.get(project.key)
    if names is None:
        return [each.id for each in catalogue.USUAL_TYPES]
    return [each.id for each in catalogue.ISSUE_TYPES.values() if each.name in names]


def search_projects(call: Call) -> Answer:
    expand = call.texts("expand")
    found = [project for project in call.visible_projects() if _is_asked_for(call, project)]
    order = call.text("orderBy", "key")
    by_name = order.lstrip("+-") == "name"
    found.sort(key=lambda each: each.name if by_name else each.key, reverse=order.startswith("-"))
    page = wire.page_of(call, found, lambda each: _show_project(call, each, expand))
    start, size = page["startAt"], page["maxResults"]
    page["self"] = wire.link(call, f"project/search?maxResults={size}&startAt={start}")
    if not page["isLast"]:
        page["nextPage"] = wire.link(call, f"project/search?maxResults={size}&startAt={start + size}")
    return Answer(page)


def _is_asked_for(call: Call, project: Project) -> bool:
    query, keys, ids = call.text("query").lower(), call.texts("keys"), call.texts("id")
    return (
        (not query or query in project.name.lower() or query in project.key.lower())
        and (not keys or project.key in keys)
        and (not ids or str(project.id) in ids)
    )


def list_projects(call: Call) -> Answer:
    expand = call.texts("expand")
    return Answer([_show_project(call, project, expand) for project in call.visible_projects()])


def get_project(call: Call) -> Answer:
    project = call.project(call.params["project"])
    shown = _show_project(call, project, ["lead", "description", "issueTypes"])
    unassigned = {"components": [], "versions": [], "roles": {}, "assigneeType": "UNASSIGNED"}
    return Answer(shown | unassigned)


def _show_priority(call: Call, each: catalogue.Priority) -> dict[str, Any]:
    shown = dict(wire.priority(call, each.id) or {})
    shown |= {"statusColor": each.colour, "description": f"{each.name} priority"}
    if not call.data_center:
        shown["isDefault"] = each.id == catalogue.DEFAULT_PRIORITY
    return shown


def list_priorities(call: Call) -> Answer:
    return Answer([_show_priority(call, each) for each in catalogue.PRIORITIES.values()])


def search_priorities(call: Call) -> Answer:
    every = list(catalogue.PRIORITIES.values())
    return Answer(wire.page_of(call, every, lambda each: _show_priority(call, each)))


def list_issue_types(call: Call) -> Answer:
    own = {each for project in call.visible_projects() for each in types_of(call, project)}
    known = own | {each.id for each in catalogue.USUAL_TYPES}
    return Answer([wire.issue_type(call, each) for each in catalogue.ISSUE_TYPES if each in known])


def project_issue_types(call: Call) -> Answer:
    project = call.project(call.text("projectId"))
    return Answer([wire.issue_type(call, each) for each in types_of(call, project)])


def list_statuses(call: Call) -> Answer:
    return Answer([wire.status(call, each) for each in catalogue.STATUSES])


def list_fields(call: Call) -> Answer:
    return Answer([_show_field(call, each) for each in catalogue.FIELDS.values()])


def _show_field(call: Call, each: catalogue.Field) -> dict[str, Any]:
    shown = {
        "id": each.id,
        "key": each.id,
        "name": each.name,
        "custom": each.custom is not None,
        "orderable": each.on_screen,
        "navigable": each.id not in ("comment", "timetracking"),
        "searchable": bool(each.clauses),
        "clauseNames": sorted({*each.clauses, *([f"cf[{each.id[12:]}]"] if each.custom else [])}),
        "schema": each.schema,
    }
    if call.data_center:
        del shown["key"]
    return shown


_USER = ("read:jira-user",)
_API = "/rest/api/{version}"
ROUTES = [
    Route("GET", f"{_API}/myself", myself, _USER),
    Route("GET", f"{_API}/serverInfo", server_info, ()),
    Route("GET", f"{_API}/project", list_projects, READ),
    Route("GET", f"{_API}/project/search", search_projects, READ, Deployment.CLOUD),
    Route("GET", f"{_API}/project/{{project}}", get_project, READ),
    Route("GET", f"{_API}/priority", list_priorities, READ),
    Route("GET", f"{_API}/priority/search", search_priorities, READ, Deployment.CLOUD),
    Route("GET", f"{_API}/issuetype", list_issue_types, READ),
    Route("GET", f"{_API}/issuetype/project", project_issue_types, READ, Deployment.CLOUD),
    Route("GET", f"{_API}/status", list_statuses, READ),
    Route("GET", f"{_API}/field", list_fields, READ),
]
