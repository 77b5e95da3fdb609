"""The links between anomalies and tickets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.errors import ConflictError, NotFoundError, RefusalError
from jobticket.history.records import Stamp, record
from jobticket.jira.transitions import is_same
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import (
    ABSENT,
    PRESENT,
    UnitOfWork,
    attempts,
    commit_if_current,
    write_if_current,
)
from jobticket.ticketing import outbox
from jobticket.ticketing.integration import StoredIntegration
from jobticket.ticketing.layout import (
    TICKET,
    UNDELIVERED,
    Issue,
    anomaly_pk,
    as_stored,
    link_sort,
    next_number,
    ticket_member,
)
from jobticket.ticketing.model import AnomalyLink, LinkedTicket, Origin
from jobticket.ticketing.outbox import Event, LiveLink, TicketNotice
from jobticket.ticketing.revisions import Loaded, Revision, load, revise

#: A change tells all of an anomaly's tickets in one transaction, which holds 100 items.
MOST_LINKS = 40

#: A ticket's first news. One that was created here has the details in its description.
FIRST_NOTICES = {
    "created": [TicketNotice("backlink")],
    "linked": [TicketNotice("details"), TicketNotice("backlink")],
}
#: Who has moved a ticket, where it was not a person at Jira.
OURSELVES = "Jobticket"


def link_not_found(link_id: object) -> NotFoundError:
    return NotFoundError(f"Ticket link not found: {link_id}")


def require_room(loaded: Loaded) -> None:
    """Refuse one link too many."""
    if len(loaded.links) >= MOST_LINKS:
        raise ConflictError(f"An anomaly can have at most {MOST_LINKS} ticket links")


def add_link(
    work: UnitOfWork,
    anomaly_id: int,
    stored: StoredIntegration,
    ticket: LinkedTicket,
    action: Literal["created", "linked"],
    stamp: Stamp,
    *,
    rule_id: int | None = None,
    more: Sequence[TicketNotice] = (),
) -> tuple[AnomalyLink, list[Event]]:
    """Link an anomaly and a ticket, with the events that tell the ticket first, and ``more``."""
    loaded = load(work.table, anomaly_id)
    if find_pair(loaded, stored.integration.id, ticket.ticket_id) is not None:
        raise ConflictError(f"Ticket {ticket.ticket_number} is already linked to anomaly {anomaly_id}")
    require_room(loaded)
    origin: Origin = action if rule_id is None else "rule"
    link = AnomalyLink.of(
        {
            **vars(ticket),
            "id": next_number(work.table, "LINK"),
            "anomaly_id": anomaly_id,
            "integration_id": stored.integration.id,
            "origin": origin,
            "rule_id": rule_id,
            "created": stamp.moment,
            "last_synced": stamp.moment,
        }
    )
    looked = seen_values(ticket.status or None, stamp.at)
    work.add(Put({**as_stored(link), **_key(link), "site": stored.site, **looked}, ABSENT))
    # Its status is to be looked at: another link may have seen another one.
    work.add(Update(issue_of(link).pk, TICKET, set={ticket_member(anomaly_id): link.id}, remove=["status"]))
    revision = Revision(
        notices=[*FIRST_NOTICES[action], *more],
        links=[LiveLink.of(link, stored.site)],
        records=[(f"ticket_{action}", _told(link, rule_id=rule_id))],
    )
    return link, revise(work, loaded, revision, stamp)


def _told(link: AnomalyLink, **more: Any) -> dict[str, Any]:
    """Return what the history tells of a link's ticket."""
    return {"ticket_id": link.ticket_id, "ticket_number": link.ticket_number, **more}


def issue_of(link: AnomalyLink) -> Issue:
    return Issue(link.integration_id, link.ticket_id)


def forget_link(link: AnomalyLink, now: datetime) -> Update:
    """Return the write that removes a link from its ticket's item.

    The ticket is to be looked at: it may have waited only for this link's anomaly to be closed.
    """
    due = {"due_pk": UNDELIVERED, "due_at": outbox.due(now + outbox.GRACE)}
    return Update(issue_of(link).pk, TICKET, set=due, remove=[ticket_member(link.anomaly_id)])


def looks_at_others(loaded: Loaded, link: AnomalyLink, now: datetime) -> Iterator[Update]:
    """Yield the writes that ask for looks at an anomaly's other tickets, which may wait for this one."""
    if loaded.stored is not None and loaded.stored.integration.status_in and not loaded.anomaly.archived:
        due = {"due_pk": UNDELIVERED, "due_at": outbox.due(now)}
        for live in loaded.live:
            if live.link_id != link.id:
                yield Update(live.issue.pk, TICKET, set=due)


def _key(link: AnomalyLink) -> dict[str, str]:
    return {"pk": anomaly_pk(link.anomaly_id), "sk": link_sort(link.integration_id, link.ticket_id)}


def find_pair(loaded: Loaded, integration_id: int, ticket_id: str) -> AnomalyLink | None:
    """Return the link of an anomaly to a ticket, if there is one."""
    pair = (integration_id, ticket_id)
    return next((link for link in loaded.links if (link.integration_id, link.ticket_id) == pair), None)


def find_link(table: Table, anomaly_id: int, link_id: int) -> tuple[Loaded, AnomalyLink]:
    """Return an anomaly and one of its links."""
    loaded = load(table, anomaly_id)
    for link in loaded.links:
        if link.id == link_id:
            return loaded, link
    raise link_not_found(link_id)


def unlink(work: UnitOfWork, anomaly_id: int, link_id: int, stamp: Stamp) -> AnomalyLink:
    """Remove a link and return it. Its queued events are dropped; the ticket stays as it is."""
    loaded, link = find_link(work.table, anomaly_id, link_id)
    work.add(Delete(**_key(link), condition=Attr("id").eq(link_id)))
    work.add(forget_link(link, stamp.at))
    for write in looks_at_others(loaded, link, stamp.at):
        work.add(write)
    revise(work, loaded, Revision(records=[("ticket_unlinked", _told(link))]), stamp)
    return link


def drop_events(table: Table, link: AnomalyLink) -> None:
    """Delete the events of a removed link. They would not be delivered; this tidies the outbox."""
    for event in _events_of(table, link):
        table.delete(event.issue.pk, event.sk)


def _events_of(table: Table, link: AnomalyLink) -> list[Event]:
    return [event for event in outbox.pending(table, issue_of(link)) if event.link_id == link.id]


def retry(table: Table, link: AnomalyLink, now: datetime) -> list[Event]:
    """Let what could not be delivered for a link be tried again; return the events to wake the relay for."""
    events = [event for event in _events_of(table, link) if not event.parked]
    alive = Attr("expires_at").not_exists() | Attr("expires_at").gt(clock.epoch(now))
    due = {"due_pk": UNDELIVERED, "due_at": outbox.due(now + outbox.GRACE), "attempts": 0}
    for event in events:
        again = Update(
            event.issue.pk, event.sk, set=due, remove=["failed", "expires_at"], condition=PRESENT & alive
        )
        write_if_current(table, again)
    return events


def require_live(loaded: Loaded, link: AnomalyLink) -> None:
    """Refuse a link that is history: its integration was removed, or leads to another site now."""
    if all(live.link_id != link.id for live in loaded.live):
        raise ConflictError("The ticketing integration of this link was removed, or leads to another site")


def refresh(table: Table, link: AnomalyLink, read: Callable[[], LinkedTicket], now: datetime) -> AnomalyLink:
    """Read a link's ticket again; show on the link what was read, or why that failed."""
    try:
        ticket = read()
    except RefusalError as refusal:
        note_error(table, link, refusal.message)
        raise
    return note_ticket(table, link, ticket, now)


def note_ticket(table: Table, link: AnomalyLink, ticket: LinkedTicket, now: datetime) -> AnomalyLink:
    """Store how the ticket looks now, and its key: the ticket may have moved."""
    seen = {
        "ticket_number": ticket.ticket_number,
        "title": ticket.title,
        "url": ticket.url,
        "last_synced": clock.iso_milliseconds(now),
        "status": ticket.status,
    }
    gone = [name for name, value in seen.items() if value is None]
    updated = note(table, link, now, as_stored(seen), ["last_sync_error", *gone])
    if updated is None:
        raise link_not_found(link.id)
    return adopt(table, updated)


def note(
    table: Table, link: AnomalyLink, now: datetime, values: Item, remove: Sequence[str] = ()
) -> Item | None:
    """Store on a link how its ticket was found; return its item as it is then, None if the link is gone."""
    item: Item = {}
    for work in attempts(table):
        with work:
            item = kept(table, link)
            if item.get("id") != link.id:
                return None
            moving = (table.get(issue_of(link).pk, TICKET) or {}).get("moving")
            add_note(work, AnomalyLink.of(item), now, values, remove, moving)
    return {name: value for name, value in (item | values).items() if name not in remove}


def add_note(
    work: UnitOfWork,
    link: AnomalyLink,
    now: datetime,
    values: Item,
    remove: Sequence[str],
    moving: str | None,
) -> None:
    """Add to a unit of work how a ticket was found, and its move, if it is not where the link shows it.

    Parameters
    ----------
    moving
        Where the product has moved it since the last look; anybody else who moved it did so at Jira.
    """
    work.add(change(link, set=values, remove=remove))
    status = values.get("status")
    stamp = Stamp(now, OURSELVES if is_same(status, moving) else "Jira")
    for action, details in moves(link, status):
        record(work, stamp, anomaly_pk(link.anomaly_id), action, **details)


def moves(link: AnomalyLink, status: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the record of a ticket's move, if it is not where the link shows it."""
    if not link.status or not status or is_same(link.status, status):
        return []
    return [("ticket_moved", _told(link, **{"from": link.status, "to": status}))]


def note_error(table: Table, link: AnomalyLink, reason: str) -> None:
    """Show on the link why its ticket could not be reached."""
    write_if_current(table, change(link, set={"last_sync_error": reason}))


def seen_values(status: str | None, now: datetime) -> dict[str, Any]:
    """Return the attributes of a link that say how its ticket stood at the last look."""
    values = {"looked": clock.epoch_milliseconds(now)}
    return values if status is None else values | {"seen": status, "status": status}


def note_move(table: Table, link: AnomalyLink, status: str | None) -> bool:
    """Store where the product moves a ticket, until the next look: no news for any of its links.

    None takes it back. False if this link is gone.
    """
    linked = Attr(ticket_member(link.anomaly_id)).eq(link.id)
    if status is None:
        update = Update(issue_of(link).pk, TICKET, remove=["moving"], condition=linked)
    else:
        # What it looked like before is no measure of news any more: people may move it back there.
        moving = {"moving": status}
        update = Update(issue_of(link).pk, TICKET, set=moving, remove=["status"], condition=linked)
    return write_if_current(table, update) is not None


def conflict(status: str, anomaly: str, stamp: int, now: datetime) -> Item:
    """Return the attributes of a link that say that its ticket and its anomaly have both moved."""
    text = f"conflict: the ticket was moved to {status} while the anomaly became {anomaly}"
    return seen_values(status, now) | {"conflict": stamp, "last_sync_error": text}


def adopt(table: Table, item: Item) -> AnomalyLink:
    """Return a link from its item. One that was made before tickets were followed is followed from now on."""
    link = AnomalyLink.of(item)
    if "looked" not in item:
        status = {"seen": link.status} if link.status else {}
        work = UnitOfWork(table)
        work.add(change(link, set={"looked": 0, **status}))
        work.add(Update(issue_of(link).pk, TICKET, set={ticket_member(link.anomaly_id): link.id}))
        commit_if_current(work)  # else it was removed meanwhile
    return link


def kept(table: Table, link: AnomalyLink) -> Item:
    """Return what is stored of a link, empty if it is gone."""
    return table.get(*_key(link).values()) or {}


def change(link: AnomalyLink, **changes: Any) -> Update:
    """Return a write that changes attributes of a link, if it is still there.

    Another status is written only over the one that the link shows: a move is recorded once.
    """
    same: ConditionBase = Attr("id").eq(link.id)
    if "status" in changes.get("set", ()):
        same &= Attr("status").not_exists() if link.status is None else Attr("status").eq(link.status)
    key = _key(link)
    return Update(key["pk"], key["sk"], condition=same, **changes)
