"""The sweep: wakes the worker for events whose wake-up was lost."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from boto3.dynamodb.conditions import Attr

from jobticket.store.table import ConditionFailedError, Table, Update
from jobticket.ticketing import outbox
from jobticket.ticketing.layout import UNDELIVERED_INDEX, Issue
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.wakeups import Wakeups

#: Of one sweep; the next one goes on.
MOST_ISSUES = 500


def sweep(table: Table, wakeups: Wakeups, now: datetime) -> int:
    """Send another wake-up for each issue with an event that has waited for too long; tell how many."""
    due = list(islice(outbox.undelivered(table, now, UNDELIVERED_INDEX), MOST_ISSUES))
    left_alone = [issue for issue in due if _is_left_alone(table, issue, now)]
    # The time makes it another message than the first wake-up, which the queue may remember.
    wakeups.send_for({issue: f"{issue.group}-sweep-{int(now.timestamp())}" for issue in left_alone})
    return len(left_alone)


def _is_left_alone(table: Table, issue: Issue, now: datetime) -> bool:
    """Tell whether no message brings the worker back to an issue, and let its events rest for a while.

    The oldest speaks for all of them, for the others wait behind it: if the queue will repeat it, they need
    no wake-up of their own, and if it was given up, they rest with it.
    """
    events = [event for event in outbox.pending(table, issue) if not event.failed]
    if not events:
        return False
    oldest = events[0].due_at
    left_alone = oldest is not None and oldest <= now
    for event in events:
        _let_rest(table, event, now + outbox.GRACE if left_alone else oldest)
    return left_alone


def _let_rest(table: Table, event: Event, until: datetime | None) -> None:
    waits = Attr("due_pk").exists()
    if until is None:
        rest = Update(event.issue.pk, event.sk, remove=["due_pk", "due_at"], condition=waits)
    else:
        later = outbox.due(until)
        condition = waits & Attr("due_at").lt(later)
        rest = Update(event.issue.pk, event.sk, set={"due_at": later}, condition=condition)
    try:
        table.update(rest)
    except ConditionFailedError:
        return  # delivered, given up, or in good hands
