"""What operators watch and resume: queues, stopped sites, runs of pushes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.config import Settings
from jobticket.errors import InvalidError, NotFoundError
from jobticket.jobs.settings import read_settings
from jobticket.observability import logger
from jobticket.push.runs.overview import Retrying, recent_runs
from jobticket.push.runs.push_records import Records
from jobticket.push.runs.queue import PushQueue, sqs_client
from jobticket.push.runs.sites import Sites
from jobticket.queues import WorkQueue, level_of, redrive
from jobticket.store.table import Table, dynamodb_client
from jobticket.web.api import Answer, Api, LateModule, Request
from jobticket.web.authentication import stored_ring
from jobticket.web.routes import routes_of

if TYPE_CHECKING:
    from jobticket.push.runs import bodies
else:
    bodies = LateModule("jobticket.push.runs.bodies")

RUNS_SHOWN = 30
#: Looks at the same time: each queue, and what the table holds.
LOOKERS = 7


class OperationsSettings(Settings):
    """The environment of this function."""

    jobs_table: str
    key_ring_secret: str
    push_queue: str
    push_dead_letters: str
    ticket_events_queue: str
    ticket_events_dead_letters: str
    failed_events_queue: str
    #: Empty where no events are sent.
    event_dead_letters: str


config = OperationsSettings.from_environment()
table = Table(dynamodb_client(), config.jobs_table)
sqs = sqs_client()
ring = stored_ring(config.key_ring_secret, local=config.environment == "local")
sites = Sites(table)
retrying = Retrying(table, Records(table), PushQueue(sqs, config.push_queue))
queues = {
    queue.name: queue
    for queue in (
        WorkQueue("pushes", config.push_queue, config.push_dead_letters),
        WorkQueue("ticket-events", config.ticket_events_queue, config.ticket_events_dead_letters),
        WorkQueue("failed-events", None, config.failed_events_queue),
        WorkQueue("events", None, config.event_dead_letters),
    )
    if queue.dead_letters
}
api = Api(routes_of(__name__), ring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


@api.route("getOperations")
def get_operations(_request: Request) -> Answer:
    with ThreadPoolExecutor(LOOKERS) as pool:
        levels = pool.map(partial(level_of, sqs), queues.values())
        stops = pool.submit(sites.stops)
        runs = pool.submit(recent_runs, table, clock.now(), RUNS_SHOWN)
        settings = pool.submit(read_settings, table)
    return Answer(
        body={
            "queues": [level.as_json() for level in levels],
            "stops": [stop.as_json() for stop in stops.result()],
            "runs": [run.as_json() for run in runs.result()],
            "paused": settings.result().push_paused,
        }
    )


@api.route("redriveQueue")
def redrive_queue(request: Request) -> Answer:
    queue = queues.get(request.parse(bodies.Redrive).queue)
    if queue is None or queue.url is None:
        names = ", ".join(name for name, each in queues.items() if each.url is not None)
        raise InvalidError(f"queue must be one of: {names}")
    moved = redrive(sqs, queue.dead_letters, queue.url, request.deadline)
    logger.info("sent dead letters again", queue=queue.name, moved=moved, by=request.caller.name)
    return Answer(body={"moved": moved})


@api.route("endStop")
def end_stop(request: Request) -> Answer:
    name = request.path("site")
    if not sites.go_on(name):
        raise NotFoundError(f"Not stopped: {name}")
    logger.info("a stop was ended", site=name, by=request.caller.name)
    return Answer(204)


@api.route("retryPushes")
def retry_pushes(request: Request) -> Answer:
    body = request.parse(bodies.PushRetry)
    retried, complete = retrying.retry(body.run_id, body.job_ids, body.error, request.deadline)
    logger.info("failed pushes are tried again", run=body.run_id, retried=retried, by=request.caller.name)
    return Answer(body={"retried": retried, "complete": complete})
