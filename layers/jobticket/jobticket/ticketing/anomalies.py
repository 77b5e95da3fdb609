"""Reporting, listing, changing, archiving and deleting anomalies, and commenting on them.

What changes something takes a unit of work and adds its writes; the caller commits them.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.dataclass import dataclass, replace
from jobticket.errors import ConflictError, InvalidError
from jobticket.history.records import Stamp, record
from jobticket.store.table import Delete, Item, Put, Table, Update, Write
from jobticket.store.unit_of_work import ABSENT, UnitOfWork
from jobticket.ticketing import counts, links, rule_tickets
from jobticket.ticketing.layout import (
    ANOMALY,
    BY_DATASTORE,
    BY_STATE,
    COMMENT_PREFIX,
    FINGERPRINT,
    anomaly_from,
    anomaly_item,
    anomaly_pk,
    comment_sort,
    fingerprint_pk,
    link_sort,
    next_number,
    place,
)
from jobticket.ticketing.model import (
    ARCHIVED,
    OPEN,
    STATUSES,
    TYPES,
    Anomaly,
    AnomalyComment,
    AnomalyLink,
    AnomalyReport,
)
from jobticket.ticketing.outbox import Event, TicketNotice
from jobticket.ticketing.revisions import Loaded, Revision, anomaly_not_found, load, revise, stamp_after

#: DynamoDB takes 400 KB an item, keys included.
LARGEST_BYTES = 300 * 1024
ACKNOWLEDGED = "Acknowledged"
#: How long a fingerprint is remembered after its anomaly was archived, and the attribute with its end.
REMEMBERED = timedelta(days=30)
ARCHIVED_UNTIL = "archived_until"


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report, and the events for tickets."""

    anomaly: Anomaly
    is_new: bool
    events: Sequence[Event]


def report_anomaly(work: UnitOfWork, report: AnomalyReport, stamp: Stamp) -> Reported:
    """Store a new anomaly, or count another detection of an open one with the same fingerprint."""
    now = stamp.at
    _refuse_too_large(_new_anomaly(0, report, now))
    claim = None
    if report.fingerprint is not None:
        claim = work.table.get(fingerprint_pk(report.fingerprint), FINGERPRINT)
    known = _find_open(work.table, claim)
    if known is not None:
        return _detect_again(work, known, stamp)
    anomaly = _new_anomaly(next_number(work.table, "ANOMALY"), report, now)
    work.add(Put(anomaly_item(anomaly, clock.epoch_milliseconds(now)), ABSENT))
    for write in _claim_fingerprint(anomaly):
        work.add(write)
    counts.count(work, anomaly, {anomaly.status: 1})
    record(work, stamp, anomaly_pk(anomaly.id), "created")
    return Reported(anomaly, True, rule_tickets.plan(work, anomaly, _former(claim, now), now))


def _former(claim: Item | None, now: datetime) -> int | None:
    """Return the anomaly that last had a fingerprint, if it was archived not long ago."""
    if claim is None or claim.get(ARCHIVED_UNTIL, 0) <= clock.epoch(now):
        return None
    return int(claim["anomaly_id"])


def _find_open(table: Table, claim: Item | None) -> Item | None:
    """Return the open anomaly with a fingerprint."""
    item = None if claim is None else table.get(anomaly_pk(claim["anomaly_id"]), ANOMALY)
    return item if item is not None and item["status"] in OPEN else None


def _new_anomaly(number: int, report: AnomalyReport, now: datetime) -> Anomaly:
    moment = clock.iso_milliseconds(now)
    return Anomaly(
        id=number,
        type=report.type,
        status="Active",
        archived=False,
        datastore=report.datastore,
        container=report.container,
        failed_checks=report.failed_checks,
        weight=report.weight,
        fingerprint=report.fingerprint,
        description=report.description,
        detected=report.detected or moment,
        detected_count=1,
        created=moment,
        updated=moment,
    )


def _refuse_too_large(anomaly: Anomaly, **changes: str) -> None:
    shown = json.dumps(anomaly.as_json() | changes, ensure_ascii=False)
    if len(shown.encode("utf-8", "surrogatepass")) > LARGEST_BYTES:
        raise InvalidError(f"The anomaly is too large: at most {LARGEST_BYTES} bytes")


def _mine(anomaly: Anomaly) -> ConditionBase:
    return ABSENT | Attr("anomaly_id").eq(anomaly.id)


def _claim_fingerprint(anomaly: Anomaly) -> Iterator[Put]:
    """Yield the write that makes this the open anomaly of its fingerprint."""
    if anomaly.fingerprint is not None:
        item = {"pk": fingerprint_pk(anomaly.fingerprint), "sk": FINGERPRINT, "anomaly_id": anomaly.id}
        yield Put(item, _mine(anomaly) | Attr(ARCHIVED_UNTIL).exists())


def _free_fingerprint(anomaly: Anomaly, now: datetime) -> Iterator[Put]:
    """Yield the write that frees a fingerprint, and remembers for a while whose it was."""
    for claim in _claim_fingerprint(anomaly):
        kept = dict.fromkeys((ARCHIVED_UNTIL, "expires_at"), clock.epoch(now + REMEMBERED))
        yield Put(claim.item | kept, _mine(anomaly))


def _detect_again(work: UnitOfWork, item: Item, stamp: Stamp) -> Reported:
    raised = {"detected_count": item["detected_count"] + 1, "updated": stamp.moment}
    anomaly = anomaly_from(item | raised)
    events = rule_tickets.tell_of_recurrence(work, anomaly, stamp)
    if not events:
        same = Attr("detected_count").eq(item["detected_count"]) & Attr("status").is_in(list(OPEN))
        work.add(Update(item["pk"], ANOMALY, set=raised, condition=same))
    return Reported(anomaly, False, events)


def get_anomaly(table: Table, anomaly_id: int) -> Anomaly:
    """Return an anomaly."""
    item = table.get(anomaly_pk(anomaly_id), ANOMALY)
    if item is None:
        raise anomaly_not_found(anomaly_id)
    return anomaly_from(item)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which anomalies a list shows; None does not filter."""

    status: str | None = None
    type: str | None = None
    datastore: int | None = None
    archived: bool | None = None

    def cells(self) -> list[counts.Cell]:
        """Return the requested statuses and types."""
        wanted = ARCHIVED if self.archived else OPEN if self.archived is False else STATUSES
        return [
            (status, kind)
            for status in wanted
            for kind in TYPES
            if self.status in (None, status) and self.type in (None, kind)
        ]


def list_anomalies(table: Table, filters: Filters, page: int, size: int) -> tuple[list[Anomaly], int]:
    """Return a page of anomalies, newest first, and the total.

    The total comes from the counts. The page is merged from the index partitions that are not empty. It costs
    as much as lies before it, not as much as the table holds.
    """
    counted = counts.totals(table, filters.datastore)
    cells = [cell for cell in filters.cells() if counted[cell] > 0]
    total = sum(counted[cell] for cell in cells)
    first = (page - 1) * size
    if first >= total:
        return [], total
    chunk = size + page * size // len(cells)
    sources = [_newest_of(table, filters.datastore, cell, chunk) for cell in cells]
    numbers = list(islice(heapq.merge(*sources, reverse=True), first, first + size))
    return _read(table, numbers), total


def _newest_of(table: Table, datastore: int | None, cell: counts.Cell, chunk: int) -> Iterator[int]:
    where = place(*cell, datastore or 0)
    index, key = (BY_STATE, "state_pk") if datastore is None else (BY_DATASTORE, "store_pk")
    condition = Key(key).eq(where[key])
    for item in table.query_all(condition, index=index, forward=False, limit=chunk):
        yield int(item["number"])


def _read(table: Table, numbers: Sequence[int]) -> list[Anomaly]:
    found = {item["number"]: item for item in table.get_all([(anomaly_pk(n), ANOMALY) for n in numbers])}
    return [anomaly_from(found[number]) for number in numbers if number in found]


def change_anomaly(
    work: UnitOfWork, anomaly_id: int, status: str | None, description: str | None, stamp: Stamp
) -> list[Event]:
    """Change what is given. An archived anomaly that gets a status is restored, as Acknowledged."""
    loaded = load(work.table, anomaly_id)
    revision = Revision()
    if description is not None and description != (loaded.anomaly.description or ""):
        _describe(revision, loaded.anomaly, description)
    if status is not None:
        status = ACKNOWLEDGED if loaded.anomaly.archived else status
        revision.notices = set_status(work, revision, loaded, status, stamp.at)
    return revise(work, loaded, revision, stamp) if revision.set or revision.remove else []


def _describe(revision: Revision, anomaly: Anomaly, description: str) -> None:
    _refuse_too_large(anomaly, description=description)
    if description:
        revision.set["description"] = description
    else:
        revision.remove.append("description")
    revision.records.append(("description_changed", {}))


def set_status(
    work: UnitOfWork, revision: Revision, loaded: Loaded, status: str, now: datetime
) -> list[TicketNotice]:
    """Put a status into a revision and return its notice; the same status again changes nothing."""
    anomaly = loaded.anomaly
    if status == anomaly.status:
        return []
    revision.set |= {"status": status, **place(status, anomaly.type, anomaly.datastore.id)}
    revision.records.append(("status_changed", {"from": anomaly.status, "to": status}))
    counts.count(work, anomaly, {anomaly.status: -1, status: 1})
    if anomaly.archived and status in OPEN:
        for claim in _claim_fingerprint(anomaly):
            work.add(claim, otherwise=_same_fingerprint)
    elif not anomaly.archived and status in ARCHIVED:
        for free in _free_fingerprint(anomaly, now):
            work.add(free)
    target = loaded.stored.integration.target_of(status) if loaded.stored else None
    return [TicketNotice("status", status=status, target=target)]


def _same_fingerprint(claim: Item | None) -> Exception | None:
    if claim is None:
        return None
    return ConflictError(f"Another open anomaly has the same fingerprint: {claim['anomaly_id']}")


def archive_anomaly(
    work: UnitOfWork, anomaly_id: int, status: str, comment: str | None, stamp: Stamp
) -> list[Event]:
    """Archive an anomaly with one of the archived statuses, and a comment if there is one."""
    if comment:
        _refuse_too_long(comment, "comment")
    loaded = load(work.table, anomaly_id)
    revision = Revision()
    notices = set_status(work, revision, loaded, status, stamp.at)
    if comment:
        made = _new_comment(work.table, anomaly_id, comment, stamp)
        notices.append(_comment(work, revision, made))
    revision.notices = notices
    return revise(work, loaded, revision, stamp) if notices else []


def delete_anomaly(work: UnitOfWork, anomaly_id: int, stamp: Stamp) -> list[AnomalyLink]:
    """Delete an anomaly with its links, and return them; its tickets stay and get no more news.

    Its comments stay, out of reach; ``forget_comments`` deletes them.
    """
    loaded = load(work.table, anomaly_id)
    anomaly, pk = loaded.anomaly, anomaly_pk(anomaly_id)
    # The links go in the same transaction: without its link no event is delivered.
    writes: list[Write] = [
        Delete(pk, ANOMALY, Attr("stamp").eq(loaded.stamp)),
        *(Delete(pk, link_sort(link.integration_id, link.ticket_id)) for link in loaded.links),
        *(links.forget_link(link, stamp.at) for link in loaded.links),
    ]
    if anomaly.fingerprint is not None and not anomaly.archived:
        writes.append(Delete(fingerprint_pk(anomaly.fingerprint), FINGERPRINT, _mine(anomaly)))
    for write in writes:
        work.add(write)
    counts.count(work, anomaly, {anomaly.status: -1})
    last = clock.from_milliseconds(stamp_after(loaded.stamp, stamp.at))
    record(work, replace(stamp, at=last), pk, "deleted")
    return loaded.links


def forget_comments(table: Table, anomaly_id: int) -> None:
    """Delete what a deleted anomaly has left behind."""
    for item in table.query_all(Key("pk").eq(anomaly_pk(anomaly_id))):
        table.delete(item["pk"], item["sk"])


def add_comment(
    work: UnitOfWork, anomaly_id: int, message: str, stamp: Stamp
) -> tuple[AnomalyComment, list[Event]]:
    """Add a comment to an anomaly; its tickets get it too."""
    _refuse_too_long(message, "message")
    loaded = load(work.table, anomaly_id)
    comment = _new_comment(work.table, anomaly_id, message, stamp)
    revision = Revision()
    revision.notices = [_comment(work, revision, comment)]
    return comment, revise(work, loaded, revision, stamp)


def _refuse_too_long(text: str, name: str) -> None:
    if len(text.encode()) > LARGEST_BYTES:
        raise InvalidError(f"{name} must be at most {LARGEST_BYTES} bytes")


def _new_comment(table: Table, anomaly_id: int, message: str, stamp: Stamp) -> AnomalyComment:
    return AnomalyComment(
        id=next_number(table, "COMMENT"),
        anomaly_id=anomaly_id,
        message=message,
        created=stamp.moment,
    )


def _comment(work: UnitOfWork, revision: Revision, comment: AnomalyComment) -> TicketNotice:
    item: Item = {
        **vars(comment),
        "pk": anomaly_pk(comment.anomaly_id),
        "sk": comment_sort(comment.id),
    }
    work.add(Put(item, ABSENT))
    revision.add["comment_count"] = 1
    revision.records.append(("commented", {"comment_id": comment.id}))
    return TicketNotice("comment", comment_id=comment.id)


def list_comments(table: Table, anomaly_id: int, page: int, size: int) -> tuple[list[AnomalyComment], int]:
    """Return a page of an anomaly's comments, oldest first, and the total."""
    item = table.get(anomaly_pk(anomaly_id), ANOMALY, attributes=["comment_count"])
    if item is None:
        raise anomaly_not_found(anomaly_id)
    total, first = item.get("comment_count", 0), (page - 1) * size
    if first >= total:
        return [], total
    condition = Key("pk").eq(anomaly_pk(anomaly_id)) & Key("sk").begins_with(COMMENT_PREFIX)
    items = table.query_all(condition, limit=first + size)
    return [AnomalyComment.of(found) for found in islice(items, first, first + size)], total
