"""Every bad request to every route of the jobs function, through HTTP and the gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.bad_input import bad_requests
from tests.support.deployed import Stack
from tests.support.samples import EVENTS, event_of

REFUSALS = {400, 401, 403, 404, 409, 413, 422}
EVENTS_OF_JOBS = {path.stem: event_of(path) for path in EVENTS["jobs"]}


@pytest.fixture(scope="module")
def ids(stack: Stack) -> dict[str, str]:
    """What the samples name, made here, under the ids that the stack gave."""

    def made(url: str, body: dict[str, Any]) -> Any:
        answer = stack.request("POST", url, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    jobs = [made("/api/jobs", {"name": "J", "goalQuantity": 50})["id"] for _ in range(2)]
    steps = [{"name": f"Step {n}"} for n in range(3)]
    path = {"jobId": jobs[0], "name": "Milling", "goalQuantity": 50, "steps": steps}
    paths = [made("/api/paths", path | {"advancementMode": "flexible"})["id"] for _ in range(2)]
    serials = [serial["id"] for serial in made("/api/serials", {"pathId": paths[0], "quantity": 6})]
    named = ["job_BracketOrder", "job_PlannedOrder", "path_MillingRoute", "path_ReworkRoute1"]
    named += [f"SN-{number:05d}" for number in range(1, 7)]
    return dict(zip(named, [*jobs, *paths, *serials], strict=True))


def dump(stack: Stack) -> list[str]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["JobsTableName"])
    return sorted(json.dumps(item, sort_keys=True, default=repr) for page in pages for item in page["Items"])


@pytest.mark.parametrize("name", EVENTS_OF_JOBS)
def test_a_bad_request_is_refused_and_changes_nothing(stack: Stack, ids: dict[str, str], name: str) -> None:
    text = json.dumps(EVENTS_OF_JOBS[name])
    for sample, real in ids.items():
        text = text.replace(f'"{sample}"', f'"{real}"').replace(f'\\"{sample}\\"', f'\\"{real}\\"')
    event = json.loads(text)
    methods = {
        other["httpMethod"] for other in EVENTS_OF_JOBS.values() if other["resource"] == event["resource"]
    }
    before = dump(stack)
    faults = []
    tried = 0
    for request in bad_requests(event, methods):
        headers = request.event["headers"]
        foreign = request.event["pathParameters"] != event["pathParameters"]
        if not (request.refused or foreign) or not all(value.isascii() for value in headers.values()):
            continue
        if not request.can_be_sent:
            continue
        tried += 1
        sent = {
            name: headers[name]
            for name in ("Authorization", "Content-Type", "Idempotency-Key")
            if name in headers
        }
        if "Authorization" in sent:
            sent["Authorization"] = sent["Authorization"].replace("local-key", stack.keys["*"])
        body = request.event["body"]
        answer = stack.request(
            request.event["httpMethod"],
            request.target,
            scope=None,
            headers=sent,
            data=body.encode("utf-8") if body is not None else None,
        )
        told = answer.json()
        if (
            answer.status_code not in REFUSALS
            or told.get("statusCode") != answer.status_code
            or not told["message"]
        ):
            faults.append(f"{request.what}: {answer.status_code} {answer.text[:200]}")
    assert not faults, "\n".join(faults)
    assert tried >= 7
    assert dump(stack) == before
