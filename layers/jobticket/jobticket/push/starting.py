"""Runs that somebody asks for: they begin at once, and queue their jobs as scheduled ones do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import boto3

from jobticket import clock
from jobticket.aws import AWS_FAULTS, configuration, limited
from jobticket.observability import logger
from jobticket.push.runs import new_run
from jobticket.store.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def begin_run(work: UnitOfWork, by: str, now: datetime) -> str:
    """Add a new run to a unit of work and return its id; stale if another began in the same millisecond."""
    run_id = clock.iso_milliseconds(now)
    work.add(new_run(run_id, by, now))
    return run_id


def lambda_client() -> LambdaClient:
    """Make the container's Lambda client. A caller waits for it, so it gives up soon."""
    return limited(boto3.client("lambda", config=configuration(attempts=2)))


@dataclass(frozen=True, slots=True)
class Starter:
    """Lets the scheduler queue a run's jobs at once.

    Parameters
    ----------
    client
        Gives the Lambda client when a run is to be started: few calls of the function that does it are such.
    function
        The scheduler.
    """

    client: Callable[[], LambdaClient]
    function: str

    def start(self, run_id: str) -> None:
        """Ask for it; if that fails, the sweep finds the run within a minute."""
        payload = json.dumps({"task": "queue", "runId": run_id}).encode()
        try:
            self.client().invoke(FunctionName=self.function, InvocationType="Event", Payload=payload)
        except AWS_FAULTS as error:
            logger.warning("a run waits for the sweep", run=run_id, reason=type(error).__name__)
