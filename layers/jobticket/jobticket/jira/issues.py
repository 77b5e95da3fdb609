"""One issue: read, edited, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobticket import clock, foreign
from jobticket.errors import ConflictError, RefusalError
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraNotFoundError
from jobticket.jira.listing import Row, shaped
from jobticket.jira.model import IssueEdit, NewIssue
from jobticket.observability import logger

ISSUE = "/rest/api/2/issue/{issue}"
CHANGED = "Issue has been modified since last read"

#: All fields, for the custom ones among them, except what is long and not shown.
DETAILS = "*all,-comment,-worklog,-attachment,-issuelinks,-subtasks"
EDITED = ("summary", "description", "priority", "issuetype", "assignee", "updated")
SHOWN_AFTER_EDIT = ("id", "key", "summary", "description", "priority", "issueType", "assignee", "updated")


def get_issue(client: JiraClient, issue: str) -> Row:
    """Return everything about an issue."""
    return shaped([client.get(ISSUE, issue=issue, params={"fields": DETAILS})], show_issue)[0]


def edit_issue(client: JiraClient, edit: IssueEdit) -> Row:
    """Write an issue's fields and return what it holds then: one call on Cloud, two on a Data Center.

    409 if it has changed since the caller saw it.
    """
    if edit.expected_updated is not None:
        _require_unchanged(client, edit)
    fields = fields_of(client, edit) | ({"assignee": None} if edit.unassigns else {})
    answer = client.put(ISSUE, issue=edit.issue, json={"fields": fields}, params={"returnIssue": "true"})
    try:
        if answer is None:  # a Data Center returns no issue
            answer = client.get(ISSUE, issue=edit.issue, params={"fields": ",".join(EDITED)})
        return shaped([answer], show_edited)[0]
    except (JiraError, RefusalError) as error:
        # The fields are written, even if they cannot be read back.
        logger.warning("an edited issue could not be read", reason=type(error).__name__)
        return known_of(edit)


def _require_unchanged(client: JiraClient, edit: IssueEdit) -> None:
    answer = client.get(ISSUE, issue=edit.issue, params={"fields": "updated"})
    updated = shapes.date(foreign.member(answer, "fields", "updated"))
    if updated is None or clock.parse_iso(updated) != edit.expected_updated:
        raise ConflictError(CHANGED)


def delete_issue(client: JiraClient, issue: str, *, with_subtasks: bool) -> None:
    """Delete an issue; this cannot be undone."""
    try:
        client.delete(ISSUE, issue=issue, params={"deleteSubtasks": "true"} if with_subtasks else None)
    except JiraNotFoundError as error:
        # After a lost answer, a 404 means that the first try has deleted it.
        if not error.after_lost_answer:
            raise


def fields_of(client: JiraClient, wanted: IssueEdit | NewIssue) -> Row:
    """Return the fields to write, as Jira takes them."""
    # Cloud names a person by account id, a Data Center by user name.
    person = "accountId" if client.is_cloud else "name"
    fields = {
        "summary": wanted.summary,
        "description": wanted.description,
        "priority": wanted.priority and {"id": wanted.priority},
        "issuetype": wanted.issue_type and {"id": wanted.issue_type},
        "assignee": wanted.assignee and {person: wanted.assignee},
    }
    return {name: value for name, value in fields.items() if value is not None}


def known_of(edit: IssueEdit) -> Row:
    """Return what is known of an issue that was edited and could not be read."""
    named = {"id" if edit.issue.isdigit() else "key": edit.issue}
    return (
        dict.fromkeys(SHOWN_AFTER_EDIT) | named | {"summary": edit.summary, "description": edit.description}
    )


def show_edited(issue: Any) -> Row:
    """Return an issue as edit-issue shows it."""
    shown = show_issue(issue)
    return {name: shown[name] for name in SHOWN_AFTER_EDIT}


def show_issue(issue: Any) -> Row:
    """Return an issue as get-issue-details shows it."""
    fields = foreign.member(issue, "fields") or {}
    return {
        "id": shapes.id_of(issue["id"]),
        "key": shapes.issue_key(issue["key"]),
        "summary": foreign.text(fields.get("summary")),
        "description": foreign.prose(fields.get("description")),
        "status": _status(fields.get("status")),
        "priority": shapes.part(fields.get("priority"), "name", "iconUrl"),
        "issueType": shapes.part(fields.get("issuetype"), "name", "iconUrl"),
        "assignee": _person(fields.get("assignee")),
        "reporter": _person(fields.get("reporter")),
        "project": shapes.part(fields.get("project"), "id", "key", "name"),
        "created": shapes.date(fields.get("created")),
        "updated": shapes.date(fields.get("updated")),
        "resolution": shapes.part(fields.get("resolution"), "name", "description"),
        "labels": foreign.texts(fields.get("labels")),
        "components": shapes.names(fields.get("components")),
        "fixVersions": shapes.names(fields.get("fixVersions")),
        "affectedVersions": shapes.names(fields.get("versions")),
        "timeTracking": _time_tracking(fields.get("timetracking")),
        "customFields": _custom_fields(fields),
    }


def _status(status: Any) -> Row | None:
    category = shapes.named(foreign.member(status, "statusCategory"), "key")
    return {"name": shapes.named(status), "category": category} if isinstance(status, Mapping) else None


def _person(person: Any) -> Row | None:
    shown = shapes.part(person, "displayName", "emailAddress")
    avatar = foreign.url(foreign.member(person, "avatarUrls", "48x48"))
    return None if shown is None else {**shown, "avatarUrl": avatar}


def _time_tracking(times: Any) -> Row | None:
    shown = shapes.part(times, "originalEstimate", "remainingEstimate", "timeSpent")
    return shown if shown and any(shown.values()) else None


def _custom_fields(fields: Row) -> Row:
    """Return the custom fields that are set: a site has hundreds that are not."""
    return {
        name: value for name, value in fields.items() if name.startswith("customfield_") and value is not None
    }
