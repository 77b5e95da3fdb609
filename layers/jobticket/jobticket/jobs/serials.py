"""Serial numbers: created in batches, moved one step at a time, each counted exactly once.

A batch record stands for the serial numbers that one call created, until each of them first moves: then it
gets an item of its own. A move is one transaction over the serial number, on the condition that it still
stands where it was read, and over its shard of the path's counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.aws import UNAVAILABLE, is_passing
from jobticket.errors import ConflictError, InvalidError, NotFoundError, RefusalError
from jobticket.jobs.distribution import SCRAPPED, place, shard_of
from jobticket.jobs.layout import (
    BATCHES,
    COUNTER,
    COUNTER_SORT,
    batch_sort,
    count_sort,
    job_pk,
    number_of,
    path_pk,
    path_sort,
    present,
    serial_id,
    serial_sort,
)
from jobticket.jobs.model import Bypassed, Path, SerialNumber, SerialStatus
from jobticket.jobs.paths import job_of_path, path_not_found, read_path
from jobticket.observability import logger
from jobticket.store.table import Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, UnitOfWork

if TYPE_CHECKING:
    from jobticket.jobs.bodies import NewSerials

#: Serial numbers of one call that are moved side by side.
_MOVERS = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Serial numbers ``first`` to ``last``, created by one call."""

    first: int
    quantity: int
    job_id: str
    path_id: str
    step_count: int
    created_at: str

    @property
    def last(self) -> int:
        return self.first + self.quantity - 1

    def serial(self, number: int) -> SerialNumber:
        """Return a serial number of the batch as it was created."""
        return SerialNumber(
            id=serial_id(number),
            job_id=self.job_id,
            path_id=self.path_id,
            current_step_index=0,
            status="in_progress",
            created_at=self.created_at,
            updated_at=self.created_at,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A serial number as it was read."""

    serial: SerialNumber
    number: int
    step_count: int
    #: Whether it has an item of its own, and not just a place in its batch.
    stored: bool


def _batch_item(batch: Batch) -> Item:
    return {
        "first": batch.first,
        "quantity": batch.quantity,
        "job_id": batch.job_id,
        "path_id": batch.path_id,
        "step_count": batch.step_count,
        "created_at": batch.created_at,
    }


def _batch_from(item: Item) -> Batch:
    return Batch(**{name: item[name] for name in Batch.__slots__})


class Numbers:
    """Consecutive numbers that no other call gets, taken when they are first needed."""

    def __init__(self, table: Table, quantity: int) -> None:
        self._table = table
        self.quantity = quantity

    @cached_property
    def first(self) -> int:
        counter = self._table.update(Update(COUNTER, COUNTER_SORT, add={"last": self.quantity}))
        return int(counter["last"]) - self.quantity + 1


def create_serials(work: UnitOfWork, body: NewSerials, numbers: Numbers, now: datetime) -> list[SerialNumber]:
    """Add new serial numbers at the first step of a path to a unit of work, all or none.

    A failure may leave a gap between the numbers of two calls. The unit is stale if the path gets other steps
    before it commits.

    Raises
    ------
    NotFoundError
        If there is no such path.
    InvalidError
        If the path belongs to another job than the body says.
    """
    table = work.table
    job_id = job_of_path(table, body.path_id)
    if body.job_id is not None and body.job_id != job_id:
        raise InvalidError(f"Path does not belong to job {body.job_id}")
    path, item = read_path(table, body.path_id, job_id)
    batch = Batch(
        first=numbers.first,
        quantity=numbers.quantity,
        job_id=job_id,
        path_id=body.path_id,
        step_count=len(path.steps),
        created_at=clock.iso_milliseconds(now),
    )
    _add_batch(work, batch, item)
    return [batch.serial(number) for number in range(batch.first, batch.last + 1)]


def _add_batch(work: UnitOfWork, batch: Batch, path_item: Item) -> None:
    stored = _batch_item(batch)
    work.add(Put({"pk": path_pk(batch.path_id), "sk": batch_sort(batch.first), **stored}, ABSENT))
    work.add(Put({"pk": BATCHES, "sk": f"{batch.first:012d}", **stored}))
    if not path_item.get("has_serials"):
        # From the first batch on, the path can neither be deleted nor get other steps.
        work.add(
            Update(
                job_pk(batch.job_id),
                path_sort(batch.path_id),
                set={"has_serials": True},
                condition=Attr("step_ids").eq(path_item["step_ids"]),
            ),
            otherwise=lambda path: path_not_found(batch.path_id) if path is None else None,
        )
    per_shard = Counter(shard_of(number) for number in range(batch.first, batch.last + 1))
    for shard, count in per_shard.items():
        work.add(_count(batch.job_id, batch.path_id, shard, {place(0): count}))


def _count(job_id: str, path_id: str, shard: int, changes: dict[str, int]) -> Update:
    return Update(job_pk(job_id), count_sort(path_id, shard), set={"path_id": path_id}, add=changes)


def serial_not_found(serial: str) -> NotFoundError:
    return NotFoundError(f"SerialNumber not found: {serial}")


def get_serial(table: Table, serial: str) -> SerialNumber:
    """Return a serial number.

    Raises
    ------
    NotFoundError
        If there is no such serial number.
    """
    return _read(table, serial).serial


def _read(table: Table, serial: str) -> Standing:
    number = number_of(serial)
    batch = _find_batch(table, number) if number is not None else None
    if number is None or batch is None:
        raise serial_not_found(serial)
    item = table.get(path_pk(batch.path_id), serial_sort(number))
    return _standing(batch, number, item)


def _standing(batch: Batch, number: int, item: Item | None) -> Standing:
    serial = SerialNumber.of(item) if item else batch.serial(number)
    return Standing(serial, number, batch.step_count, stored=item is not None)


def _find_batch(table: Table, number: int) -> Batch | None:
    """Return the batch a number was created in: the last one that starts at or before it."""
    condition = Key("pk").eq(BATCHES) & Key("sk").lte(f"{number:012d}")
    found = table.query(condition, forward=False, limit=1).items
    batch = _batch_from(found[0]) if found else None
    return batch if batch and number <= batch.last else None


def advance(table: Table, serial: str, from_step_index: int | None, now: datetime) -> SerialNumber:
    """Move a serial number one step forward; from the last step, complete it.

    Parameters
    ----------
    from_step_index
        If given, move only if the serial number still stands there.

    Raises
    ------
    NotFoundError
        If there is no such serial number.
    InvalidError
        If it is scrapped or completed.
    ConflictError
        If it does not stand at ``from_step_index``, or was moved by someone else meanwhile.
    """
    standing = _read(table, serial)
    elsewhere = None if from_step_index is None else _not_at(from_step_index)
    if elsewhere and standing.serial.current_step_index != from_step_index:
        raise elsewhere
    _require_in_progress(standing.serial, "Cannot advance a scrapped serial")
    target = standing.serial.current_step_index + 1
    return _move(table, standing, _at_step(target, standing.step_count), now, elsewhere)


def _not_at(step_index: int) -> ConflictError:
    return ConflictError(f"Serial is not at step {step_index}")


def _require_in_progress(serial: SerialNumber, when_scrapped: str) -> None:
    if serial.status == "scrapped":
        raise InvalidError(when_scrapped)
    if serial.status == "completed":
        raise InvalidError("Serial number is already completed")


def _at_step(target: int, step_count: int) -> dict[str, Any]:
    if target == step_count:
        return {"current_step_index": -1, "status": "completed"}
    return {"current_step_index": target}


def _move(
    table: Table,
    standing: Standing,
    changes: dict[str, Any],
    now: datetime,
    elsewhere: ConflictError | None = None,
) -> SerialNumber:
    """Change a serial number and its count together, if it still stands where it was read."""
    moment = clock.iso_milliseconds(now)
    moved = replace(standing.serial, **changes, updated_at=moment)
    work = UnitOfWork(table)
    work.add(
        Update(
            path_pk(moved.path_id),
            serial_sort(standing.number),
            set=present(moved),
            condition=_unmoved(standing),
        ),
        otherwise=elsewhere or ConflictError("Serial has been moved by someone else"),
    )
    difference = _difference(standing.serial, moved)
    work.add(_count(moved.job_id, moved.path_id, shard_of(standing.number), difference))
    work.commit()
    return moved


def _unmoved(standing: Standing) -> Any:
    if not standing.stored:
        return ABSENT
    serial = standing.serial
    return Attr("current_step_index").eq(serial.current_step_index) & Attr("status").eq(serial.status)


def _counted_at(serial: SerialNumber) -> str:
    return SCRAPPED if serial.status == "scrapped" else place(serial.current_step_index)


def _difference(before: SerialNumber, after: SerialNumber) -> dict[str, int]:
    return {_counted_at(before): -1, _counted_at(after): 1}


def advance_to(table: Table, serial: str, target: int, now: datetime) -> tuple[SerialNumber, list[Bypassed]]:
    """Move a serial number forward to a step, and tell which steps it was moved past.

    Parameters
    ----------
    target
        The step's index; as many as the path has steps means completion.

    Raises
    ------
    NotFoundError
        If there is no such serial number.
    InvalidError
        If the target is not ahead, out of range, or more than a step away in strict mode.
    ConflictError
        If the serial number was moved by someone else meanwhile.
    """
    standing = _read(table, serial)
    _require_in_progress(standing.serial, "Cannot advance a scrapped serial")
    current = standing.serial.current_step_index
    if target <= current:
        raise InvalidError("Cannot advance to a step at or before the current position")
    if target > standing.step_count:
        raise InvalidError("Target step index is out of range")
    path, _ = read_path(table, standing.serial.path_id, standing.serial.job_id)
    if path.advancement_mode == "strict" and target != current + 1:
        raise InvalidError("Path is in strict mode: can only advance to the next step")
    moved = _move(table, standing, _at_step(target, standing.step_count), now)
    return moved, _bypassed(path, current, target)


def _bypassed(path: Path, current: int, target: int) -> list[Bypassed]:
    return [
        Bypassed(
            step_id=step.id,
            step_name=step.name,
            classification="skipped" if step.optional else "deferred",
        )
        for step in path.steps[current + 1 : target]
    ]


_TWICE = "Serial is given more than once"


@dataclass(frozen=True, slots=True)
class AdvanceResult:
    """What became of one serial number of a batch move."""

    serial_id: str
    serial: SerialNumber | None = None
    error: str | None = None


def advance_many(
    table: Table, serials: Sequence[str], from_step_index: int | None, now: datetime
) -> list[AdvanceResult]:
    """Move each of several serial numbers one step forward; each stands for itself.

    Those that are counted in one shard are moved one after the other, so that a call never conflicts with
    itself. One that is given twice, as by a doubled scan, is moved once. Where AWS is in trouble, the rest of
    a shard is not tried: it would meet the same, and there is no time for all of it.

    Raises
    ------
    Exception
        The fault of AWS, if it has kept every serial number from being moved.
    """
    groups: dict[int, list[int]] = {}
    results: list[AdvanceResult | None] = [None] * len(serials)
    seen: set[str] = set()
    for position, serial in enumerate(serials):
        if serial in seen:
            results[position] = AdvanceResult(serial, error=_TWICE)
            continue
        seen.add(serial)
        groups.setdefault(shard_of(number_of(serial) or 0), []).append(position)

    def move(positions: Sequence[int]) -> Exception | None:
        fault = None
        for position in positions:
            if fault is None:
                results[position], fault = _advance_one(table, serials[position], from_step_index, now)
            else:
                results[position] = AdvanceResult(serials[position], error=UNAVAILABLE)
        return fault

    with ThreadPoolExecutor(max_workers=_MOVERS) as pool:
        moving = [pool.submit(move, positions) for positions in groups.values()]
        faults = [fault for moved in moving if (fault := moved.result()) is not None]
    done = [result for result in results if result is not None]
    if faults and all(result.error in (UNAVAILABLE, _TWICE) for result in done):
        raise faults[0]
    return done


def _advance_one(
    table: Table, serial: str, from_step_index: int | None, now: datetime
) -> tuple[AdvanceResult, Exception | None]:
    """Return what became of one serial number, and the fault of AWS that was in the way."""
    try:
        return AdvanceResult(serial, advance(table, serial, from_step_index, now)), None
    except RefusalError as refusal:
        return AdvanceResult(serial, error=refusal.message), None
    except Exception as fault:
        if is_passing(fault):
            return AdvanceResult(serial, error=UNAVAILABLE), fault
        # What became of the others is worth telling, whatever happened to this one.
        logger.exception("a serial number of a batch could not be moved")
        return AdvanceResult(serial, error="Internal Server Error"), None


def require_scrappable(serial: SerialNumber) -> None:
    """Refuse unless a serial number is in progress.

    Raises
    ------
    InvalidError
        If it is scrapped or completed.
    """
    if serial.status == "scrapped":
        raise InvalidError("Serial is already scrapped")
    if serial.status == "completed":
        raise InvalidError("Cannot scrap a completed serial")


def scrap(table: Table, serial: str, reason: str, explanation: str | None, now: datetime) -> SerialNumber:
    """Take a serial number out of production for good; it keeps its step index.

    Raises
    ------
    NotFoundError
        If there is no such serial number.
    InvalidError
        If it is scrapped or completed.
    ConflictError
        If it was moved by someone else meanwhile.
    """
    standing = _read(table, serial)
    require_scrappable(standing.serial)
    path, _ = read_path(table, standing.serial.path_id, standing.serial.job_id)
    changes = {
        "status": "scrapped",
        "scrap_reason": reason,
        "scrap_explanation": explanation,
        "scrap_step_id": path.steps[standing.serial.current_step_index].id,
        "scrapped_at": clock.iso_milliseconds(now),
    }
    return _move(table, standing, changes, now)


def force_complete(table: Table, serial: str, reason: str | None, now: datetime) -> SerialNumber:
    """Complete a serial number from wherever it stands.

    Raises
    ------
    NotFoundError
        If there is no such serial number.
    InvalidError
        If it is scrapped or completed.
    ConflictError
        If it was moved by someone else meanwhile.
    """
    standing = _read(table, serial)
    _require_in_progress(standing.serial, "Cannot force-complete a scrapped serial")
    changes = {
        "status": "completed",
        "current_step_index": -1,
        "force_completed": True,
        "force_completed_at": clock.iso_milliseconds(now),
        "force_completed_reason": reason,
    }
    return _move(table, standing, changes, now)


def list_serials(
    table: Table, path_id: str, status: SerialStatus | None, limit: int | None, after: int
) -> tuple[list[SerialNumber], int | None]:
    """Return serial numbers of a path in ascending order, and the number to go on after.

    Parameters
    ----------
    status
        Only those with this status.
    limit
        At most so many; None for all.
    after
        Only those with a larger number.

    Raises
    ------
    NotFoundError
        If there is no such path.
    """
    job_of_path(table, path_id)
    found: list[SerialNumber] = []
    last: int | None = None
    for number, serial in _serials_after(table, path_id, status, after):
        if len(found) == limit:
            return found, last
        found.append(serial)
        last = number
    return found, None


def _serials_after(
    table: Table, path_id: str, status: SerialStatus | None, after: int
) -> Iterator[tuple[int, SerialNumber]]:
    moved = _moved_after(table, path_id, after)
    if status in {"completed", "scrapped"}:
        # Only what has moved can be either.
        for number, item in moved:
            if item["status"] == status:
                yield number, SerialNumber.of(item)
        return
    upcoming = next(moved, None)
    for batch in _batches_after(table, path_id, after):
        for number in range(max(batch.first, after + 1), batch.last + 1):
            while upcoming is not None and upcoming[0] < number:
                upcoming = next(moved, None)  # of a batch that was committed after the batches were read
            if upcoming is None or upcoming[0] != number:
                yield number, batch.serial(number)
                continue
            if status is None or upcoming[1]["status"] == status:
                yield number, SerialNumber.of(upcoming[1])
            upcoming = next(moved, None)


def _moved_after(table: Table, path_id: str, after: int) -> Iterator[tuple[int, Item]]:
    condition = Key("pk").eq(path_pk(path_id)) & Key("sk").between(serial_sort(after + 1), "SN#~")
    for item in table.query_all(condition):
        yield int(item["sk"].removeprefix("SN#")), item


def _batches_after(table: Table, path_id: str, after: int) -> Iterator[Batch]:
    """Return the path's batches with numbers above one, in order; a batch holds at most 1,000."""
    condition = Key("pk").eq(path_pk(path_id)) & Key("sk").between(batch_sort(max(0, after - 999)), "BATCH#~")
    for item in table.query_all(condition):
        yield _batch_from(item)
