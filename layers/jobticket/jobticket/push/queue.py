"""The queue between the scheduler and the workers: messages that name jobs of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3

from jobticket.aws import configuration, limited

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: What a worker can push one after the other within a third of its time.
JOBS_A_MESSAGE = 10
#: SQS takes so many messages at once.
BATCH = 10
#: SQS holds a message back for so long at most.
LONGEST_DELAY = 900


class NotSentError(Exception):
    """SQS did not take every message."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """A message: jobs to be pushed in a run.

    Attributes
    ----------
    by
        Who began the run.
    held_back
        How often it was held back because its site had no place.
    """

    run_id: str
    by: str
    job_ids: tuple[str, ...]
    held_back: int = 0

    def rest(self, job_ids: Sequence[str]) -> Jobs:
        """Return a message with only these jobs."""
        return replace(self, job_ids=tuple(job_ids))


def sqs_client() -> SQSClient:
    """Make the container's SQS client."""
    return limited(boto3.client("sqs", config=configuration()))


@dataclass(frozen=True, slots=True)
class PushQueue:
    """Sends messages.

    Parameters
    ----------
    sqs
        An SQS client.
    url
        The queue.
    """

    sqs: SQSClient
    url: str

    def send(self, messages: Sequence[Jobs], *, delay: float = 0) -> None:
        """Send messages.

        Raises
        ------
        NotSentError
            If one was not taken; others may have been.
        """
        for start in range(0, len(messages), BATCH):
            self._send(messages[start : start + BATCH], min(int(delay), LONGEST_DELAY))

    def _send(self, messages: Sequence[Jobs], delay: int) -> None:
        entries: list[Any] = [
            {"Id": str(number), "MessageBody": _body(message), "DelaySeconds": delay}
            for number, message in enumerate(messages)
        ]
        answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        if answer.get("Failed"):
            raise NotSentError(f"{len(answer['Failed'])} of {len(messages)} messages were not taken")

    def backlog(self) -> int:
        """Return about how many messages wait for a worker."""
        name: Any = "ApproximateNumberOfMessages"
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(answer["Attributes"][name])


def _body(message: Jobs) -> str:
    content: dict[str, Any] = {"run": message.run_id, "by": message.by, "jobs": message.job_ids}
    if message.held_back:
        content["held_back"] = message.held_back
    return json.dumps(content, separators=(",", ":"))


def read_jobs(body: str) -> Jobs:
    """Read a message back.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        content = json.loads(body)
        jobs = tuple(str(job_id) for job_id in content["jobs"])
        return Jobs(str(content["run"]), str(content["by"]), jobs, int(content.get("held_back", 0)))
    except (KeyError, TypeError) as error:
        raise ValueError("not a message of pushes") from error
