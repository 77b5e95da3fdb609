"""Reporting, listing, changing, archiving and deleting anomalies, and commenting on them."""

from __future__ import annotations

import heapq
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.errors import ConflictError, InvalidError, UnavailableError
from jobticket.store.table import ConditionFailedError, Delete, Item, Put, Table, Update, Write
from jobticket.ticketing import counts
from jobticket.ticketing.changes import Change, Loaded, anomaly_not_found, commit, load
from jobticket.ticketing.layout import (
    ANOMALY,
    BY_DATASTORE,
    BY_STATE,
    COMMENT_PREFIX,
    FINGERPRINT,
    anomaly_from,
    anomaly_item,
    anomaly_pk,
    comment_from,
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
    Comment,
    Container,
    Datastore,
    FailedCheck,
)
from jobticket.ticketing.outbox import Event, Message

if TYPE_CHECKING:
    from jobticket.ticketing.bodies import AnomalyChange, NewAnomaly

#: DynamoDB takes 400 KB an item, keys and all.
LARGEST_BYTES = 300 * 1024
MOST_TRIES = 20
ACKNOWLEDGED = "Acknowledged"

#: Returns the writes that must commit together with what was made; see ``jobticket.web.idempotency``.
Alongside = Callable[[Any], Sequence[Write]]


def report_anomaly(
    table: Table, body: NewAnomaly, now: datetime, alongside: Callable[[Anomaly, bool], Sequence[Write]]
) -> tuple[Anomaly, bool]:
    """Store a new anomaly, or count another detection of an open one with the same fingerprint.

    Parameters
    ----------
    alongside
        Given the anomaly and whether it is new, returns the writes that commit with it.

    Returns
    -------
    tuple
        The anomaly, and whether it is new.
    """
    _refuse_too_large(body.model_dump_json())
    for _ in range(MOST_TRIES):
        known = _find_open(table, body.fingerprint)
        done = (
            _detect_again(table, known, now, alongside)
            if known is not None
            else _create(table, body, now, alongside)
        )
        if done is not None:
            return done, known is None
    raise ConflictError("The anomaly is being changed by others. Please try again.", retry_after=1)


def _refuse_too_large(anomaly: str) -> None:
    if len(anomaly.encode()) > LARGEST_BYTES:
        raise InvalidError(f"The anomaly is too large: at most {LARGEST_BYTES} bytes")


def _find_open(table: Table, fingerprint: str | int | None) -> int | None:
    if fingerprint is None:
        return None
    item = table.get(fingerprint_pk(fingerprint), FINGERPRINT)
    return None if item is None else int(item["anomaly_id"])


def _create(
    table: Table, body: NewAnomaly, now: datetime, alongside: Callable[[Anomaly, bool], Sequence[Write]]
) -> Anomaly | None:
    """Store a new anomaly; None if somebody else has just reported its fingerprint."""
    anomaly = _new_anomaly(next_number(table, "ANOMALY"), body, now)
    stamp = clock.epoch_milliseconds(now)
    writes: list[Write] = [
        Put(anomaly_item(anomaly, stamp), Attr("pk").not_exists()),
        *_claim_fingerprint(anomaly),
        *counts.count(anomaly.id, anomaly.datastore.id, {(anomaly.status, anomaly.type): 1}),
        *alongside(anomaly, True),
    ]
    try:
        table.transact(writes, token=secrets.token_urlsafe(24))
    except ConditionFailedError as failed:
        if failed.position == 0:
            return anomaly  # its number is nobody else's: it was this transaction, whose answer was lost
        if failed.item and failed.item["sk"] == FINGERPRINT:
            return None
        raise
    return anomaly


def _new_anomaly(number: int, body: NewAnomaly, now: datetime) -> Anomaly:
    moment = clock.iso_milliseconds(now)
    container = body.container
    return Anomaly(
        id=number,
        type=body.type,
        status="Active",
        archived=False,
        datastore=Datastore(id=body.datastore.id, name=body.datastore.name),
        container=Container(id=container.id, name=container.name) if container else None,
        failed_checks=[FailedCheck(**check.model_dump()) for check in body.failed_checks],
        weight=body.weight,
        fingerprint=body.fingerprint,
        description=body.description,
        detected=body.detected or moment,
        detected_count=1,
        created=moment,
        updated=moment,
    )


def _claim_fingerprint(anomaly: Anomaly) -> Iterator[Put]:
    """Return the write that makes this the open anomaly of its fingerprint."""
    if anomaly.fingerprint is not None:
        item = {"pk": fingerprint_pk(anomaly.fingerprint), "sk": FINGERPRINT, "anomaly_id": anomaly.id}
        yield Put(item, Attr("pk").not_exists() | Attr("anomaly_id").eq(anomaly.id))


def _free_fingerprint(anomaly: Anomaly) -> Iterator[Delete]:
    if anomaly.fingerprint is not None:
        mine = Attr("pk").not_exists() | Attr("anomaly_id").eq(anomaly.id)
        yield Delete(fingerprint_pk(anomaly.fingerprint), FINGERPRINT, mine)


def _detect_again(
    table: Table, anomaly_id: int, now: datetime, alongside: Callable[[Anomaly, bool], Sequence[Write]]
) -> Anomaly | None:
    """Count another detection; None if the anomaly is no longer open."""
    item = table.get(anomaly_pk(anomaly_id), ANOMALY)
    if item is None or item["status"] not in OPEN:
        return None
    raised = item | {
        "detected_count": item["detected_count"] + 1,
        "updated": clock.iso_milliseconds(now),
    }
    anomaly = anomaly_from(raised)
    update = Update(
        anomaly_pk(anomaly_id),
        ANOMALY,
        set={"detected_count": anomaly.detected_count, "updated": anomaly.updated},
        condition=Attr("detected_count").eq(item["detected_count"]) & Attr("status").is_in(list(OPEN)),
    )
    try:
        table.transact([update, *alongside(anomaly, False)], token=secrets.token_urlsafe(24))
    except ConditionFailedError as failed:
        if failed.position > 0:
            raise
        return None
    return anomaly


def get_anomaly(table: Table, anomaly_id: int) -> Anomaly:
    """Return an anomaly.

    Raises
    ------
    NotFoundError
        If there is no such anomaly.
    """
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
        """Return the statuses and types that are asked for."""
        wanted = ARCHIVED if self.archived else OPEN if self.archived is False else STATUSES
        return [
            (status, kind)
            for status in wanted
            for kind in TYPES
            if self.status in (None, status) and self.type in (None, kind)
        ]


def list_anomalies(table: Table, filters: Filters, page: int, size: int) -> tuple[list[Anomaly], int]:
    """Return a page of anomalies, newest first, and how many there are in all.

    The total comes from the counts. The page is merged from the index's partitions that are not empty: it
    costs what it lies behind, not what the table holds.
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
    table: Table, anomaly_id: int, body: AnomalyChange, now: datetime
) -> tuple[Anomaly, list[Event]]:
    """Change what the body names. An archived anomaly that is given a status is restored, as Acknowledged.

    Raises
    ------
    NotFoundError
        If there is no such anomaly.
    ConflictError
        If another open anomaly has the fingerprint of the one to restore.
    """

    def decide(loaded: Loaded) -> Change | None:
        change = Change()
        if body.description is not None and body.description != (loaded.anomaly.description or ""):
            _describe(change, loaded.anomaly, body.description)
        if body.status is not None:
            status = ACKNOWLEDGED if loaded.anomaly.archived else body.status
            _set_status(change, loaded.anomaly, status)
        return change if change.set or change.remove else None

    events = _commit_status(table, anomaly_id, now, decide)
    return get_anomaly(table, anomaly_id), events


def _describe(change: Change, anomaly: Anomaly, description: str) -> None:
    described = anomaly.as_json() | {"description": description}
    _refuse_too_large(json.dumps(described, ensure_ascii=False))
    if description:
        change.set["description"] = description
    else:
        change.remove.append("description")


def _set_status(change: Change, anomaly: Anomaly, status: str) -> None:
    """Put a status into a change, with its event; the same status again is no change."""
    if status == anomaly.status:
        return
    change.set |= {"status": status, **place(status, anomaly.type, anomaly.datastore.id)}
    change.writes += counts.moved(anomaly.id, anomaly.datastore.id, anomaly.type, anomaly.status, status)
    if anomaly.archived and status in OPEN:
        change.writes += _claim_fingerprint(anomaly)
    elif not anomaly.archived and status in ARCHIVED:
        change.writes += _free_fingerprint(anomaly)
    change.messages.append(Message("status", status=status))


def _commit_status(
    table: Table, anomaly_id: int, now: datetime, decide: Callable[[Loaded], Change | None]
) -> list[Event]:
    try:
        return commit(table, anomaly_id, now, decide)
    except ConditionFailedError as failed:
        if failed.item is None or failed.item["sk"] != FINGERPRINT:
            raise
        other = failed.item["anomaly_id"]
        raise ConflictError(f"Another open anomaly has the same fingerprint: {other}") from None


def archive_anomaly(
    table: Table, anomaly_id: int, status: str, comment: str | None, now: datetime
) -> list[Event]:
    """Archive an anomaly with one of the archived statuses, and a comment if there is one.

    Raises
    ------
    NotFoundError
        If there is no such anomaly.
    """
    if comment:
        _refuse_too_long(comment, "comment")
    number = next_number(table, "COMMENT") if comment else 0

    def decide(loaded: Loaded) -> Change | None:
        change = Change()
        _set_status(change, loaded.anomaly, status)
        if comment:
            _comment(change, _new_comment(number, anomaly_id, comment, now))
        return change if change.messages else None

    return _commit_status(table, anomaly_id, now, decide)


def delete_anomaly(table: Table, anomaly_id: int) -> None:
    """Delete an anomaly with its comments and links; its tickets stay, and are told nothing more.

    Raises
    ------
    NotFoundError
        If there is no such anomaly.
    UnavailableError
        If others change it all the time.
    """
    for _ in range(MOST_TRIES):
        loaded = load(table, anomaly_id)
        try:
            table.transact(_deletion(loaded), token=secrets.token_urlsafe(24))
        except ConditionFailedError as failed:
            if failed.position == 0 and failed.item is None:
                break  # gone: by this transaction, whose answer was lost, or by somebody else's
            continue
        break
    else:
        raise UnavailableError("The anomaly is being changed by others. Please try again.", retry_after=1)
    # What is left is out of sight already; an interruption here leaves comments that nobody can reach.
    for item in table.query_all(Key("pk").eq(anomaly_pk(anomaly_id))):
        table.delete(item["pk"], item["sk"])


def _deletion(loaded: Loaded) -> list[Write]:
    anomaly = loaded.anomaly
    pk = anomaly_pk(anomaly.id)
    # The links go in the same transaction: without its link no event is delivered.
    return [
        Delete(pk, ANOMALY, Attr("stamp").eq(loaded.stamp)),
        *(Delete(pk, link_sort(link.integration_id, link.ticket_id)) for link in loaded.links),
        *(() if anomaly.archived else _free_fingerprint(anomaly)),
        *counts.count(anomaly.id, anomaly.datastore.id, {(anomaly.status, anomaly.type): -1}),
    ]


def _new_comment(number: int, anomaly_id: int, message: str, now: datetime) -> Comment:
    return Comment(id=number, anomaly_id=anomaly_id, message=message, created=clock.iso_milliseconds(now))


def _comment(change: Change, comment: Comment) -> None:
    item: Item = {
        **vars(comment),
        "pk": anomaly_pk(comment.anomaly_id),
        "sk": comment_sort(comment.id),
    }
    change.writes.append(Put(item, Attr("pk").not_exists()))
    change.add["comment_count"] = 1
    change.messages.append(Message("comment", comment_id=comment.id))


def add_comment(
    table: Table, anomaly_id: int, message: str, now: datetime, alongside: Alongside
) -> tuple[Comment, list[Event]]:
    """Add a comment to an anomaly; its tickets get it too.

    Raises
    ------
    NotFoundError
        If there is no such anomaly.
    """
    _refuse_too_long(message, "message")
    comment = _new_comment(next_number(table, "COMMENT"), anomaly_id, message, now)

    def decide(_loaded: Loaded) -> Change:
        change = Change()
        _comment(change, comment)
        return change

    return comment, commit(table, anomaly_id, now, decide, alongside(comment))


def _refuse_too_long(text: str, name: str) -> None:
    if len(text.encode()) > LARGEST_BYTES:
        raise InvalidError(f"{name} must be at most {LARGEST_BYTES} bytes")


def list_comments(table: Table, anomaly_id: int, page: int, size: int) -> tuple[list[Comment], int]:
    """Return a page of an anomaly's comments, oldest first, and how many there are.

    Raises
    ------
    NotFoundError
        If there is no such anomaly.
    """
    item = table.get(anomaly_pk(anomaly_id), ANOMALY, attributes=["comment_count"])
    if item is None:
        raise anomaly_not_found(anomaly_id)
    total, first = item.get("comment_count", 0), (page - 1) * size
    if first >= total:
        return [], total
    condition = Key("pk").eq(anomaly_pk(anomaly_id)) & Key("sk").begins_with(COMMENT_PREFIX)
    items = table.query_all(condition, limit=first + size)
    return [comment_from(found) for found in islice(items, first, first + size)], total
