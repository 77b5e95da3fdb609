"""Tickets as Jira has them: one by id or key, and many by key or summary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobticket import foreign
from jobticket.errors import InvalidError, NotFoundError
from jobticket.jira import keys, shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraMalformedAnswerError, JiraNotFoundError
from jobticket.jira.listing import rows_of
from jobticket.ticketing.model import Ticket, TicketMetadata, TicketSummary

FIELDS = [
    "summary",
    "description",
    "status",
    "priority",
    "issuetype",
    "project",
    "created",
    "updated",
    "resolutiondate",
    "assignee",
    "reporter",
]

#: Pages behind this one are refused: whoever looks for a ticket adds a word.
DEEPEST = 1000

#: What a search for words cannot hold: operators of its language, and all else that is no letter or digit.
_NO_WORD = re.compile(r"[\W_]+")

#: What Jira makes of a rule, and of an entry of a list.
_RULE = re.compile(r"^-{4,}[ \t]*$", re.MULTILINE)
_ENTRY = re.compile(r"^\*(?= )", re.MULTILINE)
_ESCAPE = re.compile(r"\\([-#*_+?^~|%{}\[\]()!@])|&#(\d{1,5});")


def ticket_not_found(ticket_id: str) -> NotFoundError:
    return NotFoundError(f"Ticket not found: {ticket_id}")


def _time(text: Any) -> str | None:
    """Return a time of Jira's in UTC, without the offset that Jira gives it."""
    moment = foreign.moment(text)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S")


def plain(markup: str) -> str:
    r"""Return wiki markup without its escapes, as people read it, and as the seed's sample shows it.

    Examples
    --------
    >>> plain("----\n* one")
    '---\n- one'
    >>> print(plain(r"CUSTOMER\_NAME &#58; \[x\]"))
    CUSTOMER_NAME : [x]
    """
    lines = _ENTRY.sub("-", _RULE.sub("---", markup))
    return foreign.prose(_ESCAPE.sub(lambda found: found[1] or chr(int(found[2])), lines)) or ""


def _fields(issue: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = issue.get("fields")
    return fields if isinstance(fields, Mapping) else {}


def ticket_from(client: JiraClient, issue: Mapping[str, Any]) -> Ticket:
    """Return an issue of Jira's as a ticket.

    Raises
    ------
    JiraMalformedAnswerError
        If it is not one.
    """
    if not isinstance(issue, Mapping):
        raise JiraMalformedAnswerError("Jira's answer is not a ticket")
    fields = _fields(issue)
    key = shapes.issue_key(issue.get("key"))
    kind = shapes.named(fields.get("issuetype"))
    return Ticket(
        ticket_id=str(shapes.id_of(issue.get("id"))),
        ticket_number=key,
        title=foreign.text(fields.get("summary")) or key,
        description=plain(foreign.prose(fields.get("description")) or "") or None,
        status=shapes.named(fields.get("status")),
        priority=shapes.named(fields.get("priority")),
        category=kind,
        created_at=_time(fields.get("created")),
        updated_at=_time(fields.get("updated")),
        resolved_at=_time(fields.get("resolutiondate")),
        assigned_to=shapes.named(fields.get("assignee"), "displayName"),
        requester=shapes.named(fields.get("reporter"), "displayName"),
        url=client.browse_url(key),
        metadata=TicketMetadata(project_key=key.rpartition("-")[0], issue_type=kind),
    )


def _summary(client: JiraClient, issue: Mapping[str, Any]) -> TicketSummary:
    ticket = ticket_from(client, issue)
    return TicketSummary.of(vars(ticket))


def read_ticket(client: JiraClient, ticket_id: str) -> Ticket:
    """Read a ticket by id or key, in one call.

    Raises
    ------
    NotFoundError
        If there is none that the account may see.
    """
    if not keys.is_issue(ticket_id):
        raise ticket_not_found(ticket_id)
    try:
        issue = client.get("/rest/api/2/issue/{issue}", issue=ticket_id, params={"fields": ",".join(FIELDS)})
    except JiraNotFoundError:
        raise ticket_not_found(ticket_id) from None
    return ticket_from(client, issue)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search; ``total`` is exact on the last page and Jira's estimate before it."""

    tickets: list[TicketSummary]
    total: int


def search(client: JiraClient, query: str, page: int, size: int, project: str | None) -> Found:
    """Find tickets by key or by the words of their summary, the last word as a beginning.

    Without a query: the tickets that changed last, of the project if there is one.

    Raises
    ------
    InvalidError
        If the page lies too deep.
    """
    if page * size > DEEPEST:
        raise InvalidError(f"page and size must stay within the first {DEEPEST} tickets; add a word")
    text = query.strip()
    if text and not _words(text):
        return Found([], 0)
    if keys.is_issue_key(text):
        # Jira answers 400 to a search for a key that does not exist, so the key is read, not searched for.
        try:
            ticket = read_ticket(client, text)
        except NotFoundError:
            pass
        else:
            shown = TicketSummary.of(vars(ticket))
            return Found([shown] if page == 1 else [], 1)
    jql = search_jql(text, project)
    return _search_cloud(client, jql, page, size) if client.is_cloud else _search(client, jql, page, size)


def search_jql(query: str, project: str | None) -> str:
    r"""Return the JQL that finds a text in summaries. Only words of it get there, as one quoted string.

    Examples
    --------
    >>> search_jql('late "order) OR project = X', None)
    'summary ~ "late order or project x*" ORDER BY updated DESC'
    """
    words = _words(query)
    if words:
        return f'summary ~ "{words}*" ORDER BY updated DESC'
    if project:
        return f'project = "{project}" ORDER BY updated DESC'
    return "updated >= -365d ORDER BY updated DESC"


def _words(query: str) -> str:
    # In small letters, or AND, OR and NOT would be operators of the text search.
    return " ".join(_NO_WORD.sub(" ", query[:255].lower()).split())


def _search(client: JiraClient, jql: str, page: int, size: int) -> Found:
    """Search a Data Center, which counts and pages by itself."""
    body = {"jql": jql, "startAt": (page - 1) * size, "maxResults": size, "fields": FIELDS}
    answer = client.post("/rest/api/2/search", json=body, repeatable=True)
    issues = [_summary(client, issue) for issue in rows_of(answer, "issues")]
    total = foreign.integer(answer.get("total"))
    return Found(issues, len(issues) if total is None else total)


def _search_cloud(client: JiraClient, jql: str, page: int, size: int) -> Found:
    """Search Cloud, which pages by tokens only: a later page is reached by its ids, then read at once."""
    first = (page - 1) * size
    if first == 0:
        answer = _ask(client, jql, size, FIELDS)
        issues = rows_of(answer, "issues")
    else:
        answer = _ask(client, jql, first + size, ["id"])
        ids = [str(shapes.id_of(issue.get("id"))) for issue in rows_of(answer, "issues")]
        issues = _read_many(client, ids[first:])
    found = [_summary(client, issue) for issue in issues]
    seen = len(rows_of(answer, "issues"))
    if answer.get("isLast", True):
        return Found(found, seen)
    return Found(found, max(_estimate(client, jql), seen + 1))


def _ask(client: JiraClient, jql: str, size: int, fields: list[str]) -> dict[str, Any]:
    body = {"jql": jql, "maxResults": size, "fields": fields}
    answer: dict[str, Any] = client.post("/rest/api/2/search/jql", json=body, repeatable=True)
    rows_of(answer, "issues")
    return answer


def _estimate(client: JiraClient, jql: str) -> int:
    without_order = jql.partition(" ORDER BY ")[0]
    answer = client.post("/rest/api/2/search/approximate-count", json={"jql": without_order}, repeatable=True)
    return (foreign.integer(answer.get("count")) or 0) if isinstance(answer, Mapping) else 0


def _read_many(client: JiraClient, ids: list[str]) -> list[dict[str, Any]]:
    if not ids:
        return []
    answer = client.post(
        "/rest/api/2/issue/bulkfetch", json={"issueIdsOrKeys": ids, "fields": FIELDS}, repeatable=True
    )
    found = {str(issue.get("id")): issue for issue in rows_of(answer, "issues")}
    return [found[number] for number in ids if number in found]


def find_by_label(client: JiraClient, label: str) -> Ticket | None:
    """Return the ticket with a label, None if the search does not know one (yet), in one call."""
    jql = f'labels = "{label}"'
    if client.is_cloud:
        issues = rows_of(_ask(client, jql, 1, FIELDS), "issues")
    else:
        body = {"jql": jql, "maxResults": 1, "fields": FIELDS}
        issues = rows_of(client.post("/rest/api/2/search", json=body, repeatable=True), "issues")
    return ticket_from(client, issues[0]) if issues else None
