"""What tickets are still to be told: events that commit together with the change they tell of.

An event stays in the table until it is delivered, so that nothing which was accepted can be lost. The queue
carries no more than wake-ups: a lost one is sent again by the sweep, one too many finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

from boto3.dynamodb.conditions import Key

from jobticket import clock
from jobticket.store.table import Item, Put, Table
from jobticket.ticketing.layout import EVENT_PREFIX, UNDELIVERED, Issue, event_sort, link_sort
from jobticket.ticketing.model import Integration, Link

#: ``details``: the anomaly's block, as a comment. ``backlink``: the remote link to the anomaly.
Kind = Literal["details", "backlink", "status", "comment"]

#: After so long without a delivery, the sweep sends another wake-up.
GRACE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Message:
    """What a change wants its tickets to be told.

    Attributes
    ----------
    status
        The status as it was set.
    comment_id
        The comment, which never changes.
    """

    kind: Kind
    status: str | None = None
    comment_id: int | None = None


@dataclass(frozen=True, slots=True)
class LiveLink:
    """A link whose ticket is told of changes."""

    link_id: int
    issue: Issue
    site: str

    @classmethod
    def of(cls, link: Link, site: str) -> Self:
        return cls(link.id, Issue(link.integration_id, link.ticket_id), site)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell one ticket.

    Attributes
    ----------
    stamp
        The anomaly's, which orders the events of a ticket.
    at
        When it happened.
    site
        The site that the ticket is on; never sent to another one.
    tried_at
        When a delivery was first begun whose outcome is not known to be nothing.
    settles_at
        Until when Jira may still be at work on the last try.
    attempts
        How often it was tried.
    failed
        Whether trying again is left to a person.
    due_at
        When the sweep shall look after it; None once that is left to a wake-up, or to a person.
    """

    issue: Issue
    anomaly_id: int
    link_id: int
    stamp: int
    kind: Kind
    at: datetime
    site: str
    status: str | None = None
    comment_id: int | None = None
    tried_at: datetime | None = None
    settles_at: datetime | None = None
    attempts: int = 0
    failed: bool = False
    due_at: datetime | None = None

    @property
    def id(self) -> str:
        """The mark by which the comment is recognised in Jira."""
        return f"{self.anomaly_id}-{self.stamp}-{self.issue.group}"

    @property
    def sk(self) -> str:
        return event_sort(self.stamp, self.anomaly_id)

    @property
    def link_sk(self) -> str:
        return link_sort(self.issue.integration_id, self.issue.ticket_id)

    def item(self) -> Item:
        """Return a new event's item."""
        values = {
            "pk": self.issue.pk,
            "sk": self.sk,
            "integration_id": self.issue.integration_id,
            "ticket_id": self.issue.ticket_id,
            "anomaly_id": self.anomaly_id,
            "link_id": self.link_id,
            "stamp": self.stamp,
            "kind": self.kind,
            "at": self.at.isoformat(),
            "site": self.site,
            "status": self.status,
            "comment_id": self.comment_id,
            "attempts": 0,
            "due_pk": UNDELIVERED,
            "due_at": due(self.at + GRACE),
        }
        return {name: value for name, value in values.items() if value is not None}


def due(moment: datetime) -> str:
    """Write when the sweep shall look after an event; the text sorts by time."""
    return clock.iso_milliseconds(moment)


def _moment(item: Item, name: str) -> datetime | None:
    return clock.parse_iso(item[name]) if name in item else None


def event_from(item: Item) -> Event:
    return Event(
        issue=Issue(item["integration_id"], item["ticket_id"]),
        anomaly_id=item["anomaly_id"],
        link_id=item["link_id"],
        stamp=item["stamp"],
        kind=item["kind"],
        at=clock.parse_iso(item["at"]),
        site=item["site"],
        status=item.get("status"),
        comment_id=item.get("comment_id"),
        tried_at=_moment(item, "tried_at"),
        settles_at=_moment(item, "settles_at"),
        attempts=item.get("attempts", 0),
        failed=item.get("failed", False),
        due_at=_moment(item, "due_at"),
    )


def live_links(
    links: Iterable[tuple[Link, str]], integration: Integration | None, site: str | None
) -> list[LiveLink]:
    """Return the links whose tickets can still be told: those of the present integration and its site."""
    if integration is None:
        return []
    return [
        LiveLink.of(link, link_site)
        for link, link_site in links
        if link.integration_id == integration.id and link_site == site
    ]


def events_for(
    links: Iterable[LiveLink], anomaly_id: int, messages: Sequence[Message], first_stamp: int, at: datetime
) -> Iterator[Event]:
    """Return one event for each message and link, in the order of the messages."""
    for link in links:
        for offset, message in enumerate(messages):
            yield Event(
                link.issue,
                anomaly_id,
                link.link_id,
                first_stamp + offset,
                message.kind,
                at,
                link.site,
                message.status,
                message.comment_id,
            )


def puts(events: Iterable[Event]) -> list[Put]:
    return [Put(event.item()) for event in events]


def pending(table: Table, issue: Issue) -> list[Event]:
    """Return an issue's events, oldest first."""
    condition = Key("pk").eq(issue.pk) & Key("sk").begins_with(EVENT_PREFIX)
    return [event_from(item) for item in table.query_all(condition)]


def undelivered(table: Table, before: datetime, index: str) -> Iterator[Issue]:
    """Return the issues that have events which the sweep must look after, each once."""
    condition = Key("due_pk").eq(UNDELIVERED) & Key("due_at").lte(due(before))
    seen: set[Issue] = set()
    for item in table.query_all(condition, index=index):
        _, integration, ticket = item["pk"].split("#", 2)
        issue = Issue(int(integration), ticket)
        if issue not in seen:
            seen.add(issue)
            yield issue
