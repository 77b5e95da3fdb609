"""The history on the deployed stack: each function writes it with its own role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.deployed import Stack, running

CLIENTS = 8


def test_moves_of_many_clients_are_each_told_once(stack: Stack) -> None:
    def send(method: str, url: str, body: Any = None) -> Any:
        return stack.request(method, url, json=body)

    job = send("POST", "/api/jobs", {"name": "History", "goalQuantity": 5}).json()
    steps = [{"name": name} for name in ("CNC", "Deburr", "QC")]
    body = {"jobId": job["id"], "name": "Route", "goalQuantity": 5, "steps": steps}
    path = send("POST", "/api/paths", body).json()
    serials = send("POST", "/api/serials", {"pathId": path["id"], "quantity": 5}).json()

    def advance(client: int) -> int:
        answers = [
            send("POST", f"/api/serials/{serial['id']}/advance", {"operator": f"Client {client}"})
            for serial in serials
        ]
        return sum(answer.status_code == 200 for answer in answers)

    with ThreadPoolExecutor(CLIENTS) as pool:
        answered = sum(pool.map(advance, range(CLIENTS)))

    told = [send("GET", f"/api/serials/{serial['id']}/history").json() for serial in serials]
    assert sum(len(events) - 1 for events in told) == answered
    for events in told:
        reached = [event["to"]["stepName"] for event in events if "to" in event]
        assert reached == ["CNC", "Deburr", "QC"][: len(reached)]
    (today,) = send("GET", f"/api/paths/{path['id']}/flow?days=1").json()["days"]
    shown = send("GET", f"/api/paths/{path['id']}").json()
    assert [*today["standing"].values()] == [step["serialCount"] for step in shown["distribution"]]
    assert sum(today["entered"].values()) + today["completed"] == 5 + answered
    assert [event["action"] for event in send("GET", f"/api/jobs/{job['id']}/history").json()] == [
        "created",
        "path_added",
    ]


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
