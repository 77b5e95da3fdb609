"""A ticket at Jira while a push works on it: its description, its history and its comments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from jobticket import clock, foreign
from jobticket.jira import keys, shapes
from jobticket.jira.client import JiraClient, Pace
from jobticket.jira.errors import JiraError, JiraMalformedAnswerError, JiraStatusError
from jobticket.push.edits import Change

ISSUE = "/rest/api/2/issue/{issue}"
COMMENTS = "/rest/api/2/issue/{issue}/comment"

#: Kept back at the end of a push, to find out what became of a write whose answer was lost.
SETTLING_SECONDS = 6.0
#: Jira's clock and ours may differ by this much.
CLOCK_SKEW = timedelta(minutes=2)
NEWEST_COMMENTS = 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ticket as it was read.

    Attributes
    ----------
    key
        Its present key: that of a ticket which was moved is another than the one it was asked for by.
    """

    key: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Before:
    """What was there before something was tried: a comment that is not among these may be its own.

    Attributes
    ----------
    comments
        The ids of the newest comments.
    """

    at: datetime
    comments: frozenset[str]

    @classmethod
    def of(cls, memo: Mapping[str, Any]) -> Self:
        """Read a memo back."""
        return cls(clock.parse_iso(memo["at"]), frozenset(memo["comments"]))

    def as_memo(self) -> dict[str, Any]:
        """Return it as it can be kept."""
        return {"at": clock.iso_milliseconds(self.at), "comments": sorted(self.comments)}


@dataclass(frozen=True, slots=True)
class _Comment:
    id: str
    text: str
    at: datetime


@dataclass(slots=True)
class Ticket:
    """One ticket.

    Parameters
    ----------
    client
        Its work must end ``SETTLING_SECONDS`` before everything does.
    settle
        Makes another client, whose work may go on to the end.
    now, pace
        Time, and how it is waited for.
    """

    key: str
    client: JiraClient
    settle: Callable[[], JiraClient]
    now: Callable[[], datetime] = clock.now
    pace: Pace = field(default_factory=Pace)
    _settling_client: JiraClient | None = None

    @property
    def identity(self) -> str:
        """What identifies the ticket, by whichever connection its site is reached."""
        return f"{self.client.site.browse_url.rstrip('/').lower()}#{self.key.upper()}"

    @property
    def _settling(self) -> JiraClient:
        if self._settling_client is None:
            self._settling_client = self.settle()
        return self._settling_client

    def read(self) -> Snapshot:
        """Read the ticket."""
        return self._read(self.client)

    def read_again(self) -> Snapshot:
        """Read the ticket in the time that was kept back."""
        return self._read(self._settling)

    def _read(self, client: JiraClient) -> Snapshot:
        issue = client.get(ISSUE, issue=self.key, params={"fields": "description"})
        match issue:
            case {"key": key, "fields": {"description": str() | None as description}}:
                return Snapshot(shapes.issue_key(key), description)
            case {"key": key, "fields": Mapping() as fields} if "description" not in fields:
                # Jira leaves a field out that is on no screen of the project.
                return Snapshot(shapes.issue_key(key), None)
        raise JiraMalformedAnswerError("Jira's answer is not a ticket")

    def changes(self) -> list[Change]:
        """Return the newest changes of the description, newest first; none where there is no changelog."""
        params = {"fields": "description", "expand": "changelog"}
        issue = self.client.get(ISSUE, issue=self.key, params=params)
        match issue:
            case {"changelog": {"histories": list(histories)}}:
                # Cloud begins with the newest entry, Data Center with the oldest.
                ordered = sorted(histories, key=_age, reverse=True)
                return [change for history in ordered for change in _description_changes(history)]
        raise JiraMalformedAnswerError("Jira's answer has no changelog")

    def wait(self, seconds: float) -> None:
        """Let Jira go on for a while."""
        if seconds > 0:
            self.pace.sleep(seconds)

    def write(self, description: str) -> None:
        """Replace the description. Never repeated: see ``JiraError.outcome_unknown``."""
        self.client.put(ISSUE, issue=self.key, json={"fields": {"description": description}})

    def before(self) -> Before:
        """Return which comments are there, to tell from them what comes."""
        return Before(self.now(), frozenset(comment.id for comment in self._newest(self.client)))

    def comment(self, text: str, before: Before, *, unless_posted: bool = False) -> None:
        """Post a comment, once: a lost answer is settled by looking for the comment.

        Parameters
        ----------
        before
            What was there before it was tried for the first time: another comment that says the same is not
            taken for this one.
        unless_posted
            Whether an earlier try may have posted it: then look first.

        Raises
        ------
        JiraError
            If it could not be posted, or if nobody knows.
        """
        if unless_posted and self._has_comment(text, before):
            return
        try:
            self._post(self.client, text)
        except JiraError as error:
            if not error.outcome_unknown:
                raise
            if not self._was_posted(text, before, error):
                self._post(self._settling, text)

    def _post(self, client: JiraClient, text: str) -> None:
        client.post(COMMENTS, issue=self.key, json={"body": text})

    def _was_posted(self, text: str, before: Before, lost: JiraError) -> bool:
        """Look for a comment whose answer was lost; raise what was lost if there is nothing left to do."""
        try:
            found = self._has_comment(text, before)
        except JiraError as error:
            raise lost from error
        if not found and isinstance(lost, JiraStatusError):
            lost.outcome_unknown = False  # Jira's answer did come, and it is a refusal
            raise lost
        return found

    def _has_comment(self, text: str, before: Before) -> bool:
        return any(_letters(body) == _letters(text) for body in self.comments_since(before))

    def comments_since(self, before: Before) -> list[str]:
        """Return what the newest comments say, as far as they were not there before."""
        # By the time as well: an old one may be among the newest now because a newer one was deleted.
        earliest = before.at - CLOCK_SKEW
        newest = self._newest(self._settling)
        return [
            comment.text for comment in newest if comment.id not in before.comments and comment.at >= earliest
        ]

    def _newest(self, client: JiraClient) -> list[_Comment]:
        newest = {"orderBy": "-created", "maxResults": NEWEST_COMMENTS}
        answer = client.get(COMMENTS, issue=self.key, params=newest)
        comments = answer.get("comments") if isinstance(answer, Mapping) else None
        if not isinstance(comments, list):
            raise JiraMalformedAnswerError("Jira's answer has no comments")
        return [comment for shown in comments for comment in _comment(shown)]


def _comment(shown: Any) -> list[_Comment]:
    match shown:
        case {"id": str(id_), "body": str(body), "created": created} if keys.is_number(id_):
            at = foreign.moment(created)
            return [] if at is None else [_Comment(id_, body, at)]
    return []


def _age(history: Any) -> tuple[datetime, int]:
    said = history if isinstance(history, Mapping) else {}
    created, number = foreign.moment(said.get("created")), said.get("id")
    if created is None or not keys.is_number(str(number)):
        raise JiraMalformedAnswerError("Jira's changelog cannot be read")
    return created, int(str(number))


def _description_changes(history: Mapping[str, Any]) -> list[Change]:
    items = history.get("items")
    return [
        Change(foreign.prose(item.get("fromString")), foreign.prose(item.get("toString")))
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, Mapping) and item.get("field") == "description"
    ]


def _letters(text: str) -> str:
    """Return what no conversion of Jira's changes."""
    return "".join(filter(str.isalnum, text))
