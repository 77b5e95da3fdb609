"""How jobs lie in the table.

=====================  ===========================  ==========================================================
pk                     sk                           item
=====================  ===========================  ==========================================================
JOB#<job>              JOB                          the job; also in the index ``jobs_by_age``, and in
                                                    ``linked_jobs`` while it has a ticket
JOB#<job>              PATH#<path>                  a path with its steps
JOB#<job>              PATH#<path>#COUNT#<shard>    one shard of the path's counts
PATH#<path>            PATH                         the job that the path belongs to
PATH#<path>            BATCH#<first number>         serial numbers created by one call
PATH#<path>            SN#<number>                  a serial number that has moved at least once
BATCHES                <first number>               the same batch, to find the path of a number
COUNTER#SERIALS        COUNTER                      the last number that was reserved
SETTINGS               SETTINGS                     the application's settings
IDEMPOTENCY#<digest>   IDEMPOTENCY                  the answer to a request with an idempotency key
PUSH_LEASE#<ticket>    PUSH_LEASE                   who is pushing to a ticket
PUSHES#<job>           <run>                        a push of a job (``jobticket.push.runs.push_records``)
PUSH_RUNS              <run>                        a run of pushes (``jobticket.push.runs.run``)
PUSH_SITES             <site>                       what pushes know of a site (``jobticket.push.runs.sites``)
=====================  ===========================  ==========================================================

A job with its paths and their counts is one partition. One query reads it, whose cost does not depend on the
number of serial numbers. A batch stands for its serial numbers until they move: creating a thousand of them
writes a handful of items in one transaction.
"""

from __future__ import annotations

import re
import secrets
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket.jobs.model import Job, Path, ProcessStep, Record
from jobticket.store.table import Item

JOBS_INDEX = "jobs_by_age"
JOB_SORT = "JOB"
PATH_SORT = "PATH"
BATCHES = "BATCHES"
COUNTER = "COUNTER#SERIALS"
COUNTER_SORT = "COUNTER"
#: The one partition of the index of jobs.
JOB_LIST = "JOBS"
#: The sparse index of jobs that have a ticket, and its partitions: a run reads one after the other.
LINKED_INDEX = "linked_jobs"
LINKED_SHARDS = 8
LINKED_ATTRIBUTES = ("linked_pk", "linked_sk")

_ID = re.compile(r"(job|path|step)_[A-Za-z0-9_-]{12}")
_SERIAL = re.compile(r"SN-(\d{5,12})")


def new_id(prefix: str) -> str:
    """Return a fresh id: the prefix and 12 URL-safe random characters."""
    return f"{prefix}_{secrets.token_urlsafe(9)}"


def is_id(prefix: str, text: str) -> bool:
    """Tell whether a text has the form of an id; only then is it worth a look-up."""
    match = _ID.fullmatch(text)
    return match is not None and match[1] == prefix


def serial_id(number: int) -> str:
    """Return a serial number's id, such as SN-00042."""
    return f"SN-{number:05d}"


def number_of(serial: str) -> int | None:
    """Return the number of a serial number's id, None if it cannot be one."""
    match = _SERIAL.fullmatch(serial)
    return int(match[1]) if match and serial_id(int(match[1])) == serial else None


def job_pk(job_id: str) -> str:
    return f"JOB#{job_id}"


def linked_pk(shard: int) -> str:
    return f"LINKED#{shard:02d}"


def linked_attributes(job_id: str) -> Item:
    """Return the attributes that put a job into the index of linked jobs."""
    shard = zlib.crc32(job_id.encode()) % LINKED_SHARDS
    return dict(zip(LINKED_ATTRIBUTES, (linked_pk(shard), job_id), strict=True))


def path_pk(path_id: str) -> str:
    return f"PATH#{path_id}"


def path_sort(path_id: str) -> str:
    return f"PATH#{path_id}"


def count_prefix(path_id: str) -> str:
    return f"{path_sort(path_id)}#COUNT#"


def count_sort(path_id: str, shard: int) -> str:
    return f"{count_prefix(path_id)}{shard:02d}"


def batch_sort(first: int) -> str:
    return f"BATCH#{first:012d}"


def serial_sort(number: int) -> str:
    return f"SN#{number:012d}"


def serial_subject(serial: str) -> str:
    """Return the history's partition of a serial number; a job's is ``job_pk``."""
    return f"SERIAL#{serial}"


def given(values: Mapping[str, Any]) -> Item:
    """Return the values that are there."""
    return {name: value for name, value in values.items() if value is not None}


def unchanged(since: str | None) -> ConditionBase:
    """Return the condition that something is as it was read; each change is later than the last."""
    return Attr("updated_at").not_exists() if since is None else Attr("updated_at").eq(since)


def present(record: Record) -> Item:
    """Return the attributes that hold a record; a field without a value has no attribute."""
    return given(vars(record))


def job_item(job: Job) -> Item:
    """Return a new job's item: it has no paths yet."""
    return {
        "pk": job_pk(job.id),
        "sk": JOB_SORT,
        "list_pk": JOB_LIST,
        "list_sk": f"{job.created_at}#{job.id}",
        "path_count": 0,
        **present(job),
        **(linked_attributes(job.id) if job.jira_ticket_key else {}),
    }


def path_item(path: Path) -> Item:
    """Return a new path's item: it has no serial numbers yet."""
    key = {"pk": job_pk(path.job_id), "sk": path_sort(path.id)}
    return key | present(path) | stored_steps(path.steps)


def stored_steps(steps: Sequence[ProcessStep]) -> Item:
    """Return the attributes that hold a path's steps; a step's order is its place in the list.

    With ``step_ids`` a condition can tell other steps from renamed ones.
    """
    stored = [{name: value for name, value in present(step).items() if name != "order"} for step in steps]
    return {"steps": stored, "step_ids": [step.id for step in steps]}


def path_from(item: Item) -> Path:
    steps = [ProcessStep.of({**step, "order": order}) for order, step in enumerate(item["steps"])]
    return Path.of({**item, "steps": steps})
