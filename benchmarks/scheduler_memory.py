"""What the scheduler of pushes holds in memory, for few linked jobs and for many."""

from __future__ import annotations

import tracemalloc
from typing import Any

from benchmarks.table import print_table
from jobticket.clock import Deadline
from jobticket.jobs.layout import LINKED_SHARDS
from jobticket.push.runs.push_records import Records
from jobticket.push.runs.queue import Jobs
from jobticket.push.runs.run import Runs
from jobticket.push.runs.scheduler import PAGE, Scheduler
from jobticket.push.runs.sites import Sites
from jobticket.store.table import Item, Page

SIZES = (100, 1_000, 10_000, 100_000)


class Pages:
    """A table of any number of linked jobs that holds none of them."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs // LINKED_SHARDS
        self.largest_page = 0

    def query(self, _condition: Any, *, limit: int, start: Item | None, **_: Any) -> Page:
        first = 0 if start is None else int(start["linked_sk"][4:]) + 1
        last = min(first + limit, self.jobs)
        items = [{"linked_sk": f"job_{number:012d}"} for number in range(first, last)]
        self.largest_page = max(self.largest_page, len(items))
        return Page(items, items[-1] if last < self.jobs else None)

    def update(self, write: Any) -> Item:  # noqa: ARG002
        return {"by": "schedule", "shard": 0, "queued": 0}


class Counting:
    """A queue that keeps nothing."""

    def __init__(self) -> None:
        self.jobs = 0

    def send(self, messages: list[Jobs], *, delay: float = 0) -> None:  # noqa: ARG002
        self.jobs += sum(len(message.job_ids) for message in messages)


class Figures:
    """Of one run.

    Attributes
    ----------
    peak
        The most bytes that were held at once.
    queued, largest_page
        Jobs.
    """

    def __init__(self, peak: int, queued: int, largest_page: int) -> None:
        self.peak, self.queued, self.largest_page = peak, queued, largest_page


def measure(jobs: int) -> Figures:
    """Queue a run of so many jobs."""
    table: Any = Pages(jobs)
    queue: Any = Counting()
    scheduler = Scheduler(table, Runs(table), Records(table), Sites(table), queue)
    tracemalloc.start()
    try:
        scheduler.queue_run("2026-11-22T02:00:00.000Z", Deadline(1e12, lambda: 0.0))
        return Figures(tracemalloc.get_traced_memory()[1], queue.jobs, table.largest_page)
    finally:
        tracemalloc.stop()


def run() -> None:
    """Measure, and print the figures."""
    measure(PAGE * LINKED_SHARDS)  # what is made once
    rows = []
    for size in SIZES:
        figures = measure(size)
        rows.append(
            (f"{size:,}", f"{figures.queued:,}", str(figures.largest_page), f"{figures.peak / 1024:.0f} KB")
        )
    print_table("The scheduler's memory", ("linked jobs", "queued", "largest page", "peak"), rows)
