"""One issue: read, edited, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobticket import clock, foreign
from jobticket.errors import ConflictError, RefusalError
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraMalformedAnswerError, JiraNotFoundError
from jobticket.jira.listing import Row
from jobticket.jira.model import IssueEdit
from jobticket.observability import logger

ISSUE = "/rest/api/2/issue/{issue}"
CHANGED = "Issue has been modified since last read"

#: All fields, for the custom ones among them, except what is long and not shown.
DETAILS = "*all,-comment,-worklog,-attachment,-issuelinks,-subtasks"
EDITED = ("summary", "description", "priority", "issuetype", "assignee", "updated")


def get_issue(client: JiraClient, issue: str) -> Row:
    """Return everything about an issue."""
    return _shown(client.get(ISSUE, issue=issue, params={"fields": DETAILS}), show_issue)


def edit_issue(client: JiraClient, edit: IssueEdit) -> Row:
    """Write an issue's fields and return what it holds then: one call on Cloud, two on a Data Center.

    Raises
    ------
    ConflictError
        If it has changed since the caller saw it; nothing was written.
    """
    if edit.expected_updated is not None:
        _require_unchanged(client, edit)
    fields = {"fields": fields_of(client, edit)}
    answer = client.put(ISSUE, issue=edit.issue, json=fields, params={"returnIssue": "true"})
    try:
        if answer is None:  # a Data Center returns no issue
            answer = client.get(ISSUE, issue=edit.issue, params={"fields": ",".join(EDITED)})
        return _shown(answer, show_edited)
    except (JiraError, RefusalError) as error:
        # The fields are written, even if they cannot be read back.
        logger.warning("an edited issue could not be read", reason=type(error).__name__)
        return known_of(edit)


def _require_unchanged(client: JiraClient, edit: IssueEdit) -> None:
    answer = client.get(ISSUE, issue=edit.issue, params={"fields": "updated"})
    updated = shapes.date(_fields(answer).get("updated"))
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


def fields_of(client: JiraClient, edit: IssueEdit) -> Row:
    """Return the fields to write, as Jira takes them."""
    fields: Row = {}
    if edit.summary is not None:
        fields["summary"] = edit.summary
    if edit.description is not None:
        fields["description"] = edit.description
    if edit.priority is not None:
        fields["priority"] = {"id": edit.priority}
    if edit.issue_type is not None:
        fields["issuetype"] = {"id": edit.issue_type}
    if edit.unassigns:
        fields["assignee"] = None
    elif edit.assignee is not None:
        fields["assignee"] = named_assignee(client, edit.assignee)
    return fields


def named_assignee(client: JiraClient, assignee: str) -> Row:
    """Return a person as Jira takes one: by account id on Cloud, by user name on Data Center."""
    return {"accountId" if client.is_cloud else "name": assignee}


def known_of(edit: IssueEdit) -> Row:
    """Return what is known of an issue that was edited and could not be read."""
    is_key = not edit.issue.isdigit()
    return {
        "id": None if is_key else edit.issue,
        "key": edit.issue if is_key else None,
        "summary": edit.summary,
        "description": edit.description,
        "priority": None,
        "issueType": None,
        "assignee": None,
        "updated": None,
    }


def _shown(answer: Any, show: Any) -> Row:
    try:
        shown: Row = show(answer)
    except (KeyError, TypeError, AttributeError):
        raise JiraMalformedAnswerError("Jira's answer is not an issue") from None
    return shown


def _fields(issue: Any) -> Mapping[str, Any]:
    fields = issue.get("fields") if isinstance(issue, Mapping) else None
    return fields if isinstance(fields, Mapping) else {}


def show_edited(issue: Any) -> Row:
    """Return an issue as edit-issue shows it."""
    fields = _fields(issue)
    return {
        "id": shapes.id_of(issue["id"]),
        "key": shapes.issue_key(issue["key"]),
        "summary": foreign.text(fields.get("summary")),
        "description": foreign.prose(fields.get("description")),
        "priority": shapes.part(fields.get("priority"), "name", "iconUrl"),
        "issueType": shapes.part(fields.get("issuetype"), "name", "iconUrl"),
        "assignee": _person(fields.get("assignee")),
        "updated": shapes.date(fields.get("updated")),
    }


def show_issue(issue: Any) -> Row:
    """Return an issue as get-issue-details shows it."""
    fields = _fields(issue)
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
    if not isinstance(status, Mapping):
        return None
    return {"name": shapes.named(status), "category": shapes.named(status.get("statusCategory"), "key")}


def _person(person: Any) -> Row | None:
    shown = shapes.part(person, "displayName", "emailAddress")
    if shown is None:
        return None
    avatars = person.get("avatarUrls")
    return {**shown, "avatarUrl": foreign.url(avatars.get("48x48")) if isinstance(avatars, Mapping) else None}


def _time_tracking(times: Any) -> Row | None:
    shown = shapes.part(times, "originalEstimate", "remainingEstimate", "timeSpent")
    return shown if shown and any(shown.values()) else None


def _custom_fields(fields: Mapping[str, Any]) -> Row:
    """Return the custom fields that are set: a site has hundreds that are not."""
    return {
        name: value for name, value in fields.items() if name.startswith("customfield_") and value is not None
    }
