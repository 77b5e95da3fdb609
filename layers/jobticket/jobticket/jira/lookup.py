"""Finding issues: one by id or key, many by key or by words of their summary."""

from __future__ import annotations

import re
from typing import Any

from jobticket import foreign
from jobticket.jira import keys, shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraNotFoundError
from jobticket.jira.issues import ISSUE
from jobticket.jira.listing import Row, shaped
from jobticket.jira.search import Counted, Search, quoted

FIELDS = (
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
)

#: A search for words knows operators. Only letters and digits get there.
_NO_WORD = re.compile(r"[\W_]+")


def look_up(client: JiraClient, issue: str) -> Row:
    """Return an issue by its id or key, in one call; the shape is ``show_found``'s.

    Raise ``MalformedKeyError`` if it has the form of neither.
    """
    return shaped([client.get(ISSUE, issue=issue, params={"fields": ",".join(FIELDS)})], show_found)[0]


def find_by_text(client: JiraClient, text: str, number: int, size: int, project: str | None) -> Counted:
    """Return a page of the issues with this key, or with these words in their summary.

    The last word may be the beginning of one. Without a text: the issues that changed last, of the project
    if one is given. ``number`` is the page's, the first being 1.
    """
    text = text.strip()
    if text and not _words(text):
        return Counted([], 0)
    if keys.is_issue_key(text):
        # Jira answers 400 to a search for a key that does not exist. So the key is read.
        try:
            issue = look_up(client, text)
        except JiraNotFoundError:
            pass
        else:
            return Counted([issue] if number == 1 else [], 1)
    return Search(client, text_jql(text, project), FIELDS, show_found).page(number, size)


def text_jql(text: str, project: str | None) -> str:
    r"""Return the JQL that finds a text in summaries.

    Examples
    --------
    >>> text_jql('late "order) OR project = X', None)
    'summary ~ "late order or project x*" ORDER BY updated DESC'
    """
    words = _words(text)
    if words:
        return f"summary ~ {quoted(f'{words}*')} ORDER BY updated DESC"
    if project:
        return f"project = {quoted(project)} ORDER BY updated DESC"
    return "updated >= -365d ORDER BY updated DESC"


def _words(text: str) -> str:
    # In small letters: AND, OR and NOT are operators of the text search.
    return " ".join(_NO_WORD.sub(" ", text[:255].lower()).split())


def show_found(issue: Any) -> Row:
    """Return an issue in plain values; its ``id`` is a text."""
    fields = issue.get("fields") or {}
    key = shapes.issue_key(issue["key"])
    return {
        "id": str(shapes.id_of(issue["id"])),
        "key": key,
        "project": key.rpartition("-")[0],
        "summary": foreign.text(fields.get("summary")) or key,
        "description": foreign.prose(fields.get("description")),
        "status": shapes.named(fields.get("status")),
        "priority": shapes.named(fields.get("priority")),
        "issueType": shapes.named(fields.get("issuetype")),
        "created": shapes.date(fields.get("created")),
        "updated": shapes.date(fields.get("updated")),
        "resolved": shapes.date(fields.get("resolutiondate")),
        "assignee": shapes.named(fields.get("assignee"), "displayName"),
        "reporter": shapes.named(fields.get("reporter"), "displayName"),
    }
