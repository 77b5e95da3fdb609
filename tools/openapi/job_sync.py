"""The routes of functions/job_sync."""

from __future__ import annotations

from typing import Any

from jobticket.jobs.model import Job
from jobticket.push.bodies import JobReference, TicketLink
from jobticket.push.listing import PushEntry
from jobticket.push.records import STATUSES
from jobticket.push.tickets import JiraTicket
from tools.openapi.operation import (
    CURSOR,
    IDEMPOTENCY_KEY,
    LIMIT,
    NEXT_CURSOR,
    Operation,
    array_of,
    object_of,
    query,
)

_TEXT: dict[str, Any] = {"type": "string"}
_RESULT = object_of(("error", "note"), success={"type": "boolean"}, error=_TEXT, note=_TEXT)
_KEY_ERRORS = {
    409: "A request with this Idempotency-Key is under way.",
    422: "The key was used with another request.",
}
_OFF = {400: "The Jira integration is not enabled."}
_SEND_ERRORS = {
    400: "The Jira integration or pushes are not enabled, or the body is faulty.",
    404: "There is no such job.",
    **_KEY_ERRORS,
}
_NO_TICKET = {404: "There is no such ticket.", 502: "Jira refused or could not be reached."}
_JOB = object_of(job=Job)

OPERATIONS = {
    "POST /api/jira/push": Operation(
        "Append a job's status tables to its ticket's description",
        {200: _RESULT},
        _SEND_ERRORS,
        JobReference,
        (IDEMPOTENCY_KEY,),
        description="What goes wrong at Jira is no error of the request: the answer is `success: false` and "
        "says why.",
    ),
    "POST /api/jira/push-all": Operation(
        "Begin a run that pushes every linked job",
        {202: object_of(runId=_TEXT)},
        {400: "The Jira integration or pushes are not enabled.", **_KEY_ERRORS},
        parameters=(IDEMPOTENCY_KEY,),
        description="As the schedule does: a job whose distribution has not changed since its last table is "
        "skipped, as the settings say, and while pushes are paused nothing is pushed. `GET /api/jira/pushes` "
        "shows what becomes of it.",
    ),
    "GET /api/jira/pushes": Operation(
        "List what became of pushes, newest first",
        {
            200: object_of(
                pushes=array_of(PushEntry),
                next_cursor={"type": ["string", "null"], "description": "Null on the last page."},
            )
        },
        {400: "The status, the limit or the cursor is none."},
        parameters=(
            query("jobId", "Only the pushes of this job.", _TEXT),
            query("status", "Only pushes of this status.", {"type": "string", "enum": list(STATUSES)}),
            LIMIT,
            CURSOR,
        ),
        description="Kept for 90 days. A push that waits is tried again by itself; `error` says what for.",
    ),
    "POST /api/jira/comment": Operation(
        "Post a job's status summary as a comment on its ticket",
        {200: _RESULT},
        _SEND_ERRORS,
        JobReference,
        (IDEMPOTENCY_KEY,),
    ),
    "POST /api/jira/link": Operation(
        "Link a job to a ticket, or create a job from one",
        {200: _JOB, 201: _JOB},
        {
            400: "The Jira integration is not enabled, the body is faulty, or the job is linked already.",
            404: "There is no such job or ticket.",
            502: _NO_TICKET[502],
            **_KEY_ERRORS,
        },
        TicketLink,
        (IDEMPOTENCY_KEY,),
        description="With `jobId`, that job's Jira fields are filled from the ticket (200). Without it, a "
        "job is created (201): named after the ticket, its goal from the body, else from the ticket, else 1.",
    ),
    "DELETE /api/jira/link/{jobId}": Operation(
        "Forget a job's ticket", {204: None}, {**_OFF, 404: "There is no such job."}
    ),
    "GET /api/jira/tickets": Operation(
        "List the unresolved tickets of the settings' project, newest first",
        {200: object_of(tickets=array_of(JiraTicket), error={"type": ["string", "null"]})},
        {
            400: "The Jira integration is not enabled, or the limit or the cursor is not valid.",
            413: "The answer is too large: ask for pages.",
        },
        parameters=(LIMIT, CURSOR),
        answer_headers=NEXT_CURSOR,
    ),
    "GET /api/jira/tickets/{key}": Operation("Get a ticket", {200: JiraTicket}, {**_OFF, **_NO_TICKET}),
}
