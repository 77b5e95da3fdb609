"""Tells tickets what happened to their anomalies: the relay behind the FIFO queue, and its sweep."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Mapping
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.connections.vault import Vault, kms_client
from jobticket.errors import RefusalError
from jobticket.observability import logger, metrics
from jobticket.store.table import Table, dynamodb_client
from jobticket.ticketing.environment import TicketingSettings
from jobticket.ticketing.explanations import translated
from jobticket.ticketing.layout import Issue
from jobticket.ticketing.relay import Relay, Relayed
from jobticket.ticketing.sweep import sweep
from jobticket.ticketing.sync_in import changed_tickets, note_sweep
from jobticket.ticketing.wakeups import Wakeup, Wakeups, read_wakeup, sqs_client
from jobticket.ticketing.webhook_registration import Webhooks
from jobticket.ticketing.webhook_store import WEBHOOKS, WebhookStore

#: What the function needs to put away its work after the last call to Jira.
RESERVED_SECONDS = 6.0


config = TicketingSettings.from_environment()
dynamodb = dynamodb_client()
table = Table(dynamodb, config.ticketing_table, config.journal)
access = JiraAccess(config, dynamodb)
wording = config.wording
wakeups = Wakeups(sqs_client(), config.ticket_events_queue)
vault = Vault(table, functools.cache(kms_client), config.encryption_key, purpose=WEBHOOKS)
webhooks = Webhooks(table, WebhookStore(table, vault), access, config.public_url)
relay = Relay(table, access, wording, chance=random.random)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a batch of wake-ups, or sweep if the schedule asks for it."""
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS)
    if "Records" not in event:
        done = {"woken": _sweep(), "changed": _follow(deadline)}
        webhooks.keep(clock.now(), deadline)
        return done
    return {"batchItemFailures": list(_relay(event["Records"], deadline))}


def _sweep() -> int:
    woken = sweep(table, wakeups, clock.now())
    logger.info("swept", woken=woken)
    metrics.add_metric("WakeupsRepeated", MetricUnit.Count, woken)
    return woken


def _follow(deadline: Deadline) -> int:
    """Look for tickets that have changed since the last sweep; return how many need a look."""
    now = clock.now()
    try:
        with translated():
            changed = list(changed_tickets(table, access, now, deadline))
    except RefusalError as refusal:
        # The next sweep looks back as far.
        logger.warning("tickets could not be followed", reason=refusal.message)
        metrics.add_metric("SweepsFailed", MetricUnit.Count, 1)
        return 0
    for issue in changed:
        wakeups.look(issue, f"{issue.group}-look-{int(now.timestamp())}")
    note_sweep(table, now)  # each look is stored: a lost wake-up is sent again
    metrics.add_metric("TicketsChanged", MetricUnit.Count, len(changed))
    return len(changed)


def _relay(records: Iterable[Mapping[str, Any]], deadline: Deadline) -> Iterable[dict[str, str]]:
    """Tell each issue of a batch once; yield the messages that the queue must repeat.

    Messages only wake. The table keeps the order, so a failed message holds up its own issue alone.
    """
    outcomes: dict[Issue, Relayed] = {}
    for record in records:
        try:
            wakeup = read_wakeup(record["body"])
        except ValueError:
            # Not from us. It goes to the dead letters, and an alarm fires.
            logger.exception("not a wake-up", message_id=record["messageId"])
            yield {"itemIdentifier": record["messageId"]}
            continue
        if wakeup.look or wakeup.issue not in outcomes:
            outcomes[wakeup.issue] = _tell(wakeup, deadline, _tries(record))
        pause = outcomes[wakeup.issue].retry_after
        if pause is not None:
            wakeups.postpone(record["receiptHandle"], pause)
            yield {"itemIdentifier": record["messageId"]}


def _tries(record: Mapping[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def _tell(wakeup: Wakeup, deadline: Deadline, tries: int) -> Relayed:
    issue = wakeup.issue
    try:
        outcome = relay.tell(issue, deadline, tries=tries, look=wakeup.look)
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
    metrics.add_metric("RulesBroken", MetricUnit.Count, outcome.broken)
    metrics.add_metric("TicketConflicts", MetricUnit.Count, outcome.conflicts)
    wakeups.send(outcome.events)
    return outcome
