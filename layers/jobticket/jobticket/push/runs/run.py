"""Runs: who asked for all linked jobs to be pushed, when, and how far their queueing has come.

A run's id is its scheduled time, so an event delivered twice begins one run. Its item says up to which job
all are queued. After a crash the next scheduler goes on from there; a job queued twice is pushed once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.aws import AWS_FAULTS, configuration, limited
from jobticket.dataclass import dataclass, replace
from jobticket.observability import logger
from jobticket.push.runs.push_records import DUE_INDEX, KEPT, due_pk
from jobticket.store.lease import LEASE_ATTRIBUTES, Lease
from jobticket.store.table import ConditionFailedError, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, PRESENT, UnitOfWork, write, write_if_current

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

RUNS = "PUSH_RUNS"
#: In the index of what is due, runs have a partition of their own.
RUNS_DUE = due_pk("RUNS")
#: How long a scheduler holds a run between two of its pages.
HELD = timedelta(seconds=60)
MOST_AT_ONCE = 10
#: The outcomes after which a job of a run needs no worker any more.
COUNTED = ("pushed", "skipped", "failed", "dropped")


@dataclass(frozen=True, slots=True)
class Run:
    """A run whose jobs are being queued. ``by`` is ``schedule``, or the caller who asked for it.

    The first ``queued`` jobs are: all before the shard, and in it all up to the position.
    """

    id: str
    by: str
    lease: Lease
    shard: int = 0
    position: str | None = None
    queued: int = 0


def _new_run(run_id: str, by: str, now: datetime) -> Put:
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


def begin_run(work: UnitOfWork, by: str, now: datetime) -> str:
    """Add a new run to a unit of work and return its id; stale if another began in the same millisecond."""
    run_id = clock.iso_milliseconds(now)
    work.add(_new_run(run_id, by, now))
    return run_id


@dataclass(frozen=True, slots=True)
class Runs:
    """Stores the runs in the table of jobs."""

    table: Table
    now: Callable[[], datetime] = clock.now

    def begin(self, run_id: str, by: str) -> bool:
        """Begin a run; tell whether it is new."""
        return write_if_current(self.table, _new_run(run_id, by, self.now())) is not None

    def take(self, run_id: str) -> Run | None:
        """Take a run whose jobs are not all queued, unless another scheduler has it."""
        now = self.now()
        lease = Lease.begin(now, HELD)
        is_due = Attr("due_pk").exists() & Attr("due_at").lte(clock.epoch_milliseconds(now))
        item = write_if_current(self.table, Update(RUNS, run_id, set=_leased(lease), condition=is_due))
        if item is None:
            return None
        return Run(run_id, item["by"], lease, item["shard"], item.get("position"), item["queued"])

    def advance(self, run: Run, shard: int, position: str | None, queued: int) -> Run:
        """Store a run's progress; StaleError if another scheduler has taken it."""
        lease = Lease(run.lease.owner, self.now() + HELD)
        place: Item = {"shard": shard, "queued": run.queued + queued, **_leased(lease)}
        if position is not None:
            place["position"] = position
        gone = [] if position is not None else ["position"]
        write(self.table, Update(RUNS, run.id, set=place, remove=gone, condition=run.lease.held()))
        return replace(run, shard=shard, position=position, queued=run.queued + queued)

    def let_go(self, run: Run) -> None:
        """Leave the rest to the next sweep."""
        self._close(run, set_={"due_at": clock.epoch_milliseconds(self.now())}, remove=[*LEASE_ATTRIBUTES])

    def finish(self, run: Run) -> None:
        """Note that all jobs are queued."""
        done = {"queued_at": clock.iso_milliseconds(self.now())}
        self._close(run, set_=done, remove=[*LEASE_ATTRIBUTES, "due_pk", "due_at", "position"])

    def _close(self, run: Run, set_: Item, remove: list[str]) -> None:
        update = Update(RUNS, run.id, set=set_, remove=remove, condition=run.lease.held())
        write_if_current(self.table, update)

    def unfinished(self) -> Iterator[str]:
        """Read the runs that no scheduler holds and whose jobs are not all queued, the oldest first."""
        condition = Key("due_pk").eq(RUNS_DUE) & Key("due_at").lte(clock.epoch_milliseconds(self.now()))
        page = self.table.query(condition, index=DUE_INDEX, limit=MOST_AT_ONCE)
        yield from (item["sk"] for item in page.items)


def count_outcomes(table: Table, run_id: str, outcomes: Mapping[str, int]) -> None:
    """Add to a run's counts, which are approximate: a worker that died has not counted its last message."""
    add = {name: outcomes[name] for name in COUNTED if outcomes.get(name)}
    try:
        if add:
            table.update(Update(RUNS, run_id, add=add, condition=PRESENT))
    except ConditionFailedError:
        return  # it is forgotten already
    except AWS_FAULTS:
        logger.warning("outcomes of a run are not counted", run=run_id, exc_info=True)


def _leased(lease: Lease) -> Item:
    return {**lease.attributes(), "due_at": clock.epoch_milliseconds(lease.until)}


def lambda_client() -> LambdaClient:
    """Make the container's Lambda client. A caller waits for it, so it gives up soon."""
    return limited(boto3.client("lambda", config=configuration(attempts=2)))


def start_run(client: LambdaClient, scheduler: str, run_id: str) -> None:
    """Let the scheduler (its function's name) queue a run at once; else the sweep finds it in a minute."""
    payload = json.dumps({"task": "queue", "runId": run_id}).encode()
    try:
        client.invoke(FunctionName=scheduler, InvocationType="Event", Payload=payload)
    except AWS_FAULTS as error:
        logger.warning("a run waits for the sweep", run=run_id, reason=type(error).__name__)
