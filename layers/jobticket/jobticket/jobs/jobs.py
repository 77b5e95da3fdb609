"""Creating, reading, changing and deleting jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.errors import InvalidError, NotFoundError
from jobticket.jobs.distribution import Counts, job_progress
from jobticket.jobs.layout import (
    JOB_LIST,
    JOB_SORT,
    JOBS_INDEX,
    is_id,
    job_from,
    job_item,
    job_pk,
    new_id,
    path_from,
)
from jobticket.jobs.model import Job, JobDetails, Path
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, PRESENT, UnitOfWork, write

if TYPE_CHECKING:
    from jobticket.jobs.bodies import JobChange, NewJob

_POSITION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z#(?P<job>.+)")


def job_not_found(job_id: str) -> NotFoundError:
    return NotFoundError(f"Job not found: {job_id}")


def create_job(work: UnitOfWork, body: NewJob, now: datetime) -> Job:
    """Add a new job to a unit of work."""
    moment = clock.iso_milliseconds(now)
    job = Job(id=new_id("job"), created_at=moment, updated_at=moment, **body.model_dump())
    work.add(Put(job_item(job), ABSENT))
    return job


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first; ``position`` is where the next page starts, None on the last."""

    jobs: list[Job]
    position: str | None


def list_jobs(table: Table, limit: int | None, position: str | None) -> JobPage:
    """Return a page of jobs, or with no limit all of them, newest first."""
    condition = Key("list_pk").eq(JOB_LIST)
    start = _list_key(position) if position else None
    if limit is None:
        items = table.query_all(condition, index=JOBS_INDEX, forward=False, start=start)
        return JobPage([job_from(item) for item in items], None)
    # One more than asked for tells whether there is a next page.
    page = table.query(condition, index=JOBS_INDEX, forward=False, limit=limit + 1, start=start)
    shown = page.items[:limit]
    more = len(page.items) > limit or page.next_key is not None
    return JobPage([job_from(item) for item in shown], shown[-1]["list_sk"] if shown and more else None)


def is_list_position(position: object) -> bool:
    """Tell whether a cursor's content is a place in the list of jobs."""
    match = _POSITION.fullmatch(position) if isinstance(position, str) else None
    return match is not None and is_id("job", match["job"])


def _list_key(position: str) -> Item:
    job_id = position.partition("#")[2]
    return {"pk": job_pk(job_id), "sk": JOB_SORT, "list_pk": JOB_LIST, "list_sk": position}


def load_job(table: Table, job_id: str) -> tuple[Job, list[tuple[Path, Counts]]]:
    """Return a job, its paths in the order of their creation, and where their serial numbers stand.

    One query, whose cost grows with the number of paths and steps and not with that of serial numbers.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    if not is_id("job", job_id):
        raise job_not_found(job_id)
    items = table.query_all(Key("pk").eq(job_pk(job_id)))
    job, paths = _assemble(items)
    if job is None:
        raise job_not_found(job_id)
    return job, paths


def _assemble(items: Iterator[Item]) -> tuple[Job | None, list[tuple[Path, Counts]]]:
    job: Job | None = None
    paths: dict[str, Path] = {}
    shards: dict[str, list[Item]] = {}
    for item in items:
        if item["sk"] == JOB_SORT:
            job = job_from(item)
        elif "#COUNT#" in item["sk"]:
            shards.setdefault(item["path_id"], []).append(item)
        else:
            paths[item["id"]] = path_from(item)
    ordered = sorted(paths.values(), key=lambda path: (path.created_at, path.id))
    return job, [(path, Counts.of(path, shards.get(path.id, ()))) for path in ordered]


def job_details(job: Job, paths: Sequence[tuple[Path, Counts]]) -> JobDetails:
    """Return a job as GET /api/jobs/{id} shows it."""
    return JobDetails(**vars(job), paths=[path for path, _ in paths], progress=job_progress(job, paths))


def get_job(table: Table, job_id: str) -> Job:
    """Return a job alone.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    item = table.get(job_pk(job_id), JOB_SORT) if is_id("job", job_id) else None
    if item is None:
        raise job_not_found(job_id)
    return job_from(item)


def change_job(table: Table, job_id: str, body: JobChange, now: datetime) -> Job:
    """Change what the body names; the last write wins.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    if not is_id("job", job_id):
        raise job_not_found(job_id)
    changes = body.model_dump(exclude_none=True) | {"updated_at": clock.iso_milliseconds(now)}
    change = Update(job_pk(job_id), JOB_SORT, set=changes, condition=PRESENT)
    return job_from(write(table, change, otherwise=job_not_found(job_id)) or {})


def delete_job(table: Table, job_id: str) -> None:
    """Delete a job that has no paths.

    Raises
    ------
    NotFoundError
        If there is no such job.
    InvalidError
        If it still has paths.
    """
    if not is_id("job", job_id):
        raise job_not_found(job_id)

    def kept(item: Item | None) -> Exception:
        if item is None:
            return job_not_found(job_id)
        return InvalidError(
            f"Cannot delete job: it has {item['path_count']} path(s). Remove all paths first."
        )

    write(table, Delete(job_pk(job_id), JOB_SORT, Attr("path_count").eq(0)), otherwise=kept)
