"""Moving serial numbers: forward step by step, to completion, or out of production.

A move is one transaction. It changes the serial number, on the condition that it still stands where it was
read, and its shard of the path's counts; it records the move, and counts it in the day's flow.

Every move raises ``NotFoundError`` if there is no such serial number, ``InvalidError`` if it is scrapped or
completed, and ``ConflictError`` if somebody else has moved it meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket.aws import UNAVAILABLE, is_transient
from jobticket.dataclass import dataclass, replace
from jobticket.errors import ConflictError, InvalidError, RefusalError
from jobticket.history.flow import count_flow
from jobticket.history.records import Stamp, record
from jobticket.jobs.distribution import SCRAPPED, place, shard_of
from jobticket.jobs.layout import number_of, path_pk, present, serial_sort, serial_subject
from jobticket.jobs.model import Bypassed, ScrapReason, SerialNumber
from jobticket.jobs.paths import read_path
from jobticket.jobs.serials import Standing, count_update, find_serial
from jobticket.observability import logger
from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import ABSENT, UnitOfWork

#: How many shards of a batch move are worked on in parallel.
_MOVERS = 8


def advance(table: Table, serial: str, from_step_index: int | None, stamp: Stamp) -> SerialNumber:
    """Move a serial number one step forward, if it stands at this step; from the last step, complete it."""
    standing = find_serial(table, serial)
    current = standing.serial.current_step_index
    elsewhere = None
    if from_step_index is not None:
        elsewhere = ConflictError(f"Serial is not at step {from_step_index}")
        if current != from_step_index:
            raise elsewhere
    _require_in_progress(standing.serial, scrapped="Cannot advance a scrapped serial")
    return _move(table, standing, _arrival(standing, current + 1), stamp, "advanced", elsewhere=elsewhere)


def advance_to(table: Table, serial: str, target: int, stamp: Stamp) -> tuple[SerialNumber, list[Bypassed]]:
    """Move a serial number forward to a step, and return also the steps that it bypassed.

    The number of steps of the path means completion.
    """
    standing = find_serial(table, serial)
    _require_in_progress(standing.serial, scrapped="Cannot advance a scrapped serial")
    current = standing.serial.current_step_index
    if target <= current:
        raise InvalidError("Cannot advance to a step at or before the current position")
    if target > standing.batch.step_count:
        raise InvalidError("Target step index is out of range")
    path, _ = read_path(table, standing.serial.path_id, standing.serial.job_id)
    if path.advancement_mode == "strict" and target != current + 1:
        raise InvalidError("Path is in strict mode: can only advance to the next step")
    bypassed = [
        Bypassed(
            step_id=step.id, step_name=step.name, classification="skipped" if step.optional else "deferred"
        )
        for step in path.steps[current + 1 : target]
    ]
    action = "skipped_to" if bypassed else "advanced"
    told = [present(step) for step in bypassed] or None
    return _move(table, standing, _arrival(standing, target), stamp, action, bypassed=told), bypassed


def scrap(
    table: Table, serial: str, reason: ScrapReason, explanation: str | None, stamp: Stamp
) -> SerialNumber:
    """Take a serial number out of production for good; it keeps its step index."""
    standing = find_serial(table, serial)
    require_scrappable(standing.serial)
    path, _ = read_path(table, standing.serial.path_id, standing.serial.job_id)
    changes = {
        "status": "scrapped",
        "scrap_reason": reason,
        "scrap_explanation": explanation,
        "scrap_step_id": path.steps[standing.serial.current_step_index].id,
        "scrapped_at": stamp.moment,
    }
    return _move(table, standing, changes, stamp, "scrapped", reason=reason)


def force_complete(table: Table, serial: str, reason: str | None, stamp: Stamp) -> SerialNumber:
    """Complete a serial number, whichever step it stands at."""
    standing = find_serial(table, serial)
    _require_in_progress(standing.serial, scrapped="Cannot force-complete a scrapped serial")
    changes = {
        "status": "completed",
        "current_step_index": -1,
        "force_completed": True,
        "force_completed_at": stamp.moment,
        "force_completed_reason": reason,
    }
    return _move(table, standing, changes, stamp, "force_completed", reason=reason)


def require_scrappable(serial: SerialNumber) -> None:
    """Refuse to scrap a serial number that is scrapped or completed."""
    _require_in_progress(
        serial, scrapped="Serial is already scrapped", completed="Cannot scrap a completed serial"
    )


def _require_in_progress(
    serial: SerialNumber, *, scrapped: str, completed: str = "Serial number is already completed"
) -> None:
    if serial.status != "in_progress":
        raise InvalidError(scrapped if serial.status == "scrapped" else completed)


def _arrival(standing: Standing, target: int) -> dict[str, Any]:
    """Return how a serial number changes that reaches a step, or the end of its path."""
    if target == standing.batch.step_count:
        return {"current_step_index": -1, "status": "completed"}
    return {"current_step_index": target}


def _move(
    table: Table,
    standing: Standing,
    changes: dict[str, Any],
    stamp: Stamp,
    action: str,
    *,
    elsewhere: ConflictError | None = None,
    **details: Any,
) -> SerialNumber:
    """Change a serial number, its count, flow and record, if it still stands where it was read."""
    before, shard = standing.serial, shard_of(standing.number)
    moved = replace(before, **changes, updated_at=stamp.moment)
    left, reached = _counted_at(before), _counted_at(moved)
    work = UnitOfWork(table)
    key = path_pk(moved.path_id), serial_sort(standing.number)
    change = Update(*key, set=present(moved), condition=_unmoved(standing))
    work.add(change, otherwise=elsewhere or ConflictError("Serial has been moved by someone else"))
    work.add(count_update(moved.job_id, moved.path_id, shard, {left: -1, reached: 1}))
    count_flow(work, stamp, moved.path_id, shard, come=reached, gone=left)
    _record(work, stamp, before, moved, action, **details)
    work.commit()
    return moved


def _record(
    work: UnitOfWork, stamp: Stamp, before: SerialNumber, moved: SerialNumber, action: str, **details: Any
) -> None:
    """Record a move, and steps by their index: a move does not read the path."""
    left, reached = before.current_step_index, moved.current_step_index
    record(
        work,
        stamp,
        serial_subject(moved.id),
        "completed" if reached < 0 and action != "force_completed" else action,
        # A serial number moves forward only, and leaves no step twice.
        order=f"{left:03d}",
        from_index=left,
        to_index=None if reached in (-1, left) else reached,
        job_id=moved.job_id,
        path_id=moved.path_id,
        **details,
    )


def _unmoved(standing: Standing) -> ConditionBase:
    if not standing.stored:
        return ABSENT
    serial = standing.serial
    return Attr("current_step_index").eq(serial.current_step_index) & Attr("status").eq(serial.status)


def _counted_at(serial: SerialNumber) -> str:
    return SCRAPPED if serial.status == "scrapped" else place(serial.current_step_index)


@dataclass(frozen=True, slots=True)
class AdvanceResult:
    """The outcome for one serial number of a batch move; ``fault`` is AWS's, if it prevented the move."""

    serial_id: str
    serial: SerialNumber | None = None
    error: str | None = None
    fault: Exception | None = None


def advance_many(
    table: Table, serials: Sequence[str], from_step_index: int | None, stamp: Stamp
) -> list[AdvanceResult]:
    """Move each of several serial numbers one step forward; one's failure does not stop the others.

    A shard's serial numbers move one after the other, so that a call never conflicts with itself. One that
    is given twice, as by a double scan, moves once. After a fault of AWS the rest of its shard is not tried:
    it would meet the same fault, and the call would run out of time. If it has prevented every move, it is
    raised.
    """
    shards: dict[int, list[str]] = {}
    for serial in dict.fromkeys(serials):
        shards.setdefault(shard_of(number_of(serial) or 0), []).append(serial)

    def advance_shard(shard: Sequence[str]) -> list[AdvanceResult]:
        done: list[AdvanceResult] = []
        for serial in shard:
            if done and done[-1].fault is not None:
                done.append(replace(done[-1], serial_id=serial))
            else:
                done.append(_advance_one(table, serial, from_step_index, stamp))
        return done

    with ThreadPoolExecutor(max_workers=_MOVERS) as pool:
        results = {
            result.serial_id: result for done in pool.map(advance_shard, shards.values()) for result in done
        }
    faults = [result.fault for result in results.values() if result.fault is not None]
    if faults and len(faults) == len(results):
        raise faults[0]
    # The first of equal ones takes the result.
    return [
        results.pop(serial, AdvanceResult(serial, error="Serial is given more than once"))
        for serial in serials
    ]


def _advance_one(table: Table, serial: str, from_step_index: int | None, stamp: Stamp) -> AdvanceResult:
    try:
        return AdvanceResult(serial, advance(table, serial, from_step_index, stamp))
    except RefusalError as refusal:
        return AdvanceResult(serial, error=refusal.message)
    except Exception as fault:
        if is_transient(fault):
            return AdvanceResult(serial, error=UNAVAILABLE, fault=fault)
        # The caller must learn which of the others have moved.
        logger.exception("a serial number of a batch could not be moved")
        return AdvanceResult(serial, error="Internal Server Error")
