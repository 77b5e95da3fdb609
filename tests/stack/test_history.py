"""The history on the deployed stack: each function writes it with its own role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from jobticket_client.errors import Conflict, Invalid

from tests.support.deployed import Stack, running

CLIENTS = 8


def test_moves_of_many_clients_are_each_told_once(stack: Stack) -> None:
    api = stack.api()
    job = api.jobs.create(name="History", goal_quantity=5)["id"]
    path = api.paths.create(
        job_id=job, name="Route", goal_quantity=5, steps=[{"name": "CNC"}, {"name": "Deburr"}, {"name": "QC"}]
    )["id"]
    serials = [serial["id"] for serial in api.serials.create(path_id=path, quantity=5)]

    def advance(client: int) -> int:
        answered = 0
        for serial in serials:
            with suppress(Conflict, Invalid):
                api.serials.advance(serial, operator=f"Client {client}")
                answered += 1
        return answered

    with ThreadPoolExecutor(CLIENTS) as pool:
        answered = sum(pool.map(advance, range(CLIENTS)))

    told = [list(api.serials.history(serial)) for serial in serials]
    assert sum(len(events) - 1 for events in told) == answered
    for events in told:
        reached = [event["to"]["stepName"] for event in events if "to" in event]
        assert reached == ["CNC", "Deburr", "QC"][: len(reached)]
    (today,) = api.paths.flow(path, days=1)["days"]
    shown = api.paths.get(path)["distribution"]
    assert [*today["standing"].values()] == [step["serialCount"] for step in shown]
    assert sum(today["entered"].values()) + today["completed"] == 5 + answered
    assert [event["action"] for event in api.jobs.history(job)] == ["created", "path_added"]


@pytest.fixture
def stack_with_a_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("EVENT_BUS", "production")
    with running(tmp_path) as own:
        yield own


def queue_of_moves(stack: Stack) -> str:
    """Return the URL of a queue that a rule on the bus sends the moves of serial numbers to."""
    sqs, events = stack.client("sqs"), stack.client("events")
    url: str = sqs.create_queue(QueueName="moves")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["jobticket"], "detail-type": [{"prefix": "Serial Number"}]}
    events.put_rule(Name="moves", EventBusName="production", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="moves", EventBusName="production", Targets=[{"Id": "queue", "Arn": arn}])
    return url


def next_event(stack: Stack, url: str) -> Any:
    sqs = stack.client("sqs")
    for _ in range(6):
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return json.loads(message["Body"])
    pytest.fail("no event arrives")


def test_a_move_arrives_at_the_target_of_a_rule(stack_with_a_bus: Stack) -> None:
    stack = stack_with_a_bus
    url = queue_of_moves(stack)
    job = stack.request("POST", "/api/jobs", json={"name": "Events", "goalQuantity": 1}).json()
    body = {"jobId": job["id"], "name": "Route", "goalQuantity": 1, "steps": [{"name": "A"}, {"name": "B"}]}
    path = stack.request("POST", "/api/paths", json=body).json()
    (serial,) = stack.request("POST", "/api/serials", json={"pathId": path["id"], "quantity": 1}).json()
    advance = f"/api/serials/{serial['id']}/advance"
    assert stack.request("POST", advance, json={"operator": "Anna"}).ok
    event = next_event(stack, url)
    assert event["detail-type"] == "Serial Number Moved"
    assert event["detail"] | {"serialId": serial["id"], "operator": "Anna", "toIndex": 1} == event["detail"]
    stack.stop()
    stack.start()  # the emulator's streams are new then
    assert stack.request("POST", advance, json={}).ok
    event = next_event(stack, url)
    assert (event["detail-type"], event["detail"]["serialId"]) == ("Serial Number Completed", serial["id"])
