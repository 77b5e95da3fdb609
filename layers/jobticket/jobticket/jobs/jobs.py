"""Creating, reading, changing and deleting jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

from boto3.dynamodb.conditions import Attr, Key

from jobticket.dataclass import dataclass, replace
from jobticket.errors import InvalidError, NotFoundError
from jobticket.history.records import Stamp, differences, record
from jobticket.jobs import layout
from jobticket.jobs.distribution import Counts, job_progress
from jobticket.jobs.model import Job, JobDetails, ListedJob, Path
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, UnitOfWork, attempts

#: How many jobs a request for wanted ones looks at, and how many at a time.
MOST_LOOKED_AT = 200
LOOKERS = 8

_POSITION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z#(?P<job>.+)")


def job_not_found(job_id: str) -> NotFoundError:
    return NotFoundError(f"Job not found: {job_id}")


def _require_id(job_id: str) -> None:
    """Refuse an id that no job can have."""
    if not layout.is_id("job", job_id):
        raise job_not_found(job_id)


def create_job(work: UnitOfWork, stamp: Stamp, **fields: Any) -> Job:
    """Add a new job to a unit of work: its name, goal quantity and ``jira_…`` fields."""
    job = Job(id=layout.new_id("job"), created_at=stamp.moment, updated_at=stamp.moment, **fields)
    work.add(Put(layout.job_item(job), ABSENT))
    record(work, stamp, layout.job_pk(job.id), "created", name=job.name, ticket_key=job.jira_ticket_key)
    return job


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs a list shows: those whose name or ticket contains a text, and those open or done."""

    search: str = ""
    state: Literal["open", "done"] | None = None

    def look(self, table: Table, job: Job) -> Job | None:
        """Return the job if it is wanted; if its state is, with the progress that tells it."""
        texts = (job.name, job.jira_ticket_key or "")
        if not any(self.search.casefold() in text.casefold() for text in texts):
            return None
        if self.state is None:
            return job
        try:
            progress = job_progress(*load_job(table, job.id))
        except NotFoundError:  # deleted meanwhile
            return None
        if (progress.progress_percent >= 100) != (self.state == "done"):
            return None
        return ListedJob(**{**vars(job), "progress": progress})


def list_jobs(
    table: Table, limit: int | None, position: str | None, wanted: Wanted | None = None
) -> tuple[list[Job], str | None]:
    """Return jobs, newest first, and the position at which the list continues.

    A list of wanted ones looks at so many jobs at most, so a page of it may be short, or empty, and go on.
    """
    condition = Key("list_pk").eq(layout.JOB_LIST)
    start = _list_key(position) if position else None
    if limit is None and wanted is None:
        every = table.query_all(condition, index=layout.JOBS_INDEX, forward=False, start=start)
        return [Job.of(item) for item in every], None
    looked_at = MOST_LOOKED_AT if wanted else limit or 0
    # One more tells whether there is a next page.
    page = table.query(condition, index=layout.JOBS_INDEX, forward=False, limit=looked_at + 1, start=start)
    items = page.items[:looked_at]
    more = len(page.items) > looked_at or page.next_key is not None
    if wanted is None:
        return [Job.of(item) for item in items], items[-1]["list_sk"] if items and more else None
    return _wanted(table, items, limit or looked_at, wanted, more=more)


def _wanted(
    table: Table, items: Sequence[Item], limit: int, wanted: Wanted, *, more: bool
) -> tuple[list[Job], str | None]:
    found: list[Job] = []
    with ThreadPoolExecutor(LOOKERS) as pool:
        jobs = [Job.of(item) for item in items]
        for item, job in zip(items, pool.map(partial(wanted.look, table), jobs), strict=True):
            if job is not None:
                found.append(job)
            if len(found) == limit:
                pool.shutdown(wait=False, cancel_futures=True)
                return found, item["list_sk"] if more or item is not items[-1] else None
    return found, items[-1]["list_sk"] if items and more else None


def is_list_position(position: object) -> bool:
    """Tell whether a cursor's content is a position in the list of jobs."""
    match = _POSITION.fullmatch(position) if isinstance(position, str) else None
    return match is not None and layout.is_id("job", match["job"])


def _list_key(position: str) -> Item:
    pk = layout.job_pk(position.partition("#")[2])
    return {"pk": pk, "sk": layout.JOB_SORT, "list_pk": layout.JOB_LIST, "list_sk": position}


def load_job(table: Table, job_id: str) -> tuple[Job, list[tuple[Path, Counts]]]:
    """Return a job, its paths in the order of their creation, and their counts.

    This is one query. Its cost grows with the number of paths and steps, not of serial numbers.
    """
    _require_id(job_id)
    job: Job | None = None
    paths: dict[str, Path] = {}
    shards: dict[str, list[Item]] = {}
    for item in table.query_all(Key("pk").eq(layout.job_pk(job_id))):
        if item["sk"] == layout.JOB_SORT:
            job = Job.of(item)
        elif "#COUNT#" in item["sk"]:
            shards.setdefault(item["path_id"], []).append(item)
        else:
            paths[item["id"]] = layout.path_from(item)
    if job is None:
        raise job_not_found(job_id)
    ordered = sorted(paths.values(), key=lambda path: (path.created_at, path.id))
    return job, [(path, Counts.of(path, shards.get(path.id, ()))) for path in ordered]


def job_details(job: Job, paths: Sequence[tuple[Path, Counts]]) -> JobDetails:
    """Return a job as GET /api/jobs/{id} shows it."""
    return JobDetails(**vars(job), paths=[path for path, _ in paths], progress=job_progress(job, paths))


def get_job(table: Table, job_id: str) -> Job:
    """Return a job alone."""
    _require_id(job_id)
    item = table.get(layout.job_pk(job_id), layout.JOB_SORT)
    if item is None:
        raise job_not_found(job_id)
    return Job.of(item)


def change_job(table: Table, job_id: str, stamp: Stamp, **fields: Any) -> Job:
    """Change what is given, the name or the goal quantity; the last write wins."""
    wanted = layout.given(fields)
    for work in attempts(table):
        with work:
            before = get_job(table, job_id)
            stamp = stamp.after(before.updated_at)
            stored = wanted | {"updated_at": stamp.moment}
            condition = layout.unchanged(before.updated_at)
            work.add(Update(layout.job_pk(job_id), layout.JOB_SORT, set=stored, condition=condition))
            if changes := differences(before, wanted):
                record(work, stamp, layout.job_pk(job_id), "changed", changes=changes)
    return replace(before, **stored)


def delete_job(table: Table, job_id: str, stamp: Stamp) -> None:
    """Delete a job, unless it has paths."""
    _require_id(job_id)

    def kept(item: Item | None) -> Exception:
        if item is None:
            return job_not_found(job_id)
        return InvalidError(
            f"Cannot delete job: it has {item['path_count']} path(s). Remove all paths first."
        )

    with UnitOfWork(table) as work:
        work.add(Delete(layout.job_pk(job_id), layout.JOB_SORT, Attr("path_count").eq(0)), otherwise=kept)
        record(work, stamp, layout.job_pk(job_id), "deleted")
