"""The outbox: events for tickets, which commit together with the change that they report.

An event stays in the table until the relay has delivered it, so nothing that was accepted can be lost. The
queue carries only wake-ups. The sweep repeats a lost wake-up; a superfluous one finds nothing to deliver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, Self

from boto3.dynamodb.conditions import Key

from jobticket import clock
from jobticket.dataclass import asdict, dataclass
from jobticket.store.table import Item, Table, Update
from jobticket.store.unit_of_work import PRESENT, write_if_current
from jobticket.ticketing.layout import (
    EVENT_PREFIX,
    TICKET,
    UNDELIVERED,
    Issue,
    as_stored,
    event_sort,
    link_sort,
)
from jobticket.ticketing.model import AnomalyLink

#: ``details``: the anomaly's block, as a comment. ``backlink``: the remote link to the anomaly. ``move``: a
#: transition; a status with a target becomes one after its comment. ``ticket``: a rule's ticket, to be made.
Kind = Literal["details", "backlink", "status", "comment", "recurrence", "move", "ticket"]

_MOMENTS = ("at", "tried_at", "settles_at", "due_at")
#: After this time without a delivery, the sweep sends another wake-up.
GRACE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class TicketNotice:
    """What a change tells each ticket of its anomaly."""

    kind: Kind
    status: str | None = None
    comment_id: int | None = None
    #: The status of the ticket that goes with it.
    target: str | None = None
    #: How often the anomaly was detected.
    count: int | None = None


@dataclass(frozen=True, slots=True)
class LiveLink:
    """A link whose ticket gets news of changes."""

    link_id: int
    issue: Issue
    site: str

    @classmethod
    def of(cls, link: AnomalyLink, site: str) -> Self:
        return cls(link.id, Issue(link.integration_id, link.ticket_id), site)


@dataclass(frozen=True, slots=True)
class Event:
    """One notice for one ticket.

    Attributes
    ----------
    stamp
        The anomaly's stamp, which orders the events of a ticket.
    at
        When the change happened.
    site
        The ticket's site. The event is never sent to another one.
    tried_at
        When the first delivery began that Jira may have carried out.
    settles_at
        Until when Jira may still carry out the last try.
    attempts
        How often it was tried.
    failed
        Whether only a person can have it tried again.
    parked
        Whether it closes the ticket once no other anomaly of the ticket is open.
    due_at
        When the sweep looks after it; None if it waits for a wake-up or a person.
    rule_id, former_id
        The rule that makes a ticket, and the anomaly whose ticket it reopens, if there was one.
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
    target: str | None = None
    count: int | None = None
    rule_id: int | None = None
    former_id: int | None = None
    tried_at: datetime | None = None
    settles_at: datetime | None = None
    attempts: int = 0
    failed: bool = False
    parked: bool = False
    due_at: datetime | None = None

    @property
    def id(self) -> str:
        """The name by which the comment is recognised in Jira."""
        return f"{self.anomaly_id}-{self.stamp}-{self.issue.group}"

    @property
    def sk(self) -> str:
        return event_sort(self.stamp, self.anomaly_id)

    @property
    def link_sk(self) -> str:
        return link_sort(self.issue.integration_id, self.issue.ticket_id)

    def item(self) -> Item:
        """Return a new event's item."""
        values = asdict(self)
        values |= values.pop("issue")
        values |= {"at": self.at.isoformat(), "due_pk": UNDELIVERED, "due_at": due(self.at + GRACE)}
        return {"pk": self.issue.pk, "sk": self.sk, **as_stored(values)}


def due(moment: datetime) -> str:
    """Write when the sweep looks after an event; the texts sort by time."""
    return clock.iso_milliseconds(moment)


def _event_from(item: Item) -> Event:
    values = {name: item[name] for name in Event.__dataclass_fields__ if name in item}
    moments = {name: clock.parse_iso(item[name]) for name in _MOMENTS if name in item}
    return Event(issue=Issue(item["integration_id"], item["ticket_id"]), **values | moments)


def live_links(links: Iterable[tuple[AnomalyLink, str]], integration_id: int, site: str) -> list[LiveLink]:
    """Return the links of the present integration and its site: only their tickets can get news."""
    return [
        LiveLink.of(link, link_site)
        for link, link_site in links
        if link.integration_id == integration_id and link_site == site
    ]


def events_for(
    links: Iterable[LiveLink],
    anomaly_id: int,
    notices: Sequence[TicketNotice],
    first_stamp: int,
    at: datetime,
) -> Iterator[Event]:
    """Return one event for each notice and link, in the order of the notices."""
    for link in links:
        for offset, notice in enumerate(notices):
            stamp = first_stamp + offset
            yield Event(link.issue, anomaly_id, link.link_id, stamp, at=at, site=link.site, **asdict(notice))


def pending(table: Table, issue: Issue) -> list[Event]:
    """Return an issue's events, oldest first."""
    condition = Key("pk").eq(issue.pk) & Key("sk").begins_with(EVENT_PREFIX)
    return [_event_from(item) for item in table.query_all(condition)]


def undelivered(table: Table, before: datetime, index: str) -> Iterator[tuple[Issue, bool]]:
    """Yield the issues that need the sweep, each once, and whether for a look or for events."""
    condition = Key("due_pk").eq(UNDELIVERED) & Key("due_at").lte(due(before))
    seen: set[tuple[Issue, bool]] = set()
    for item in table.query_all(condition, index=index):
        _, integration, ticket = item["pk"].split("#", 2)
        found = Issue(int(integration), ticket), item["sk"] == TICKET
        if found not in seen:
            seen.add(found)
            yield found


def keep_look(table: Table, issue: Issue, until: datetime, since: int | None = None) -> None:
    """Store that a linked ticket needs a look, so that the sweep asks for it again after a while.

    Parameters
    ----------
    since
        When the last sweep before the ticket's change began, in milliseconds; None leaves what is stored.
    """
    more = {} if since is None else {"unlooked": since}
    kept = {"due_pk": UNDELIVERED, "due_at": due(until), **more}
    write_if_current(table, Update(issue.pk, TICKET, set=kept, condition=PRESENT))
