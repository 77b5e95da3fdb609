"""Scheduled: every day a sweep of idle connections, every 5 minutes the unfinished refreshes."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket.clock import Deadline
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.connections.keeper import Keeper
from jobticket.dataclass import asdict
from jobticket.observability import logger

#: Left for storing where a run stops.
SPARE_SECONDS = 5.0
#: A sweep ends before the next run, 5 minutes later: unfinished refreshes must not wait for it.
SWEEP_SECONDS = 240.0

config = AccessSettings.from_environment()
access = JiraAccess(config)
keeper = Keeper(access.store, access.vault, access.tokens)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run a schedule's ``{"task": "sweep"}`` or ``{"task": "finish"}``, or an operator's task.

    ``{"task": "reseal"}`` seals all secrets with the present data key (docs/security.md).
    """
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS)
    if event.get("task") == "reseal":
        return asdict(keeper.reseal(deadline))
    sweeping = deadline.sooner(SWEEP_SECONDS)
    # First: if the rest fails, the next run continues with the sweep.
    if event.get("task") == "sweep":
        keeper.start_sweep()
    finished = keeper.finish(deadline)
    finished.report("finish")
    # In every run: a sweep without time left continues in the next one.
    swept = keeper.sweep(sweeping)
    if swept is not None:
        swept.report("sweep")
    return {"finished": finished.refreshed, "swept": None if swept is None else swept.refreshed}
