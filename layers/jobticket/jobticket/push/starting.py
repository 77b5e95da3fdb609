"""Runs that somebody asks for: they begin at once, and queue their jobs as scheduled ones do."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3

from jobticket import clock
from jobticket.aws import AWS_FAULTS, configuration, limited
from jobticket.dynamo import ConditionFailedError, Table, Write
from jobticket.observability import logger
from jobticket.push.runs import new_run

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

__all__ = ["Starter", "begin_run", "lambda_client"]


def begin_run(table: Table, by: str, now: datetime, alongside: Callable[[str], Sequence[Write]]) -> str:
    """Begin a run for now; return its id.

    Parameters
    ----------
    alongside
        Given the id, returns the writes that commit together with the run.
    """
    token = secrets.token_urlsafe(24)
    while True:
        run_id = clock.iso_milliseconds(now)
        try:
            table.transact([new_run(run_id, by, now), *alongside(run_id)], token=token)
        except ConditionFailedError as failed:
            if failed.position != 0:
                raise
            # Another run began in the same millisecond.
            now, token = now + timedelta(milliseconds=1), secrets.token_urlsafe(24)
        else:
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
