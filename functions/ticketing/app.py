"""Anomalies, their tickets, and the ticketing integration (docs/ticketing.md)."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.connections.access import JiraAccess
from jobticket.connections.connector import TokenConnector
from jobticket.connections.vault import Vault, kms_client
from jobticket.history.records import Stamp, page_of_records
from jobticket.jira.client import JiraClient
from jobticket.observability import logger
from jobticket.shown import Shown
from jobticket.store.table import Table, dynamodb_client
from jobticket.store.unit_of_work import UnitOfWork
from jobticket.ticketing import anomalies, linked_tickets, links, rule_tickets, rules
from jobticket.ticketing.environment import TicketingSettings
from jobticket.ticketing.explanations import translated
from jobticket.ticketing.form import form_specification
from jobticket.ticketing.integration import Integrations, StoredIntegration, client_of
from jobticket.ticketing.layout import anomaly_pk
from jobticket.ticketing.model import ARCHIVED, STATUSES, TYPES, AnomalyEvent, LinkedTicket, TicketDraft
from jobticket.ticketing.new_ticket import TicketCreation
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.recent import RecentChoices
from jobticket.ticketing.revisions import anomaly_not_found, load, revising
from jobticket.ticketing.wakeups import Wakeups, sqs_client
from jobticket.ticketing.webhook_registration import Webhooks
from jobticket.ticketing.webhook_store import WEBHOOKS, WebhookStore
from jobticket.web import paging
from jobticket.web.api import Answer, Api, LateModule, Request
from jobticket.web.authentication import stored_ring
from jobticket.web.idempotency import claimed
from jobticket.web.routes import routes_of

if TYPE_CHECKING:
    from jobticket.ticketing import bodies
else:
    bodies = LateModule("jobticket.ticketing.bodies")


class TicketingApiSettings(TicketingSettings):
    """The environment of this function."""

    key_ring_secret: str


config = TicketingApiSettings.from_environment()
dynamodb = dynamodb_client()
table = Table(dynamodb, config.ticketing_table, config.journal)
ring = stored_ring(config.key_ring_secret, local=config.environment == "local")
access = JiraAccess(config, dynamodb)
connector = TokenConnector(
    access.store, access.vault, access.session, access.app, allow_http=config.environment == "local"
)
recent = RecentChoices(time.monotonic)
integrations = Integrations(table, access, connector, recent)
wakeups = Wakeups(sqs_client(), config.ticket_events_queue)
wording = config.wording
vault = Vault(table, functools.cache(kms_client), config.encryption_key, purpose=WEBHOOKS)
webhooks = Webhooks(table, WebhookStore(table, vault), access, config.public_url)
api = Api(routes_of(__name__), ring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


def _shown(status: int, made: Shown) -> Answer:
    return Answer(status, made.as_json())


def _number(request: Request, name: str, refusal: Callable[[object], Exception]) -> int:
    """Return an integer id of the path. Nothing has an id that is not an integer."""
    text = request.path(name)
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise refusal(text)
    return int(text)


def _stamp(request: Request) -> Stamp:
    return Stamp(clock.now(), request.caller.name)


_anomaly_id = functools.partial(_number, name="anomaly_id", refusal=anomaly_not_found)
_rule_id = functools.partial(_number, name="rule_id", refusal=rules.rule_not_found)


def _once(request: Request, add: Callable[[UnitOfWork, Stamp], tuple[Shown, Sequence[Event], int]]) -> Answer:
    """Answer with what ``add`` adds to a unit of work, once for each idempotency key; wake the relay.

    It returns what is shown, the events for tickets, and the status.
    """
    stamp = _stamp(request)
    with claimed(request, table, stamp.at) as claim:
        if claim.answer is not None:
            return claim.answer
        for work in revising(table):
            with work:
                shown, events, status = add(work, stamp)
                answer = _shown(status, shown)
                claim.keep(work, answer)
    wakeups.send(events)
    return answer


def _changed(add: Callable[[UnitOfWork], Sequence[Event]]) -> None:
    """Commit what ``add`` adds to a unit of work, and wake the relay for its events."""
    for work in revising(table):
        with work:
            events = add(work)
    wakeups.send(events)


@contextlib.contextmanager
def _jira(request: Request) -> Iterator[tuple[StoredIntegration, JiraClient]]:
    """Give a block the integration and a client of its Jira, whose errors become refusals."""
    stored = integrations.get()
    with translated():
        yield stored, client_of(access, stored, request.deadline)


# ------------------------------------------------------------------------------------------------ integration


@api.route("getIntegration")
def get_integration(_request: Request) -> Answer:
    return _shown(200, integrations.get().integration)


@api.route("createIntegration")
def create_integration(request: Request) -> Answer:
    settings = request.parse(bodies.NewIntegration).settings()
    stamp, work = _stamp(request), UnitOfWork(table)
    with claimed(request, table, stamp.at) as claim:
        if claim.answer is not None:
            return claim.answer
        with integrations.created(work, settings, stamp, request.deadline) as made, work:
            answer = _shown(201, made)
            claim.keep(work, answer)
    webhooks.register(stamp.at, request.deadline)
    return answer


@api.route("changeIntegration")
def change_integration(request: Request) -> Answer:
    settings = request.parse(bodies.IntegrationPatch).settings()
    changed, now = integrations.change(settings, _stamp(request), request.deadline), clock.now()
    webhooks.register(now, request.deadline)
    return _shown(200, changed)


@api.route("deleteIntegration")
def delete_integration(request: Request) -> Answer:
    webhooks.remove(integrations.get(), request.deadline)
    integrations.delete(webhooks.store.removal, _stamp(request))
    return Answer(204)


@api.route("makeWebhookSecret")
def make_webhook_secret(_request: Request) -> Answer:
    secret = webhooks.make_secret(integrations.get())
    return Answer(body={"url": webhooks.url, "secret": secret})


@api.route("testIntegration")
def test_integration(request: Request) -> Answer:
    status, error = integrations.test(clock.now(), request.deadline)
    return Answer(body={"status": status} if error is None else {"status": status, "error": error})


@api.route("getFormSpecification")
def get_form_specification(request: Request) -> Answer:
    with _jira(request) as (stored, client):
        return _shown(200, form_specification(client, stored.integration))


# ------------------------------------------------------------------------------------------------------ rules


@api.route("listRules")
def list_rules(request: Request) -> Answer:
    page, size = paging.page_and_size(request.query)
    found = rules.all_rules(table)
    shown = rules.counted(table, found[(page - 1) * size : page * size], clock.now())
    return Answer(body=paging.envelope(shown, len(found), page, size))


@api.route("createRule")
def create_rule(request: Request) -> Answer:
    given = request.parse(bodies.NewRule).model_dump(exclude_none=True)
    return _once(request, lambda work, stamp: (rules.create_rule(work, given, stamp.at), (), 201))


@api.route("getRule")
def get_rule(request: Request) -> Answer:
    return _shown(200, rules.get_rule(table, _rule_id(request), clock.now()))


@api.route("changeRule")
def change_rule(request: Request) -> Answer:
    given = request.parse(bodies.RulePatch).model_dump(exclude_none=True)
    return _shown(200, rules.change_rule(table, _rule_id(request), given, clock.now()))


@api.route("deleteRule")
def delete_rule(request: Request) -> Answer:
    rules.delete_rule(table, _rule_id(request))
    return Answer(204)


@api.route("testRule")
def test_rule(request: Request) -> Answer:
    body, now = request.parse(bodies.RuleTest), clock.now()
    rule = rules.get_rule(table, _rule_id(request), now)
    anomaly = anomalies.get_anomaly(table, body.anomaly_id)
    return _shown(200, rule_tickets.try_rule(table, rule, anomaly, wording, now))


# -------------------------------------------------------------------------------------------------- anomalies


@api.route("reportAnomaly")
def report_anomaly(request: Request) -> Answer:
    report = request.parse(bodies.NewAnomaly).report()

    def add(work: UnitOfWork, stamp: Stamp) -> tuple[Shown, Sequence[Event], int]:
        reported = anomalies.report_anomaly(work, report, stamp)
        return reported.anomaly, reported.events, 201 if reported.is_new else 200

    return _once(request, add)


@api.route("listAnomalies")
def list_anomalies(request: Request) -> Answer:
    page, size = paging.page_and_size(request.query)
    filters = anomalies.Filters(
        status=paging.word(request.query, "status", STATUSES),
        type=paging.word(request.query, "type", TYPES),
        datastore=paging.number_of(request.query, "datastore", 10**15),
        archived=paging.flag(request.query, "archived"),
    )
    found, total = anomalies.list_anomalies(table, filters, page, size)
    return Answer(body=paging.envelope(found, total, page, size))


@api.route("getAnomaly")
def get_anomaly(request: Request) -> Answer:
    return _shown(200, anomalies.get_anomaly(table, _anomaly_id(request)))


@api.route("changeAnomaly")
def change_anomaly(request: Request) -> Answer:
    body = request.parse(bodies.AnomalyPatch)
    number, stamp = _anomaly_id(request), _stamp(request)
    _changed(lambda work: anomalies.change_anomaly(work, number, body.status, body.description, stamp))
    return _shown(200, anomalies.get_anomaly(table, number))


@api.route("removeAnomaly")
def remove_anomaly(request: Request) -> Answer:
    number, stamp = _anomaly_id(request), _stamp(request)
    if paging.flag(request.query, "archive") is False:
        for work in revising(table):
            with work:
                removed = anomalies.delete_anomaly(work, number, stamp)
        anomalies.forget_comments(table, number)
        wakeups.look_after(removed)
        return Answer(204)
    status = paging.word(request.query, "status", ARCHIVED) or "Resolved"
    body = bodies.Archiving.parse(request.json | request.query)
    _changed(lambda work: anomalies.archive_anomaly(work, number, status, body.comment, stamp))
    return Answer(204)


@api.route("getAnomalyHistory")
def get_anomaly_history(request: Request) -> Answer:
    number, part = _anomaly_id(request), paging.Part(request.query)
    subject = anomaly_pk(number)
    place = part.place(subject)
    found, following = page_of_records(table, subject, clock.now(), part.limit, place)
    if not found and place is None:
        anomalies.get_anomaly(table, number)  # the history of a deleted anomaly stays
    told = [AnomalyEvent.of({**item, "from_": item.get("from")}) for item in found]
    return Answer(body=told, headers=part.headers(subject, following))


@api.route("listComments")
def list_comments(request: Request) -> Answer:
    page, size = paging.page_and_size(request.query)
    found, total = anomalies.list_comments(table, _anomaly_id(request), page, size)
    return Answer(body=paging.envelope(found, total, page, size))


@api.route("addComment")
def add_comment(request: Request) -> Answer:
    message = request.parse(bodies.NewComment).message
    number = _anomaly_id(request)
    return _once(request, lambda work, stamp: (*anomalies.add_comment(work, number, message, stamp), 201))


@api.route("searchTickets")
def search_tickets(request: Request) -> Answer:
    page, size = paging.page_and_size(request.query)
    query = request.query.get("query", "")
    with _jira(request) as (stored, client):
        found, total = linked_tickets.search(client, query, page, size, stored.integration.project_key)
    return Answer(body=paging.envelope(found, total, page, size))


@api.route("getTicket")
def get_ticket(request: Request) -> Answer:
    with _jira(request) as (_, client):
        return _shown(200, linked_tickets.read_ticket(client, request.path("ticket_id")))


@api.route("createAnomalyTicket")
def create_anomaly_ticket(request: Request) -> Answer:
    draft = TicketDraft(**request.parse(bodies.NewAnomalyTicket).model_dump())
    anomaly_id = _anomaly_id(request)
    with claimed(request, table, clock.now()) as claim:
        if claim.answer is not None:
            return claim.answer
        with _jira(request) as (stored, client):
            by = request.caller.name
            creation = TicketCreation(table, stored, client, recent, wording, by, clock.now)
            with creation.created(anomaly_id, draft) as made:
                for work in revising(table):
                    with work:
                        shown, events = creation.link(work, made)
                        answer = _shown(201, shown)
                        claim.keep(work, answer)
    wakeups.send(events)
    return answer


@api.route("listLinks")
def list_links(request: Request) -> Answer:
    page, size = paging.page_and_size(request.query)
    found = load(table, _anomaly_id(request)).links
    first = (page - 1) * size
    return Answer(body=paging.envelope(found[first : first + size], len(found), page, size))


@api.route("addLink")
def add_link(request: Request) -> Answer:
    body = request.parse(bodies.NewLink)
    number = _anomaly_id(request)
    ticket: list[tuple[StoredIntegration, LinkedTicket]] = []

    def add(work: UnitOfWork, stamp: Stamp) -> tuple[Shown, Sequence[Event], int]:
        if not ticket:
            links.require_room(load(table, number))
            with _jira(request) as (stored, client):
                ticket.append((stored, linked_tickets.read_ticket(client, body.ticket_id)))
        return *links.add_link(work, number, *ticket[0], "linked", stamp), 201

    return _once(request, add)


@api.route("removeLink")
def remove_link(request: Request) -> Answer:
    anomaly_id, stamp = _anomaly_id(request), _stamp(request)
    link_id = _number(request, "link_id", links.link_not_found)
    for work in revising(table):
        with work:
            link = links.unlink(work, anomaly_id, link_id, stamp)
    links.drop_events(table, link)
    wakeups.look_after([link])
    return Answer(204)


@api.route("refreshLink")
def refresh_link(request: Request) -> Answer:
    """Read the ticket again, retry what could not be delivered to it, and let its anomaly follow."""
    anomaly_id, now = _anomaly_id(request), clock.now()
    loaded, link = links.find_link(table, anomaly_id, _number(request, "link_id", links.link_not_found))
    stored = integrations.get()
    links.require_live(loaded, link)

    def read() -> LinkedTicket:
        with translated():
            return linked_tickets.read_ticket(client_of(access, stored, request.deadline), link.ticket_id)

    try:
        return _shown(200, links.refresh(table, link, read, now))
    finally:
        # Afterwards, so that in the end the link shows what goes wrong in the retry.
        wakeups.send(links.retry(table, link, now), suffix=f"-retry-{int(now.timestamp())}")
        if stored.follows:
            wakeups.look(links.issue_of(link), f"{link.id}-look-{int(now.timestamp())}")
