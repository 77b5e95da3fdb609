"""Wake-ups: messages that name an issue with work to do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import boto3

from jobticket.aws import AWS_FAULTS, configuration, limited, reason
from jobticket.dataclass import dataclass
from jobticket.observability import logger
from jobticket.ticketing.layout import Issue
from jobticket.ticketing.model import AnomalyLink
from jobticket.ticketing.outbox import Event

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: SQS hides a message for 12 hours at most.
LONGEST_INVISIBLE = 12 * 3600 - 600


def sqs_client() -> SQSClient:
    """Make the container's SQS client. A caller waits for it, so it gives up soon: the sweep is behind it."""
    return limited(boto3.client("sqs", config=configuration(attempts=2)))


class Wakeups:
    """Sends wake-ups to the FIFO queue."""

    def __init__(self, sqs: SQSClient, queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def send(self, events: Iterable[Event], suffix: str = "") -> int:
        """Wake the worker for the issues of these events; tell how many wake-ups were not accepted.

        One for an issue is enough. Nothing is raised: the events are stored, and the sweep finds them.

        Parameters
        ----------
        suffix
            Makes a repetition another message: the queue drops one whose id it saw in the last 5 minutes.
        """
        newest = {event.issue: event.id for event in events}
        return self.send_for({issue: event_id + suffix for issue, event_id in newest.items()})

    def send_for(self, ids: Mapping[Issue, str]) -> int:
        """Wake the worker for issues, each under a deduplication id."""
        # One by one: the emulator wants a right for batches that AWS does not know. Few changes have many.
        return sum(not self._send(issue, one) for issue, one in ids.items())

    def look(self, issue: Issue, deduplication_id: str) -> bool:
        """Let the worker look at an issue; return whether the queue took the message."""
        return self._send(issue, deduplication_id, look=True)

    def look_after(self, removed: Iterable[AnomalyLink]) -> None:
        """Let the worker look at the tickets of removed links."""
        for link in removed:
            self.look(Issue(link.integration_id, link.ticket_id), f"{link.id}-removed")

    def _send(self, issue: Issue, deduplication_id: str, **more: Any) -> bool:
        body = {"integration_id": issue.integration_id, "ticket_id": issue.ticket_id, **more}
        try:
            self._sqs.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps(body),
                MessageGroupId=issue.group,
                MessageDeduplicationId=deduplication_id[:128],
            )
        except AWS_FAULTS as error:
            logger.warning("a wake-up was not sent", ticket=issue.ticket_id, reason=reason(error))
            return False
        return True

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        """Let a failed message return after this time, instead of the queue's own."""
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._queue_url,
                ReceiptHandle=receipt_handle,
                VisibilityTimeout=min(math.ceil(seconds), LONGEST_INVISIBLE),
            )
        except AWS_FAULTS as error:
            logger.warning("a wake-up could not be postponed", reason=reason(error))


@dataclass(frozen=True, slots=True)
class Wakeup:
    """What a message asks for."""

    issue: Issue
    look: bool = False  #: whether the ticket may have changed


def read_wakeup(body: str) -> Wakeup:
    """Return what a message's body asks for."""
    try:
        content = json.loads(body)
        issue = Issue(int(content["integration_id"]), str(content["ticket_id"]))
        return Wakeup(issue, content.get("look") is True)
    except (KeyError, TypeError) as error:
        raise ValueError("not a wake-up") from error
