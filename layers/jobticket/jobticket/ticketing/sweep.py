"""The sweep: wakes the worker for events whose wake-up was lost."""

from __future__ import annotations

from datetime import datetime

from boto3.dynamodb.conditions import Attr

from jobticket.dynamo import ConditionFailedError, Table, Update
from jobticket.ticketing import outbox
from jobticket.ticketing.layout import UNDELIVERED_INDEX, Issue
from jobticket.ticketing.wakeups import Wakeups

__all__ = ["sweep"]

#: Of one sweep; the next one goes on.
MOST_ISSUES = 500


def sweep(table: Table, wakeups: Wakeups, now: datetime) -> int:
    """Send another wake-up for each issue with an event that has waited for too long; tell how many."""
    issues: list[Issue] = []
    for issue in outbox.undelivered(table, now, UNDELIVERED_INDEX):
        issues.append(issue)
        if len(issues) >= MOST_ISSUES:
            break
    for issue in issues:
        _give_time(table, issue, now)
    # The time makes it another message than the first wake-up, which the queue may remember.
    wakeups.send_for({issue: f"{issue.group}-sweep-{int(now.timestamp())}" for issue in issues})
    return len(issues)


def _give_time(table: Table, issue: Issue, now: datetime) -> None:
    later = outbox.due(now + outbox.GRACE)
    for event in outbox.pending(table, issue):
        if not event.failed:
            _postpone(table, event, later)


def _postpone(table: Table, event: outbox.Event, later: str) -> None:
    update = Update(
        event.issue.pk,
        event.sk,
        set={"due_at": later},
        condition=Attr("due_pk").exists() & Attr("due_at").lt(later),
    )
    try:
        table.update(update)
    except ConditionFailedError:
        return  # delivered, given up, or in good hands
