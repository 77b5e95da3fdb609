from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jobticket import clock
from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import UnitOfWork
from jobticket.ticketing import anomalies, layout, links, rules
from jobticket.ticketing.integration import find
from jobticket.ticketing.model import AnomalyReport, Datastore, FailedCheck, LinkedTicket, TicketMetadata
from jobticket.ticketing.outbox import pending
from jobticket.ticketing.revisions import load
from tests.support.tables import recorded, stamp
from tests.unit.conftest import client
from tests.unit.deployment.privileges.driving import Driven

REPORT = AnomalyReport(
    type="shape", datastore=Datastore(id=1, name="CRM"), failed_checks=[FailedCheck(message="is empty")]
)
COMMENT = {"method": "POST", "path": "/comment$"}


def drive(ticket_sync: Driven) -> None:
    client("sqs").create_queue(QueueName="ticket-events.fifo", Attributes={"FifoQueue": "true"})
    table = recorded(client("dynamodb"), "ticketing")
    _integrate(table, ticket_sync.atlassian, "good")
    issue = _link(table)
    for external_id in ("good", "dead"):
        ticket_sync.connect_by_consent(external_id, alive=external_id == "good")
        _integrate(table, ticket_sync.atlassian, external_id)
        ticket_sync.handle(_wake_up(issue))
        _comment(table, external_id)
    ticket_sync.connect("team-1")
    _integrate(table, ticket_sync.atlassian, "team-1")
    # A status, a look for a lost comment, a refusal; then what a lost wake-up left behind.
    ticket_sync.control(faults=[COMMENT | {"drop": "after"}, COMMENT | {"status": 400}])
    ticket_sync.handle(_wake_up(issue))
    ticket_sync.handle(_wake_up(issue))
    ticket_sync.control(faults=[])
    _comment(table, "late")
    for event in pending(table, issue):
        table.update(_overdue(event))
    assert ticket_sync.handle({"sweep": True}) == {"woken": 1, "changed": 0}
    with UnitOfWork(table) as work:
        links.unlink(work, 1, 1, stamp())
    ticket_sync.handle(_wake_up(issue))
    _both_ways(ticket_sync, table)
    _by_consent(ticket_sync, table)


def _both_ways(ticket_sync: Driven, table: Table) -> None:
    """Make a ticket by rule, move it with its anomaly, and let the anomaly follow it."""
    maps = {"status_out": {"Acknowledged": "In Progress"}, "status_in": {"In Progress": "Active"}}
    table.update(Update(layout.INTEGRATION, layout.INTEGRATION, set={**maps, "project_key": "MISC"}))
    with UnitOfWork(table) as work:
        rules.create_rule(work, {"name": "all", "daily_limit": 1}, clock.now())
    numbers = []
    for _ in range(2):
        with UnitOfWork(table) as work:
            reported = anomalies.report_anomaly(work, REPORT, stamp())
        numbers.append(reported.anomaly.id)
        ticket_sync.handle(_wake_up(reported.events[0].issue))
    (link,) = load(table, numbers[0]).links
    issue = layout.Issue(link.integration_id, link.ticket_id)
    with UnitOfWork(table) as work:
        anomalies.change_anomaly(work, link.anomaly_id, "Acknowledged", None, stamp())
    ticket_sync.handle(_wake_up(issue))
    ticket_sync.handle({"sweep": True})
    ticket_sync.handle(_wake_up(issue, look=True))


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
    with UnitOfWork(table) as work:
        anomaly = anomalies.report_anomaly(work, REPORT, stamp()).anomaly
    stored = find(table)
    assert stored is not None
    ticket = LinkedTicket(
        ticket_id="10001",
        ticket_number="PI-1",
        title="Work order",
        url="https://jira.example/browse/PI-1",
        metadata=TicketMetadata(project_key="PI"),
    )
    with UnitOfWork(table) as work:
        made, _ = links.add_link(work, anomaly.id, stored, ticket, "linked", stamp())
    return layout.Issue(made.integration_id, made.ticket_id)


def _comment(table: Table, message: str) -> None:
    with UnitOfWork(table) as work:
        anomalies.add_comment(work, 1, message, stamp())


def _wake_up(issue: layout.Issue, *, look: bool = False) -> Mapping[str, Any]:
    body = {"integration_id": issue.integration_id, "ticket_id": issue.ticket_id, "look": look}
    record = {
        "messageId": "1",
        "receiptHandle": "long gone",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    return {"Records": [record]}


def _overdue(event: Any) -> Any:
    return Update(event.issue.pk, event.sk, set={"due_at": "2026-01-01T00:00:00.000Z"})
