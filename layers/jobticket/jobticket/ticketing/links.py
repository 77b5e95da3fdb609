"""The links between anomalies and tickets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.errors import ConflictError, NotFoundError, RefusalError
from jobticket.store.table import ConditionFailedError, Delete, Item, Put, Table, Update, Write
from jobticket.ticketing import outbox
from jobticket.ticketing.changes import Change, Loaded, commit, load
from jobticket.ticketing.integrations import StoredIntegration
from jobticket.ticketing.layout import UNDELIVERED, Issue, anomaly_pk, link_from, link_sort, next_number
from jobticket.ticketing.model import Link, Ticket
from jobticket.ticketing.outbox import Event, LiveLink, Message

#: A change tells all of an anomaly's tickets in one transaction, which holds 100 items.
MOST_LINKS = 40

Alongside = Callable[[Any], Sequence[Write]]

#: What a ticket is told first. One that was made here has the details in its description.
FIRST_MESSAGES = {
    "created": [Message("backlink")],
    "linked": [Message("details"), Message("backlink")],
}


def link_not_found(link_id: object) -> NotFoundError:
    return NotFoundError(f"Ticket link not found: {link_id}")


@dataclass(frozen=True, slots=True)
class _NewLink:
    """A link to be made, and the site that its ticket is on."""

    link: Link
    site: str

    def put(self) -> Put:
        item = {name: value for name, value in vars(self.link).items() if value is not None}
        item |= {
            "pk": anomaly_pk(self.link.anomaly_id),
            "sk": link_sort(self.link.integration_id, self.link.ticket_id),
            "site": self.site,
        }
        return Put(item, Attr("pk").not_exists())


def require_room(loaded: Loaded) -> None:
    """Refuse one link too many."""
    if len(loaded.links) >= MOST_LINKS:
        raise ConflictError(f"An anomaly can have at most {MOST_LINKS} ticket links")


def add_link(
    table: Table,
    anomaly_id: int,
    stored: StoredIntegration,
    ticket: Ticket,
    origin: Literal["created", "linked"],
    now: datetime,
    alongside: Alongside,
) -> tuple[Link, list[Event]]:
    """Link an anomaly and a ticket, and queue what the ticket is told first.

    Parameters
    ----------
    alongside
        Given the link, returns the writes that commit with it.

    Raises
    ------
    NotFoundError
        If there is no such anomaly.
    ConflictError
        If the two are linked already.
    """
    new = _NewLink(_link(next_number(table, "LINK"), anomaly_id, stored, ticket, origin, now), stored.site)

    def decide(loaded: Loaded) -> Change:
        known = find_pair(loaded, stored.integration.id, ticket.ticket_id)
        if known is not None:
            raise already_linked(ticket, anomaly_id)
        require_room(loaded)
        live = LiveLink.of(new.link, new.site)
        return Change(writes=[new.put()], messages=FIRST_MESSAGES[origin], links=[live])

    return new.link, commit(table, anomaly_id, now, decide, alongside(new.link))


def already_linked(ticket: Ticket, anomaly_id: int) -> ConflictError:
    return ConflictError(f"Ticket {ticket.ticket_number} is already linked to anomaly {anomaly_id}")


def _link(
    number: int,
    anomaly_id: int,
    stored: StoredIntegration,
    ticket: Ticket,
    origin: Literal["created", "linked"],
    now: datetime,
) -> Link:
    moment = clock.iso_milliseconds(now)
    return Link(
        id=number,
        anomaly_id=anomaly_id,
        integration_id=stored.integration.id,
        ticket_id=ticket.ticket_id,
        ticket_number=ticket.ticket_number,
        title=ticket.title,
        status=ticket.status,
        url=ticket.url,
        origin=origin,
        created=moment,
        last_synced=moment,
    )


def find_pair(loaded: Loaded, integration_id: int, ticket_id: str) -> Link | None:
    """Return the link of an anomaly to a ticket, if there is one."""
    pair = (integration_id, ticket_id)
    return next((link for link in loaded.links if (link.integration_id, link.ticket_id) == pair), None)


def find_link(table: Table, anomaly_id: int, link_id: int) -> tuple[Loaded, Link]:
    """Return an anomaly and one of its links.

    Raises
    ------
    NotFoundError
        If there is no such anomaly or no such link of it.
    """
    loaded = load(table, anomaly_id)
    for link in loaded.links:
        if link.id == link_id:
            return loaded, link
    raise link_not_found(link_id)


def unlink(table: Table, anomaly_id: int, link_id: int, now: datetime) -> None:
    """Remove a link. What is queued for it is dropped; the ticket stays as it is.

    Raises
    ------
    NotFoundError
        If there is no such anomaly or no such link of it.
    """
    _, link = find_link(table, anomaly_id, link_id)
    sort_key = link_sort(link.integration_id, link.ticket_id)

    def decide(loaded: Loaded) -> Change | None:
        if all(known.id != link_id for known in loaded.links):
            return None
        return Change(writes=[Delete(anomaly_pk(anomaly_id), sort_key, Attr("id").eq(link_id))])

    commit(table, anomaly_id, now, decide)
    # The worker delivers nothing without its link; this only keeps the outbox tidy.
    for event in _events_of(table, link):
        table.delete(event.issue.pk, event.sk)


def _events_of(table: Table, link: Link) -> list[Event]:
    issue = Issue(link.integration_id, link.ticket_id)
    return [event for event in outbox.pending(table, issue) if event.link_id == link.id]


def retry(table: Table, link: Link, now: datetime) -> list[Event]:
    """Let what could not be delivered for a link be tried again; return the events to wake the worker for."""
    events = _events_of(table, link)
    for event in events:
        again = Update(
            event.issue.pk,
            event.sk,
            set={
                "due_pk": UNDELIVERED,
                "due_at": outbox.due(now + outbox.GRACE),
                "attempts": 0,
            },
            remove=["failed", "expires_at"],
            condition=Attr("pk").exists()
            & (Attr("expires_at").not_exists() | Attr("expires_at").gt(clock.epoch(now))),
        )
        _update_if_there(table, again)
    return events


def require_live(loaded: Loaded, link: Link) -> None:
    """Refuse a link whose integration was removed, or leads elsewhere by now: it is history.

    Raises
    ------
    ConflictError
        If it is.
    """
    if all(live.link_id != link.id for live in loaded.live):
        raise ConflictError("The ticketing integration of this link was removed, or leads to another site")


def refresh(table: Table, link: Link, read: Callable[[], Ticket], now: datetime) -> Link:
    """Read a link's ticket again and show on the link what it looks like, or why it cannot be read."""
    try:
        ticket = read()
    except RefusalError as refusal:
        note_error(table, link, refusal.message)
        raise
    return note_ticket(table, link, ticket, now)


def note_ticket(table: Table, link: Link, ticket: Ticket, now: datetime) -> Link:
    """Remember what the ticket looks like now, under which key too: it may have moved.

    Raises
    ------
    NotFoundError
        If the link has just been removed.
    """
    seen: Item = {
        "ticket_number": ticket.ticket_number,
        "title": ticket.title,
        "url": ticket.url,
        "last_synced": clock.iso_milliseconds(now),
    }
    removed = ["last_sync_error"]
    if ticket.status is None:
        removed.append("status")
    else:
        seen["status"] = ticket.status
    updated = _update_if_there(table, _of(link, set=seen, remove=removed))
    if updated is None:
        raise link_not_found(link.id)
    return link_from(updated)


def note_error(table: Table, link: Link, reason: str) -> None:
    """Show on the link why its ticket could not be reached."""
    _update_if_there(table, _of(link, set={"last_sync_error": reason}))


def _of(link: Link, **changes: Any) -> Update:
    return Update(
        anomaly_pk(link.anomaly_id),
        link_sort(link.integration_id, link.ticket_id),
        condition=Attr("id").eq(link.id),
        **changes,
    )


def _update_if_there(table: Table, update: Update) -> Item | None:
    try:
        return table.update(update)
    except ConditionFailedError:
        return None
