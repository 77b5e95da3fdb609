"""Leases: one holder at a time, across all Lambda instances.

A lease is two attributes of an item, written on a condition. It expires after the longest time that its
holder can work; only its holder gives it back earlier. The item may have other attributes.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.clock import Deadline
from jobticket.dataclass import dataclass
from jobticket.observability import logger
from jobticket.store.table import Delete, Item, Table, Update
from jobticket.store.unit_of_work import StaleError, discard, write

OWNER, UNTIL = "lease_owner", "lease_until"
#: Removing these from its item ends a lease.
LEASE_ATTRIBUTES = (OWNER, UNTIL)
#: The first and the longest pause before another try to take a lease.
FIRST_PAUSE_SECONDS = 0.04
LONGEST_PAUSE_SECONDS = 0.4


class HeldError(Exception):
    """Somebody else holds the lease, for at most ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"held for at most {seconds:.1f} s")
        self.seconds = seconds


@dataclass(slots=True)
class Lease:
    """A lease and its end."""

    #: A random name, new each time a lease is taken.
    owner: str
    until: datetime
    #: Set by a holder whose effect may still arrive: the lease then expires instead of being given back.
    must_run_out: bool = False

    @classmethod
    def begin(cls, now: datetime, length: timedelta) -> Self:
        """Return a new lease, not yet taken."""
        return cls(secrets.token_urlsafe(9), now + length)

    @classmethod
    def of(cls, item: Item) -> Self | None:
        """Return the lease that an item has, expired or not."""
        if OWNER not in item:
            return None
        return cls(item[OWNER], clock.from_milliseconds(item[UNTIL]))

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of an item that has this lease."""
        return {OWNER: self.owner, UNTIL: clock.epoch_milliseconds(self.until)}

    def held(self) -> ConditionBase:
        """Return the condition that no other owner has taken the lease since."""
        return Attr(OWNER).eq(self.owner)

    def left(self, now: datetime) -> float:
        """Return the seconds until it expires, 0 if it has."""
        return max(0.0, (self.until - now).total_seconds())


def free(now: datetime) -> ConditionBase:
    """Return the condition that an item has no lease, or an expired one."""
    return Attr(OWNER).not_exists() | Attr(UNTIL).lte(clock.epoch_milliseconds(now))


def take(
    table: Table,
    pk: str,
    sk: str,
    lease: Lease,
    now: datetime,
    *,
    also: Mapping[str, Any] | None = None,
    condition: ConditionBase | None = None,
) -> Item:
    """Take a lease, set further attributes and return the item as it is then; a missing one is created.

    Raise ``HeldError`` if somebody else has it, ``StaleError`` if the further condition does not hold.
    """
    wanted = free(now) if condition is None else free(now) & condition
    update = Update(pk, sk, set={**(also or {}), **lease.attributes()}, condition=wanted)
    try:
        return write(table, update) or {}
    except StaleError as stale:
        other = Lease.of(stale.item or {})
        if other is None or other.left(now) <= 0:
            raise
        raise HeldError(other.left(now)) from None


def give_back(table: Table, pk: str, sk: str, lease: Lease) -> None:
    """Delete an item that is only a lease, if it is still ours.

    A failure does not undo what the holder has done: the lease then expires.
    """
    try:
        kept = discard(table, Delete(pk, sk, lease.held()))
    except AWS_FAULTS:
        logger.warning("a lease was not given back; it will expire", lease=pk, exc_info=True)
        return
    if kept is not None:
        logger.warning("a lease had expired before it was given back", lease=pk)


@contextlib.contextmanager
def hold(
    table: Table,
    pk: str,
    sk: str,
    length: timedelta,
    *,
    now: Callable[[], datetime],
    patience: Deadline | None = None,
    sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> Iterator[Lease]:
    """Hold a lease that is an item of its own for a ``with`` block; no holder works longer than ``length``.

    Wait for another holder as long as ``patience`` says, by default not at all; then raise ``HeldError``.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        moment = now()
        lease = Lease.begin(moment, length)
        try:
            take(table, pk, sk, lease, moment, also={"expires_at": clock.epoch(lease.until + length)})
            break
        except HeldError:
            wait = pause * (0.5 + chance() / 2)
            if patience is None or wait >= patience.left():
                raise
        sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
    try:
        yield lease
    finally:
        if not lease.must_run_out:
            give_back(table, pk, sk, lease)
