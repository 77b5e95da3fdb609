"""Queueing: all linked jobs of a run, page by page; and time after time, what had to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from boto3.dynamodb.conditions import Key

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.jobs.layout import JOB_SORT, LINKED_INDEX, LINKED_SHARDS, job_pk, linked_pk
from jobticket.push.queue import JOBS_A_MESSAGE, Jobs, PushQueue
from jobticket.push.records import NO_SITE, Records, Ref
from jobticket.push.runs import Run, Runs
from jobticket.push.sites import Sites
from jobticket.store.table import Item, Table
from jobticket.store.unit_of_work import StaleError

#: Jobs that are read at once: what a scheduler holds in memory, however many there are.
PAGE = 500
#: What the reading and queueing of one page may take.
PAGE_SECONDS = 5.0
#: So many jobs are queued again at most in one sweep, and of one site…
MOST_IN_A_SWEEP = 6000
MOST_OF_A_SITE = 1200
#: …and none while so many messages still wait for a worker.
LARGEST_BACKLOG = 100


def scheduled_time(event_time: object, now: datetime) -> str:
    """Return the id of the run of a schedule's event: the time it was scheduled for.

    Where the event does not say (a scheduler that does not fill the time in), it is the current minute.
    """
    try:
        moment = clock.parse_iso(str(event_time))
    except ValueError:
        moment = now.astimezone(UTC).replace(second=0, microsecond=0)
    return clock.iso_milliseconds(moment)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did.

    Attributes
    ----------
    again
        How many jobs it queued again.
    oldest_seconds
        For how long the oldest job of those that wait has been waiting since its run began.
    """

    again: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Queues. One a container."""

    table: Table
    runs: Runs
    records: Records
    sites: Sites
    queue: PushQueue
    now: Callable[[], datetime] = clock.now

    def queue_run(self, run_id: str, deadline: Deadline) -> int:
        """Queue the jobs of a run, from where it stands; tell how many.

        If time runs out, the next sweep goes on.
        """
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
        page = self.table.query(
            Key("linked_pk").eq(linked_pk(run.shard)),
            index=LINKED_INDEX,
            limit=PAGE,
            start=_start(run),
        )
        refs = [Ref(item["linked_sk"], run.id, run.by) for item in page.items]
        self.queue.send(list(_messages(refs)))
        # Only now: a page that is queued twice is pushed once, one that is left out is not pushed at all.
        if page.next_key is None:
            return self.runs.advance(run, run.shard + 1, None, len(refs))
        return self.runs.advance(run, run.shard, page.next_key["linked_sk"], len(refs))

    def sweep(self, deadline: Deadline) -> Swept:
        """Go on with runs that stopped, and queue again what is due: of each site as much as of any other."""
        for run_id in self.runs.unfinished():
            self.queue_run(run_id, deadline)
        sites = {NO_SITE: True} | self.sites.known()
        # Those of a site that is left alone as well: nobody else would notice that they wait.
        oldest = min(filter(None, map(self.records.oldest_run, sites)), default=None)
        if oldest is None:
            return Swept()
        age = max(0.0, (self.now() - clock.parse_iso(oldest)).total_seconds())
        if self.queue.backlog() > LARGEST_BACKLOG:
            return Swept(0, age)
        again = list(in_turn(self._due([site for site, is_open in sites.items() if is_open])))
        self.queue.send(list(_messages(again)))
        for ref in again:
            self.records.queued_again(ref)
        return Swept(len(again), age)

    def _due(self, sites: Sequence[str]) -> list[list[Ref]]:
        """Read what is due, no more of it than fits into memory however many sites there are."""
        share = max(JOBS_A_MESSAGE, min(MOST_OF_A_SITE, MOST_IN_A_SWEEP // len(sites)))
        return [list(self.records.due(site, share)) for site in sites]


def in_turn(lists: Iterable[list[Ref]]) -> Iterator[Ref]:
    """Take one message's worth of each list in turn, until all are empty."""
    rest = [refs for refs in lists if refs]
    while rest:
        for refs in rest:
            yield from refs[:JOBS_A_MESSAGE]
        rest = [refs[JOBS_A_MESSAGE:] for refs in rest if len(refs) > JOBS_A_MESSAGE]


def _messages(refs: Iterable[Ref]) -> Iterator[Jobs]:
    """Put neighbours of the same run together."""
    waiting: list[Ref] = []
    for ref in refs:
        if waiting and (len(waiting) == JOBS_A_MESSAGE or _run(ref) != _run(waiting[0])):
            yield _message(waiting)
            waiting = []
        waiting.append(ref)
    if waiting:
        yield _message(waiting)


def _run(ref: Ref) -> tuple[str, str]:
    return ref.run_id, ref.by


def _message(refs: list[Ref]) -> Jobs:
    return Jobs(refs[0].run_id, refs[0].by, tuple(ref.job_id for ref in refs))


def _start(run: Run) -> Item | None:
    if run.position is None:
        return None
    return {
        "pk": job_pk(run.position),
        "sk": JOB_SORT,
        "linked_pk": linked_pk(run.shard),
        "linked_sk": run.position,
    }
