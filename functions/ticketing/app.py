"""Anomalies, their tickets, and the integration that they get them from (contract: ticketing.md)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.connections.credentials import TokenConnector
from jobticket.errors import InvalidError
from jobticket.jira.client import JiraClient
from jobticket.observability import logger
from jobticket.secret_store import fetch_secret, secrets_client
from jobticket.shown import Shown
from jobticket.store.table import Table, Write, dynamodb_client
from jobticket.ticketing import anomalies, bodies, links, pages, tickets
from jobticket.ticketing.anomalies import Filters
from jobticket.ticketing.changes import anomaly_not_found, load
from jobticket.ticketing.creation import Creation
from jobticket.ticketing.form import form_specification
from jobticket.ticketing.integrations import Integrations, StoredIntegration
from jobticket.ticketing.model import ARCHIVED, STATUSES, TYPES, Ticket
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.refusals import translated
from jobticket.ticketing.text import Wording
from jobticket.ticketing.wakeups import Wakeups, sqs_client
from jobticket.web.api import Answer, Api, Request
from jobticket.web.authentication import KeyRing
from jobticket.web.idempotency import Claim, once
from jobticket.web.routes import routes_of


class TicketingSettings(AccessSettings):
    """The environment of this function."""

    ticketing_table: str
    ticket_events_queue: str
    key_ring_secret: str
    ticketing_name: str = "Qualytics"
    anomaly_base_url: str = ""


config = TicketingSettings.from_environment()
dynamodb = dynamodb_client()
table = Table(dynamodb, config.ticketing_table)
secrets = secrets_client()
ring = KeyRing(
    lambda: fetch_secret(secrets, config.key_ring_secret),
    time.monotonic,
    local=config.environment == "local",
)
access = JiraAccess.open(config, dynamodb)
connector = TokenConnector(
    access.store, access.vault, access.session, allow_http=config.environment == "local"
)
integrations = Integrations(table, access, connector)
wakeups = Wakeups(sqs_client(), config.ticket_events_queue)
wording = Wording(config.ticketing_name, config.anomaly_base_url.rstrip("/"))
api = Api(routes_of(__name__), ring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


def _shown(status: int, made: Shown) -> Answer:
    return Answer(status, made.as_json())


def _number(request: Request, name: str, refusal: Callable[[object], Exception]) -> int:
    """Return an integer id of the path; what is none cannot exist."""
    text = request.path(name)
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise refusal(text)
    return int(text)


def _anomaly_id(request: Request) -> int:
    return _number(request, "anomaly_id", anomaly_not_found)


def _once(
    request: Request, work: Callable[[Callable[[Shown], Sequence[Write]]], tuple[Shown, list[Event]]]
) -> Answer:
    """Answer 201 with what ``work`` makes, once for each idempotency key, and wake the worker for its events.

    ``work`` takes what returns the writes that keep the answer, and commits them with its effect.
    """
    made: list[Event] = []

    def claimed(claim: Claim) -> Answer:
        created, events = work(lambda shown: claim.record(_shown(201, shown)))
        made.extend(events)
        return _shown(201, created)

    answer = once(request, table, clock.now(), claimed)
    wakeups.send(made)
    return answer


# ------------------------------------------------------------------------------------------------ integration


@api.route("getIntegration")
def get_integration(_request: Request) -> Answer:
    return _shown(200, integrations.get().integration)


@api.route("createIntegration")
def create_integration(request: Request) -> Answer:
    body = request.parse(bodies.NewIntegration)
    return _once(
        request, lambda record: (integrations.create(body, clock.now(), request.deadline, record), [])
    )


@api.route("changeIntegration")
def change_integration(request: Request) -> Answer:
    body = request.parse(bodies.IntegrationChange)
    return _shown(200, integrations.change(body, clock.now(), request.deadline))


@api.route("deleteIntegration")
def delete_integration(_request: Request) -> Answer:
    integrations.delete()
    return Answer(204)


@api.route("testIntegration")
def test_integration(request: Request) -> Answer:
    status, error = integrations.test(clock.now(), request.deadline)
    return Answer(body={"status": status} if error is None else {"status": status, "error": error})


@api.route("getFormSpecification")
def get_form_specification(request: Request) -> Answer:
    stored = integrations.get()
    with translated():
        return _shown(200, form_specification(_client(stored, request), stored.integration))


def _client(stored: StoredIntegration, request: Request) -> JiraClient:
    return integrations.client(stored, request.deadline)


# -------------------------------------------------------------------------------------------------- anomalies


@api.route("reportAnomaly")
def report_anomaly(request: Request) -> Answer:
    body = request.parse(bodies.NewAnomaly)
    now = clock.now()

    def work(claim: Claim) -> Answer:
        def alongside(anomaly: Shown, new: bool) -> Sequence[Write]:
            return claim.record(_shown(201 if new else 200, anomaly))

        anomaly, new = anomalies.report_anomaly(table, body, now, alongside)
        return _shown(201 if new else 200, anomaly)

    return once(request, table, now, work)


@api.route("listAnomalies")
def list_anomalies(request: Request) -> Answer:
    page, size = pages.page_and_size(request.query)
    found, total = anomalies.list_anomalies(table, _filters(request), page, size)
    return Answer(body=pages.envelope(found, total, page, size))


def _filters(request: Request) -> Filters:
    query = request.query
    datastore = pages.number(query, "datastore", default=1, largest=10**15) if "datastore" in query else None
    return Filters(
        status=_word(request, "status", STATUSES),
        type=_word(request, "type", TYPES),
        datastore=datastore,
        archived=_flag(request, "archived"),
    )


def _word(request: Request, name: str, choices: Sequence[str]) -> str | None:
    text = request.query.get(name)
    if text is not None and text not in choices:
        raise InvalidError(f"{name} must be one of: {', '.join(choices)}")
    return text


def _flag(request: Request, name: str) -> bool | None:
    text = request.query.get(name)
    if text is not None and text not in ("true", "false"):
        raise InvalidError(f"{name} must be true or false")
    return None if text is None else text == "true"


@api.route("getAnomaly")
def get_anomaly(request: Request) -> Answer:
    return _shown(200, anomalies.get_anomaly(table, _anomaly_id(request)))


@api.route("changeAnomaly")
def change_anomaly(request: Request) -> Answer:
    body = request.parse(bodies.AnomalyChange)
    changed, events = anomalies.change_anomaly(table, _anomaly_id(request), body, clock.now())
    wakeups.send(events)
    return _shown(200, changed)


@api.route("removeAnomaly")
def remove_anomaly(request: Request) -> Answer:
    anomaly_id = _anomaly_id(request)
    if _flag(request, "archive") is False:
        anomalies.delete_anomaly(table, anomaly_id)
        return Answer(204)
    status = _word(request, "status", ARCHIVED) or "Resolved"
    body = bodies.Archiving.parse(request.json | request.query)
    wakeups.send(anomalies.archive_anomaly(table, anomaly_id, status, body.comment, clock.now()))
    return Answer(204)


@api.route("listComments")
def list_comments(request: Request) -> Answer:
    page, size = pages.page_and_size(request.query)
    found, total = anomalies.list_comments(table, _anomaly_id(request), page, size)
    return Answer(body=pages.envelope(found, total, page, size))


@api.route("addComment")
def add_comment(request: Request) -> Answer:
    body = request.parse(bodies.NewComment)
    anomaly_id, now = _anomaly_id(request), clock.now()
    return _once(
        request,
        lambda record: anomalies.add_comment(table, anomaly_id, body.message, now, record),
    )


# ---------------------------------------------------------------------------------------------------- tickets


@api.route("searchTickets")
def search_tickets(request: Request) -> Answer:
    page, size = pages.page_and_size(request.query)
    stored = integrations.get()
    with translated():
        found = tickets.search(
            _client(stored, request),
            request.query.get("query", ""),
            page,
            size,
            stored.integration.project_key,
        )
    return Answer(body=pages.envelope(found.tickets, found.total, page, size))


@api.route("getTicket")
def get_ticket(request: Request) -> Answer:
    stored = integrations.get()
    with translated():
        return _shown(200, tickets.read_ticket(_client(stored, request), request.path("ticket_id")))


@api.route("createAnomalyTicket")
def create_ticket(request: Request) -> Answer:
    body = request.parse(bodies.NewTicket)
    anomaly_id = _anomaly_id(request)

    def work(record: Any) -> tuple[Shown, list[Event]]:
        stored = integrations.get()
        with translated():
            creation = Creation(table, stored, _client(stored, request), wording, clock.now)
            return creation.create(anomaly_id, body, record)

    return _once(request, work)


# ------------------------------------------------------------------------------------------------------ links


@api.route("listLinks")
def list_links(request: Request) -> Answer:
    page, size = pages.page_and_size(request.query)
    found = load(table, _anomaly_id(request)).links
    first = (page - 1) * size
    return Answer(body=pages.envelope(found[first : first + size], len(found), page, size))


@api.route("addLink")
def add_link(request: Request) -> Answer:
    body = request.parse(bodies.NewLink)
    anomaly_id = _anomaly_id(request)

    def work(record: Any) -> tuple[Shown, list[Event]]:
        links.require_room(load(table, anomaly_id))
        stored = integrations.get()
        with translated():
            ticket = tickets.read_ticket(_client(stored, request), body.ticket_id)
        return links.add_link(table, anomaly_id, stored, ticket, "linked", clock.now(), record)

    return _once(request, work)


@api.route("removeLink")
def remove_link(request: Request) -> Answer:
    anomaly_id = _anomaly_id(request)
    links.unlink(table, anomaly_id, _number(request, "link_id", links.link_not_found), clock.now())
    return Answer(204)


@api.route("refreshLink")
def refresh_link(request: Request) -> Answer:
    """Read the ticket's status again, and let what could not be delivered to it be tried again."""
    anomaly_id, now = _anomaly_id(request), clock.now()
    loaded, link = links.find_link(table, anomaly_id, _number(request, "link_id", links.link_not_found))
    stored = integrations.get()
    links.require_live(loaded, link)

    def read() -> Ticket:
        with translated():
            return tickets.read_ticket(_client(stored, request), link.ticket_id)

    try:
        return _shown(200, links.refresh(table, link, read, now))
    finally:
        # Afterwards, so that what goes wrong in the retry is what the link shows in the end.
        wakeups.send(links.retry(table, link, now), suffix=f"-retry-{int(now.timestamp())}")
