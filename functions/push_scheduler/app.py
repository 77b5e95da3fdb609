"""Runs by the clock: begins the runs of pushes and queues their jobs, and every minute what had to wait."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.config import Settings
from jobticket.jobs.settings import pushes_are_wanted, read_settings
from jobticket.observability import logger, metrics
from jobticket.push.runs.push_records import Records
from jobticket.push.runs.queue import PushQueue, sqs_client
from jobticket.push.runs.run import Runs
from jobticket.push.runs.scheduler import Scheduler, scheduled_time
from jobticket.push.runs.sites import Sites
from jobticket.store.table import Table, dynamodb_client

#: What writing down the end of a call takes.
SPARE_SECONDS = 5.0


class PushSchedulerSettings(Settings):
    """The environment of this function."""

    jobs_table: str
    push_queue: str


config = PushSchedulerSettings.from_environment()
table = Table(dynamodb_client(), config.jobs_table)
runs = Runs(table)
scheduler = Scheduler(table, runs, Records(table), Sites(table), PushQueue(sqs_client(), config.push_queue))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what the event asks for.

    ``{"task": "run", "scheduledTime": …}`` begins a scheduled run, ``{"task": "queue", "runId": …}`` goes on
    with one that was begun elsewhere, ``{"task": "sweep"}`` queues again what is due.
    """
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS)
    match event:
        case {"task": "sweep"}:
            return _sweep(deadline)
        case {"task": "queue", "runId": str(run_id)}:
            return _queue(run_id, deadline)
        case {"task": "run"}:
            return _begin(event, deadline)
    raise ValueError("the event names no task")


def _begin(event: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    if not pushes_are_wanted(read_settings(table)):
        logger.info("pushes are switched off or paused")
        return {"queued": 0}
    run_id = scheduled_time(event.get("scheduledTime"), clock.now())
    runs.begin(run_id, "schedule")
    return _queue(run_id, deadline)


def _queue(run_id: str, deadline: Deadline) -> dict[str, Any]:
    queued = scheduler.queue_run(run_id, deadline)
    logger.info("queued a run", run=run_id, queued=queued)
    metrics.add_metric("PushesDue", MetricUnit.Count, queued)
    return {"runId": run_id, "queued": queued}


def _sweep(deadline: Deadline) -> dict[str, Any]:
    swept = scheduler.sweep(deadline)
    logger.info("swept", again=swept.again, oldest_seconds=swept.oldest_seconds)
    metrics.add_metric("PushesQueuedAgain", MetricUnit.Count, swept.again)
    metrics.add_metric("OldestPush", MetricUnit.Seconds, swept.oldest_seconds)
    return {"again": swept.again}
