"""The one way to change an anomaly: read it with its links, decide, and add the change to a unit of work.

A revision commits only if the anomaly's ``stamp`` is still the one that was read. So the revisions of an
anomaly stand in one order, and its tickets learn of them in that order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.dataclass import dataclass, field, replace
from jobticket.errors import NotFoundError, UnavailableError
from jobticket.history.records import Stamp, record
from jobticket.store.table import Put, Table, Update
from jobticket.store.unit_of_work import UnitOfWork, attempts
from jobticket.ticketing import integration, outbox
from jobticket.ticketing.layout import ANOMALY, anomaly_from, anomaly_pk
from jobticket.ticketing.model import Anomaly, AnomalyLink
from jobticket.ticketing.outbox import Event, LiveLink, TicketNotice

#: Enough for many people at once on one anomaly: each attempt lets at least one of them through.
MOST_TRIES = 20
CONTENDED = UnavailableError("The anomaly is being changed by others. Please try again.", retry_after=1)


def anomaly_not_found(anomaly_id: object) -> NotFoundError:
    return NotFoundError(f"Anomaly not found: {anomaly_id}")


def revising(table: Table) -> Iterator[UnitOfWork]:
    """Yield units of work until one has committed a change of an anomaly."""
    return attempts(table, most=MOST_TRIES, exhausted=CONTENDED)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An anomaly as it stands, with its links."""

    anomaly: Anomaly
    stamp: int
    links: list[AnomalyLink]
    live: list[LiveLink]
    stored: integration.StoredIntegration | None = None
    #: The stamp of the last status that was not Jira's; 0 if there was none.
    status_stamp: int = 0


@dataclass(slots=True)
class Revision:
    """A change of an anomaly.

    Attributes
    ----------
    set, add, remove
        Attributes of the anomaly.
    notices
        The news for its tickets, in this order.
    links
        The links that get the news; None for all live ones.
    records
        The records for the history, in this order: an action and its details.
    follows
        Whether it follows a ticket. Then a later look at one finds no conflict with it.
    condition
        What must also hold of the anomaly.
    """

    set: dict[str, Any] = field(default_factory=dict)
    add: dict[str, int] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    notices: Sequence[TicketNotice] = ()
    links: list[LiveLink] | None = None
    records: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    follows: bool = False
    condition: ConditionBase | None = None


def load(table: Table, anomaly_id: int) -> Loaded:
    """Read an anomaly and its links in one query."""
    found = list(table.query_all(Key("pk").eq(anomaly_pk(anomaly_id)) & Key("sk").begins_with(ANOMALY)))
    anomaly = next((item for item in found if item["sk"] == ANOMALY), None)
    if anomaly is None:
        raise anomaly_not_found(anomaly_id)
    pairs = sorted(
        ((AnomalyLink.of(item), str(item["site"])) for item in found if item is not anomaly),
        key=lambda pair: pair[0].id,
    )
    stored = integration.find(table) if pairs else None
    live = [] if stored is None else outbox.live_links(pairs, stored.integration.id, stored.site)
    found_links = [link for link, _ in pairs]
    status_stamp = anomaly.get("status_stamp", 0)
    return Loaded(anomaly_from(anomaly), anomaly["stamp"], found_links, live, stored, status_stamp)


def stamp_after(stamp: int, now: datetime) -> int:
    """Return an anomaly's next stamp: the time, but always above the last stamp."""
    return max(clock.epoch_milliseconds(now), stamp + 1)


def revise(work: UnitOfWork, loaded: Loaded, revision: Revision, stamp: Stamp) -> list[Event]:
    """Add a revision to a unit of work, with its records and the events that tell its tickets."""
    first = stamp_after(loaded.stamp, stamp.at)
    last = first + max(1, len(revision.notices), len(revision.records)) - 1
    told: dict[str, Any] = {"stamp": last, "updated": clock.iso_milliseconds(stamp.at)}
    if "status" in revision.set and not revision.follows:
        told["status_stamp"] = first
    unchanged: ConditionBase = Attr("stamp").eq(loaded.stamp)
    if revision.condition is not None:
        unchanged &= revision.condition
    work.add(
        Update(
            anomaly_pk(loaded.anomaly.id),
            ANOMALY,
            set=revision.set | told,
            add=revision.add,
            remove=revision.remove,
            condition=unchanged,
        )
    )
    for number, (action, details) in enumerate(revision.records, first):
        stamped = replace(stamp, at=clock.from_milliseconds(number))
        record(work, stamped, anomaly_pk(loaded.anomaly.id), action, **details)
    links = loaded.live if revision.links is None else revision.links
    events = list(outbox.events_for(links, loaded.anomaly.id, revision.notices, first, stamp.at))
    for event in events:
        work.add(Put(event.item()))
    return events
