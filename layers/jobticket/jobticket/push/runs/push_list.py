"""Pushes as people see them: newest first, of all jobs or of one."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.jobs.layout import is_id
from jobticket.jobs.model import Record
from jobticket.push.runs.push_records import BY_TIME_INDEX, STATUSES, Status, list_pk, pushes_pk, said_of
from jobticket.store.table import Item, Table, first_page

_POSITION = re.compile(r"[0-9-]{10}T[0-9:.]{12}Z#job_[A-Za-z0-9_-]{12}#[0-9TZ:.-]{0,40}")


class PushEntry(Record):
    """What became of a push."""

    job_id: str
    ticket_key: str
    #: The run that it belongs to; None for the push of a single job.
    run_id: str | None
    #: ``schedule``, or the name of the caller's key.
    by: str
    at: str
    status: Status
    #: Why it failed, was skipped or waits; after success, what the caller should know of it.
    error: str | None = None
    #: Jira's own messages, if it refused.
    details: dict[str, Any] | None = None


def is_position(position: object) -> bool:
    """Tell whether a cursor's content is a place in the list."""
    return isinstance(position, str) and _POSITION.fullmatch(position) is not None


def list_pushes(
    table: Table,
    now: datetime,
    *,
    job_id: str | None,
    status: Status | None,
    limit: int,
    position: str | None,
) -> tuple[list[PushEntry], str | None]:
    """Return a page of pushes, newest first, and where the next one starts; None after the last."""
    if job_id is not None:
        found = _of_job(table, job_id, status, position)
    else:
        found = _of_all(table, STATUSES if status is None else (status,), limit + 1, position)
    present = (item for item in found if item["expires_at"] > clock.epoch(now))
    return first_page(((item["push_at"], _entry(item)) for item in present), limit)


def _of_all(table: Table, statuses: Iterable[Status], limit: int, position: str | None) -> Iterator[Item]:
    """Merge the lists of the statuses, each of which is in order."""

    def of_status(status: Status) -> Iterator[Item]:
        condition: ConditionBase = Key("push_list").eq(list_pk(status))
        if position is not None:
            condition &= Key("push_at").lt(position)
        return table.query_all(condition, index=BY_TIME_INDEX, forward=False, limit=limit)

    return heapq.merge(*map(of_status, statuses), key=lambda item: str(item["push_at"]), reverse=True)


def _of_job(table: Table, job_id: str, status: Status | None, position: str | None) -> Iterator[Item]:
    """Read a job's pushes: 90 days of its runs are few."""
    if not is_id("job", job_id):
        return iter(())
    listed = Attr("push_list").exists() if status is None else Attr("push_list").eq(list_pk(status))
    items = table.query_all(Key("pk").eq(pushes_pk(job_id)), forward=False, filter_by=listed)
    # Their sort keys are the times of the runs, not of the pushes.
    ordered = sorted(items, key=lambda item: str(item["push_at"]), reverse=True)
    return (item for item in ordered if position is None or item["push_at"] < position)


def _entry(item: Item) -> PushEntry:
    same = {name: item[name] for name in ("job_id", "ticket_key", "by", "at")}
    return PushEntry(run_id=item.get("run_id"), status=item["state"], **same, **said_of(item))
