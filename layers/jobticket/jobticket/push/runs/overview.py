"""What operators see of runs and stopped sites, and how they have failed pushes tried again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from boto3.dynamodb.conditions import Key

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.dataclass import dataclass
from jobticket.errors import NotFoundError
from jobticket.push.runs.push_records import BY_TIME_INDEX, Records, Ref, list_pk, said_of
from jobticket.push.runs.queue import JOBS_A_MESSAGE, Jobs, PushQueue
from jobticket.push.runs.run import COUNTED, RUNS, count_outcomes
from jobticket.shown import Shown
from jobticket.store.table import Table

#: What queueing one message of pushes may take.
MESSAGE_SECONDS = 2.0


class RunEntry(Shown):
    """A run and what became of its jobs."""

    #: The run.
    run_id: str
    #: ``schedule``, or the name of the caller's key.
    by: str
    #: When it began.
    at: str
    #: How many jobs got their table.
    pushed: int
    #: How many had nothing to push.
    skipped: int
    #: How many failed.
    failed: int
    #: How many are queued and have no outcome yet. A worker that dies may leave a job counted here.
    waiting: int


def recent_runs(table: Table, now: datetime, most: int) -> list[RunEntry]:
    """Return the latest runs, newest first."""
    page = table.query(Key("pk").eq(RUNS), forward=False, limit=most)
    found = []
    for item in page.items:
        counts = {name: max(0, int(item.get(name, 0))) for name in COUNTED}
        waiting = max(0, item["queued"] - sum(counts.values()))
        counts.pop("dropped")
        if item["expires_at"] > clock.epoch(now):
            entry = RunEntry(run_id=item["sk"], by=item["by"], at=item["begun_at"], waiting=waiting, **counts)
            found.append(entry)
    return found


@dataclass(frozen=True, slots=True)
class Retrying:
    """Has failed pushes of runs tried again."""

    table: Table
    records: Records
    queue: PushQueue

    def retry(
        self, run_id: str, job_ids: Sequence[str] | None, error: str | None, deadline: Deadline
    ) -> tuple[int, bool]:
        """Queue failed pushes of a run again: those of some jobs, those with one error, or all.

        Return how many, and whether that was all; the same call goes on with the rest. NotFoundError if there
        is no such run.
        """
        if self.table.get(RUNS, run_id) is None:
            raise NotFoundError(f"Run not found: {run_id}")
        wanted = iter(job_ids) if job_ids is not None else self._failed(run_id, error)
        retried = 0
        while batch := self._revive(run_id, wanted, deadline):
            by = batch[0].by
            # Should this fail, the sweep finds them within a minute.
            self.queue.send([Jobs(run_id, by, tuple(ref.job_id for ref in batch))])
            count_outcomes(self.table, run_id, {"failed": -len(batch)})
            retried += len(batch)
        return retried, next(wanted, None) is None

    def _revive(self, run_id: str, job_ids: Iterator[str], deadline: Deadline) -> list[Ref]:
        revived: list[Ref] = []
        while len(revived) < JOBS_A_MESSAGE and deadline.left() > MESSAGE_SECONDS:
            job_id = next(job_ids, None)
            if job_id is None:
                break
            ref = self.records.revive(job_id, run_id)
            if ref is not None:
                revived.append(ref)
        return revived

    def _failed(self, run_id: str, error: str | None) -> Iterator[str]:
        """Read the failed pushes of a run: none of them is older than the run."""
        condition = Key("push_list").eq(list_pk("failed")) & Key("push_at").gte(run_id)
        for item in self.table.query_all(condition, index=BY_TIME_INDEX):
            if item.get("run_id") == run_id and error in (None, said_of(item)["error"]):
                yield item["job_id"]
