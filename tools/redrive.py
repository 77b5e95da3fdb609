"""Send dead letters again: ``python -m tools.redrive <dead letters' URL> <queue's URL>``.

It works for every queue of work. ``POST /api/operations/redrive`` does the same, and so do AWS's console and
``aws sqs start-message-move-task`` in an account. A message may be sent twice, which workers tolerate.

Events of the history: ``python -m tools.redrive <dead letters' URL> <history table> <bus>``. Their dead
letters name a part of the stream, which forgets it after a day. So the table is read again: what was recorded
in that time is sent once more, with the same ids.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "jobticket"))  # run as a command, from the root

from jobticket import clock
from jobticket.history.events import BusEvent, event_of, send
from jobticket.queues import redrive
from jobticket.store.table import plain_item

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: A record's own time is that of its request, which may take so long before it commits; clocks differ, too.
SLACK = timedelta(minutes=2)
#: For so long, dead letters are hidden from others: the scan of a large table takes hours.
SECONDS_OF_A_SCAN = 3 * 3600


def redrive_events(sqs: SQSClient, dynamodb: Any, bus: Any, dead_letters: str, table: str, name: str) -> int:
    """Send the events of the times that the dead letters name, and return their number.

    All of them first, because each reading of the table is a scan.
    """
    messages = list(_received(sqs, dead_letters))
    spans = [_span(message["Body"]) for message in messages]
    events = sorted(_recorded(dynamodb, table, spans), key=lambda event: event.place) if spans else []
    failed = send(bus, name, events) is not None
    for message in messages:
        at = {"QueueUrl": dead_letters, "ReceiptHandle": message["ReceiptHandle"]}
        if failed:
            sqs.change_message_visibility(**at, VisibilityTimeout=0)
        else:
            sqs.delete_message(**at)
    if failed:
        raise SystemExit("the bus does not take the events; nothing is lost, try again")
    return len(events)


def _received(sqs: SQSClient, queue: str) -> Iterator[Any]:
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=SECONDS_OF_A_SCAN
    ).get("Messages"):
        yield from messages


def _span(body: str) -> tuple[str, str]:
    """Return when the records of a dead letter were made, at the earliest and at the latest."""
    batch = json.loads(body)["DDBStreamBatchInfo"]
    first = clock.parse_iso(batch["approximateArrivalOfFirstRecord"]) - SLACK
    last = clock.parse_iso(batch["approximateArrivalOfLastRecord"]) + SLACK
    return clock.iso_milliseconds(first), clock.iso_milliseconds(last)


def _recorded(dynamodb: Any, table: str, spans: Sequence[tuple[str, str]]) -> Iterator[BusEvent]:
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="#at BETWEEN :first AND :last",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={
            ":first": {"S": min(first for first, _ in spans)},
            ":last": {"S": max(last for _, last in spans)},
        },
    )
    for page in pages:
        for item in map(plain_item, page["Items"]):
            if any(first <= item["at"] <= last for first, last in spans):
                event = event_of(item, place=f"{item['at']} {item['sk']}")
                if event is not None:
                    yield event


def main(arguments: list[str]) -> int:
    """Redrive, and print how many messages or events were sent."""
    if len(arguments) not in (2, 3):
        print(__doc__)
        return 2
    sqs = boto3.client("sqs")
    dead_letters, *others = arguments
    if len(others) == 2:
        table, bus = others
        sent = redrive_events(sqs, boto3.client("dynamodb"), boto3.client("events"), dead_letters, table, bus)
        print(f"{sent} event{'' if sent == 1 else 's'} sent again")
        return 0
    moved = redrive(sqs, dead_letters, others[0])
    print(f"{moved} message{'' if moved == 1 else 's'} sent again")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
