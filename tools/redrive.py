"""Send dead letters again: ``python -m tools.redrive <dead letters' URL> <queue's URL>``.

It works for the queue of pushes and for that of ticket events (a FIFO queue keeps groups). In an account, the
console and ``aws sqs start-message-move-task`` do the same; this also works on the local stack. A message is
deleted only after it was sent. If this stops in between, a message is sent twice, which workers tolerate.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def redrive(sqs: SQSClient, dead_letters: str, queue: str) -> int:
    """Move every visible message, and return their number."""
    moved = 0
    while messages := _receive(sqs, dead_letters):
        for message in messages:
            sqs.send_message(QueueUrl=queue, MessageBody=message["Body"], **_group(message))
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _receive(sqs: SQSClient, queue: str) -> Any:
    names: Any = ["MessageGroupId"]
    answer = sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=names
    )
    return answer.get("Messages", [])


def _group(message: Mapping[str, Any]) -> dict[str, Any]:
    group = message.get("Attributes", {}).get("MessageGroupId")
    if group is None:
        return {}
    return {"MessageGroupId": group, "MessageDeduplicationId": f"redriven-{message['MessageId']}"}


def main(arguments: list[str]) -> int:
    """Redrive, and print how many messages moved."""
    if len(arguments) != 2:
        print(__doc__)
        return 2
    moved = redrive(boto3.client("sqs"), *arguments)
    print(f"{moved} message{'' if moved == 1 else 's'} sent again")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
