"""One push a ticket: whoever holds the ticket's lease may read, change and write its description.

The lease is an item written on a condition, so it holds across all Lambda instances. It ends by itself, long
after its holder's own deadline, and only its holder gives it back earlier.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.clock import Deadline
from jobticket.jira.client import Pace
from jobticket.observability import logger
from jobticket.store.table import ConditionFailedError, Table

#: Longer than any function works on a push, so that nobody starts while an earlier holder may still write.
LEASE = timedelta(seconds=45)
#: How long a push waits for an earlier one to the same ticket.
PATIENCE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 0.4

_SORT = "PUSH_LEASE"


class TicketBusyError(Exception):
    """Another push held the ticket for as long as this one was willing to wait."""


@dataclass(slots=True)
class Lease:
    """The right to write a ticket's description.

    Attributes
    ----------
    must_run_out
        Set when a write may still arrive at Jira: the next push must not start before the lease has ended.
    """

    pk: str
    owner: str
    must_run_out: bool = False


@dataclass(frozen=True, slots=True)
class Tickets:
    """Gives out leases.

    Parameters
    ----------
    table
        Where they are kept.
    now
        The time, by which leases end.
    pace
        How waiting is done.
    """

    table: Table
    now: Callable[[], datetime] = clock.now
    pace: Pace = field(default_factory=Pace)

    @contextlib.contextmanager
    def hold(self, ticket: str, patience: Deadline) -> Iterator[Lease]:
        """Hold a ticket's lease.

        Parameters
        ----------
        ticket
            What identifies the ticket: its site and its key.
        patience
            Until when to wait for an earlier holder.

        Raises
        ------
        TicketBusyError
            If it stays taken.
        """
        lease = Lease(f"PUSH_LEASE#{ticket}", secrets.token_urlsafe(12))
        self._wait_for(lease, patience)
        try:
            yield lease
        finally:
            if not lease.must_run_out:
                self._give_back(lease)

    def _wait_for(self, lease: Lease, patience: Deadline) -> None:
        pause = 0.02
        while not self._take(lease):
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            wait = pause * (0.5 + self.pace.random() / 2)
            if wait >= patience.left():
                raise TicketBusyError
            self.pace.sleep(wait)

    def _take(self, lease: Lease) -> bool:
        now = self.now()
        item = {
            "pk": lease.pk,
            "sk": _SORT,
            "owner": lease.owner,
            "held_until": clock.epoch_milliseconds(now + LEASE),
            "expires_at": clock.epoch(now + 2 * LEASE),
        }
        free = Attr("pk").not_exists() | Attr("held_until").lt(clock.epoch_milliseconds(now))
        try:
            self.table.put(item, free)
        except ConditionFailedError as failed:
            # Our own name: the write had arrived, only its first answer was lost.
            return failed.item is not None and failed.item.get("owner") == lease.owner
        return True

    def _give_back(self, lease: Lease) -> None:
        """Delete the lease if it is still ours; the push's outcome stands whether or not this succeeds."""
        try:
            self.table.delete(lease.pk, _SORT, Attr("owner").eq(lease.owner))
        except ConditionFailedError:
            logger.warning("a push took longer than its lease", ticket=lease.pk)
        except AWS_FAULTS:
            logger.warning("a ticket stays leased until its lease ends", ticket=lease.pk, exc_info=True)
