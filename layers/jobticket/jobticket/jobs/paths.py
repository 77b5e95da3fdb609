"""Creating, reading, changing and deleting the paths of a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from boto3.dynamodb.conditions import Attr, Key

from jobticket.dataclass import asdict, replace
from jobticket.errors import InvalidError, NotFoundError
from jobticket.history.records import Stamp, differences, record
from jobticket.jobs import layout
from jobticket.jobs.distribution import COMPLETED, SCRAPPED, Counts, distribution, place
from jobticket.jobs.jobs import job_not_found
from jobticket.jobs.model import Path, PathDetails, ProcessStep, StepDraft
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, PRESENT, UnitOfWork, attempts


def path_not_found(path_id: str) -> NotFoundError:
    return NotFoundError(f"Path not found: {path_id}")


def create_path(
    work: UnitOfWork, stamp: Stamp, *, job_id: str, steps: Sequence[StepDraft], **fields: Any
) -> Path:
    """Add a new path to a unit of work, and count it at its job: its steps, name, goal quantity and mode."""
    if not layout.is_id("job", job_id):
        raise job_not_found(job_id)
    path = Path(
        id=layout.new_id("path"),
        job_id=job_id,
        steps=_steps(steps),
        created_at=stamp.moment,
        updated_at=stamp.moment,
        **fields,
    )
    work.add(Put(layout.path_item(path), ABSENT))
    work.add(Put({"pk": layout.path_pk(path.id), "sk": layout.PATH_SORT, "job_id": path.job_id}))
    counted = Update(layout.job_pk(job_id), layout.JOB_SORT, add={"path_count": 1}, condition=PRESENT)
    work.add(counted, otherwise=job_not_found(job_id))
    _record_path(work, stamp, path, "path_added")
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
    item = table.get(layout.job_pk(job_id), layout.path_sort(path_id))
    if item is None:
        raise path_not_found(path_id)
    return layout.path_from(item), item


def read_shards(table: Table, path: Path) -> dict[int, Counter[str]]:
    """Return the counts of each shard of a path."""
    prefix = layout.count_prefix(path.id)
    condition = Key("pk").eq(layout.job_pk(path.job_id)) & Key("sk").begins_with(prefix)
    names = [*(place(step.order) for step in path.steps), COMPLETED, SCRAPPED]
    return {
        int(item["sk"].removeprefix(prefix)): Counter({name: item.get(name, 0) for name in names})
        for item in table.query_all(condition)
    }


def change_path(
    table: Table, path_id: str, stamp: Stamp, *, steps: Sequence[StepDraft] | None = None, **fields: Any
) -> Path:
    """Change what is given: steps, name, goal quantity, advancement mode; the last write wins.

    Once the path has serial numbers, only names, locations and optional flags of its steps may change.
    """
    job_id = job_of_path(table, path_id)
    refusal = InvalidError("Cannot change steps: the path has serial numbers")
    for work in attempts(table):
        with work:
            before, item = read_path(table, path_id, job_id)
            wanted, stamp = layout.given(fields), stamp.after(before.updated_at)
            stored = wanted | {"updated_at": stamp.moment}
            condition = layout.unchanged(before.updated_at)
            if steps is not None:
                wanted["steps"] = _steps(steps, frozenset(step.id for step in before.steps))
                stored |= layout.stored_steps(wanted["steps"])
                if "has_serials" in item and item["step_ids"] != stored["step_ids"]:
                    raise refusal
                # A path that gets its first serial numbers meanwhile keeps its steps, in their order.
                same = Attr("step_ids").eq(stored["step_ids"])
                condition &= Attr("has_serials").not_exists() | same
            work.add(Update(item["pk"], item["sk"], set=stored, condition=condition))
            if changes := differences(before, wanted):
                _record_path(work, stamp, before, "path_changed", changes=changes)
    return replace(before, **wanted, updated_at=stamp.moment)


def _record_path(work: UnitOfWork, stamp: Stamp, path: Path, action: str, **details: Any) -> None:
    job = layout.job_pk(path.job_id)
    record(work, stamp, job, action, path_id=path.id, path_name=path.name, **details)


def delete_path(table: Table, path_id: str, stamp: Stamp) -> None:
    """Delete a path, unless it has serial numbers."""
    path, item = read_path(table, path_id, job_of_path(table, path_id))

    def kept(item: Item | None) -> Exception:
        if item is None:
            return path_not_found(path_id)
        return InvalidError("Cannot delete path with serial numbers attached")

    with UnitOfWork(table) as work:
        unused = PRESENT & Attr("has_serials").not_exists()
        work.add(Delete(item["pk"], item["sk"], unused), otherwise=kept)
        work.add(Delete(layout.path_pk(path_id), layout.PATH_SORT))
        work.add(Update(item["pk"], layout.JOB_SORT, add={"path_count": -1}, condition=PRESENT))
        _record_path(work, stamp, path, "path_removed")
