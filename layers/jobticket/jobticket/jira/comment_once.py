"""Posting a comment, once.

Jira has no idempotency key for this. A comment carries its event as a property, which people do not see.
After a call whose outcome is unknown the newest comments are looked at, back to the first try: one with the
property is ours. Where a Jira keeps no properties, so is one of our own account that says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from jobticket import clock
from jobticket.jira.client import JiraClient
from jobticket.jira.documents.adf import to_adf
from jobticket.jira.documents.model import Document
from jobticket.jira.documents.wiki import to_wiki
from jobticket.jira.errors import JiraError, JiraMalformedAnswerError, JiraStatusError

#: The comment property that names the event.
PROPERTY = "jobticket"
#: Jira's clock and ours may differ by this much.
CLOCK_SKEW = timedelta(minutes=2)
COMMENTS_A_PAGE = 100
MOST_PAGES = 10


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment to be posted.

    Attributes
    ----------
    issue
        The issue's id or key.
    content
        What it says.
    event
        A stable name of what it tells of: the same event is told once an issue.
    """

    issue: str
    content: Document
    event: str


def comment_once(
    client: JiraClient,
    comment: Comment,
    *,
    first_try: datetime,
    tried: bool,
    settling: JiraClient | None = None,
) -> None:
    """Post a comment unless an earlier try has posted it.

    Parameters
    ----------
    first_try
        When it was tried for the first time. The caller has written that down before.
    tried
        Whether an earlier try may have posted it: then look first.
    settling
        A client with time kept back, to find out at once what became of a lost answer. Without it, the caller
        tries again later.

    Raises
    ------
    JiraError
        If it is not posted; with ``outcome_unknown``, if it may be.
    """
    if tried and was_posted(client, comment, first_try):
        return
    try:
        _post(client, comment)
    except JiraError as error:
        if not error.outcome_unknown or settling is None:
            raise
        _settle(settling, comment, first_try, error)


def _settle(client: JiraClient, comment: Comment, first_try: datetime, lost: JiraError) -> None:
    """Find out what became of a call whose answer was lost; post again if it did nothing."""
    try:
        found = was_posted(client, comment, first_try)
    except JiraError as error:
        raise lost from error
    if found:
        return
    if isinstance(lost, JiraStatusError):
        lost.outcome_unknown = False  # Jira's answer did come, and it is a refusal
        raise lost
    _post(client, comment)


def _post(client: JiraClient, comment: Comment) -> None:
    properties = [{"key": PROPERTY, "value": {"event": comment.event}}]
    path = f"/rest/api/{_version(client)}/issue/{{issue}}/comment"
    client.post(path, issue=comment.issue, json={"body": _body(client, comment), "properties": properties})


def _body(client: JiraClient, comment: Comment) -> Any:
    return to_adf(comment.content) if client.is_cloud else to_wiki(comment.content)


def _version(client: JiraClient) -> int:
    return 3 if client.is_cloud else 2


def was_posted(client: JiraClient, comment: Comment, first_try: datetime) -> bool:
    """Tell whether an issue has a comment that an earlier try has posted.

    Raises
    ------
    JiraError
        If that cannot be told.
    """
    look = _Look(client, comment)
    return any(look.is_ours(found) for found in _newest(client, comment.issue, first_try - CLOCK_SKEW))


@dataclass
class _Look:
    client: JiraClient
    comment: Comment

    def is_ours(self, found: Mapping[str, Any]) -> bool:
        event = self._event_of(found)
        if event is not None:
            return event == self.comment.event
        return _letters(found.get("body")) == self._letters and self._is_own(found.get("author"))

    def _event_of(self, found: Mapping[str, Any]) -> str | None:
        """Return the event that a comment's property names; where the list leaves properties out, ask."""
        properties = found.get("properties")
        if properties is None:
            return self._read_event(str(found["id"]))
        values = (entry.get("value") for entry in properties if entry.get("key") == PROPERTY)
        return next((str(value.get("event")) for value in values if isinstance(value, dict)), None)

    def _read_event(self, comment_id: str) -> str | None:
        path = "/rest/api/2/comment/{comment}/properties/{property}"
        try:
            answer = self.client.get(path, comment=comment_id, property=PROPERTY)
        except JiraStatusError as error:
            if error.status == 404:
                return None
            raise
        value = answer.get("value") if isinstance(answer, dict) else None
        return str(value.get("event")) if isinstance(value, dict) else None

    @cached_property
    def _letters(self) -> str:
        return _letters(
            to_adf(self.comment.content) if self.client.is_cloud else to_wiki(self.comment.content)
        )

    @cached_property
    def _account(self) -> set[str]:
        return _names(self.client.get("/rest/api/2/myself"))

    def _is_own(self, author: Any) -> bool:
        return bool(_names(author) & self._account)


def _newest(client: JiraClient, issue: str, since: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield an issue's comments, newest first, back to a moment."""
    path = f"/rest/api/{_version(client)}/issue/{{issue}}/comment"
    for page in range(MOST_PAGES):
        options = {"orderBy": "-created", "startAt": page * COMMENTS_A_PAGE, "expand": "properties"}
        answer = client.get(path, issue=issue, params={**options, "maxResults": COMMENTS_A_PAGE})
        comments = answer.get("comments") if isinstance(answer, Mapping) else None
        if not isinstance(comments, list):
            raise JiraMalformedAnswerError("Jira's answer has no comments")
        for comment in comments:
            if _created(comment) < since:
                return
            yield comment
        if len(comments) < COMMENTS_A_PAGE:
            return


def _created(comment: Any) -> datetime:
    try:
        return clock.parse_iso(comment["created"])
    except (KeyError, TypeError, ValueError):
        raise JiraMalformedAnswerError("Jira's comment has no date") from None


def _names(account: Any) -> set[str]:
    if not isinstance(account, Mapping):
        return set()
    return {f"{name}:{account[name]}" for name in ("accountId", "name", "key") if account.get(name)}


def _letters(body: Any) -> str:
    """Return what no conversion of Jira's changes: the letters and digits of a text or document."""
    if isinstance(body, str):
        return "".join(filter(str.isalnum, body))
    if isinstance(body, Mapping):
        return _letters(body.get("text")) + _letters(body.get("content"))
    return "".join(map(_letters, body)) if isinstance(body, list) else ""
