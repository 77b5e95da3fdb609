"""A ticket at Jira while a push works on it: its description, its changelog and its comments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from jobticket import clock, foreign
from jobticket.dataclass import dataclass, field
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient, Pace
from jobticket.jira.comment_once import EventComment, comment_once, was_posted
from jobticket.jira.documents.model import Document
from jobticket.jira.errors import JiraEndlessAnswerError, JiraMalformedAnswerError
from jobticket.push.descriptions import Description, Markup, Nodes
from jobticket.push.edits import DescriptionChange, Snapshot
from jobticket.push.status import json_length, markup_length

#: Kept back at the end of a push, to find out what became of a write whose answer was lost.
SETTLING_SECONDS = 6.0
WITH_CHANGELOG = {"fields": "description", "expand": "changelog"}


@dataclass(slots=True)
class PushedTicket:
    """One ticket. ``client`` must end ``SETTLING_SECONDS`` early; the one that ``settle`` makes may go on."""

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
    def settling(self) -> JiraClient:
        """The client with the time that was kept back."""
        if self._settling_client is None:
            self._settling_client = self.settle()
        return self._settling_client

    @property
    def _issue(self) -> str:
        return f"/rest/api/{3 if self.client.is_cloud else 2}/issue/{{issue}}"

    def measure(self, document: Document) -> int:
        """Return how much of its limit this Jira may count for a document."""
        return json_length(document) if self.client.is_cloud else markup_length(document)

    def read(self, *, again: bool = False) -> Snapshot:
        """Read the ticket with its changelog; without it, where that is too long.

        After a write whose answer was lost, it is read again in the time that was kept back.
        """
        client = self.settling if again else self.client
        try:
            return self._snapshot(client.get(self._issue, issue=self.key, params=WITH_CHANGELOG))
        except JiraEndlessAnswerError:
            # A Data Center hands out the whole changelog.
            params = {"fields": "description"}
            return self._snapshot(client.get(self._issue, issue=self.key, params=params))

    def _snapshot(self, issue: Any) -> Snapshot:
        match issue:
            case {"key": key, "fields": Mapping() as fields}:
                # Jira leaves a field out that is on no screen of the project.
                kind = Nodes if self.client.is_cloud else Markup
                description = kind.read(fields.get("description"))
                return Snapshot(shapes.issue_key(key), description, _changes(issue.get("changelog")))
        raise JiraMalformedAnswerError("Jira's answer is not a ticket")

    def wait(self, seconds: float) -> None:
        self.pace.sleep(seconds)

    def write(self, description: Description) -> Snapshot | None:
        """Replace the description, once; return the ticket after it, None where Jira does not show it."""
        body = {"fields": {"description": description.value()}}
        params = {"returnIssue": "true", "expand": "changelog"} if self.client.is_cloud else None
        issue = self.client.put(self._issue, issue=self.key, json=body, params=params)
        try:
            snapshot = self._snapshot(issue)
        except JiraMalformedAnswerError:
            return None
        return None if snapshot.changes is None else snapshot

    def comment(self, content: Document, event: str, first_try: datetime, *, tried: bool) -> None:
        """Post a comment, once."""
        comment = EventComment(self.key, content, event)
        comment_once(self.client, comment, first_try=first_try, tried=tried, settling=self.settling)

    def has_comment(self, content: Document, event: str, first_try: datetime) -> bool:
        """Tell whether an earlier try has posted a comment."""
        return was_posted(self.client, EventComment(self.key, content, event), first_try)


def _changes(changelog: Any) -> tuple[DescriptionChange, ...] | None:
    histories = changelog.get("histories") if isinstance(changelog, Mapping) else None
    if not isinstance(histories, list):
        return None
    try:
        # Cloud begins with the newest entry, Data Center with the oldest.
        ordered = sorted(histories, key=_age, reverse=True)
    except (KeyError, TypeError, ValueError):
        return None
    return tuple(change for history in ordered for change in _description_changes(history))


def _age(history: Any) -> tuple[datetime, int]:
    created = foreign.moment(history["created"])
    if created is None:
        raise ValueError("the changelog's entry has no time")
    return created, int(history["id"])


def _description_changes(history: Mapping[str, Any]) -> Iterator[DescriptionChange]:
    items = history.get("items")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, Mapping) and item.get("field") == "description":
            before, after = foreign.prose(item.get("fromString")), foreign.prose(item.get("toString"))
            yield DescriptionChange(str(history["id"]), before or "", after or "")
