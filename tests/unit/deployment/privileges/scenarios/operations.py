from __future__ import annotations

from typing import Any
from urllib.parse import quote

from jobticket.jira.client import Site
from jobticket.push.runs.decisions import Stop, Verdict
from jobticket.push.runs.push_records import Outcome, Records, Ref
from jobticket.push.runs.run import Runs
from jobticket.push.runs.sites import Sites, site_limit
from tests.support.tables import recorded
from tests.unit.conftest import client
from tests.unit.deployment.privileges.driving import Driven

RUN = "2026-11-22T02:00:00.000Z"
QUEUES = (
    "pushes",
    "pushes-dead-letters",
    "failed-events",
    "events-dead-letters",
    "ticket-events.fifo",
    "ticket-events-dead-letters.fifo",
)


def drive(operations: Driven) -> None:
    sqs: Any = client("sqs")
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    for name in QUEUES:
        sqs.create_queue(QueueName=name, Attributes=fifo if name.endswith(".fifo") else {})
    config = operations.module.config
    sqs.send_message(QueueUrl=config.push_dead_letters, MessageBody="{}")
    sqs.send_message(QueueUrl=config.ticket_events_dead_letters, MessageBody="{}", MessageGroupId="1")
    table = recorded(client("dynamodb"), "jobs")
    Runs(table).begin(RUN, "schedule")
    for job_id in ("job_AAAAAAAAAAAA", "job_BBBBBBBBBBBB"):
        Records(table).conclude(Ref(job_id, RUN, "schedule"), Outcome("failed", "PI-7", "why"))
    site = Site("https://one", "https://one", "cloud", "https://one")
    stop = Stop(site_limit(site), "jira-quota-tenant-based")
    Sites(table).failed(site, Verdict("waiting", 60, stop=stop))
    operations.call("GET", "/api/operations")
    for queue in ("pushes", "ticket-events"):
        assert operations.call("POST", "/api/operations/redrive", {"queue": queue}).json() == {"moved": 1}
    operations.call("DELETE", f"/api/operations/stops/{quote(stop.name, safe='')}")
    one = {"run_id": RUN, "job_ids": ["job_AAAAAAAAAAAA"]}
    for body in (one, {"run_id": RUN, "error": "why"}):
        answer = operations.call("POST", "/api/jira/pushes/retry", body)
        assert answer.json() == {"retried": 1, "complete": True}
