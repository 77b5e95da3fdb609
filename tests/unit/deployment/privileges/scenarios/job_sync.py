from __future__ import annotations

from jobticket.jobs.jobs import create_job
from jobticket.jobs.model import StepDraft
from jobticket.jobs.paths import create_path
from jobticket.jobs.settings import change_settings
from jobticket.store.unit_of_work import UnitOfWork
from tests.support.tables import recorded, stamp
from tests.unit.conftest import client
from tests.unit.deployment.privileges.driving import Driven


def drive(job_sync: Driven) -> None:
    job_id = _linked_job()
    _refresh_tokens(job_sync)
    job_sync.connect("plant-north")
    _use("plant-north")
    for route in ("push", "comment"):
        for headers in ({}, {"Idempotency-Key": "once"}, {"Idempotency-Key": "once"}):
            job_sync.call("POST", f"/api/jira/{route}", {"jobId": job_id}, headers=headers)
    for headers in ({}, {"Idempotency-Key": "all"}):
        job_sync.call("POST", "/api/jira/push-all", headers=headers)
    for query in ("", "?status=pushed", f"?jobId={job_id}"):
        job_sync.call("GET", f"/api/jira/pushes{query}")
    job_sync.call("GET", "/api/jira/tickets")
    job_sync.call("GET", "/api/jira/tickets/PI-7")
    _link(job_sync, job_id)
    # A refusal frees the key.
    refused = {"ticketKey": "PI-9999"}
    job_sync.call("POST", "/api/jira/link", refused, expect=404, headers={"Idempotency-Key": "refused"})


def _linked_job() -> str:
    table = recorded(client("dynamodb"), "jobs")
    change_settings(table, stamp(), enabled=True, push_enabled=True, project_key="PI")
    with UnitOfWork(table) as work:
        job = create_job(work, stamp(), name="Housing", goal_quantity=5, jira_ticket_key="PI-7")
    with UnitOfWork(table) as work:
        create_path(work, stamp(), job_id=job.id, name="Route", goal_quantity=5, steps=[StepDraft("CNC")])
    return job.id


def _use(external_id: str) -> None:
    table = recorded(client("dynamodb"), "jobs")
    change_settings(table, stamp(), external_id=external_id)


def _refresh_tokens(job_sync: Driven) -> None:
    for external_id, expect in (("good", None), ("dead", 502)):
        job_sync.connect_by_consent(external_id, alive=expect is None)
        _use(external_id)
        job_sync.call("GET", "/api/jira/tickets/PI-7", expect=expect)


def _link(job_sync: Driven, job_id: str) -> None:
    job_sync.call("DELETE", f"/api/jira/link/{job_id}")
    for headers in ({}, {"Idempotency-Key": "link"}):
        job_sync.call("POST", "/api/jira/link", {"ticketKey": "PI-8"}, headers=headers)
    job_sync.call("POST", "/api/jira/link", {"jobId": job_id, "ticketKey": "PI-7"})
