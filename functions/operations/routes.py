"""The routes of functions/operations."""

from __future__ import annotations

from jobticket.web.routes import Example, Route, Routes, array_of, message_envelope, model, object_of

_NUMBER = {"type": "integer"}

ROUTES = Routes(
    message_envelope,
    (
        Route(
            "getOperations",
            "GET",
            "/api/operations",
            scope="admin",
            summary="Show queues, stopped sites and the latest runs of pushes",
            answers={
                200: object_of(
                    queues=array_of(model("queues:QueueLevel")),
                    stops=array_of(model("push.runs.sites:SiteStop")),
                    runs=array_of(model("push.runs.overview:RunEntry")),
                    paused={"type": "boolean", "description": "Whether `pushPaused` is set."},
                )
            },
            description="Numbers of messages are approximate: SQS counts them from time to time.",
            example=Example(),
        ),
        Route(
            "redriveQueue",
            "POST",
            "/api/operations/redrive",
            scope="admin",
            summary="Send the failed messages of a queue again",
            answers={200: object_of(moved=_NUMBER)},
            errors={400: "There is no such queue, or its messages are not sent again."},
            body=model("push.runs.bodies:Redrive"),
            description="A message that is sent twice does no harm. What does not fit into the time of a "
            "request stays: ask again until `moved` is 0.",
            example=Example(body={"queue": "pushes"}),
        ),
        Route(
            "endStop",
            "DELETE",
            "/api/operations/stops/{site}",
            scope="admin",
            summary="End a site's stop at once",
            answers={204: None},
            errors={404: "It is not stopped."},
            description="`site` is what `GET /api/operations` names. Jobs that wait there are queued within "
            "a minute. If the limit still holds, Jira says so again.",
            example=Example(path={"site": "app oauth"}),
        ),
        Route(
            "retryPushes",
            "POST",
            "/api/jira/pushes/retry",
            scope="admin",
            summary="Try failed pushes of a run again",
            answers={200: object_of(retried=_NUMBER, complete={"type": "boolean"})},
            errors={400: "The body is faulty.", 404: "There is no such run."},
            body=model("push.runs.bodies:PushRetry"),
            description="With `job_ids`, those of these jobs; with `error`, those with exactly this error; "
            "else all of the run. A job that a later run has pushed is skipped. If `complete` is false, time "
            "ran out: send the same request again.",
            example=Example(
                body={"run_id": "2026-11-22T02:00:00.000Z", "error": "Jira API error: 403 Forbidden"}
            ),
        ),
    ),
)
