"""Tickets of a project and of a sprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobticket import foreign
from jobticket.errors import RefusalError
from jobticket.jira import boards, shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.jira.listing import Listing, Row, Slice, pages, read
from jobticket.jira.parallel import thread_pool
from jobticket.jira.search import Search, quoted
from jobticket.observability import logger

TICKET_FIELDS = ("summary", "status", "assignee", "priority", "created", "updated")
SPRINT_TICKET_FIELDS = (*TICKET_FIELDS, "description", "reporter")
#: The most that Cloud gives. Some pages are asked for before their number is known: most of the time that a
#: long list takes goes by in waiting.
CLOUD_PAGE = 50
CLOUD_AHEAD = 8
DATA_CENTER_PAGE = 250


def tickets_of_project(
    client: JiraClient, project: str, limit: int | None = None, position: int | str | None = None
) -> Slice:
    """Return a project's tickets, the newest first.

    No edit changes the order by key, so nothing moves while it is read.
    """
    search = Search(client, f"project = {quoted(project)} ORDER BY key DESC", TICKET_FIELDS, show_ticket)
    return Slice(search.all()) if limit is None else search.some(limit, position)


def sprint_or_none(client: JiraClient, project: str) -> Row | None:
    """Return a project's active sprint; or None. A failure of boards does not fail the tickets."""
    try:
        return boards.active_sprint(client, project)
    except (JiraError, RefusalError) as error:
        logger.warning("a project's sprint could not be read", cause=str(error))
        return None


def tickets_of_sprint(
    client: JiraClient, sprint: str, start: int = 0, limit: int | None = None
) -> tuple[Row, Slice]:
    """Return a sprint and its tickets, by rank."""
    if client.is_cloud:
        listing = Listing(CLOUD_PAGE, start, limit, ahead=CLOUD_AHEAD)
    else:
        listing = Listing(DATA_CENTER_PAGE, start, limit)
    fields = {"fields": ",".join(SPRINT_TICKET_FIELDS)}
    path = f"{boards.SPRINT}/issue"
    issues = pages(client, path, "issues", show_sprint_ticket, fields, sprint=sprint)
    with thread_pool(1) as threads:
        shown = threads.submit(boards.get_sprint, client, sprint)
        try:
            found = read(listing, issues)
        except JiraStatusError:
            # An error of the sprint itself says more.
            shown.result()
            raise
        return shown.result(), found


def show_ticket(issue: Any) -> Row:
    """Return a ticket as the flat lists show it."""
    fields = issue.get("fields") or {}
    return {
        "id": shapes.id_of(issue["id"]),
        "key": shapes.issue_key(issue["key"]),
        "summary": foreign.text(fields.get("summary")),
        "status": shapes.named(fields.get("status")),
        "assignee": shapes.named(fields.get("assignee"), "displayName"),
        "priority": shapes.named(fields.get("priority")),
        "created": shapes.date(fields.get("created")),
        "updated": shapes.date(fields.get("updated")),
    }


def show_sprint_ticket(issue: Any) -> Row:
    """Return a ticket as the list of a sprint shows it: nested as in Jira."""
    fields = issue.get("fields") or {}
    return {
        "id": shapes.id_of(issue["id"]),
        "key": shapes.issue_key(issue["key"]),
        "fields": {
            "summary": foreign.text(fields.get("summary")),
            "description": foreign.prose(fields.get("description")),
            "status": _status(fields.get("status")),
            "assignee": _person(fields.get("assignee")),
            "reporter": _person(fields.get("reporter")),
            "created": shapes.date(fields.get("created")),
            "updated": shapes.date(fields.get("updated")),
            "priority": shapes.part(fields.get("priority"), "id", "name"),
        },
    }


def _status(status: Any) -> Row | None:
    shown = shapes.part(status, "id", "name")
    category = shapes.part(foreign.member(status, "statusCategory"), "id", "key", "colorName")
    return None if shown is None else {**shown, "statusCategory": category}


def _person(person: Any) -> Row | None:
    shown = {"accountId": shapes.account_id(person), "displayName": shapes.named(person, "displayName")}
    return shown if isinstance(person, Mapping) else None
