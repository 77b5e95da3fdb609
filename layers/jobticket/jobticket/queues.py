"""Queues of work and their dead letters: how full they are, and how dead letters are sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobticket.dataclass import dataclass
from jobticket.shown import Shown

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from jobticket.clock import Deadline

#: What receiving and sending a batch of messages may take.
BATCH_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """A queue by its name in the API; without a URL, it is one of failures alone."""

    name: str
    url: str | None
    dead_letters: str


class QueueLevel(Shown):
    """About how many messages a queue has."""

    #: The queue.
    name: str
    #: Messages that wait for a worker, or for their time.
    waiting: int
    #: Messages that workers have.
    in_flight: int
    #: Dead letters.
    failed: int
    #: Whether they can be sent again.
    redrivable: bool


def level_of(sqs: SQSClient, queue: WorkQueue) -> QueueLevel:
    """Count a queue's messages."""
    waiting, delayed, in_flight = (0, 0, 0) if queue.url is None else _count(sqs, queue.url)
    return QueueLevel(
        name=queue.name,
        waiting=waiting + delayed,
        in_flight=in_flight,
        failed=sum(_count(sqs, queue.dead_letters)),
        redrivable=queue.url is not None,
    )


def _count(sqs: SQSClient, url: str) -> tuple[int, int, int]:
    name = "ApproximateNumberOfMessages"
    names: Any = (name, f"{name}Delayed", f"{name}NotVisible")
    counts: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    visible, delayed, hidden = (int(counts[each]) for each in names)
    return visible, delayed, hidden


def redrive(sqs: SQSClient, dead_letters: str, queue: str, deadline: Deadline | None = None) -> int:
    """Send the visible dead letters again, and return their number; after the deadline, the rest stays.

    A FIFO queue keeps groups. A message is deleted only after it was sent. If this stops in between, a
    message is sent twice, which workers tolerate.
    """
    moved = 0
    while deadline is None or deadline.left() > BATCH_SECONDS:
        answer = sqs.receive_message(
            QueueUrl=dead_letters,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["MessageGroupId"],
        )
        messages = answer.get("Messages")
        if not messages:
            break
        for message in messages:
            group = message.get("Attributes", {}).get("MessageGroupId")
            again: Any = {
                "MessageDeduplicationId": f"redriven-{message['MessageId']}",
                "MessageGroupId": group,
            }
            sqs.send_message(QueueUrl=queue, MessageBody=message["Body"], **(again if group else {}))
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved
