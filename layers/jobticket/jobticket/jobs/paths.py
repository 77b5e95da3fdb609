"""Creating, reading, changing and deleting the paths of a job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.errors import InvalidError, NotFoundError
from jobticket.jobs.distribution import Counts, distribution
from jobticket.jobs.jobs import job_not_found
from jobticket.jobs.layout import (
    JOB_SORT,
    PATH_SORT,
    is_id,
    job_pk,
    new_id,
    path_from,
    path_item,
    path_pk,
    path_sort,
    stored_steps,
)
from jobticket.jobs.model import Path, PathDetails, ProcessStep
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, PRESENT, Otherwise, UnitOfWork, write

if TYPE_CHECKING:
    from jobticket.jobs.bodies import NewPath, NewStep, PathChange, StepEntry


def path_not_found(path_id: str) -> NotFoundError:
    return NotFoundError(f"Path not found: {path_id}")


def create_path(work: UnitOfWork, body: NewPath, now: datetime) -> Path:
    """Add a new path with its steps to a unit of work, and count it at its job.

    The job is missed when the unit of work commits.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    if not is_id("job", body.job_id):
        raise job_not_found(body.job_id)
    moment = clock.iso_milliseconds(now)
    path = Path(
        id=new_id("path"),
        job_id=body.job_id,
        name=body.name,
        goal_quantity=body.goal_quantity,
        advancement_mode=body.advancement_mode,
        steps=[_step(order, entry, new_id("step")) for order, entry in enumerate(body.steps)],
        created_at=moment,
        updated_at=moment,
    )
    pointer = {"pk": path_pk(path.id), "sk": PATH_SORT, "job_id": path.job_id}
    work.add(Put(path_item(path), ABSENT))
    work.add(Put(pointer))
    work.add(
        Update(job_pk(path.job_id), JOB_SORT, add={"path_count": 1}, condition=PRESENT),
        otherwise=job_not_found(path.job_id),
    )
    return path


def _step(order: int, entry: NewStep, step_id: str) -> ProcessStep:
    return ProcessStep(
        id=step_id, name=entry.name, order=order, location=entry.location, optional=entry.optional
    )


def _changed_steps(entries: Sequence[StepEntry], known: frozenset[str]) -> list[ProcessStep]:
    """Return the new steps; an id that the path does not know is no identity to keep."""
    return [
        _step(order, entry, entry.id if entry.id in known and entry.id else new_id("step"))
        for order, entry in enumerate(entries)
    ]


def job_of_path(table: Table, path_id: str) -> str:
    """Return the id of the job to which a path belongs.

    Raises
    ------
    NotFoundError
        If there is no such path.
    """
    pointer = table.get(path_pk(path_id), PATH_SORT) if is_id("path", path_id) else None
    if pointer is None:
        raise path_not_found(path_id)
    return str(pointer["job_id"])


def load_path(table: Table, path_id: str) -> PathDetails:
    """Return a path and its distribution: two reads, however many serial numbers there are.

    Raises
    ------
    NotFoundError
        If there is no such path.
    """
    job_id = job_of_path(table, path_id)
    condition = Key("pk").eq(job_pk(job_id)) & Key("sk").begins_with(path_sort(path_id))
    items = list(table.query_all(condition))
    if not items or items[0]["sk"] != path_sort(path_id):
        raise path_not_found(path_id)
    path = path_from(items[0])
    counts = Counts.of(path, items[1:])
    return PathDetails(
        **vars(path),
        distribution=distribution(path, counts),
        completed_count=counts.completed,
        scrapped_count=counts.scrapped,
    )


def read_path(table: Table, path_id: str, job_id: str) -> tuple[Path, Item]:
    """Return a path and the item it is stored as.

    Raises
    ------
    NotFoundError
        If there is no such path.
    """
    item = table.get(job_pk(job_id), path_sort(path_id))
    if item is None:
        raise path_not_found(path_id)
    return path_from(item), item


def change_path(table: Table, path_id: str, body: PathChange, now: datetime) -> Path:
    """Change what the body names.

    Once serial numbers exist, only names, locations and optional flags of the steps may change.

    Raises
    ------
    NotFoundError
        If there is no such path.
    InvalidError
        If the change would move serial numbers.
    """
    job_id = job_of_path(table, path_id)
    changes: dict[str, Any] = body.model_dump(exclude_none=True, exclude={"steps"})
    changes["updated_at"] = clock.iso_milliseconds(now)
    condition: ConditionBase = PRESENT
    if body.steps is not None:
        path, _ = read_path(table, path_id, job_id)
        steps = _changed_steps(body.steps, frozenset(step.id for step in path.steps))
        _no_step_twice(steps)
        changes |= stored_steps(steps)
        # With serial numbers on the path, its steps must be the same ones, in the same order.
        condition &= Attr("has_serials").not_exists() | Attr("step_ids").eq(changes["step_ids"])
    update = Update(job_pk(job_id), path_sort(path_id), set=changes, condition=condition)
    refusal = InvalidError("Cannot change steps: the path has serial numbers")
    return path_from(write(table, update, otherwise=_missing_or(path_id, refusal)) or {})


def _missing_or(path_id: str, refusal: InvalidError) -> Otherwise:
    return lambda item: path_not_found(path_id) if item is None else refusal


def _no_step_twice(steps: Sequence[ProcessStep]) -> None:
    seen: set[str] = set()
    for order, step in enumerate(steps):
        if step.id in seen:
            raise InvalidError(f"steps[{order}].id is given twice")
        seen.add(step.id)


def delete_path(table: Table, path_id: str) -> None:
    """Delete a path that never had serial numbers.

    Raises
    ------
    NotFoundError
        If there is no such path.
    InvalidError
        If it has serial numbers.
    """
    job_id = job_of_path(table, path_id)
    work = UnitOfWork(table)
    work.add(
        Delete(job_pk(job_id), path_sort(path_id), PRESENT & Attr("has_serials").not_exists()),
        otherwise=_missing_or(path_id, InvalidError("Cannot delete path with serial numbers attached")),
    )
    work.add(Delete(path_pk(path_id), PATH_SORT))
    work.add(Update(job_pk(job_id), JOB_SORT, add={"path_count": -1}, condition=PRESENT))
    work.commit()
