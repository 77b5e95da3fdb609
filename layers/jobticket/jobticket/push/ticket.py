"""A ticket at Jira while a push works on it: its description, its history and its comments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jobticket import clock
from jobticket.jira.client import JiraClient, Pace
from jobticket.jira.errors import JiraError, JiraMalformedAnswerError, JiraStatusError
from jobticket.push.edits import Change

__all__ = ["SETTLING_SECONDS", "Snapshot", "Ticket"]

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
            case {"key": str(key), "fields": {"description": str() | None as description}}:
                return Snapshot(key, description)
            case {"key": str(key), "fields": Mapping() as fields} if "description" not in fields:
                # Jira leaves a field out that is on no screen of the project.
                return Snapshot(key, None)
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

    def comment(self, text: str, *, unless_since: datetime | None = None) -> None:
        """Post a comment, once: a lost answer is settled by looking for the comment.

        Parameters
        ----------
        unless_since
            Do nothing if the same comment was posted at this time or later.

        Raises
        ------
        JiraError
            If it could not be posted, or if nobody knows.
        """
        if unless_since is not None and self._has_comment(text, since=unless_since):
            return
        began = self.now()
        try:
            self._post(self.client, text)
        except JiraError as error:
            if not error.outcome_unknown:
                raise
            if not self._was_posted(text, began, error):
                self._post(self._settling, text)

    def _post(self, client: JiraClient, text: str) -> None:
        client.post(COMMENTS, issue=self.key, json={"body": text})

    def _was_posted(self, text: str, since: datetime, lost: JiraError) -> bool:
        """Look for a comment whose answer was lost; raise what was lost if there is nothing left to do."""
        try:
            found = self._has_comment(text, since=since)
        except JiraError as error:
            raise lost from error
        if not found and isinstance(lost, JiraStatusError):
            lost.outcome_unknown = False  # Jira's answer did come, and it is a refusal
            raise lost
        return found

    def _has_comment(self, text: str, *, since: datetime) -> bool:
        return any(_letters(body) == _letters(text) for body in self.comments_since(since))

    def comments_since(self, since: datetime) -> list[str]:
        """Return the newest comments, as far as they were written at this time or later."""
        newest = {"orderBy": "-created", "maxResults": NEWEST_COMMENTS}
        answer = self._settling.get(COMMENTS, issue=self.key, params=newest)
        comments = answer.get("comments") if isinstance(answer, Mapping) else None
        if not isinstance(comments, list):
            raise JiraMalformedAnswerError("Jira's answer has no comments")
        return [body for comment in comments for body in _written_since(comment, since - CLOCK_SKEW)]


def _written_since(comment: Any, since: datetime) -> list[str]:
    match comment:
        case {"body": str(body), "created": str(created)}:
            with contextlib.suppress(ValueError):
                return [body] if clock.parse_iso(created) >= since else []
    return []


def _age(history: Any) -> tuple[datetime, int]:
    try:
        return clock.parse_iso(history["created"]), int(history["id"])
    except (KeyError, TypeError, ValueError):
        raise JiraMalformedAnswerError("Jira's changelog cannot be read") from None


def _description_changes(history: Mapping[str, Any]) -> list[Change]:
    items = history.get("items")
    return [
        Change(item.get("fromString"), item.get("toString"))
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, Mapping) and item.get("field") == "description"
    ]


def _letters(text: str) -> str:
    """Return what no conversion of Jira's changes."""
    return "".join(filter(str.isalnum, text))
