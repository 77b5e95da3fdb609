"""The Jira side of jobs over HTTP: push, comment, link, tickets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.connections.errors import ConnectionUnavailableError
from jobticket.errors import InvalidError, NotFoundError, UnavailableError, UpstreamError
from jobticket.history.records import Stamp, record
from jobticket.jira.errors import JiraNotFoundError
from jobticket.jira.keys import MalformedKeyError
from jobticket.jobs.layout import job_pk
from jobticket.jobs.model import JobSettings
from jobticket.jobs.settings import read_settings
from jobticket.observability import logger
from jobticket.push import linking
from jobticket.push.appending import Try
from jobticket.push.connection import FAILURES, explain, open_client, require_enabled, require_push_enabled
from jobticket.push.pushing import REPEATED_WITHIN, Pusher
from jobticket.push.runs import push_list
from jobticket.push.runs.push_records import STATUSES, Outcome, Records, Ref
from jobticket.push.runs.run import begin_run, lambda_client, start_run
from jobticket.push.tickets import JiraTicket, get_ticket, unresolved_tickets
from jobticket.store.table import Table, dynamodb_client
from jobticket.store.unit_of_work import UnitOfWork, attempts
from jobticket.web.api import Answer, Api, LateModule, Request
from jobticket.web.authentication import stored_ring
from jobticket.web.idempotency import claimed
from jobticket.web.paging import Part, decode_cursor, encode_cursor, limit_of, word
from jobticket.web.routes import routes_of

if TYPE_CHECKING:
    from jobticket.push import bodies
else:
    bodies = LateModule("jobticket.push.bodies")

#: Of a caller who does not say how many.
PUSHES_A_PAGE = 50


class JobSyncSettings(AccessSettings):
    """The environment of this function."""

    jobs_table: str
    key_ring_secret: str
    push_scheduler_function: str


config = JobSyncSettings.from_environment()
dynamodb = dynamodb_client()
table = Table(dynamodb, config.jobs_table, config.journal)
ring = stored_ring(config.key_ring_secret, local=config.environment == "local")
access = JiraAccess(config, dynamodb)
pusher = Pusher(table, access)
records = Records(table)
lambdas = cache(lambda_client)
api = Api(routes_of(__name__), ring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


@api.route("pushJob")
def push_job(request: Request) -> Answer:
    def push_one(job_id: str, settings: JobSettings, attempt: Try) -> Outcome:
        outcome = pusher.push(job_id, settings, request.deadline, attempt)
        if outcome.ticket_key:
            _record(Ref(job_id, "", request.caller.name), outcome)
        return outcome

    return _send(request, push_one)


def _record(ref: Ref, outcome: Outcome) -> None:
    """Write a push down for the list; its outcome stands whether or not this succeeds."""
    try:
        records.record(ref, outcome)
    except AWS_FAULTS:
        logger.warning("a push is not in the list", job=ref.job_id, exc_info=True)


@api.route("pushAllJobs")
def push_all_jobs(request: Request) -> Answer:
    require_push_enabled(read_settings(table))

    now = clock.now()
    with claimed(request, table, now) as claim:
        if claim.answer is not None:
            return claim.answer
        for later, work in enumerate(attempts(table)):
            with work:
                # Another run may have begun in the same millisecond.
                run_id = begin_run(work, request.caller.name, now + timedelta(milliseconds=later))
                answer = Answer(202, {"runId": run_id})
                claim.keep(work, answer)
        start_run(lambdas(), config.push_scheduler_function, run_id)
    return answer


@api.route("listPushes")
def list_pushes(request: Request) -> Answer:
    limit = limit_of(request.query) or PUSHES_A_PAGE
    cursor = request.query.get("cursor")
    position = None if cursor is None else decode_cursor(cursor)
    if position is not None and not push_list.is_position(position):
        raise InvalidError("Invalid cursor")
    status: Any = word(request.query, "status", STATUSES)
    job_id = request.query.get("jobId")
    found, following = push_list.list_pushes(
        table, clock.now(), job_id=job_id, status=status, limit=limit, position=position
    )
    next_cursor = None if following is None else encode_cursor(following)
    return Answer(body={"pushes": [entry.as_json() for entry in found], "next_cursor": next_cursor})


@api.route("commentOnJob")
def comment_on_job(request: Request) -> Answer:
    def comment_one(job_id: str, settings: JobSettings, attempt: Try) -> Outcome:
        return pusher.comment(job_id, settings, request.deadline, attempt)

    return _send(request, comment_one, told="commented")


def _send(
    request: Request, effect: Callable[[str, JobSettings, Try], Outcome], told: str | None = None
) -> Answer:
    settings = read_settings(table)
    require_push_enabled(settings)
    job_id = request.parse(bodies.JobReference).job_id

    with claimed(request, table, clock.now()) as claim:
        if claim.answer is not None:
            return claim.answer

        def remember(memo: dict[str, Any]) -> None:
            claim.begin(clock.now() + REPEATED_WITHIN, memo)

        attempt = Try(claim.mark or token_urlsafe(12), claim.memo, remember)
        outcome = effect(job_id, settings, attempt)
        succeeded = outcome.status == "pushed"
        if not (succeeded or outcome.is_open or claim.memo):
            # What is certainly not done leaves no question to a repeated request.
            claim.undone()
        told_error = "note" if succeeded else "error"
        shown = {"success": succeeded, told_error: outcome.error, "details": outcome.details}
        answer = Answer(body={name: value for name, value in shown.items() if value is not None})
        if succeeded:
            with UnitOfWork(table) as work:
                claim.keep(work, answer)
                if told is not None:
                    record(work, Stamp(clock.now(), request.caller.name), job_pk(job_id), told)
    return answer


@api.route("linkJob")
def link_job(request: Request) -> Answer:
    settings = read_settings(table)
    require_enabled(settings)
    body = request.parse(bodies.JobLink)
    now = clock.now()

    with claimed(request, table, now) as claim:
        if claim.answer is not None:
            return claim.answer
        if body.job_id is not None:
            linking.require_unlinked(table, body.job_id)
        ticket = _ticket(request, settings, body.ticket_key)
        stamp = Stamp(now, request.caller.name)
        with UnitOfWork(table) as work:
            if body.job_id is None:
                job = linking.create_linked_job(work, ticket, body.goal_quantity, stamp)
            else:
                job = linking.link_job(work, body.job_id, ticket, stamp)
            answer = Answer(201 if body.job_id is None else 200, {"job": job})
            claim.keep(work, answer)
    return answer


@api.route("unlinkJob")
def unlink_job(request: Request) -> Answer:
    require_enabled(read_settings(table))
    linking.unlink_job(table, request.path("jobId"), Stamp(clock.now(), request.caller.name))
    return Answer(204)


@api.route("listJobTickets")
def list_job_tickets(request: Request) -> Answer:
    settings = read_settings(table)
    require_enabled(settings)
    part = Part(request.query)
    if settings.project_key is None:
        return Answer(body={"tickets": [], "error": "projectKey is not set in the settings"})
    name = f"tickets {settings.project_key}"
    position = part.position(name)
    try:
        client = open_client(access, settings, request.deadline)
        tickets, following = unresolved_tickets(
            client, settings.project_key, settings.field_mappings, part.limit, position
        )
    except FAILURES as failure:
        logger.warning("no tickets", cause=explain(failure))
        return Answer(body={"tickets": [], "error": explain(failure)})
    return Answer(body={"tickets": tickets, "error": None}, headers=part.headers(name, following))


@api.route("getJobTicket")
def get_job_ticket(request: Request) -> Answer:
    settings = read_settings(table)
    require_enabled(settings)
    return Answer(body=_ticket(request, settings, request.path("key")))


def _ticket(request: Request, settings: JobSettings, key: str) -> JiraTicket:
    """Read a ticket, or refuse as the contract words it."""
    try:
        client = open_client(access, settings, request.deadline)
        return get_ticket(client, key, settings.field_mappings)
    except (JiraNotFoundError, MalformedKeyError):
        raise NotFoundError(f"Jira ticket not found: {key}") from None
    except ConnectionUnavailableError as unavailable:
        raise UnavailableError(unavailable.explanation, retry_after=unavailable.retry_after) from None
    except FAILURES as failure:
        logger.warning("no ticket", ticket=key, cause=explain(failure))
        raise UpstreamError(explain(failure)) from failure
