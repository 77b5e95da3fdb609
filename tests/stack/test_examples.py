"""The document's examples, sent to the deployed stack: each is answered as the document says.

Writing examples of the other families need a Jira, or change what other tests of the stack rely on; they
are sent to every function in ``tests/unit/routes``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support import samples
from tests.support.deployed import Stack

DOCUMENT = json.loads((samples.ROOT / "functions" / "site" / "openapi.json").read_text())
#: These name what is there, so they must do what they say. Serial numbers are other ones on a stack in use.
DONE = {
    "createJob", "listJobs", "getJob", "changeJob", "getJobHistory", "getJobFlow", "createPath", "getPath",
    "changePath", "getPathFlow", "createSerials", "listSerials", "getSettings", "deletePath", "deleteJob",
    "getHealth", "getOpenapi", "listPushes", "listConnections", "checkConnection", "listAnomalies",
}  # fmt: skip


def sendable() -> list[tuple[str, Path]]:
    """Return the operation and the sample event of each example that a shared stack can take."""
    found = []
    for function, paths in samples.EVENTS.items():
        for path in paths:
            event = samples.event_of(path)
            listed = DOCUMENT["paths"].get(event.get("resource"), {}).get(event.get("httpMethod", "").lower())
            if listed and (
                event["httpMethod"] == "GET" or (function == "jobs" and listed["x-scope"] == "jobs")
            ):
                found.append((listed["operationId"], path))
    # What deletes comes last.
    return sorted(found, key=lambda each: each[0].startswith("delete"))


@pytest.fixture
def seeded(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setenv("JOBS_TABLE", stack.outputs["JobsTableName"])
    monkeypatch.setenv("HISTORY_TABLE", stack.outputs["HistoryTableName"])
    samples._seed_jobs(stack.client("dynamodb"))
    return stack


def test_every_example_is_answered_as_the_document_says(seeded: Stack) -> None:
    wrong: list[Any] = []
    tried = set()
    for operation, path in sendable():
        event = samples.event_of(path)
        query = event["queryStringParameters"]
        url = event["path"] + (f"?{urlencode(query)}" if query else "")
        headers = {name: value for name, value in event["headers"].items() if name != "Authorization"}
        headers.pop("X-Forwarded-Proto")
        scope = "*" if "Authorization" in event["headers"] else None
        answer = seeded.request(
            event["httpMethod"], url, scope=scope, headers=headers, data=event["body"], allow_redirects=False
        )
        documented = DOCUMENT["paths"][event["resource"]][event["httpMethod"].lower()]["responses"]
        tried.add(operation)
        must = operation in DONE and not answer.ok
        if must or str(answer.status_code) not in documented or answer.status_code == 500:
            wrong.append((operation, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert tried >= DONE
