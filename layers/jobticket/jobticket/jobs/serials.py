"""Serial numbers: created in batches, found, and listed. ``moves`` moves them.

A batch record stands for the serial numbers that one call created. A serial number gets an item of its own
when it first moves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Self

from boto3.dynamodb.conditions import Attr, Key

from jobticket.dataclass import asdict, dataclass
from jobticket.errors import InvalidError, NotFoundError
from jobticket.history.flow import count_flow
from jobticket.history.records import Stamp
from jobticket.jobs import layout
from jobticket.jobs.distribution import place, shard_of
from jobticket.jobs.model import SerialNumber, SerialStatus
from jobticket.jobs.paths import job_of_path, path_not_found, read_path
from jobticket.store.table import Item, Put, Table, Update, first_page
from jobticket.store.unit_of_work import ABSENT, UnitOfWork


@dataclass(frozen=True, slots=True)
class Batch:
    """Serial numbers ``first`` to ``last``, created by one call."""

    first: int
    quantity: int
    job_id: str
    path_id: str
    step_count: int
    created_at: str
    #: Who created it; not known of old ones.
    by: str | None = None

    @classmethod
    def of(cls, item: Item) -> Self:
        return cls(**{name: item[name] for name in cls.__slots__ if name in item})

    @property
    def last(self) -> int:
        return self.first + self.quantity - 1

    def shards(self) -> Counter[int]:
        """Return how many of its serial numbers each shard counts."""
        return Counter(shard_of(number) for number in range(self.first, self.last + 1))

    def serial(self, number: int) -> SerialNumber:
        """Return a serial number of the batch as it was created."""
        return SerialNumber(
            id=layout.serial_id(number),
            job_id=self.job_id,
            path_id=self.path_id,
            current_step_index=0,
            status="in_progress",
            created_at=self.created_at,
            updated_at=self.created_at,
        )


class Numbers:
    """Consecutive numbers that no other call gets, reserved when they are first needed."""

    def __init__(self, table: Table, quantity: int) -> None:
        self._table = table
        self.quantity = quantity

    @cached_property
    def first(self) -> int:
        counter = self._table.update(Update(layout.COUNTER, layout.COUNTER_SORT, add={"last": self.quantity}))
        return int(counter["last"]) - self.quantity + 1


def create_serials(
    work: UnitOfWork, numbers: Numbers, stamp: Stamp, *, path_id: str, job_id: str | None = None
) -> list[SerialNumber]:
    """Add new serial numbers at the first step of a path to a unit of work, all or none.

    A failure may leave a gap between the numbers of two calls. The unit is stale if the path's steps change
    before it commits. ``job_id`` is the job that the caller expects the path to belong to.
    """
    owner = job_of_path(work.table, path_id)
    if job_id not in (None, owner):
        raise InvalidError(f"Path does not belong to job {job_id}")
    path, item = read_path(work.table, path_id, owner)
    steps = len(path.steps)
    batch = Batch(numbers.first, numbers.quantity, owner, path_id, steps, stamp.moment, stamp.by)
    _add_batch(work, batch, item)
    for shard, count in batch.shards().items():
        work.add(count_update(owner, path_id, shard, {place(0): count}))
        count_flow(work, stamp, path_id, shard, come=place(0), gone=None, number=count)
    return [batch.serial(number) for number in range(batch.first, batch.last + 1)]


def _add_batch(work: UnitOfWork, batch: Batch, path_item: Item) -> None:
    stored = asdict(batch)
    key = {"pk": layout.path_pk(batch.path_id), "sk": layout.batch_sort(batch.first)}
    work.add(Put({**key, **stored}, ABSENT))
    work.add(Put({"pk": layout.BATCHES, "sk": f"{batch.first:012d}", **stored}))
    if not path_item.get("has_serials"):
        # From the first batch on, the path cannot be deleted and keeps its steps.
        same = Attr("step_ids").eq(path_item["step_ids"])
        used = Update(path_item["pk"], path_item["sk"], set={"has_serials": True}, condition=same)
        work.add(used, otherwise=lambda path: path_not_found(batch.path_id) if path is None else None)


def count_update(job_id: str, path_id: str, shard: int, changes: dict[str, int]) -> Update:
    """Return the write that changes a shard of a path's counts."""
    return Update(
        layout.job_pk(job_id), layout.count_sort(path_id, shard), set={"path_id": path_id}, add=changes
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """A serial number as it was read."""

    serial: SerialNumber
    number: int
    batch: Batch
    #: Whether it has an item of its own; if not, its batch stands for it.
    stored: bool


def find_serial(table: Table, serial: str) -> Standing:
    """Return a serial number and where it stands."""
    number = layout.number_of(serial)
    batch = None if number is None else _batch_of(table, number)
    if number is None or batch is None:
        raise NotFoundError(f"SerialNumber not found: {serial}")
    item = table.get(layout.path_pk(batch.path_id), layout.serial_sort(number))
    found = SerialNumber.of(item) if item else batch.serial(number)
    return Standing(found, number, batch, stored=item is not None)


def _batch_of(table: Table, number: int) -> Batch | None:
    """Return the batch that a number was created in: the last one that starts at or before it."""
    condition = Key("pk").eq(layout.BATCHES) & Key("sk").lte(f"{number:012d}")
    found = table.query(condition, forward=False, limit=1).items
    batch = Batch.of(found[0]) if found else None
    return batch if batch and number <= batch.last else None


def list_serials(
    table: Table, path_id: str, status: SerialStatus | None, limit: int | None, after: int
) -> tuple[list[SerialNumber], int | None]:
    """Return a path's serial numbers above ``after``, and the number after which the list continues."""
    job_of_path(table, path_id)
    return first_page(_serials_after(table, path_id, status, after), limit)


def _serials_after(
    table: Table, path_id: str, status: SerialStatus | None, after: int
) -> Iterator[tuple[int, SerialNumber]]:
    moved = _moved_after(table, path_id, after)
    if status in {"completed", "scrapped"}:
        # Only a serial number that has moved can be either.
        yield from (entry for entry in moved if entry[1].status == status)
        return
    upcoming = next(moved, None)
    for batch in _batches_after(table, path_id, after):
        for number in range(max(batch.first, after + 1), batch.last + 1):
            while upcoming is not None and upcoming[0] < number:
                upcoming = next(moved, None)  # of a batch that was committed after the batches were read
            if upcoming is None or upcoming[0] != number:
                yield number, batch.serial(number)
                continue
            if status is None or upcoming[1].status == status:
                yield upcoming
            upcoming = next(moved, None)


def _moved_after(table: Table, path_id: str, after: int) -> Iterator[tuple[int, SerialNumber]]:
    condition = Key("pk").eq(layout.path_pk(path_id)) & Key("sk").between(
        layout.serial_sort(after + 1), "SN#~"
    )
    for item in table.query_all(condition):
        yield int(item["sk"].removeprefix("SN#")), SerialNumber.of(item)


def _batches_after(table: Table, path_id: str, after: int) -> Iterator[Batch]:
    """Return the path's batches with numbers above ``after``, in order; a batch holds at most 1,000."""
    condition = Key("pk").eq(layout.path_pk(path_id)) & Key("sk").between(
        layout.batch_sort(max(0, after - 999)), "BATCH#~"
    )
    return map(Batch.of, table.query_all(condition))
