"""Jobs, paths, serial numbers and settings over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.config import Settings
from jobticket.errors import ConflictError, InvalidError
from jobticket.history.records import Stamp
from jobticket.jobs import jobs, layout, moves, paths, serials, settings, timeline
from jobticket.jobs.model import SerialStatus, StepDraft
from jobticket.observability import logger
from jobticket.store.table import Journal, Table, dynamodb_client
from jobticket.store.unit_of_work import CONTENDED, UnitOfWork, attempts
from jobticket.web.api import Answer, Api, LateModule, Model, Request
from jobticket.web.authentication import stored_ring
from jobticket.web.idempotency import claimed
from jobticket.web.paging import Part, decode_cursor, encode_cursor, limit_of, number_of, word
from jobticket.web.routes import routes_of

if TYPE_CHECKING:
    from jobticket.jobs import bodies
else:
    bodies = LateModule("jobticket.jobs.bodies")


class JobsSettings(Settings):
    """The environment of this function."""

    jobs_table: str
    history_table: str
    history_retention_days: int
    key_ring_secret: str


config = JobsSettings.from_environment()
journal = Journal(config.history_table, config.history_retention_days)
table = Table(dynamodb_client(), config.jobs_table, journal)
ring = stored_ring(config.key_ring_secret, local=config.environment == "local")
api = Api(routes_of(__name__), ring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


def _stamp(request: Request, body: bodies.Move | None = None) -> Stamp:
    return Stamp(clock.now(), request.caller.name, None if body is None else body.operator)


def _created(
    request: Request, make: Callable[[UnitOfWork, Stamp], Any], exhausted: Exception = CONTENDED
) -> Answer:
    """Create something in a unit of work and answer 201, once for each idempotency key."""
    stamp = _stamp(request)
    with claimed(request, table, stamp.at) as claim:
        if claim.answer is not None:
            return claim.answer
        for work in attempts(table, exhausted=exhausted):
            with work:
                answer = Answer(201, make(work, stamp))
                claim.keep(work, answer)
    return answer


@api.route("createJob")
def create_job(request: Request) -> Answer:
    body = request.parse(bodies.NewJob)
    return _created(request, lambda work, stamp: jobs.create_job(work, stamp, **body.model_dump()))


@api.route("listJobs")
def list_jobs(request: Request) -> Answer:
    cursor = request.query.get("cursor")
    position = decode_cursor(cursor) if cursor is not None else None
    if cursor is not None and not jobs.is_list_position(position):
        raise InvalidError("Invalid cursor")
    found, following = jobs.list_jobs(table, limit_of(request.query), position, _wanted(request))
    return Answer(body=found, headers=_next(following))


def _wanted(request: Request) -> jobs.Wanted | None:
    search: str = request.query.get("search", "").strip()
    state: Any = word(request.query, "state", ("open", "done"))
    return jobs.Wanted(search, state) if search or state else None


@api.route("getJobHistory")
def get_job_history(request: Request) -> Answer:
    job_id = request.path("id")
    answer = _history_of(request, layout.job_pk(job_id))
    if not answer.body and "cursor" not in request.query:
        jobs.get_job(table, job_id)  # the history of a deleted job stays
    return answer


@api.route("getJobFlow")
def get_job_flow(request: Request) -> Answer:
    return Answer(body=timeline.job_flow(table, request.path("id"), clock.now(), _days(request)))


@api.route("getPathFlow")
def get_path_flow(request: Request) -> Answer:
    return Answer(body=timeline.path_flow(table, request.path("id"), clock.now(), _days(request)))


def _days(request: Request) -> int:
    return number_of(request.query, "days", 400) or 30


@api.route("getJob")
def get_job(request: Request) -> Answer:
    return Answer(body=jobs.job_details(*jobs.load_job(table, request.path("id"))))


@api.route("changeJob")
def change_job(request: Request) -> Answer:
    job_id = request.path("id")
    body = _parse_for_existing(request, bodies.JobChange, lambda: jobs.get_job(table, job_id))
    return Answer(body=jobs.change_job(table, job_id, _stamp(request), **body.model_dump()))


@api.route("deleteJob")
def delete_job(request: Request) -> Answer:
    jobs.delete_job(table, request.path("id"), _stamp(request))
    return Answer(204)


@api.route("createPath")
def create_path(request: Request) -> Answer:
    body = request.parse(bodies.NewPath)
    return _created(request, lambda work, stamp: paths.create_path(work, stamp, **_path_values(body)))


@api.route("getPath")
def get_path(request: Request) -> Answer:
    return Answer(body=paths.load_path(table, request.path("id")))


@api.route("changePath")
def change_path(request: Request) -> Answer:
    path_id = request.path("id")
    body = _parse_for_existing(request, bodies.PathChange, lambda: paths.job_of_path(table, path_id))
    return Answer(body=paths.change_path(table, path_id, _stamp(request), **_path_values(body)))


def _path_values(body: bodies.NewPath | bodies.PathChange) -> dict[str, Any]:
    steps = None if body.steps is None else [StepDraft(**step.model_dump()) for step in body.steps]
    return body.model_dump(exclude={"steps"}) | {"steps": steps}


@api.route("deletePath")
def delete_path(request: Request) -> Answer:
    paths.delete_path(table, request.path("id"), _stamp(request))
    return Answer(204)


@api.route("createSerials")
def create_serials(request: Request) -> Answer:
    body = request.parse(bodies.NewSerials)
    numbers = serials.Numbers(table, body.quantity)
    return _created(
        request,
        lambda work, stamp: serials.create_serials(
            work, numbers, stamp, path_id=body.path_id, job_id=body.job_id
        ),
        exhausted=ConflictError("The path's steps have just been changed"),
    )


@api.route("listSerials")
def list_serials(request: Request) -> Answer:
    path_id = request.query.get("pathId", "").strip()
    if not path_id:
        raise InvalidError("pathId is required")
    status: Any = word(request.query, "status", get_args(SerialStatus))
    cursor = request.query.get("cursor")
    after = 0 if cursor is None else decode_cursor(cursor)
    if type(after) is not int or not 0 <= after < 10**12:
        raise InvalidError("Invalid cursor")
    found, last = serials.list_serials(table, path_id, status, limit_of(request.query), after)
    return Answer(body=found, headers=_next(last))


@api.route("getSerial")
def get_serial(request: Request) -> Answer:
    return Answer(body=serials.find_serial(table, request.path("id")).serial)


@api.route("getSerialHistory")
def get_serial_history(request: Request) -> Answer:
    serial = request.path("id")
    return _history(
        request, f"history {serial}", partial(timeline.serial_history, table, serial, clock.now())
    )


@api.route("advanceSerial")
def advance_serial(request: Request) -> Answer:
    body = request.parse(bodies.AdvanceOne)
    return Answer(body=moves.advance(table, request.path("id"), body.from_step_index, _stamp(request, body)))


@api.route("advanceSerialTo")
def advance_serial_to(request: Request) -> Answer:
    body = request.parse(bodies.AdvanceTo)
    stamp = _stamp(request, body)
    moved, bypassed = moves.advance_to(table, request.path("id"), body.target_step_index, stamp)
    return Answer(body={"serial": moved, "bypassed": bypassed})


@api.route("advanceSerials")
def advance_serials(request: Request) -> Answer:
    body = request.parse(bodies.AdvanceBatch)
    results = moves.advance_many(table, body.serial_ids, body.from_step_index, _stamp(request, body))
    advanced = sum(result.error is None for result in results)
    return Answer(
        body={
            "advanced": advanced,
            "failed": len(results) - advanced,
            "results": [_result(result) for result in results],
        }
    )


def _result(result: moves.AdvanceResult) -> dict[str, Any]:
    shown: dict[str, Any] = {"serialId": result.serial_id, "success": result.error is None}
    if result.error is not None:
        return {**shown, "error": result.error}
    return {**shown, "serial": result.serial}


@api.route("scrapSerial")
def scrap_serial(request: Request) -> Answer:
    serial = request.path("id")
    body = _parse_for_existing(
        request, bodies.Scrap, lambda: moves.require_scrappable(serials.find_serial(table, serial).serial)
    )
    return Answer(body=moves.scrap(table, serial, body.reason, body.explanation, _stamp(request, body)))


@api.route("forceCompleteSerial")
def force_complete_serial(request: Request) -> Answer:
    body = request.parse(bodies.ForceComplete)
    return Answer(body=moves.force_complete(table, request.path("id"), body.reason, _stamp(request, body)))


@api.route("getSettings")
def get_settings(_request: Request) -> Answer:
    return Answer(body=settings.read_settings(table))


@api.route("getSettingsHistory")
def get_settings_history(request: Request) -> Answer:
    return _history_of(request, settings.SETTINGS)


@api.route("changeSettings")
def change_settings(request: Request) -> Answer:
    body = request.parse(bodies.SettingsChange)
    return Answer(body=settings.change_settings(table, _stamp(request), **body.model_dump()))


def _parse_for_existing(request: Request, model: type[Model], look_up: Callable[[], Any]) -> Model:
    """Return the body; answer 404 before 400 if the body is invalid and its subject does not exist."""
    _ = request.json  # malformed JSON is refused before any look-up
    try:
        return request.parse(model)
    except InvalidError:
        look_up()
        raise


def _history_of(request: Request, subject: str) -> Answer:
    return _history(request, subject, partial(timeline.job_history, table, subject, clock.now()))


def _history(
    request: Request, name: str, read: Callable[[int | None, str | None], tuple[Sequence[Any], str | None]]
) -> Answer:
    """Answer the part of a history that a request asks for; ``read`` takes its limit and place."""
    part = Part(request.query)
    found, following = read(part.limit, part.place(name))
    return Answer(body=found, headers=part.headers(name, following))


def _next(position: Any) -> dict[str, str]:
    return {} if position is None else {"x-next-cursor": encode_cursor(position)}
