"""Posting a comment, once.

Jira has no idempotency key for this. A comment carries its event as a property, which people do not see.
After a call whose outcome is unknown the comments since the first try are read: the one with the property is
ours. A Data Center that keeps no properties is asked for a comment of our own account with the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from jobticket import foreign
from jobticket.dataclass import dataclass
from jobticket.jira import shapes
from jobticket.jira.answers import may_still_arrive
from jobticket.jira.client import JiraClient
from jobticket.jira.documents.adf import to_adf
from jobticket.jira.documents.model import Document
from jobticket.jira.documents.wiki import to_wiki
from jobticket.jira.errors import JiraError, JiraMalformedAnswerError, JiraNotFoundError, JiraStatusError

#: The comment property that names the event.
PROPERTY = "jobticket"
#: Jira's clock and ours may differ by this much.
CLOCK_SKEW = timedelta(minutes=5)
COMMENTS_A_PAGE = 100
#: More comments since a first try than any issue gets: a Jira that gives so many repeats itself.
MOST_PAGES = 50


@dataclass(frozen=True, slots=True)
class EventComment:
    """A comment to post."""

    #: The issue's id or key.
    issue: str
    #: Its text.
    content: Document
    #: A stable name of its content. One event makes one comment on an issue.
    event: str


def comment_once(
    client: JiraClient,
    comment: EventComment,
    *,
    first_try: datetime,
    tried: bool,
    settling: JiraClient | None = None,
) -> None:
    """Post a comment unless an earlier try has posted it.

    The caller has stored the time of the ``first_try`` before. If an earlier one may have posted the comment
    (``tried``), the comments are read first. The client ``settling`` has time of its own, to settle a lost
    answer at once. A ``JiraError`` with ``outcome_unknown`` means that the comment may have been posted.
    """
    try:
        if tried and was_posted(client, comment, first_try):
            return
    except JiraError as error:
        error.outcome_unknown = True  # that of the earlier try, not of this read
        raise
    try:
        _post(client, comment)
    except JiraError as error:
        if not error.outcome_unknown or settling is None:
            raise
        _settle(settling, comment, first_try, error)


def was_posted(client: JiraClient, comment: EventComment, first_try: datetime) -> bool:
    """Tell whether the issue has the comment already."""
    look = _Look(client, comment)
    return any(look.is_ours(found) for found in _newest(client, comment.issue, first_try - CLOCK_SKEW))


def _settle(client: JiraClient, comment: EventComment, first_try: datetime, lost: JiraError) -> None:
    """Find out what became of a call whose answer was lost; post again if it did nothing."""
    try:
        found = was_posted(client, comment, first_try)
    except JiraError as error:
        raise lost from error
    if found:
        return
    if may_still_arrive(lost):
        raise lost
    if isinstance(lost, JiraStatusError):
        lost.outcome_unknown = False  # an answer did come, and it was a refusal
        raise lost
    _post(client, comment)


def _post(client: JiraClient, comment: EventComment) -> None:
    body = to_adf(comment.content) if client.is_cloud else to_wiki(comment.content)
    properties = [{"key": PROPERTY, "value": {"event": comment.event}}]
    client.post(_path(client), issue=comment.issue, json={"body": body, "properties": properties})


def _path(client: JiraClient) -> str:
    return f"/rest/api/{3 if client.is_cloud else 2}/issue/{{issue}}/comment"


@dataclass
class _Look:
    """Tells a comment of ours from others."""

    client: JiraClient
    comment: EventComment

    def is_ours(self, found: Mapping[str, Any]) -> bool:
        properties = found.get("properties")
        if isinstance(properties, list):
            return any(self._is_event(entry) for entry in properties)
        # This Jira's lists leave properties out.
        said = self._ask(str(shapes.id_of(found.get("id"))))
        return self._says_the_same(found) if said is None else self._is_event(said)

    def _is_event(self, entry: Any) -> bool:
        named, event = foreign.member(entry, "key"), foreign.member(entry, "value", "event")
        return bool(named == PROPERTY and event == self.comment.event)

    def _ask(self, comment_id: str) -> Any:
        """Return the property of one comment; None if it has none, or Jira keeps none."""
        path = "/rest/api/2/comment/{comment}/properties/{property}"
        try:
            return self.client.get(path, comment=comment_id, property=PROPERTY)
        except JiraNotFoundError:
            return None

    def _says_the_same(self, found: Mapping[str, Any]) -> bool:
        """Compare text and author. Cloud keeps properties: there, a comment without one is a person's."""
        if self.client.is_cloud or _words(found.get("body")) != _words(to_wiki(self.comment.content)):
            return False
        return bool(_names(found.get("author")) & self._account)

    @cached_property
    def _account(self) -> set[str]:
        return _names(self.client.get("/rest/api/2/myself"))


def _newest(client: JiraClient, issue: str, since: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield an issue's comments, newest first, back to a moment."""
    start = 0
    for _ in range(MOST_PAGES):
        window = {"orderBy": "-created", "startAt": start, "maxResults": COMMENTS_A_PAGE}
        answer = client.get(_path(client), issue=issue, params={**window, "expand": "properties"})
        comments = foreign.member(answer, "comments")
        if not isinstance(comments, list):
            raise JiraMalformedAnswerError("Jira's answer has no comments")
        for comment in comments:
            if _created(comment) < since:
                return
            yield comment
        start += len(comments)
        total = foreign.integer(answer.get("total"))
        if not comments or (total is not None and start >= total):
            return
    raise JiraMalformedAnswerError("Jira's list of comments has no end")


def _created(comment: Any) -> datetime:
    created = foreign.moment(foreign.member(comment, "created"))
    if created is None:
        raise JiraMalformedAnswerError("Jira returned a comment without a date")
    return created


def _words(text: Any) -> list[str] | None:
    """Return a text without its line ends and blanks, which Jira may change."""
    return text.split() if isinstance(text, str) else None


def _names(account: Any) -> set[str]:
    """Return what identifies an account: its id on Cloud, its name and key on a Data Center."""
    known = {name: foreign.member(account, name) for name in ("accountId", "name", "key")}
    return {f"{name}:{value}" for name, value in known.items() if value}
