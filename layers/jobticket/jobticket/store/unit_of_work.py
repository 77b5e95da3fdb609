"""Writes that commit together, once.

A unit of work is a value: several functions add writes to it, and one caller commits them. DynamoDB's answer
can be lost after the commit. The call is then sent again and fails on what it wrote itself. So each
conditional write carries the unit's mark, and a failed condition that meets the mark is a success.

::

    for work in attempts(table):
        with work:                                 # commits at its end; if it is stale, the loop goes on
            path = read(...)
            work.add(Put(...), otherwise=ConflictError("..."))
            work.add(Update(..., condition=...))   # without `otherwise`, a failure means stale
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from boto3.dynamodb.conditions import Attr

from jobticket.dataclass import replace
from jobticket.errors import UnavailableError
from jobticket.store.table import ConditionFailedError, Delete, Item, Put, Table, Update, Write

#: The item does not exist yet.
ABSENT = Attr("pk").not_exists()
#: The item exists.
PRESENT = Attr("pk").exists()

#: The attribute with the mark of the unit of work that last wrote the item.
MARK = "written_by"
#: How many stale units of work are tried.
ATTEMPTS = 8
#: Raised when others keep changing what a unit of work reads.
CONTENDED = UnavailableError("This is being changed by others. Please try again.", retry_after=1)

#: What a failed condition means: an error, or a function that makes one from the item as it was. None means
#: stale.
Otherwise = Exception | Callable[[Item | None], Exception | None]


class StaleError(Exception):
    """A condition did not hold; nothing was written. ``item`` is as it was, None if it did not exist."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("what was read has changed since")
        self.item = item


class UnitOfWork:
    """Collects writes and commits them together.

    If it is stale, a ``with`` block raises ``exhausted``, or nothing if that is None: another unit follows.
    """

    def __init__(self, table: Table, *, exhausted: Exception | None = CONTENDED) -> None:
        self.table = table
        self.committed = False
        self.mark = secrets.token_urlsafe(9)
        self._exhausted = exhausted
        self._entries: list[tuple[Write, Otherwise | None]] = []

    def add(self, write: Write, otherwise: Otherwise | None = None) -> None:
        """Add a write, and what to raise if its condition does not hold: by default, ``StaleError``."""
        self._entries.append((write, otherwise))

    def commit(self) -> Item | None:
        """Write all or nothing; return the item as it is now if it was a single put or update.

        An empty unit makes no call; a single put or update needs no transaction. If a condition does not
        hold, its write's error is raised; ``ConflictTimeoutError`` if the items stayed contended.
        """
        item = self._send() if self._entries else None
        self.committed = True
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if kind is None:
            try:
                self.commit()
            except StaleError:
                return self._stale()
        return kind is not None and issubclass(kind, StaleError) and self._stale()

    def _stale(self) -> bool:
        if self._exhausted is None:
            return True
        raise self._exhausted

    def _send(self) -> Item | None:
        writes = [self._marked(write) for write, _ in self._entries]
        try:
            match writes:
                case [Put(table=None) as put]:
                    self.table.put(put.item, put.condition)
                    return put.item
                case [Update(add=add, table=None) as update] if not add:
                    return self.table.update(update)
                case _:
                    self.table.transact(writes, token=secrets.token_urlsafe(24))
                    return None
        except ConditionFailedError as failed:
            return self._judge(failed)

    def _marked(self, write: Write) -> Write:
        match write:
            case Put(condition=condition) if condition is not None:
                return replace(write, item={**write.item, MARK: self.mark})
            case Update(condition=condition) if condition is not None:
                return replace(write, set={**write.set, MARK: self.mark})
        return write

    def _judge(self, failed: ConditionFailedError) -> Item | None:
        """Return if we had committed and only the answer was lost; else raise what the failure means."""
        for item in failed.items.values():
            if item is not None and item.get(MARK) == self.mark:
                return item
        if failed.after_lost_answer and all(
            item is None and isinstance(self._entries[position][0], Delete)
            for position, item in failed.items.items()
        ):
            return None  # nothing was left to delete: we have deleted it
        otherwise = self._entries[failed.position][1]
        error = otherwise(failed.item) if callable(otherwise) else otherwise
        raise error or StaleError(failed.item) from None


def attempts(table: Table, *, most: int = ATTEMPTS, exhausted: Exception = CONTENDED) -> Iterator[UnitOfWork]:
    """Yield units of work until one of them has committed.

    Each is for a ``with`` block that reads and adds writes. Only the last one raises if it is stale.
    """
    for left in range(most - 1, -1, -1):
        work = UnitOfWork(table, exhausted=None if left else exhausted)
        yield work
        if work.committed:
            return


def write(table: Table, one: Write, otherwise: Otherwise | None = None) -> Item | None:
    """Commit a single write, as :meth:`UnitOfWork.commit` does."""
    work = UnitOfWork(table)
    work.add(one, otherwise)
    return work.commit()


def discard(table: Table, one: Delete) -> Item | None:
    """Delete an item that would expire anyway; return the item as it is if the condition kept it.

    This is one plain call. After a lost answer it may report its own deletion as a missing item.
    """
    try:
        table.delete(one.pk, one.sk, one.condition)
    except ConditionFailedError as failed:
        return failed.item or {}
    return None


def write_if_current(table: Table, one: Write) -> Item | None:
    """Commit a single update or put; return the item as it is now, None if its condition did not hold."""
    try:
        return write(table, one)
    except StaleError:
        return None


def commit_if_current(work: UnitOfWork) -> bool:
    """Commit a unit of work; False if it is stale."""
    try:
        work.commit()
    except StaleError:
        return False
    return True
