"""The scheduler: queues all linked jobs of a run page by page, and every minute what had to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, groupby, islice

from boto3.dynamodb.conditions import Key

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.dataclass import dataclass
from jobticket.jobs.layout import JOB_SORT, LINKED_INDEX, LINKED_SHARDS, job_pk, linked_pk
from jobticket.push.runs.push_records import NO_SITE, Records, Ref
from jobticket.push.runs.queue import JOBS_A_MESSAGE, Jobs, PushQueue
from jobticket.push.runs.run import Run, Runs
from jobticket.push.runs.sites import Sites
from jobticket.store.table import Item, Table
from jobticket.store.unit_of_work import StaleError

#: Jobs read at once. The scheduler holds no more of a run in memory.
PAGE = 500
#: What the reading and queueing of one page may take.
PAGE_SECONDS = 5.0
#: A sweep queues no more jobs again, and none while so many messages still wait for a worker.
MOST_IN_A_SWEEP = 6000
LARGEST_BACKLOG = 100


def scheduled_time(event_time: object, now: datetime) -> str:
    """Return a scheduled run's id: its event's time, or the current minute where the event has none."""
    try:
        moment = clock.parse_iso(str(event_time))
    except ValueError:
        moment = now.astimezone(UTC).replace(second=0, microsecond=0)
    return clock.iso_milliseconds(moment)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many jobs a sweep queued again, and how long ago the oldest waiting job's run began."""

    again: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Queues jobs. One per container."""

    table: Table
    runs: Runs
    records: Records
    sites: Sites
    queue: PushQueue
    now: Callable[[], datetime] = clock.now

    def queue_run(self, run_id: str, deadline: Deadline) -> int:
        """Queue the jobs of a run that are not queued yet; return how many. A sweep does what time leaves."""
        run = self.runs.take(run_id)
        if run is None:
            return 0
        began_with = run.queued
        try:
            while run.shard < LINKED_SHARDS:
                if deadline.left() < PAGE_SECONDS:
                    self.runs.let_go(run)
                    return run.queued - began_with
                run = self._queue_page(run)
        except StaleError:
            return run.queued - began_with  # another scheduler goes on
        self.runs.finish(run)
        return run.queued - began_with

    def _queue_page(self, run: Run) -> Run:
        shard = Key("linked_pk").eq(linked_pk(run.shard))
        page = self.table.query(shard, index=LINKED_INDEX, limit=PAGE, start=_start(run))
        refs = [Ref(item["linked_sk"], run.id, run.by) for item in page.items]
        self.queue.send(list(_messages(refs)))
        # Only now: a page that is queued twice is pushed once, a page that is left out not at all.
        if page.next_key is None:
            return self.runs.advance(run, run.shard + 1, None, len(refs))
        return self.runs.advance(run, run.shard, page.next_key["linked_sk"], len(refs))

    def sweep(self, deadline: Deadline) -> Swept:
        """Go on with runs that stopped, and queue again what is due at sites that are not stopped."""
        for run_id in self.runs.unfinished():
            self.queue_run(run_id, deadline)
        sites = {NO_SITE: True} | self.sites.known()
        # Stopped sites count as well: nothing else would tell that their jobs wait.
        oldest = min(filter(None, map(self.records.oldest_run, sites)), default=None)
        if oldest is None:
            return Swept()
        age = max(0.0, (self.now() - clock.parse_iso(oldest)).total_seconds())
        if self.queue.backlog() > LARGEST_BACKLOG:
            return Swept(0, age)
        # Lazily: what is due at many sites might not fit into memory.
        due = chain.from_iterable(
            self.records.due(site, MOST_IN_A_SWEEP) for site, is_open in sites.items() if is_open
        )
        again = list(islice(due, MOST_IN_A_SWEEP))
        self.queue.send(list(_messages(again)))
        for ref in again:
            self.records.queued_again(ref)
        return Swept(len(again), age)


def _messages(refs: Iterable[Ref]) -> Iterator[Jobs]:
    """Put neighbours of the same run together."""
    for (run_id, by), same_run in groupby(refs, key=lambda ref: (ref.run_id, ref.by)):
        job_ids = tuple(ref.job_id for ref in same_run)
        for start in range(0, len(job_ids), JOBS_A_MESSAGE):
            yield Jobs(run_id, by, job_ids[start : start + JOBS_A_MESSAGE])


def _start(run: Run) -> Item | None:
    if run.position is None:
        return None
    key = {"pk": job_pk(run.position), "sk": JOB_SORT}
    return {**key, "linked_pk": linked_pk(run.shard), "linked_sk": run.position}
