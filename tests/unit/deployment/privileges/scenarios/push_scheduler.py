from __future__ import annotations

from datetime import timedelta

from jobticket import clock
from jobticket.push.runs.push_records import Outcome, Records, Ref
from jobticket.store.table import Table
from tests.unit.conftest import client
from tests.unit.deployment.privileges.driving import Driven
from tests.unit.deployment.privileges.scenarios.job_sync import _linked_job


def drive(push_scheduler: Driven) -> None:
    client("sqs").create_queue(QueueName="pushes")
    job_id = _linked_job()
    event = {"task": "run", "scheduledTime": "2026-11-22T02:00:00Z"}
    assert push_scheduler.handle(event) == {"runId": "2026-11-22T02:00:00.000Z", "queued": 1}
    earlier = clock.now() - timedelta(minutes=5)
    records = Records(Table(client("dynamodb"), "jobs"), lambda: earlier)
    records.conclude(Ref(job_id, "2026-11-22T02:00:00.000Z", "schedule"), Outcome("waiting", "PI-7"))
    assert push_scheduler.handle({"task": "sweep"}) == {"again": 1}
