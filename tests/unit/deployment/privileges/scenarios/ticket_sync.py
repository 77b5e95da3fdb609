from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jobticket import clock
from jobticket.store.table import Table, Update
from jobticket.ticketing import anomalies, layout, links
from jobticket.ticketing.bodies import CheckEntry, NamedEntry, NewAnomaly
from jobticket.ticketing.integrations import find
from jobticket.ticketing.model import Ticket, TicketMetadata
from jobticket.ticketing.outbox import pending
from tests.unit.conftest import client
from tests.unit.deployment.privileges.driving import Driven

COMMENT = {"method": "POST", "path": "/comment$"}


def drive(ticket_sync: Driven) -> None:
    client("sqs").create_queue(QueueName="ticket-events.fifo", Attributes={"FifoQueue": "true"})
    table = Table(client("dynamodb"), "ticketing")
    _integrate(table, ticket_sync.atlassian, "good")
    issue = _link(table)
    for external_id in ("good", "dead"):
        ticket_sync.connect_by_consent(external_id, alive=external_id == "good")
        _integrate(table, ticket_sync.atlassian, external_id)
        ticket_sync.handle(_wake_up(issue))
        anomalies.add_comment(table, 1, external_id, clock.now(), lambda _comment: [])
    ticket_sync.connect("team-1")
    _integrate(table, ticket_sync.atlassian, "team-1")
    # A status, a look for a lost comment, a refusal; then what a lost wake-up left behind.
    ticket_sync.control(faults=[COMMENT | {"drop": "after"}, COMMENT | {"status": 400}])
    ticket_sync.handle(_wake_up(issue))
    ticket_sync.handle(_wake_up(issue))
    ticket_sync.control(faults=[])
    anomalies.add_comment(table, 1, "late", clock.now(), lambda _comment: [])
    for event in pending(table, issue):
        table.update(_overdue(event))
    assert ticket_sync.handle({"sweep": True}) == {"woken": 1}
    links.unlink(table, 1, 1, clock.now())
    ticket_sync.handle(_wake_up(issue))
    _by_consent(ticket_sync, table)


def _by_consent(ticket_sync: Driven, table: Table) -> None:
    """Deliver over connections whose tokens must be refreshed first."""
    for external_id, alive in (("consent", True), ("dead", False)):
        connection = ticket_sync.connect_by_consent(external_id, alive=alive)
        used = {"connection": external_id, "site": connection.site_url}
        table.update(Update(layout.INTEGRATION, layout.INTEGRATION, set=used))
        ticket_sync.handle(_wake_up(_link(table)))


def _integrate(table: Table, url: str, external_id: str) -> None:
    moment = clock.iso_milliseconds(clock.now())
    item = {
        "pk": layout.INTEGRATION,
        "sk": layout.INTEGRATION,
        "id": 1,
        "type": "jira",
        "status": "Connected",
    }
    source = {"provider": "jira", "connection": external_id, "external_id": external_id}
    table.put(item | source | {"site": url, "api_url": url, "created": moment, "updated": moment})


def _link(table: Table) -> layout.Issue:
    body = NewAnomaly(
        type="shape",
        datastore=NamedEntry(id=1, name="CRM"),
        failed_checks=[CheckEntry(message="is empty")],
    )
    anomaly, _ = anomalies.report_anomaly(table, body, clock.now(), lambda _anomaly, _new: [])
    stored = find(table)
    assert stored is not None
    ticket = Ticket(
        ticket_id="10001",
        ticket_number="PI-1",
        title="Work order",
        url="https://jira.example/browse/PI-1",
        metadata=TicketMetadata(project_key="PI"),
    )
    made, _ = links.add_link(table, anomaly.id, stored, ticket, "linked", clock.now(), lambda _link: [])
    return layout.Issue(made.integration_id, made.ticket_id)


def _wake_up(issue: layout.Issue) -> Mapping[str, Any]:
    body = {"integration_id": issue.integration_id, "ticket_id": issue.ticket_id}
    record = {
        "messageId": "1",
        "receiptHandle": "long gone",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    return {"Records": [record]}


def _overdue(event: Any) -> Any:
    return Update(event.issue.pk, event.sk, set={"due_at": "2026-01-01T00:00:00.000Z"})
