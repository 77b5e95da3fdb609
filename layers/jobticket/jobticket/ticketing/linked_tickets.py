"""Tickets as ticketing shows them."""

from __future__ import annotations

import re

from jobticket import foreign
from jobticket.errors import InvalidError, NotFoundError
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraNotFoundError
from jobticket.jira.keys import MalformedKeyError
from jobticket.jira.listing import Row
from jobticket.jira.lookup import find_by_text, look_up
from jobticket.ticketing.model import LinkedTicket, TicketMetadata, TicketSummary

#: A search shows no more tickets than this; a further word finds the others.
DEEPEST = 1000

#: How Jira writes a rule, an entry of a list, and a URL that shows itself.
_RULE = re.compile(r"^-{4,}[ \t]*$", re.MULTILINE)
_ENTRY = re.compile(r"^\*(?= )", re.MULTILINE)
_LINK = re.compile(r"\[(https?://[^|\]]+)\|\1\]")
_ESCAPE = re.compile(r"\\([-#*_+?^~|%{}\[\]()!@])|&#(\d{1,5});")


def plain(markup: str) -> str:
    r"""Return wiki markup without its escapes, as people read it.

    Examples
    --------
    >>> plain("----\n* one")
    '---\n- one'
    >>> print(plain(r"CUSTOMER\_NAME &#58; \[x\]"))
    CUSTOMER_NAME : [x]
    """
    lines = _LINK.sub(r"\1", _ENTRY.sub("-", _RULE.sub("---", markup)))
    return foreign.prose(_ESCAPE.sub(lambda found: found[1] or chr(int(found[2])), lines)) or ""


def _time(date: str | None) -> str | None:
    """Return a time in UTC in seconds, without an offset."""
    return None if date is None else date[:19]


def _ticket(client: JiraClient, row: Row) -> LinkedTicket:
    return LinkedTicket(
        ticket_id=row["id"],
        ticket_number=row["key"],
        title=row["summary"],
        description=plain(row["description"] or "") or None,
        status=row["status"],
        priority=row["priority"],
        category=row["issueType"],
        created_at=_time(row["created"]),
        updated_at=_time(row["updated"]),
        resolved_at=_time(row["resolved"]),
        assigned_to=row["assignee"],
        requester=row["reporter"],
        url=client.browse_url(row["key"]),
        metadata=TicketMetadata(project_key=row["project"], issue_type=row["issueType"]),
    )


def read_ticket(client: JiraClient, ticket_id: str) -> LinkedTicket:
    """Read a ticket by id or key, in one call."""
    try:
        return _ticket(client, look_up(client, ticket_id))
    except (MalformedKeyError, JiraNotFoundError):
        raise NotFoundError(f"Ticket not found: {ticket_id}") from None


def search(
    client: JiraClient, query: str, page: int, size: int, project: str | None
) -> tuple[list[TicketSummary], int]:
    """Return a page of the tickets that a text finds, and the total; see ``jira.lookup.find_by_text``."""
    if page * size > DEEPEST:
        raise InvalidError(f"page and size must stay within the first {DEEPEST} tickets; add a word")
    found = find_by_text(client, query, page, size, project)
    return [TicketSummary.of(vars(_ticket(client, row))) for row in found.rows], found.total
