"""The routes of functions/job_sync."""

from __future__ import annotations

from typing import Any

from jobticket.push.runs.push_records import STATUSES
from jobticket.web.routes import (
    CURSOR,
    IDEMPOTENCY_KEY,
    LIMIT,
    NEXT_CURSOR,
    Example,
    Route,
    Routes,
    array_of,
    message_envelope,
    model,
    object_of,
    query,
)

_TEXT: dict[str, Any] = {"type": "string"}
_DETAILS = {"type": "object", "description": "Jira's own messages: errorMessages and errors"}
_RESULT = object_of(
    ("error", "details", "note"), success={"type": "boolean"}, error=_TEXT, details=_DETAILS, note=_TEXT
)
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
_JOB = object_of(job=model("jobs.model:Job"))


ROUTES = Routes(
    message_envelope,
    (
        Route(
            "pushJob",
            "POST",
            "/api/jira/push",
            scope="jobs",
            summary="Append a job's status tables to its ticket's description",
            answers={200: _RESULT},
            errors=_SEND_ERRORS,
            body=model("push.bodies:JobReference"),
            parameters=(IDEMPOTENCY_KEY,),
            description="If Jira fails or refuses, the answer is still 200, with `success: false` and the "
            "reason.",
            example=Example(
                headers={"Idempotency-Key": "shift-2026-11-22-early"}, body={"jobId": "job_BracketOrder"}
            ),
        ),
        Route(
            "pushAllJobs",
            "POST",
            "/api/jira/push-all",
            scope="admin",
            summary="Begin a run that pushes every linked job",
            answers={202: object_of(runId=_TEXT)},
            errors={400: "The Jira integration or pushes are not enabled.", **_KEY_ERRORS},
            parameters=(IDEMPOTENCY_KEY,),
            description="As the schedule does: a job whose distribution has not changed since its last "
            "table is skipped, as the settings say, and while pushes are paused nothing is pushed. `GET "
            "/api/jira/pushes` shows what becomes of it.",
            example=Example(headers={"Idempotency-Key": "shift-2026-11-22-early"}),
        ),
        Route(
            "listPushes",
            "GET",
            "/api/jira/pushes",
            scope="jobs",
            summary="List what became of pushes, newest first",
            answers={
                200: object_of(
                    pushes=array_of(model("push.runs.push_list:PushEntry")),
                    next_cursor={"type": ["string", "null"], "description": "Null on the last page."},
                )
            },
            errors={400: "The status, the limit or the cursor is invalid."},
            parameters=(
                query("jobId", "Only the pushes of this job.", _TEXT),
                query("status", "Only pushes of this status.", {"type": "string", "enum": list(STATUSES)}),
                LIMIT,
                CURSOR,
            ),
            description="Kept for 90 days. A waiting push is tried again automatically; `error` says what it "
            "waits for.",
            example=Example(query={"status": "failed", "limit": "20"}),
        ),
        Route(
            "commentOnJob",
            "POST",
            "/api/jira/comment",
            scope="jobs",
            summary="Post a job's status summary as a comment on its ticket",
            answers={200: _RESULT},
            errors=_SEND_ERRORS,
            body=model("push.bodies:JobReference"),
            parameters=(IDEMPOTENCY_KEY,),
            example=Example(body={"jobId": "job_BracketOrder"}),
        ),
        Route(
            "linkJob",
            "POST",
            "/api/jira/link",
            scope="jobs",
            summary="Link a job to a ticket, or create a job from one",
            answers={200: _JOB, 201: _JOB},
            errors={
                400: "The Jira integration is not enabled, the body is faulty, or the job is linked already.",
                404: "There is no such job or ticket.",
                502: _NO_TICKET[502],
                **_KEY_ERRORS,
            },
            body=model("push.bodies:JobLink"),
            parameters=(IDEMPOTENCY_KEY,),
            description="With `jobId`, that job's Jira fields are filled from the ticket (200). Without it, "
            "a job is created (201): named after the ticket, its goal from the body, else from the ticket, "
            "else 1.",
            example=Example(body={"jobId": "job_PlannedOrder", "ticketKey": "PI-42"}),
            more_examples={
                "createFromTicket": Example(
                    headers={"Idempotency-Key": "scan-4711"}, body={"ticketKey": "PI-42", "goalQuantity": 50}
                )
            },
        ),
        Route(
            "unlinkJob",
            "DELETE",
            "/api/jira/link/{jobId}",
            scope="jobs",
            summary="Forget a job's ticket",
            answers={204: None},
            errors={**_OFF, 404: "There is no such job."},
            example=Example(path={"jobId": "job_PlannedOrder"}),
        ),
        Route(
            "listJobTickets",
            "GET",
            "/api/jira/tickets",
            scope="jobs",
            summary="List the unresolved tickets of the settings' project, newest first",
            answers={
                200: object_of(
                    tickets=array_of(model("push.tickets:JiraTicket")), error={"type": ["string", "null"]}
                )
            },
            errors={
                400: "The Jira integration is not enabled, or the limit or the cursor is not valid.",
                413: "The answer is too large: ask for pages.",
            },
            parameters=(LIMIT, CURSOR),
            answer_headers=NEXT_CURSOR,
        ),
        Route(
            "getJobTicket",
            "GET",
            "/api/jira/tickets/{key}",
            scope="jobs",
            summary="Get a ticket",
            answers={200: model("push.tickets:JiraTicket")},
            errors={**_OFF, **_NO_TICKET},
            example=Example(path={"key": "PI-42"}),
        ),
    ),
)
