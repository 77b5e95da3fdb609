from __future__ import annotations

from tests.unit.conftest import client
from tests.unit.deployment.privileges.driving import CREDENTIALS, Driven

INTEGRATION = "/api/integrations/ticketing"
ANOMALY = {
    "type": "shape",
    "datastore": {"id": 1, "name": "CRM"},
    "failed_checks": [{"message": "is empty", "field": "NAME"}],
    "fingerprint": "name-is-empty",
}


def drive(ticketing: Driven) -> None:
    client("sqs").create_queue(QueueName="ticket-events.fifo", Attributes={"FifoQueue": "true"})
    _integrate(ticketing)
    anomaly = _report(ticketing)
    _ticket(ticketing, anomaly)
    _recover(ticketing)
    _rules(ticketing)
    _end(ticketing, anomaly)


def _integrate(ticketing: Driven) -> None:
    ticketing.call("GET", INTEGRATION, expect=404)
    for external_id, expect in (("good", None), ("dead", 400)):
        ticketing.connect_by_consent(external_id, alive=expect is None)
        ticketing.call("POST", INTEGRATION, {"type": "jira", "external_id": external_id}, expect=expect)
        if expect is None:
            ticketing.call("DELETE", INTEGRATION)
    ticketing.connect("team-1")
    ticketing.call("POST", INTEGRATION, {"type": "jira", "external_id": "team-1"})
    ticketing.call("DELETE", INTEGRATION)
    for external_id, expect in (("dead", 400), ("consent", None)):
        ticketing.connect_by_consent(external_id, alive=expect is None)
        ticketing.call("POST", INTEGRATION, {"type": "jira", "external_id": external_id}, expect=expect)
    ticketing.call("DELETE", INTEGRATION)
    own = {"type": "jira", "api_url": ticketing.atlassian, "api_access_token": CREDENTIALS}
    ticketing.call("POST", INTEGRATION, own | {"project_key": "NOPE"}, expect=400)
    once = {"Idempotency-Key": "integration"}
    ticketing.call("POST", INTEGRATION, own | {"project_key": "MISC"}, headers=once)
    ticketing.call("POST", INTEGRATION, own | {"project_key": "MISC"}, headers=once)
    ticketing.call("PUT", INTEGRATION, {"api_access_token": CREDENTIALS, "issue_type": "Bug"})
    ticketing.call("GET", INTEGRATION)
    ticketing.call("POST", f"{INTEGRATION}/test")
    ticketing.call("GET", f"{INTEGRATION}/form-specification")
    ticketing.call("POST", f"{INTEGRATION}/webhook")
    ticketing.module.vault._data_keys.clear()  # another container
    ticketing.call("POST", f"{INTEGRATION}/webhook")


def _rules(ticketing: Driven) -> None:
    rules = f"{INTEGRATION}/rules"
    once = {"Idempotency-Key": "rule"}
    rule = ticketing.call("POST", rules, {"name": "all", "on_recurrence": "comment"}, headers=once).json()
    ticketing.call("GET", rules)
    ticketing.call("GET", f"{rules}/{rule['id']}")
    ticketing.call("PUT", f"{rules}/{rule['id']}", {"position": 2})
    made = ticketing.call("POST", "/api/anomalies", ANOMALY | {"fingerprint": "rule"}).json()
    ticketing.call("POST", f"{rules}/{rule['id']}/test", {"anomaly_id": made["id"]})
    ticketing.call("POST", "/api/anomalies", ANOMALY | {"fingerprint": "rule"})
    ticketing.call("DELETE", f"{rules}/{rule['id']}")


def _report(ticketing: Driven) -> str:
    once = {"Idempotency-Key": "anomaly"}
    made = ticketing.call("POST", "/api/anomalies", ANOMALY, headers=once).json()
    ticketing.call("POST", "/api/anomalies", {"type": "shape"}, headers=once, expect=400)
    ticketing.call("POST", "/api/anomalies", ANOMALY)
    ticketing.call("GET", "/api/anomalies")
    ticketing.call("GET", "/api/anomalies?datastore=1")
    return f"/api/anomalies/{made['id']}"


def _ticket(ticketing: Driven, anomaly: str) -> None:
    create = f"{INTEGRATION}{anomaly.removeprefix('/api')}/tickets"
    once = {"Idempotency-Key": "ticket"}
    ticketing.call("POST", create, {"title": "Look at it"}, headers=once)
    ticketing.call("POST", create, {"title": "Look at it", "priority": "None"}, headers=once, expect=422)
    ticketing.call("POST", create, {"title": "Look at it", "priority": "None"}, expect=400)
    ticketing.call("GET", f"{INTEGRATION}/tickets/search?query=fixture")
    ticketing.call("GET", f"{INTEGRATION}/tickets/SCRUM-1")
    link = ticketing.call("POST", f"{anomaly}/ticket-links", {"ticket_id": "SCRUM-1"}).json()
    ticketing.call("GET", f"{anomaly}/ticket-links")
    ticketing.call("GET", anomaly)
    ticketing.call("PUT", anomaly, {"status": "Acknowledged"})
    ticketing.call("POST", f"{anomaly}/comments", {"message": "looking"})
    ticketing.call("GET", f"{anomaly}/comments")
    ticketing.call("POST", f"{anomaly}/ticket-links/{link['id']}/refresh")
    ticketing.call("DELETE", f"{anomaly}/ticket-links/{link['id']}")


def _recover(ticketing: Driven) -> None:
    """Create a ticket whose answer is lost, and find it again."""
    anomaly = ticketing.call("POST", "/api/anomalies", ANOMALY | {"fingerprint": 2}).json()["id"]
    create = f"{INTEGRATION}/anomalies/{anomaly}/tickets"
    ticketing.control(faults=[{"method": "POST", "path": "/issue$", "drop": "after"}])
    ticketing.call("POST", create, {"title": "Lost"}, expect=503)
    ticketing.call("POST", create, {"title": "Lost"})


def _end(ticketing: Driven, anomaly: str) -> None:
    ticketing.call("DELETE", f"{anomaly}?archive=true&status=Resolved&comment=done")
    ticketing.call("PUT", anomaly, {"status": "Active"})
    ticketing.call("DELETE", f"{anomaly}?archive=false")
    ticketing.call("GET", f"{anomaly}/history")
    ticketing.call("DELETE", INTEGRATION)
