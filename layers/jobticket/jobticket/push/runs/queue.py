"""The queue between the scheduler and the workers: messages that name jobs of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import boto3

from jobticket.aws import configuration, limited
from jobticket.dataclass import dataclass, replace

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: What a worker can push one after the other within a third of its time.
JOBS_A_MESSAGE = 10
#: SQS takes so many messages at once.
BATCH = 10


class NotSentError(Exception):
    """SQS did not take every message."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """A message: jobs to push in a run, who began it, and how often it found no place at its site."""

    run_id: str
    by: str
    job_ids: tuple[str, ...]
    held_back: int = 0

    def rest(self, job_ids: Sequence[str]) -> Jobs:
        return replace(self, job_ids=tuple(job_ids))

    def body(self) -> str:
        content: dict[str, Any] = {"run": self.run_id, "by": self.by, "jobs": self.job_ids}
        if self.held_back:
            content["held_back"] = self.held_back
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def read(cls, body: str) -> Jobs:
        """Read it back; ValueError if it is not a message of pushes."""
        try:
            content = json.loads(body)
            jobs = tuple(str(job_id) for job_id in content["jobs"])
            return cls(str(content["run"]), str(content["by"]), jobs, int(content.get("held_back", 0)))
        except (KeyError, TypeError) as error:
            raise ValueError("not a message of pushes") from error


def sqs_client() -> SQSClient:
    return limited(boto3.client("sqs", config=configuration()))


@dataclass(frozen=True, slots=True)
class PushQueue:
    """Sends messages to the queue with this URL."""

    sqs: SQSClient
    url: str

    def send(self, messages: Sequence[Jobs], *, delay: float = 0) -> None:
        """Send messages; NotSentError if SQS did not take one, though it may have taken others."""
        for start in range(0, len(messages), BATCH):
            entries: list[Any] = [
                {"Id": str(number), "MessageBody": message.body(), "DelaySeconds": int(delay)}
                for number, message in enumerate(messages[start : start + BATCH])
            ]
            answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            if answer.get("Failed"):
                raise NotSentError(f"SQS did not take {len(answer['Failed'])} of {len(entries)} messages")

    def backlog(self) -> int:
        """Return about how many messages wait for a worker."""
        name: Any = "ApproximateNumberOfMessages"
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(answer["Attributes"][name])
