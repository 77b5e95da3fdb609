"""Issues over REST: read, create, edit, delete, move through the workflow, read many, look one up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.atlassian import catalogue, rich_text, wire
from local.atlassian.controls import Controls
from local.atlassian.issue_edits import (
    apply_operations,
    check_body,
    read_comment,
    read_fields,
    read_project,
    read_properties,
)
from local.atlassian.issue_fields import show_history, show_issue
from local.atlassian.metadata import types_of
from local.atlassian.model import Issue, Project, RichText
from local.atlassian.routing import READ, WRITE, Answer, Call, Deployment, JiraError, Route, list_of
from local.atlassian.world import Site, World

_BULK_LIMIT = 100
_NO_EDIT = "You do not have permission to edit issues in this project."
_ILLEGAL = (
    "It seems that you have tried to perform a workflow operation ({}) that is not valid for the current "
    "state of this issue ({}). The likely cause is that somebody has changed the issue recently, please look "
    "at the issue history for details."
)
_NO_DELETE = "You do not have permission to delete issues in this project."


def _fields_parameter(call: Call, default: str) -> tuple[str, ...]:
    return tuple(call.texts("fields")) or (default,)


def get_issue(call: Call) -> Answer:
    issue = call.issue()
    shown = show_issue(call, issue, _fields_parameter(call, "*all"), call.texts("expand"))
    names = call.texts("properties")
    if names:
        wanted = issue.properties if "*all" in names else names
        shown["properties"] = {name: issue.properties[name] for name in wanted if name in issue.properties}
    return Answer(shown, points=2)


def create_issue(call: Call) -> Answer:
    if call.account is None:
        raise JiraError(401, "You must be authenticated to create issues.")
    body = call.json()
    fields, update = check_body(body)
    fields = dict(fields)
    errors: dict[str, str] = {}
    project = read_project(call, fields, errors)
    fields |= apply_operations(None, update, errors)
    fields.setdefault("summary", None)
    if "issuetype" not in fields:
        errors["issuetype"] = "Specify an issue type"
    values = read_fields(call, fields, errors)
    _check_parent(values, errors)
    if project is not None and values.get("type_id") and values["type_id"] not in types_of(call, project):
        errors["issuetype"] = "The issue type selected is invalid."
    if errors or project is None:
        raise JiraError(400, errors=errors)
    if project.key in call.controls.read_only_projects:
        text = "You do not have permission to create issues in this project."
        raise JiraError(403, errors={"project": text})
    comments = _read_comments(call, update)
    values = {key: value for key, value in values.items() if key != "priority_id" or value is not None}
    values["properties"] = read_properties(body)
    issue = call.world.create_issue(call.site, project, call.author, {"reporter": call.author, **values})
    _add_comments(call, issue, comments)
    here = wire.link(call, f"issue/{issue.id}")
    return Answer({"id": str(issue.id), "key": issue.key, "self": here}, 201)


def _check_parent(values: dict[str, Any], errors: dict[str, str]) -> None:
    type_id = values.get("type_id")
    if type_id and catalogue.ISSUE_TYPES[type_id].subtask and values.get("parent_id") is None:
        errors.setdefault("parent", "Issue type is a sub-task but parent issue key or id not specified.")


def edit_issue(call: Call) -> Answer:
    issue = call.writable_issue(_NO_EDIT)
    body = call.json()
    fields, update = check_body(body)
    if not fields and not update and not body.get("properties"):
        raise JiraError(400, "one of 'fields' or 'update' required")
    errors: dict[str, str] = {}
    fields = {**fields, **apply_operations(issue, update, errors)}
    values = read_fields(call, fields, errors)
    if errors:
        raise JiraError(400, errors=errors)
    comments = _read_comments(call, update)
    lag = call.controls.search_lag_ms / 1000
    rich_text.settle(issue, data_center=call.data_center)
    call.world.edit_issue(call.site, issue, call.author, values, lag=lag)
    if properties := read_properties(body):
        issue.properties = {**issue.properties, **properties}
        call.world.changed()
    _add_comments(call, issue, comments)
    if call.flag("returnIssue") and not call.data_center:
        return Answer(show_issue(call, issue, ("*all",), call.texts("expand")))
    return Answer(status=204)


def _read_comments(call: Call, update: dict[str, Any]) -> list[RichText]:
    """Return the comments among the verbs, checked before anything is written."""
    try:
        bodies = [each["add"]["body"] for each in update.get("comment", [])]
    except (KeyError, TypeError) as error:
        raise JiraError(400, errors={"comment": "data was not an array"}) from error
    return [read_comment(call, body) for body in bodies]


def _add_comments(call: Call, issue: Issue, texts: list[RichText]) -> None:
    for text in texts:
        call.world.add_comment(call.site, issue, call.author, text, {})


def delete_issue(call: Call) -> Answer:
    issue = call.writable_issue(_NO_DELETE)
    if call.site.subtasks(issue) and not call.flag("deleteSubtasks"):
        text = (
            f"The issue '{issue.key}' has subtasks.  You must specify the 'deleteSubtasks' parameter to "
            "delete this issue and all its subtasks."
        )
        raise JiraError(400, text)
    call.world.delete_issue(call.site, issue, call.author)
    return Answer(status=204)


def get_changelog(call: Call) -> Answer:
    issue = call.issue()
    page = wire.page_of(call, issue.histories, lambda each: show_history(call, each), default=100, cap=100)
    page["self"] = wire.link(call, f"issue/{issue.id}/changelog")
    return Answer(page)


_TRANSITION_IDS = {"10000": "11", "3": "21", "10001": "31"}


def _transition(call: Call, status: catalogue.Status, *, other: bool = False) -> dict[str, Any]:
    """Return the transition to a status, or its twin under another name."""
    shown = {
        "id": _TRANSITION_IDS[status.id] + ("1" if other else ""),
        "name": f"{status.name}, again" if other else status.name,
        "to": wire.status(call, status.id),
        "hasScreen": status.name in call.controls.transitions.with_screen,
        "isGlobal": call.controls.workflow == "simplified",
        "isInitial": False,
        "isConditional": False,
    }
    if shown["hasScreen"] and "transitions.fields" in call.texts("expand"):
        resolution = catalogue.FIELDS["resolution"]
        allowed = [wire.resolution(call, each) for each in catalogue.RESOLUTIONS]
        described = {"required": True, "schema": resolution.schema, "name": resolution.name}
        described |= {"key": resolution.id, "operations": ["set"], "allowedValues": allowed}
        shown["fields"] = {"resolution": described}
    return shown


def _transitions(call: Call, issue: Issue) -> list[dict[str, Any]]:
    """Return what the issue's status allows: anything, or one step to either side."""
    statuses = list(catalogue.STATUSES.values())
    if call.controls.workflow == "steps":
        now = statuses.index(catalogue.STATUSES[issue.status_id])
        statuses = [each for at, each in enumerate(statuses) if abs(at - now) == 1]
    odd = call.controls.transitions
    statuses = [status for status in statuses if status.name not in odd.missing]
    twins = [_transition(call, status, other=True) for status in statuses if status.name in odd.doubled]
    return [*(_transition(call, status) for status in statuses), *twins]


def get_transitions(call: Call) -> Answer:
    return Answer({"expand": "transitions", "transitions": _transitions(call, call.issue())})


def do_transition(call: Call) -> Answer:
    issue = call.writable_issue(_NO_EDIT)
    body = call.json()
    wanted = body.get("transition")
    number = str(wanted.get("id")) if isinstance(wanted, dict) else ""
    found = next((each for each in _transitions(call, issue) if each["id"] == number), None)
    if found is None:
        raise JiraError(400, f"Transition id '{number}' is not valid for this issue.")
    status = catalogue.STATUSES[found["to"]["id"]]
    fields, _ = check_body(body)
    if unknown := fields.keys() - ({"resolution"} if found["hasScreen"] else set()):
        text = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."
        raise JiraError(400, errors={name: text.format(name) for name in unknown})
    if found["hasScreen"] and not fields.get("resolution"):
        raise JiraError(400, errors={"resolution": "Resolution is required."})
    if status.name in call.controls.transitions.forbidden:
        raise JiraError(400, _ILLEGAL.format(status.name, issue.key))
    set_status(call.world, call.controls, call.site, issue, call.author, status)
    return Answer(status=204)


def set_status(
    world: World, controls: Controls, site: Site, issue: Issue, author: str, status: catalogue.Status
) -> None:
    done = status is catalogue.DONE
    values = {
        "status_id": status.id,
        "resolution_id": catalogue.FIXED.id if done else None,
        "resolved": world.now_ms() if done else None,
    }
    world.edit_issue(site, issue, author, values, lag=controls.search_lag_ms / 1000)


def bulk_fetch(call: Call) -> Answer:
    body = call.json()
    wanted = list_of(body, "issueIdsOrKeys", str)
    if not wanted:
        raise JiraError(400, "The issueIdsOrKeys must contain at least one id or key.")
    if len(wanted) > _BULK_LIMIT:
        raise JiraError(400, f"The number of issues that can be fetched is limited to {_BULK_LIMIT}.")
    fields = tuple(list_of(body, "fields", str)) or ("*navigable",)
    expand = list_of(body, "expand", str)
    found = {issue.id: issue for each in wanted if (issue := _visible(call, each))}
    missing = [each for each in wanted if not _visible(call, each)]
    # Jira answers in the order of ids, whatever the order of the question.
    shown = [show_issue(call, found[each], fields, expand) for each in sorted(found)]
    answer: dict[str, Any] = {"issues": shown}
    if missing:
        answer["issueErrors"] = [{"id": each, "errorMessage": "Issue not found"} for each in missing]
    return Answer(answer, points=1 + len(found))


def _visible(call: Call, id_or_key: str) -> Issue | None:
    issue = call.site.issue(id_or_key)
    return issue if issue and call.sees_issue(issue) else None


def pick(call: Call) -> Answer:
    query = call.text("query").strip().lower()
    matching = [issue for issue in _newest(call) if _suggests(issue, query)][:20] if query else []
    shown = [_suggestion(issue) for issue in matching]
    sub = f"Showing {len(shown)} of {len(shown)} matching issues" if shown else "No matching issues found"
    section = {"label": "Current Search", "sub": sub, "id": "cs", "issues": shown}
    history: dict[str, Any] = {
        "label": "History Search",
        "sub": "No matching issues found",
        "id": "hs",
        "issues": [],
    }
    return Answer({"sections": [history, section]})


def _newest(call: Call) -> list[Issue]:
    return [issue for issue in reversed(call.site.issues.values()) if call.sees_issue(issue)]


def _suggests(issue: Issue, query: str) -> bool:
    words = issue.summary.lower().split()
    return issue.key.lower().startswith(query) or all(
        any(word.startswith(part) for word in words) for part in query.split()
    )


def _suggestion(issue: Issue) -> dict[str, Any]:
    return {
        "id": issue.id,
        "key": issue.key,
        "keyHtml": issue.key,
        "img": f"/images/icons/issuetypes/{catalogue.ISSUE_TYPES[issue.type_id].icon}.svg",
        "summary": issue.summary,
        "summaryText": issue.summary,
    }


def _create_fields(call: Call, project: Project, type_id: str) -> list[dict[str, Any]]:
    required = {"summary", "project", "issuetype"}
    if catalogue.ISSUE_TYPES[type_id].subtask:
        required.add("parent")
    return [
        _field_metadata(call, field, project, type_id, required=field.id in required)
        for field in catalogue.FIELDS.values()
        if field.on_screen and field.id not in call.controls.off_screen_fields
    ]


def _field_metadata(
    call: Call, field: catalogue.Field, project: Project, type_id: str, *, required: bool
) -> dict[str, Any]:
    operations = ["add", "set", "remove"] if field.type == "array" else ["set"]
    shown = {
        "required": required,
        "schema": field.schema,
        "name": field.name,
        "key": field.id,
        "fieldId": field.id,
        "hasDefaultValue": field.id in ("priority", "reporter"),
        "operations": operations,
    }
    allowed: dict[str, Callable[[], Any]] = {
        "priority": lambda: [wire.priority(call, each) for each in catalogue.PRIORITIES],
        "issuetype": lambda: [wire.issue_type(call, type_id)],
        "project": lambda: [wire.project(call, project)],
    }
    if field.id in allowed:
        shown["allowedValues"] = allowed[field.id]()
    if call.data_center:
        del shown["key"]
    return shown


def _meta_page(call: Call, found: list[Any], name: str) -> Answer:
    # Data Center pages this route in its usual shape, Cloud names the list and leaves isLast out.
    name = "values" if call.data_center else name
    return Answer(wire.page_of(call, found, lambda each: each, cap=200, name=name, last=call.data_center))


def create_meta_types(call: Call) -> Answer:
    project = call.project(call.params["project"])
    return _meta_page(call, [wire.issue_type(call, each) for each in types_of(call, project)], "issueTypes")


def create_meta_fields(call: Call) -> Answer:
    project = call.project(call.params["project"])
    type_id = call.params["type"]
    if type_id not in catalogue.ISSUE_TYPES:
        raise JiraError(400, f"Issue type with id '{type_id}' does not exist.")
    return _meta_page(call, _create_fields(call, project, type_id), "fields")


_CLOUD = Deployment.CLOUD
ROUTES = [
    Route("POST", "/rest/api/{version}/issue", create_issue, WRITE),
    Route("GET", "/rest/api/{version}/issue/{issue}", get_issue, READ),
    Route("PUT", "/rest/api/{version}/issue/{issue}", edit_issue, WRITE),
    Route("DELETE", "/rest/api/{version}/issue/{issue}", delete_issue, WRITE),
    Route("GET", "/rest/api/{version}/issue/{issue}/changelog", get_changelog, READ, _CLOUD),
    Route("GET", "/rest/api/{version}/issue/{issue}/transitions", get_transitions, READ),
    Route("POST", "/rest/api/{version}/issue/{issue}/transitions", do_transition, WRITE),
    Route("POST", "/rest/api/{version}/issue/bulkfetch", bulk_fetch, READ, _CLOUD),
    Route("GET", "/rest/api/{version}/issue/picker", pick, READ),
    Route("GET", "/rest/api/{version}/issue/createmeta/{project}/issuetypes", create_meta_types, READ),
    Route(
        "GET", "/rest/api/{version}/issue/createmeta/{project}/issuetypes/{type}", create_meta_fields, READ
    ),
]
