"""Creating, reading, changing and deleting the paths of a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.errors import InvalidError, NotFoundError
from jobticket.jobs import layout
from jobticket.jobs.distribution import Counts, distribution
from jobticket.jobs.jobs import job_not_found
from jobticket.jobs.model import Path, PathDetails, ProcessStep, StepDraft
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, PRESENT, Otherwise, UnitOfWork, write


def path_not_found(path_id: str) -> NotFoundError:
    return NotFoundError(f"Path not found: {path_id}")


def create_path(
    work: UnitOfWork, now: datetime, *, job_id: str, steps: Sequence[StepDraft], **fields: Any
) -> Path:
    """Add a new path to a unit of work, and count it at its job: its steps, name, goal quantity and mode."""
    if not layout.is_id("job", job_id):
        raise job_not_found(job_id)
    moment, path_id = clock.iso_milliseconds(now), layout.new_id("path")
    path = Path(
        id=path_id, job_id=job_id, steps=_steps(steps), created_at=moment, updated_at=moment, **fields
    )
    work.add(Put(layout.path_item(path), ABSENT))
    work.add(Put({"pk": layout.path_pk(path.id), "sk": layout.PATH_SORT, "job_id": path.job_id}))
    work.add(
        Update(layout.job_pk(path.job_id), layout.JOB_SORT, add={"path_count": 1}, condition=PRESENT),
        otherwise=job_not_found(path.job_id),
    )
    return path


def _steps(drafts: Sequence[StepDraft], known: frozenset[str] = frozenset()) -> list[ProcessStep]:
    """Return a path's steps; a draft keeps its id only if the path has such a step."""
    kept = [draft.id if draft.id in known else None for draft in drafts]
    for order, step_id in enumerate(kept):
        if step_id and step_id in kept[:order]:
            raise InvalidError(f"steps[{order}].id is given twice")
    return [
        ProcessStep.of({**asdict(draft), "order": order, "id": step_id or layout.new_id("step")})
        for order, (draft, step_id) in enumerate(zip(drafts, kept, strict=True))
    ]


def job_of_path(table: Table, path_id: str) -> str:
    """Return the id of the job to which a path belongs."""
    pointer = table.get(layout.path_pk(path_id), layout.PATH_SORT) if layout.is_id("path", path_id) else None
    if pointer is None:
        raise path_not_found(path_id)
    return str(pointer["job_id"])


def load_path(table: Table, path_id: str) -> PathDetails:
    """Return a path and its distribution: two reads, however many serial numbers it has."""
    job_id = job_of_path(table, path_id)
    condition = Key("pk").eq(layout.job_pk(job_id)) & Key("sk").begins_with(layout.path_sort(path_id))
    items = list(table.query_all(condition))
    if not items or items[0]["sk"] != layout.path_sort(path_id):
        raise path_not_found(path_id)
    path = layout.path_from(items[0])
    counts = Counts.of(path, items[1:])
    return PathDetails(
        **vars(path),
        distribution=distribution(path, counts),
        completed_count=counts.completed,
        scrapped_count=counts.scrapped,
    )


def read_path(table: Table, path_id: str, job_id: str) -> tuple[Path, Item]:
    """Return a path and its item."""
    item = table.get(layout.job_pk(job_id), layout.path_sort(path_id))
    if item is None:
        raise path_not_found(path_id)
    return layout.path_from(item), item


def change_path(
    table: Table, path_id: str, now: datetime, *, steps: Sequence[StepDraft] | None = None, **changes: Any
) -> Path:
    """Change what is given: steps, name, goal quantity, advancement mode.

    Once the path has serial numbers, only names, locations and optional flags of its steps may change.
    """
    job_id = job_of_path(table, path_id)
    stored = layout.given(changes) | {"updated_at": clock.iso_milliseconds(now)}
    condition: ConditionBase = PRESENT
    if steps is not None:
        path, _ = read_path(table, path_id, job_id)
        changed = _steps(steps, frozenset(step.id for step in path.steps))
        stored |= layout.stored_steps(changed)
        # A path with serial numbers keeps its steps, in their order.
        condition &= Attr("has_serials").not_exists() | Attr("step_ids").eq(stored["step_ids"])
    update = Update(layout.job_pk(job_id), layout.path_sort(path_id), set=stored, condition=condition)
    refusal = InvalidError("Cannot change steps: the path has serial numbers")
    return layout.path_from(write(table, update, otherwise=_missing_or(path_id, refusal)) or {})


def _missing_or(path_id: str, refusal: InvalidError) -> Otherwise:
    return lambda item: path_not_found(path_id) if item is None else refusal


def delete_path(table: Table, path_id: str) -> None:
    """Delete a path, unless it has serial numbers."""
    job_id = job_of_path(table, path_id)
    work = UnitOfWork(table)
    work.add(
        Delete(layout.job_pk(job_id), layout.path_sort(path_id), PRESENT & Attr("has_serials").not_exists()),
        otherwise=_missing_or(path_id, InvalidError("Cannot delete path with serial numbers attached")),
    )
    work.add(Delete(layout.path_pk(path_id), layout.PATH_SORT))
    work.add(Update(layout.job_pk(job_id), layout.JOB_SORT, add={"path_count": -1}, condition=PRESENT))
    work.commit()
