"""What happened to serial numbers and jobs: their history, and the flow of their paths day by day.

Flow goes back from the present counts. A shard's counts and its flow are read one after the other. They agree
if the counts are the same before and after: moves only go forward, so no two of them cancel out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from jobticket.history.flow import backwards, day_of, read_flow
from jobticket.history.records import page_of_records, records_of
from jobticket.jobs.distribution import COMPLETED, SCRAPPED, place
from jobticket.jobs.jobs import load_job
from jobticket.jobs.layout import serial_subject
from jobticket.jobs.model import (
    Bypassed,
    FlowDay,
    JobEvent,
    JobFlow,
    JobFlowDay,
    Path,
    PathFlow,
    SerialEvent,
    StepName,
)
from jobticket.jobs.paths import job_of_path, read_path, read_shards
from jobticket.jobs.serials import find_serial
from jobticket.store.table import Item, Table, first_page

#: The place of the creation, which is before all moves and has no record: the batch has its data.
CREATION = ""
#: How often flow is read again if it does not agree with the counts.
TRIES = 5


def serial_history(
    table: Table, serial: str, now: datetime, limit: int | None, after: str | None
) -> tuple[list[SerialEvent], str | None]:
    """Return what happened to a serial number after a place, and the place after which the list continues."""
    standing = find_serial(table, serial)
    batch = standing.batch
    path, _ = read_path(table, batch.path_id, batch.job_id)

    def events() -> Iterator[tuple[str, SerialEvent]]:
        if after is None:
            first = SerialEvent(at=batch.created_at, action="created", to=_step(path, 0), by=batch.by)
            yield CREATION, first
        for item in records_of(table, serial_subject(serial), now, limit, after):
            yield item["sk"], _event(path, item)

    return first_page(events(), limit)


def _event(path: Path, item: Item) -> SerialEvent:
    steps = {
        name: _step(path, item[index])
        for name, index in (("from_", "from_index"), ("to", "to_index"))
        if index in item
    }
    bypassed = [Bypassed.of(step) for step in item["bypassed"]] if "bypassed" in item else None
    return SerialEvent.of({**item, **steps, "bypassed": bypassed})


def _step(path: Path, index: int) -> StepName:
    step = path.steps[index]
    return StepName(step_id=step.id, step_name=step.name)


def job_history(
    table: Table, subject: str, now: datetime, limit: int | None, after: str | None
) -> tuple[list[JobEvent], str | None]:
    """Return what happened to a job, or to the settings, and the place after which the list continues."""
    found, following = page_of_records(table, subject, now, limit, after)
    return [JobEvent.of(item) for item in found], following


def path_flow(table: Table, path_id: str, now: datetime, number: int) -> PathFlow:
    """Return the last days of a path, today last."""
    path, _ = read_path(table, path_id, job_of_path(table, path_id))
    names = {step.id: place(step.order) for step in path.steps}
    days = [
        FlowDay(
            date=str(day),
            entered={step: flow[f"in_{name}"] for step, name in names.items()},
            completed=flow[f"in_{COMPLETED}"],
            scrapped=flow[f"in_{SCRAPPED}"],
            standing={step: level.get(name, 0) for step, name in names.items()},
        )
        for day, flow, level in _backwards(table, path, now, number)
    ]
    return PathFlow(path_id=path_id, days=days[::-1])


def job_flow(table: Table, job_id: str, now: datetime, number: int) -> JobFlow:
    """Return the last days of a job, over all its paths, today last."""
    job, paths = load_job(table, job_id)
    today = day_of(now)
    done: Counter[tuple[date, str]] = Counter()
    for path, _ in paths:
        for day, flow, level in _backwards(table, path, now, number):
            done[day, COMPLETED] += flow[f"in_{COMPLETED}"]
            done[day, SCRAPPED] += flow[f"in_{SCRAPPED}"]
            done[day, "total"] += sum(level.values())
    days = [
        JobFlowDay(
            date=str(day),
            completed=done[day, COMPLETED],
            scrapped=done[day, SCRAPPED],
            total=done[day, "total"],
            goal=job.goal_quantity,
        )
        for day in (today - timedelta(days=back) for back in reversed(range(number)))
    ]
    return JobFlow(job_id=job_id, days=days)


def _backwards(
    table: Table, path: Path, now: datetime, number: int
) -> Iterator[tuple[date, Counter[str], dict[str, int]]]:
    today = day_of(now)
    counts, days = Counter[str](), dict[date, Counter[str]]()
    for shard, flow in _agreeing(table, path, today - timedelta(days=number - 1)):
        counts.update(shard)
        for day, counted in flow.items():
            days.setdefault(day, Counter()).update(counted)
    return backwards(counts, days, today, number)


def _agreeing(table: Table, path: Path, first: date) -> list[tuple[Counter[str], dict[date, Counter[str]]]]:
    """Return the counts of each shard of a path, and the flow that led to them."""
    agreed: dict[int, tuple[Counter[str], dict[date, Counter[str]]]] = {}
    counts = read_shards(table, path)
    for left in reversed(range(TRIES)):
        flow = read_flow(table, path.id, first)
        again = read_shards(table, path)
        for shard, counted in again.items():
            if shard not in agreed and (counted == counts.get(shard) or not left):
                agreed[shard] = counted, flow.get(shard, {})
        if len(agreed) == len(again):
            break
        counts = again
    return list(agreed.values())
