"""Runs: who asked for all linked jobs to be pushed, when, and how far their queueing has come.

A run's id is its scheduled time, so that an event delivered twice begins one run. Its item holds the place
up to which jobs are queued: whoever goes on after a crash begins there, and what was queued twice is pushed
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.push.records import DUE_INDEX, KEPT, due_pk
from jobticket.store.lease import LEASE_ATTRIBUTES, Lease
from jobticket.store.table import Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, write, write_if_current

RUNS = "PUSH_RUNS"
#: In the index of what is due, runs have a place of their own.
RUNS_DUE = due_pk("RUNS")
#: How long a scheduler holds a run between two of its pages.
HELD = timedelta(seconds=60)
MOST_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Run:
    """A run whose jobs are being queued.

    Attributes
    ----------
    by
        ``schedule``, or the caller who asked for it.
    shard, position
        Up to where jobs are queued: all before this shard, and in it up to this job.
    queued
        How many those are.
    """

    id: str
    by: str
    lease: Lease
    shard: int = 0
    position: str | None = None
    queued: int = 0


def new_run(run_id: str, by: str, now: datetime) -> Put:
    """Return the write that begins a run, unless there is one of that id."""
    item = {
        "pk": RUNS,
        "sk": run_id,
        "by": by,
        "shard": 0,
        "queued": 0,
        "begun_at": clock.iso_milliseconds(now),
        "due_pk": RUNS_DUE,
        "due_at": clock.epoch_milliseconds(now),
        "expires_at": clock.epoch(now + KEPT),
    }
    return Put(item, ABSENT)


@dataclass(frozen=True, slots=True)
class Runs:
    """Keeps the runs.

    Parameters
    ----------
    table
        The table of jobs.
    now
        The time.
    """

    table: Table
    now: Callable[[], datetime] = clock.now

    def begin(self, run_id: str, by: str) -> bool:
        """Begin a run; tell whether it is new."""
        return write_if_current(self.table, new_run(run_id, by, self.now())) is not None

    def take(self, run_id: str) -> Run | None:
        """Take a run whose jobs are not all queued, unless somebody is at it."""
        now = self.now()
        lease = Lease.begin(now, HELD)
        is_due = Attr("due_pk").exists() & Attr("due_at").lte(clock.epoch_milliseconds(now))
        taken = {**lease.attributes(), "due_at": clock.epoch_milliseconds(lease.until)}
        item = write_if_current(self.table, Update(RUNS, run_id, set=taken, condition=is_due))
        if item is None:
            return None
        return Run(run_id, item["by"], lease, item["shard"], item.get("position"), item["queued"])

    def advance(self, run: Run, shard: int, position: str | None, queued: int) -> Run:
        """Keep how far a run has come.

        Raises
        ------
        StaleError
            If another scheduler has taken it.
        """
        place: Item = {"shard": shard, "queued": run.queued + queued}
        if position is not None:
            place["position"] = position
        lease = Lease(run.lease.owner, self.now() + HELD)
        place |= {**lease.attributes(), "due_at": clock.epoch_milliseconds(lease.until)}
        gone = [] if position is not None else ["position"]
        write(self.table, Update(RUNS, run.id, set=place, remove=gone, condition=run.lease.held()))
        return replace(run, shard=shard, position=position, queued=run.queued + queued)

    def let_go(self, run: Run) -> None:
        """Leave the rest to whoever comes next."""
        self._close(run, set_={"due_at": clock.epoch_milliseconds(self.now())}, remove=[*LEASE_ATTRIBUTES])

    def finish(self, run: Run) -> None:
        """All jobs are queued."""
        done = {"queued_at": clock.iso_milliseconds(self.now())}
        self._close(run, set_=done, remove=[*LEASE_ATTRIBUTES, "due_pk", "due_at", "position"])

    def _close(self, run: Run, set_: Item, remove: list[str]) -> None:
        update = Update(RUNS, run.id, set=set_, remove=remove, condition=run.lease.held())
        write_if_current(self.table, update)

    def unfinished(self) -> Iterator[str]:
        """Read the runs that nobody is at and whose jobs are not all queued, the oldest first."""
        condition = Key("due_pk").eq(RUNS_DUE) & Key("due_at").lte(clock.epoch_milliseconds(self.now()))
        page = self.table.query(condition, index=DUE_INDEX, limit=MOST_AT_ONCE)
        yield from (item["sk"] for item in page.items)
