"""Pushes jobs of runs to their tickets: the worker of the queue of pushes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket.clock import Deadline
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.observability import logger, metrics
from jobticket.push.pushing import Pusher
from jobticket.push.runs.push_records import Records
from jobticket.push.runs.queue import Jobs, PushQueue, sqs_client
from jobticket.push.runs.sites import Sites
from jobticket.push.runs.worker import Tally, Worker
from jobticket.store.table import Table, dynamodb_client

#: What the function needs to put away its work after the last push.
SPARE_SECONDS = 5.0
#: The metric of each outcome. A job that waits counts each time that it has to.
METRICS = {
    "pushed": "PushesPushed",
    "skipped": "PushesSkipped",
    "failed": "PushesFailed",
    "waiting": "PushesWaiting",
    "fault": "PushFaults",
}


class PushWorkerSettings(AccessSettings):
    """The environment of this function."""

    jobs_table: str
    push_queue: str
    push_site_concurrency: int


config = PushWorkerSettings.from_environment()
dynamodb = dynamodb_client()
table = Table(dynamodb, config.jobs_table, config.journal)
access = JiraAccess(config, dynamodb)
worker = Worker(
    table,
    Pusher(table, access),
    Records(table),
    Sites(table, config.push_site_concurrency),
    PushQueue(sqs_client(), config.push_queue),
)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take messages; name those that met a fault of ours, so that they come again."""
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS)
    total: Tally = Counter()
    failures = []
    for record in event["Records"]:
        tally = _take(record, deadline)
        total += tally
        if tally["fault"]:
            failures.append({"itemIdentifier": record["messageId"]})
    logger.info("took messages", outcomes=dict(total), failed_messages=len(failures))
    for outcome, name in METRICS.items():
        metrics.add_metric(name, MetricUnit.Count, total[outcome])
    return {"batchItemFailures": failures}


def _take(record: Mapping[str, Any], deadline: Deadline) -> Tally:
    try:
        return worker.take(Jobs.read(record["body"]), deadline)
    except Exception:
        logger.exception("a message of pushes failed", message_id=record["messageId"])
        return Counter(fault=1)
