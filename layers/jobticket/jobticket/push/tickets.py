"""Jira tickets as the shop floor sees them: what they are to become jobs of, or are linked to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jobticket import foreign
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraMalformedAnswerError
from jobticket.jira.listing import Slice
from jobticket.jira.search import Search, quoted
from jobticket.jobs.model import FieldMappings, Record

ISSUE = "/rest/api/2/issue/{issue}"
FIELDS = ("summary", "status", "priority", "assignee", "reporter", "labels", "created", "updated")

_PART_NUMBER = re.compile(r"(?<!\d)\d{6,7}-\d{3}(?!\d)(?:-\d{2}(?!\d))?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}(?:\.0+)?", re.ASCII)


class JiraTicket(Record):
    """A ticket; what it does not have is left out."""

    key: str
    summary: str
    status: str | None = None
    priority: str | None = None
    assignee: str | None = None
    reporter: str | None = None
    labels: list[str]
    #: The mapped field, else what looks like one in the summary.
    part_number: str | None = None
    #: The mapped field, if it holds a number.
    goal_quantity: int | float | None = None
    epic_link: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


def part_number(field: Any, summary: str) -> str | None:
    """Return a ticket's part number.

    The mapped field if it is a string and not blank. Else the first match in the summary of 6 or 7 digits, a
    hyphen and 3 digits, with or without a hyphen and 2 more.
    """
    match = _PART_NUMBER.search(summary)
    return foreign.text(field) or (match[0] if match else None)


def ticket_from(issue: Mapping[str, Any], mappings: FieldMappings) -> JiraTicket:
    """Return Jira's issue as a ticket; KeyError, TypeError or AttributeError if it is not an issue."""
    fields = issue["fields"]
    summary = foreign.text(fields.get("summary")) or ""
    return JiraTicket(
        key=shapes.issue_key(issue["key"]),
        summary=summary,
        status=shapes.named(fields.get("status")),
        priority=shapes.named(fields.get("priority")),
        assignee=shapes.named(fields.get("assignee"), "displayName"),
        reporter=shapes.named(fields.get("reporter"), "displayName"),
        labels=foreign.texts(fields.get("labels")),
        part_number=part_number(fields.get(mappings.part_number), summary),
        goal_quantity=_number(fields.get(mappings.goal_quantity)),
        epic_link=foreign.text(fields.get(mappings.epic_link)),
        created_at=shapes.date(fields.get("created")),
        updated_at=shapes.date(fields.get("updated")),
    )


def _number(value: Any) -> int | float | None:
    """Return a quantity; a text field may hold one, too."""
    if isinstance(value, str):
        short = foreign.text(value) or ""
        return int(float(short)) if _WHOLE.fullmatch(short) else None
    found = foreign.number(value)
    return int(found) if found is not None and found == int(found) else found


def _asked_for(mappings: FieldMappings) -> list[str]:
    return [*FIELDS, mappings.part_number, mappings.goal_quantity, mappings.epic_link]


def get_ticket(client: JiraClient, key: str, mappings: FieldMappings) -> JiraTicket:
    """Read one ticket; MalformedKeyError if the key cannot be one."""
    issue = client.get(ISSUE, issue=key, params={"fields": ",".join(_asked_for(mappings))})
    try:
        return ticket_from(issue, mappings)
    except (KeyError, TypeError, AttributeError):
        raise JiraMalformedAnswerError("Jira's answer is not a ticket") from None


def unresolved_tickets(
    client: JiraClient,
    project: str,
    mappings: FieldMappings,
    limit: int | None = None,
    position: int | str | None = None,
) -> tuple[list[JiraTicket], int | str | None]:
    """Read unresolved tickets of a project, the newest first: so many at most, or all.

    The position is where an earlier part ended. The next one is returned beside the tickets, None after the
    last.
    """
    jql = f"project = {quoted(project)} AND resolution = EMPTY ORDER BY key DESC"

    def shape(issue: Any) -> dict[str, Any]:
        return {"id": shapes.id_of(issue["id"]), "ticket": ticket_from(issue, mappings)}

    search = Search(client, jql, _asked_for(mappings), shape)
    found = Slice(search.all(), None) if limit is None else search.some(limit, position)
    return [row["ticket"] for row in found.rows], found.following
