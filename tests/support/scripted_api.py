"""Answers of the API for pages under test, in the contract's shapes. Every text in them tries to be markup."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Route

#: Runs if a page ever takes text for markup.
HOSTILE = '<img src=x onerror="window.broken = true">'
LONG = "Very long name of a housing that nobody has shortened " * 3
NOW = datetime.now(UTC)


def ago(**units: int) -> str:
    moment = NOW - timedelta(**units)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


STEPS = [
    {"id": f"step_{number}", "name": name, "order": number, "location": HOSTILE, "optional": False}
    for number, name in enumerate(("CNC", f"Deburr {HOSTILE}", "QC"))
]
PATH = {
    "id": "path_Main",
    "jobId": "job_One",
    "name": f"Main {HOSTILE}",
    "goalQuantity": 60,
    "advancementMode": "strict",
    "steps": STEPS,
    "createdAt": ago(days=20),
    "updatedAt": ago(days=1),
}
BOARD = PATH | {
    "distribution": [
        {
            "stepId": step["id"],
            "stepName": step["name"],
            "stepOrder": step["order"],
            "location": step["location"],
            "serialCount": count,
            "isBottleneck": count == 9,
        }
        for step, count in zip(STEPS, (4, 9, 0), strict=True)
    ],
    "completedCount": 41,
    "scrappedCount": 2,
}
PROGRESS = {
    "jobId": "job_One",
    "jobName": "x",
    "goalQuantity": 60,
    "totalSerials": 56,
    "completedSerials": 41,
    "inProgressSerials": 13,
    "scrappedSerials": 2,
    "progressPercent": 70.68,
    "pathProgress": [
        {
            "pathId": "path_Main",
            "pathName": PATH["name"],
            "goalQuantity": 60,
            "totalSerials": 56,
            "completedSerials": 41,
            "scrappedSerials": 2,
            "percentComplete": 70.68,
        }
    ],
}
JOB = {
    "id": "job_One",
    "name": f"{LONG}{HOSTILE}",
    "goalQuantity": 60,
    "jiraTicketKey": HOSTILE,
    "jiraTicketSummary": HOSTILE,
    "jiraPriority": HOSTILE,
    "jiraPartNumber": HOSTILE,
    "jiraEpicLink": HOSTILE,
    "jiraLabels": [HOSTILE],
    "progress": PROGRESS,
    "paths": [PATH],
    "createdAt": ago(days=21),
    "updatedAt": ago(days=1),
}
SERIAL = {
    "id": "SN-00001",
    "jobId": "job_One",
    "pathId": "path_Main",
    "currentStepIndex": 0,
    "status": "scrapped",
    "scrapReason": "other",
    "scrapExplanation": HOSTILE,
    "scrappedAt": ago(days=1),
    "forceCompleted": False,
    "createdAt": ago(days=3),
    "updatedAt": ago(days=1),
}
HISTORY = [
    {"at": ago(days=3), "action": "created", "by": HOSTILE},
    {
        "at": ago(days=2),
        "action": "skipped_to",
        "by": HOSTILE,
        "operator": HOSTILE,
        "from": {"stepId": "step_0", "stepName": HOSTILE},
        "to": {"stepId": "step_2", "stepName": HOSTILE},
        "bypassed": [{"stepId": "step_1", "stepName": HOSTILE, "classification": "skipped"}],
    },
    {"at": ago(days=1), "action": "scrapped", "by": HOSTILE, "reason": HOSTILE},
]
OTHER_HISTORY = [
    {"at": ago(days=2), "action": "created", "by": HOSTILE},
    {
        "at": ago(days=1),
        "action": "changed",
        "by": HOSTILE,
        "changed": {"name": {"before": HOSTILE, "after": "x"}},
    },
]
ANOMALY_HISTORY = [
    {"at": ago(days=2), "action": "created", "by": HOSTILE},
    {"at": ago(days=1), "action": "ticket_linked", "by": HOSTILE, "ticket_number": HOSTILE, "rule_id": 1},
    {"at": ago(days=1), "action": "status_changed", "by": HOSTILE, "from": HOSTILE, "to": HOSTILE},
]
DAYS = [(NOW - timedelta(days=back)).date().isoformat() for back in range(20, -1, -1)]
PATH_FLOW = {
    "pathId": "path_Main",
    "days": [
        {
            "date": day,
            "entered": {},
            "completed": 2,
            "scrapped": 0,
            "standing": {"step_0": 4 + index % 3, "step_1": 3 + index % 6, "step_2": index % 2},
        }
        for index, day in enumerate(DAYS)
    ],
}
JOB_FLOW = {
    "jobId": "job_One",
    "days": [{"date": day, "completed": 2, "scrapped": 0, "total": 56, "goal": 60} for day in DAYS],
}
PUSHES = [
    {
        "jobId": "job_One",
        "ticketKey": f"PI-{number}",
        "runId": "run_1",
        "by": HOSTILE,
        "at": ago(hours=number),
        "status": status,
        "error": None if status == "pushed" else f"{HOSTILE} {number % 2}",
    }
    for number, status in enumerate(("failed", "failed", "failed", "pushed", "waiting", "skipped"))
]
OPERATIONS = {
    "queues": [
        {"name": f"push-jobs {HOSTILE}", "waiting": 12, "in_flight": 3, "failed": 2, "redrivable": True},
        {"name": "ticket-events", "waiting": 0, "in_flight": 0, "failed": 0, "redrivable": True},
        {"name": "failed-events", "waiting": 0, "in_flight": 0, "failed": 1, "redrivable": False},
    ],
    "stops": [{"site": f"https://{HOSTILE}", "until": ago(hours=-2), "reason": HOSTILE}],
    "paused": False,
    "runs": [
        {
            "run_id": f"run_{number}",
            "at": ago(days=number),
            "by": HOSTILE,
            "pushed": 400 - 20 * number,
            "skipped": 90,
            "waiting": 10 * number,
            "failed": 7,
        }
        for number in range(1, 15)
    ],
}
CONNECTIONS = [
    {
        "external_id": f"plant {number} {HOSTILE}",
        "provider": "jira",
        "kind": kind,
        "site_name": HOSTILE,
        "site_url": f"https://{HOSTILE}",
        "selected_project_id": HOSTILE,
        "status": status,
        "authorized_at": ago(days=300),
        "last_refreshed_at": ago(hours=1),
        "expires_at": ago(days=-until) if until else None,
    }
    for number, (kind, status, until) in enumerate(
        [("oauth", "valid", 12), ("oauth", "invalid", 200), ("api_token", "valid", 0)]
    )
]
ANOMALY = {
    "id": 7,
    "type": "shape",
    "status": "Active",
    "archived": False,
    "datastore": {"id": 1, "name": HOSTILE},
    "container": {"id": 2, "name": HOSTILE},
    "failed_checks": [{"message": f"{LONG}{HOSTILE}", "field": HOSTILE, "rule_type": HOSTILE}] * 2,
    "weight": 7,
    "fingerprint": HOSTILE,
    "description": HOSTILE,
    "detected": ago(days=1),
    "detected_count": 3,
    "created": ago(days=1),
    "updated": ago(hours=1),
}
LINK = {
    "id": 1,
    "anomaly_id": 7,
    "integration_id": 1,
    "ticket_id": "10001",
    "ticket_number": HOSTILE,
    "title": HOSTILE,
    "status": HOSTILE,
    "url": "javascript:window.broken=true",
    "origin": "created",
    "created": ago(days=1),
    "last_synced": ago(hours=1),
    "last_sync_error": HOSTILE,
}


def listed(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "total": len(items), "page": 1, "size": 50, "pages": 1}


ANSWERS: dict[str, Any] = {
    "/api/jobs": [JOB, JOB | {"id": "job_Two", "name": "Short"}],
    "/api/jobs/job_One": JOB,
    "/api/jobs/job_One/flow": JOB_FLOW,
    "/api/jobs/job_One/history": OTHER_HISTORY,
    "/api/paths/path_Main": BOARD,
    "/api/paths/path_Main/flow": PATH_FLOW,
    "/api/serials/SN-00001": SERIAL,
    "/api/serials/SN-00001/history": HISTORY,
    "/api/jira/pushes": {"pushes": PUSHES, "next_cursor": None},
    "/api/operations": OPERATIONS,
    "/api/backend/connections": {"connections": CONNECTIONS, "next_cursor": None},
    "/api/anomalies": listed(ANOMALY, ANOMALY | {"id": 8, "status": "Resolved"}),
    "/api/anomalies/7": ANOMALY,
    "/api/anomalies/7/ticket-links": listed(LINK),
    "/api/anomalies/7/comments": listed(
        {"id": 1, "anomaly_id": 7, "message": HOSTILE, "created": ago(days=1)}
    ),
    "/api/anomalies/7/history": ANOMALY_HISTORY,
}
VIEWS = (
    "#/jobs",
    "#/jobs/job_One",
    "#/jobs/job_One/pushes",
    "#/jobs/job_One/history",
    "#/paths/path_Main",
    "#/serials/SN-00001",
    "#/scan",
    "#/scan?job=job_One",
    "#/scan/path_Main",
    "#/pushes",
    "#/connections",
    "#/anomalies",
    "#/anomalies/7",
    "#/anomalies/7/comments",
    "#/anomalies/7/history",
    "#/queues",
)


class ScriptedApi:
    """Stands in for the API, and notes what it was asked.

    ``answers`` may be changed: a body by path, or ``(status, body)`` by method and path.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.answers = dict(ANSWERS)
        self.asked: list[tuple[str, str]] = []
        self.keys: set[str | None] = set()
        context.route("**/api/**", self._answer)

    def _answer(self, route: Route) -> None:
        request = route.request
        parts = urlsplit(request.url)
        self.asked.append((request.method, f"{parts.path}?{parts.query}" if parts.query else parts.path))
        self.keys.add(request.headers.get("authorization"))
        found = self.answers.get(f"{request.method} {parts.path}", self.answers.get(parts.path))
        if found is None or (
            request.method != "GET" and f"{request.method} {parts.path}" not in self.answers
        ):
            found = 404, {"statusCode": 404, "message": "Not Found"}
        status, body = found if isinstance(found, tuple) else (200, found)
        if callable(body):
            body = body(json.loads(request.post_data or "{}"), parse_qs(parts.query))
        route.fulfill(status=status, json=body)

    def data_of_views(self) -> Iterator[str]:
        return (path for method, path in self.asked if method == "GET")
