"""A worker and a scheduler at the emulated Jira, with a clock that the test moves and a queue it can look into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.jira.client import Pace
from jobticket.jira.rate_limits import RateLimits
from jobticket.push.runs.push_records import Records
from jobticket.push.runs.queue import Jobs
from jobticket.push.runs.run import Runs
from jobticket.push.runs.scheduler import Scheduler
from jobticket.push.runs.sites import Sites
from jobticket.push.runs.worker import Worker
from jobticket.store.table import Item, Table
from tests.support.faults import Faults
from tests.support.tables import recorded
from tests.unit.conftest import client
from tests.unit.push.conftest import Jira, Shop

RUN = "2026-11-22T02:00:00.000Z"
NEXT_RUN = "2026-11-23T02:00:00.000Z"


@dataclass
class Time:
    """The time of workers, as the test sets it. It begins with the real one, by which connections live."""

    moment: datetime = field(default_factory=clock.now)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class Queue:
    """What was sent, with its delay."""

    messages: list[tuple[Jobs, float]] = field(default_factory=list)
    waiting: int = 0

    def send(self, messages: Sequence[Jobs], *, delay: float = 0) -> None:
        self.messages += [(message, delay) for message in messages]

    def backlog(self) -> int:
        return self.waiting

    def taken(self) -> list[Jobs]:
        messages = [message for message, _ in self.messages]
        self.messages.clear()
        return messages

    def job_ids(self) -> list[str]:
        return [job_id for message, _ in self.messages for job_id in message.job_ids]


@dataclass
class Floor:
    """Scheduler and worker of a shop with one linked job."""

    shop: Shop
    jira: Jira
    time: Time
    queue: Queue
    faults: Faults
    table: Table
    scheduler: Scheduler
    worker: Worker

    def take(self, *job_ids: str, run: str = RUN, **options: Any) -> Counter[str]:
        """Let a worker take a message."""
        message = Jobs(run, "schedule", job_ids, **options)
        return self.worker.take(message, Deadline.after(85, self.time.monotonic))

    def new_worker(self) -> None:
        """Start a new container: it knows nothing of what the last one saw."""
        self.worker = replace(self.worker, sites=Sites(self.table, 5, self.time.now, self.time.monotonic))
        self.shop.function.access._rate_limits = RateLimits(self.time.monotonic)

    def sweep(self) -> int:
        return self.scheduler.sweep(Deadline.after(280, self.time.monotonic)).again

    def record(self, job_id: str, run: str = RUN) -> Item | None:
        return self.table.get(f"PUSHES#{job_id}", run)

    def state(self, job_id: str, run: str = RUN) -> str | None:
        record = self.record(job_id, run)
        return None if record is None else str(record["state"])

    def tables(self, key: str = "PI-7") -> int:
        return len(self.jira.tables(key))


@pytest.fixture
def floor(shop: Shop, jira: Jira, monkeypatch: pytest.MonkeyPatch) -> Floor:
    time, queue = Time(), Queue()
    faults = Faults(client("dynamodb"))
    table = recorded(faults, "jobs")
    pace = Pace(time.sleep, lambda: 0.5)
    records, runs = Records(table, time.now), Runs(table, time.now)
    sites = Sites(table, 5, time.now, time.monotonic)
    any_queue: Any = queue
    pusher = replace(shop.function.pusher, table=table, now=time.now, pace=pace)
    worker = Worker(table, pusher, records, sites, any_queue, time.now, lambda: 0.5)
    scheduler = Scheduler(table, runs, records, sites, any_queue, time.now)
    monkeypatch.setattr(shop.function.access, "_rate_limits", RateLimits(time.monotonic))
    monkeypatch.setattr(shop.function.access, "_pace", pace)
    return Floor(shop, jira, time, queue, faults, table, scheduler, worker)
