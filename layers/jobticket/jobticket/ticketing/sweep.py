"""The sweep: wakes the relay for events whose wake-up was lost."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from boto3.dynamodb.conditions import Attr

from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import write_if_current
from jobticket.ticketing import outbox
from jobticket.ticketing.layout import UNDELIVERED_INDEX, Issue
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.wakeups import Wakeups

#: Of one sweep; the next one continues.
MOST_ISSUES = 500


def sweep(table: Table, wakeups: Wakeups, now: datetime) -> int:
    """Send a wake-up for each issue whose events, or look, wait without one; return how many were sent."""
    due = list(islice(outbox.undelivered(table, now, UNDELIVERED_INDEX), MOST_ISSUES))
    left_alone = [issue for issue, is_look in due if not is_look and _is_left_alone(table, issue, now)]
    looks = [issue for issue, is_look in due if is_look]
    # The time makes this another message: the queue drops repetitions of one that it remembers.
    wakeups.send_for({issue: f"{issue.group}-sweep-{int(now.timestamp())}" for issue in left_alone})
    for issue in looks:
        outbox.keep_look(table, issue, now + outbox.GRACE)
        wakeups.look(issue, f"{issue.group}-look-again-{int(now.timestamp())}")
    return len(left_alone) + len(looks)


def _is_left_alone(table: Table, issue: Issue, now: datetime) -> bool:
    """Tell whether no message will wake the relay for an issue, and let its events rest for a while.

    The oldest event decides for all, because the others wait behind it. If the queue repeats it, they need no
    wake-up; if it was given up, they rest with it.
    """
    events = [event for event in outbox.pending(table, issue) if not event.failed and not event.parked]
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
    write_if_current(table, rest)  # otherwise it was delivered, given up, or postponed meanwhile
