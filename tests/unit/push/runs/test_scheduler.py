"""Which jobs a run queues, and how it goes on after a crash."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.push_simulation import INDEXES
from benchmarks.scheduler_memory import measure
from benchmarks.simulation.memory_table import MemoryTable
from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.clock import Deadline
from jobticket.jobs.layout import LINKED_SHARDS, linked_attributes
from jobticket.push.runs import scheduler as scheduling
from jobticket.push.runs.push_records import Outcome, Records, Ref
from jobticket.push.runs.run import Runs
from jobticket.push.runs.scheduler import PAGE, Scheduler, scheduled_time
from jobticket.push.runs.sites import Sites
from tests.support.faults import PASSING_CALLS, Trouble
from tests.support.gateway import LambdaContext
from tests.unit.conftest import load_function
from tests.unit.push.runs.conftest import RUN, Floor, Queue, Time

NOW = datetime(2026, 11, 22, 2, 0, 41, 123000, tzinfo=UTC)
SOON = Deadline(1e12, lambda: 0.0)


@pytest.mark.parametrize(
    ("event_time", "run"),
    [
        ("2026-11-22T02:00:00Z", RUN),
        ("2026-11-22T03:00:00+01:00", RUN),
        ("<aws.scheduler.scheduled-time>", RUN),
        (None, RUN),
    ],
)
def test_a_runs_id_is_its_scheduled_time(event_time: Any, run: str) -> None:
    assert scheduled_time(event_time, NOW) == run


def queue_run(floor: Floor, run: str = RUN) -> list[str]:
    floor.scheduler.runs.begin(run, "schedule")
    floor.scheduler.queue_run(run, Deadline.after(280, floor.time.monotonic))
    ids = floor.queue.job_ids()
    floor.queue.taken()
    return sorted(ids)


@pytest.mark.parametrize("number", range(12))
def test_a_run_that_meets_trouble_of_awss_goes_on_afterwards(
    floor: Floor, job: str, trouble: Trouble, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    function = load_function("push_scheduler")
    monkeypatch.setattr(function, "scheduler", floor.scheduler)
    monkeypatch.setattr(function, "runs", floor.scheduler.runs)
    event = {"task": "run", "scheduledTime": RUN}
    trouble.from_call(number, PASSING_CALLS[number % len(PASSING_CALLS)])
    try:
        function.handler(event, LambdaContext(remaining_ms=300_000))
    except AWS_FAULTS:
        trouble.from_call(None)
        floor.time.pass_by(60)
        function.handler(event, LambdaContext(remaining_ms=300_000))  # as Lambda does
    trouble.from_call(None)
    floor.time.pass_by(600)
    function.handler({"task": "sweep"}, LambdaContext(remaining_ms=300_000))
    assert set(floor.queue.job_ids()) == {job}
    assert list(floor.scheduler.runs.unfinished()) == []


def test_a_run_queues_the_jobs_that_have_a_ticket(floor: Floor, job: str) -> None:
    shop = floor.shop
    unlinked = shop.job(ticket=None)
    assert queue_run(floor) == [job]
    shop.api.post("/api/jira/link", {"jobId": unlinked, "ticketKey": "PI-8"})
    created = shop.api.post("/api/jira/link", {"ticketKey": "PI-9"}).json()["job"]["id"]
    assert queue_run(floor, "2026-11-23T02:00:00.000Z") == sorted([job, unlinked, created])
    shop.api.delete(f"/api/jira/link/{job}")
    shop.jobs.delete(f"/api/jobs/{created}")
    assert queue_run(floor, "2026-11-24T02:00:00.000Z") == [unlinked]


def test_an_event_that_comes_twice_begins_one_run(floor: Floor, job: str) -> None:
    assert queue_run(floor) == [job]
    assert queue_run(floor) == []
    assert floor.sweep() == 0


class Crash(BaseException):
    pass


@pytest.fixture
def big(monkeypatch: pytest.MonkeyPatch) -> tuple[Scheduler, MemoryTable, Queue, Time]:
    """A scheduler with 300 linked jobs, which it reads in small pages."""
    monkeypatch.setattr(scheduling, "PAGE", 7)
    table, queue, time = MemoryTable(INDEXES), Queue(), Time()
    for number in range(300):
        job_id = f"job_{number:012d}"
        table.put({"pk": f"JOB#{job_id}", "sk": "JOB", **linked_attributes(job_id)})
    any_table: Any = table
    any_queue: Any = queue
    sites = Sites(any_table, 5, time.now, time.monotonic)
    runs, records = Runs(any_table, time.now), Records(any_table, time.now)
    return Scheduler(any_table, runs, records, sites, any_queue, time.now), table, queue, time


@pytest.mark.parametrize("deadly", range(1, 100, 9))
def test_a_scheduler_that_dies_anywhere_leaves_no_job_out(big: Any, deadly: int) -> None:
    scheduler, table, queue, time = big
    scheduler.runs.begin(RUN, "schedule")
    requests = 0

    def die() -> None:
        nonlocal requests
        requests += 1
        if requests == deadly:
            raise Crash

    table._before = die
    with pytest.raises(Crash):
        scheduler.queue_run(RUN, SOON)
    table._before = lambda: None
    # While it may still be at work, nobody else is.
    scheduler.sweep(SOON)
    before = len(queue.job_ids())
    time.pass_by(61)
    scheduler.sweep(SOON)
    found = Counter(queue.job_ids())
    assert len(found) == 300
    assert sum(found.values()) <= 300 + 7, "at most one page is queued twice"
    assert before < 300 or deadly == 1, "the run itself was not taken yet"
    time.pass_by(61)
    queue.taken()
    scheduler.sweep(SOON)
    assert queue.job_ids() == []


def test_a_scheduler_without_time_leaves_the_rest_to_the_next_sweep(big: Any) -> None:
    scheduler, _, queue, time = big
    scheduler.runs.begin(RUN, "schedule")
    ticks = iter([100.0] * 10 + [1.0] * 1000)
    assert scheduler.queue_run(RUN, Deadline(0.0, lambda: -next(ticks))) < 300
    time.pass_by(1)
    scheduler.sweep(SOON)
    assert sorted(queue.job_ids()) == [f"job_{number:012d}" for number in range(300)]


def test_memory_stays_flat_from_100_to_100_000_jobs() -> None:
    measure(PAGE * LINKED_SHARDS)  # what is made once
    few, page_a_shard, many = (measure(jobs) for jobs in (100, PAGE * LINKED_SHARDS, 100_000))
    assert (few.queued, page_a_shard.queued, many.queued) == (96, PAGE * LINKED_SHARDS, 100_000)
    assert many.largest_page == PAGE
    assert few.peak <= page_a_shard.peak
    assert many.peak < page_a_shard.peak * 1.2, "25 times as many jobs"


def test_a_sweep_queues_what_is_due_and_gives_it_time(floor: Floor, job: str) -> None:
    records = floor.worker.records
    ref = Ref(job, RUN, "schedule")
    records.conclude(ref, Outcome("waiting", "PI-7", "why"))
    assert floor.sweep() == 1
    assert floor.sweep() == 0
    floor.time.pass_by(301)
    assert floor.sweep() == 1, "its message was lost"


def test_a_sweep_waits_while_workers_have_enough_to_do(floor: Floor, job: str) -> None:
    floor.worker.records.conclude(Ref(job, RUN, "schedule"), Outcome("waiting", "PI-7", "why"))
    floor.queue.waiting = 1000
    assert floor.sweep() == 0
    floor.queue.waiting = 0
    assert floor.sweep() == 1


def test_the_oldest_job_is_told_though_its_site_is_left_alone(floor: Floor, job: str) -> None:
    """Its alarm would otherwise come only in the minutes in which the site may be tried."""
    floor.jira.fail("GET", "/rest/api/./issue/PI-7$", status=429, headers={"Retry-After": "3600"})
    run = clock.iso_milliseconds(floor.time.now())
    assert floor.take(job, run=run) == {"waiting": 1}
    floor.time.pass_by(3000)
    swept = floor.scheduler.sweep(SOON)
    assert swept.again == 0
    assert swept.oldest_seconds == pytest.approx(3000, abs=1)


def test_a_sweep_holds_no_more_for_many_sites_than_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "MOST_IN_A_SWEEP", 100)
    table: Any = MemoryTable(INDEXES)
    queue: Any = Queue()
    time = Time()
    records = Records(table, time.now)
    for number in range(200):
        site = f"https://site-{number % 5}"
        table.put({"pk": "PUSH_SITES", "sk": site, "limits": [f"site {site}"]})
        records.conclude(Ref(f"job_{number}", RUN, "schedule"), Outcome("waiting", "PI-7", "why", site=site))
    sites = Sites(table, 5, time.now, time.monotonic)
    scheduler = Scheduler(table, Runs(table, time.now), records, sites, queue, time.now)
    for _ in range(2):
        assert scheduler.sweep(SOON).again == 100
        time.pass_by(1)
    assert len(set(queue.job_ids())) == 200


def test_the_function_does_what_its_events_ask_for(
    floor: Floor, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = load_function("push_scheduler")
    monkeypatch.setattr(function, "scheduler", floor.scheduler)
    monkeypatch.setattr(function, "runs", floor.scheduler.runs)
    context = LambdaContext(remaining_ms=300_000)
    event = {"task": "run", "scheduledTime": "2026-11-22T02:00:00Z"}
    assert function.handler(event, context) == {"runId": RUN, "queued": 1}
    assert function.handler(event, context) == {"runId": RUN, "queued": 0}
    assert function.handler({"task": "sweep"}, context) == {"again": 0}
    floor.shop.settings(pushPaused=True)
    assert function.handler({"task": "run"}, context) == {"queued": 0}
    with pytest.raises(ValueError, match="no task"):
        function.handler({}, context)
