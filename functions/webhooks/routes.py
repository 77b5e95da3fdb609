"""The routes of functions/webhooks."""

from __future__ import annotations

from jobticket.web.routes import Example, Route, Routes, detail_envelope, header

ROUTES = Routes(
    detail_envelope,
    (
        Route(
            "receiveWebhook",
            "POST",
            "/api/webhooks/jira",
            scope=None,
            summary="Receive a webhook of Jira",
            description=(
                "For Jira alone: an administrator's webhook, signed with the integration's secret, or one "
                "that the product has registered for its OAuth app, with a token in `Authorization`. "
                "The body only says which ticket to look at; its state is then read from Jira. "
                "At most 64 KB."
            ),
            answers={202: None},
            errors={
                400: "The body is signed, but is no JSON object.",
                401: "Not signed by Jira, expired, too large, or accepted before. Nothing has changed.",
                503: "The wake-up could not be sent. Jira repeats the call.",
            },
            body={
                "type": "object",
                "description": "An event, as Jira sends it.",
                "additionalProperties": True,
            },
            parameters=(
                header(
                    "X-Hub-Signature",
                    "An administrator's webhook: `sha256=` and the HMAC of the body.",
                    {"type": "string"},
                ),
            ),
            example=Example(
                headers={"X-Hub-Signature": "sha256=9f2d"},
                body={
                    "timestamp": 1795339800000,
                    "webhookEvent": "jira:issue_updated",
                    "issue": {"id": "10428"},
                },
            ),
        ),
    ),
)
