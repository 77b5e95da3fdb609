"""Runs by the clock: every day a sweep of idle connections, every 5 minutes what was left unfinished."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket.clock import Deadline
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.connections.keeping import Keeper
from jobticket.observability import logger

#: What writing down the end of a run takes.
SPARE_SECONDS = 5.0
#: A sweep makes way for the next run, in 5 minutes: unfinished refreshes cannot wait for a long one to end.
SWEEP_SECONDS = 240.0

config = AccessSettings.from_environment()
access = JiraAccess.open(config)
keeper = Keeper(access.store, access.vault, access.tokens)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what a schedule asks for, ``{"task": "sweep"}`` or ``{"task": "finish"}``, or an operator.

    ``{"task": "reseal"}`` seals all secrets with the present data key (docs/security.md).
    """
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS)
    if event.get("task") == "reseal":
        return asdict(keeper.reseal(deadline))
    sweeping = deadline.sooner(SWEEP_SECONDS)
    # First, so that a fault in the rest does not cost a day's sweep: the next run goes on with it.
    if event.get("task") == "sweep":
        keeper.start_sweep()
    finished = keeper.finish(deadline)
    finished.report("finish")
    # Also without being asked: a sweep that ran out of time goes on with the next run.
    swept = keeper.sweep(sweeping)
    if swept is not None:
        swept.report("sweep")
    return {"finished": finished.refreshed, "swept": None if swept is None else swept.refreshed}
