"""Tells tickets what happened to their anomalies: the relay behind the FIFO queue, and its sweep."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.observability import logger, metrics
from jobticket.store.table import Table, dynamodb_client
from jobticket.ticketing.layout import Issue
from jobticket.ticketing.relay import Relay, Relayed
from jobticket.ticketing.sweep import sweep
from jobticket.ticketing.text import Wording
from jobticket.ticketing.wakeups import Wakeups, read_wakeup, sqs_client

#: What the function needs to put away its work after the last call to Jira.
RESERVED_SECONDS = 6.0


class TicketSyncSettings(AccessSettings):
    """The environment of this function."""

    ticketing_table: str
    ticket_events_queue: str
    ticketing_name: str = "Qualytics"
    anomaly_base_url: str = ""


config = TicketSyncSettings.from_environment()
dynamodb = dynamodb_client()
table = Table(dynamodb, config.ticketing_table)
access = JiraAccess.open(config, dynamodb)
wording = Wording(config.ticketing_name, config.anomaly_base_url.rstrip("/"))
wakeups = Wakeups(sqs_client(), config.ticket_events_queue)
relay = Relay(table, access, wording, chance=random.random)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a batch of wake-ups, or sweep if the schedule asks for it."""
    if "Records" not in event:
        return {"woken": _sweep()}
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS)
    return {"batchItemFailures": list(_relay(event["Records"], deadline))}


def _sweep() -> int:
    woken = sweep(table, wakeups, clock.now())
    logger.info("swept", woken=woken)
    metrics.add_metric("WakeupsRepeated", MetricUnit.Count, woken)
    return woken


def _relay(records: Iterable[Mapping[str, Any]], deadline: Deadline) -> Iterable[dict[str, str]]:
    """Tell each issue of a batch once; yield the messages that the queue must repeat.

    Messages only wake. The table keeps the order, so a failed message holds up its own issue alone.
    """
    outcomes: dict[Issue, Relayed] = {}
    for record in records:
        try:
            issue = read_wakeup(record["body"])
        except ValueError:
            # Not from us. It goes to the dead letters, and an alarm tells of it.
            logger.exception("not a wake-up", message_id=record["messageId"])
            yield {"itemIdentifier": record["messageId"]}
            continue
        if issue not in outcomes:
            outcomes[issue] = _tell(issue, deadline, _tries(record))
        pause = outcomes[issue].retry_after
        if pause is not None:
            wakeups.postpone(record["receiptHandle"], pause)
            yield {"itemIdentifier": record["messageId"]}


def _tries(record: Mapping[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def _tell(issue: Issue, deadline: Deadline, tries: int) -> Relayed:
    try:
        outcome = relay.tell(issue, deadline, tries=tries)
    except Exception:
        # A fault of the code or the database must not hold up the other issues of the batch.
        logger.exception("unhandled fault", ticket=issue.ticket_id)
        metrics.add_metric("DeliveryFaults", MetricUnit.Count, 1)
        return Relayed(retry_after=5.0)
    logger.info(
        "delivered",
        ticket=issue.ticket_id,
        delivered=outcome.delivered,
        dropped=outcome.dropped,
        failed=outcome.failed,
        retry_after=outcome.retry_after,
    )
    metrics.add_metric("EventsDelivered", MetricUnit.Count, outcome.delivered)
    metrics.add_metric("EventsFailed", MetricUnit.Count, outcome.failed)
    return outcome
