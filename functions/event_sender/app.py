"""Sends what the history records to a bus of EventBridge: called with batches of the history's stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket.config import Settings
from jobticket.history.events import BusEvent, event_of, events_client, send
from jobticket.observability import logger
from jobticket.store.table import plain_item


class EventSenderSettings(Settings):
    """The environment of this function."""

    event_bus: str


config = EventSenderSettings.from_environment()
client = events_client()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Send the records of a batch; Lambda repeats from the one that is named as failed."""
    failed = send(client, config.event_bus, _events(event["Records"]))
    logger.info("sent", records=len(event["Records"]), failed=failed)
    return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": failed}]}


def _events(records: list[Mapping[str, Any]]) -> Iterator[BusEvent]:
    for record in records:
        change = record["dynamodb"]
        if record["eventName"] == "INSERT" and "action" in change["NewImage"]:
            event = event_of(plain_item(change["NewImage"]), change["SequenceNumber"])
            if event is not None:
                yield event
