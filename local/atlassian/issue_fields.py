"""Issues as Jira shows them: the fields asked for, the history, rendered and described on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from local.atlassian import catalogue, rich_text, ticket_html, wire
from local.atlassian.model import Change, Comment, History, Issue, Sprint
from local.atlassian.routing import Call

Show = Callable[[Call, Issue], Any]
Selection = tuple[tuple[str, Show], ...]

_CHANGELOG_SIZE = 100


def _named(call: Call, path: str, names: list[str]) -> list[dict[str, Any]]:
    return [
        {"self": wire.link(call, f"{path}/{number}"), "id": str(number), "name": name}
        for number, name in enumerate(names, 10000)
    ]


def _parent(call: Call, issue: Issue) -> dict[str, Any] | None:
    parent = call.site.issues.get(issue.parent_id) if issue.parent_id is not None else None
    return _brief(call, parent) if parent else None


def _brief(call: Call, issue: Issue) -> dict[str, Any]:
    return {
        "id": str(issue.id),
        "key": issue.key,
        "self": wire.link(call, f"issue/{issue.id}"),
        "fields": {
            "summary": issue.summary,
            "status": wire.status(call, issue.status_id),
            "priority": wire.priority(call, issue.priority_id),
            "issuetype": wire.issue_type(call, issue.type_id),
        },
    }


def show_comment(call: Call, issue: Issue, comment: Comment, *, properties: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "self": wire.link(call, f"issue/{issue.id}/comment/{comment.id}"),
        "id": str(comment.id),
        "author": wire.author(call, comment.author),
        "body": rich_text.show(call, issue, comment.body),
        "updateAuthor": wire.author(call, comment.author),
        "created": wire.jira_date(comment.created),
        "updated": wire.jira_date(comment.updated),
    }
    if not call.data_center:
        shown["jsdPublic"] = True
    if properties:
        shown["properties"] = [{"key": key, "value": value} for key, value in comment.properties.items()]
    return shown


def _comments(call: Call, issue: Issue) -> dict[str, Any]:
    count = len(issue.comments)
    return {
        "comments": [show_comment(call, issue, comment) for comment in issue.comments],
        "self": wire.link(call, f"issue/{issue.id}/comment"),
        "maxResults": count,
        "total": count,
        "startAt": 0,
    }


def show_sprint_field(sprint: Sprint) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": sprint.id,
        "name": sprint.name,
        "state": sprint.state,
        "boardId": sprint.board_id,
        "goal": sprint.goal,
    }
    for name, at in (("startDate", sprint.start), ("endDate", sprint.end), ("completeDate", sprint.complete)):
        if at is not None:
            shown[name] = wire.agile_date(at)
    return shown


def _sprints(call: Call, issue: Issue) -> list[Any] | None:
    known = (call.site.sprints.get(each) for each in issue.sprint_ids)
    return [show_sprint_field(sprint) for sprint in known if sprint] or None


def _date(at: int | None) -> str | None:
    return None if at is None else wire.jira_date(at)


_SHOWN: dict[str, Show] = {
    "summary": lambda _, issue: issue.summary,
    "issuetype": lambda call, issue: wire.issue_type(call, issue.type_id),
    "project": lambda call, issue: wire.project(call, call.site.projects[issue.project_id]),
    "description": lambda call, issue: rich_text.show(call, issue, issue.description),
    "priority": lambda call, issue: wire.priority(call, issue.priority_id),
    "labels": lambda _, issue: issue.labels,
    "assignee": lambda call, issue: wire.person(call, issue.assignee),
    "reporter": lambda call, issue: wire.person(call, issue.reporter),
    "creator": lambda call, issue: wire.person(call, issue.creator),
    "status": lambda call, issue: wire.status(call, issue.status_id),
    "statusCategory": lambda call, issue: wire.category(call, issue.status_id),
    "resolution": lambda call, issue: wire.resolution(call, issue.resolution_id),
    "resolutiondate": lambda _, issue: _date(issue.resolved),
    "created": lambda _, issue: wire.jira_date(issue.created),
    "updated": lambda _, issue: wire.jira_date(issue.updated),
    "duedate": lambda _, issue: issue.due_date,
    "timetracking": lambda _, issue: issue.time_tracking,
    "components": lambda call, issue: _named(call, "component", issue.components),
    "fixVersions": lambda call, issue: _named(call, "version", issue.fix_versions),
    "versions": lambda call, issue: _named(call, "version", issue.versions),
    "subtasks": lambda call, issue: [_brief(call, each) for each in call.site.subtasks(issue)],
    "parent": _parent,
    "comment": _comments,
    catalogue.SPRINT: _sprints,
}
# Fields that an issue without a value does not show at all.
_LEFT_OUT_WHEN_EMPTY = frozenset({"parent"})
# Too heavy for searches: *navigable leaves them out.
_NOT_NAVIGABLE = frozenset({"comment", "timetracking"})


def _custom(field: catalogue.Field) -> Show:
    def show(call: Call, issue: Issue) -> Any:
        value = issue.custom.get(field.id)
        return rich_text.show(call, issue, value) if field.rich_text else value

    return show


_ALL: Selection = tuple(
    (name, _SHOWN.get(name) or _custom(field)) for name, field in catalogue.FIELDS.items()
)


@lru_cache(maxsize=1000)
def selection(wanted: tuple[str, ...]) -> Selection:
    """Turn a ``fields`` parameter into what to show; names that do not exist are ignored, as at Jira."""
    added, removed = set[str](), set[str]()
    for name in wanted:
        if name.startswith("-"):
            removed.add(name[1:])
        elif name == "*all":
            added.update(catalogue.FIELDS)
        elif name == "*navigable":
            added.update(catalogue.FIELDS.keys() - _NOT_NAVIGABLE)
        else:
            added.add(name)
    if removed and not added:
        added.update(catalogue.FIELDS)
    chosen = added - removed
    return tuple((name, show) for name, show in _ALL if name in chosen)


def show_issue(
    call: Call, issue: Issue, wanted: tuple[str, ...], expand: Iterable[str] = ()
) -> dict[str, Any]:
    """Return an issue with the fields that were asked for."""
    chosen = selection(wanted)
    shown: dict[str, Any] = {
        "expand": "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
        "id": str(issue.id),
        "self": wire.link(call, f"issue/{issue.id}"),
        "key": issue.key,
    }
    if chosen:
        fields = {name: show(call, issue) for name, show in chosen}
        for name in _LEFT_OUT_WHEN_EMPTY & fields.keys():
            if fields[name] is None:
                del fields[name]
        shown["fields"] = fields
    for name in expand:
        if name in _EXPANSIONS:
            shown[name] = _EXPANSIONS[name](call, issue, chosen)
    return shown


def _names(_call: Call, _issue: Issue, chosen: Selection) -> dict[str, str]:
    return {name: catalogue.FIELDS[name].name for name, _ in chosen}


def _schema(_call: Call, _issue: Issue, chosen: Selection) -> dict[str, Any]:
    return {name: catalogue.FIELDS[name].schema for name, _ in chosen}


def _rendered(call: Call, issue: Issue, chosen: Selection) -> dict[str, Any]:
    texts = {"description": issue.description, **issue.custom}
    return {
        name: ticket_html.to_html(texts[name], rich_text.media_of(issue), data_center=call.data_center)
        if catalogue.FIELDS[name].rich_text and texts.get(name) is not None
        else None
        for name, _ in chosen
    }


def _changelog(call: Call, issue: Issue, _chosen: Selection) -> dict[str, Any]:
    newest = issue.histories[::-1][:_CHANGELOG_SIZE]
    return {
        "startAt": 0,
        "maxResults": len(newest),
        "total": len(issue.histories),
        "histories": [show_history(call, history) for history in newest],
    }


_EXPANSIONS: dict[str, Callable[[Call, Issue, Selection], Any]] = {
    "names": _names,
    "schema": _schema,
    "renderedFields": _rendered,
    "changelog": _changelog,
}


def show_history(call: Call, history: History) -> dict[str, Any]:
    return {
        "id": str(history.id),
        "author": wire.author(call, history.author),
        "created": wire.jira_date(history.created),
        "items": [_change(call, change) for change in history.changes],
    }


def _change(call: Call, change: Change) -> dict[str, Any]:
    field = catalogue.FIELDS.get(change.field)
    custom = field is not None and field.custom is not None
    shown = {
        "field": field.name if field is not None and custom else change.field,
        "fieldtype": "custom" if custom else "jira",
        "fieldId": change.field,
        "from": change.from_id,
        "fromString": change.from_text,
        "to": change.to_id,
        "toString": change.to_text,
    }
    if call.data_center:
        del shown["fieldId"]
    return shown
