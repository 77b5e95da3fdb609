"""Events: each recorded change at least once, those of one subject in order, a repeat with the same id."""

from __future__ import annotations

import json
from collections import defaultdict
from random import Random
from typing import Any

import boto3
import pytest

from jobticket.history import events
from jobticket.store.table import type_serializer
from tests.support.faults import refused
from tests.support.gateway import Gateway, LambdaContext
from tests.support.shop_floor import advance, new_job, new_path, new_serials
from tests.unit.conftest import client, load_function
from tools.redrive import redrive_events


class Bus:
    """A bus that fails when a test says so: whole calls, or single entries of them."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.random: Random | None = None
        self.is_down = False

    def put_events(self, **call: Any) -> dict[str, Any]:
        entries = call["Entries"]
        assert 1 <= len(entries) <= 10
        # What EventBridge counts of an entry, and how much it takes in a call.
        sizes = [
            14 + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
            for entry in entries
        ]
        assert sum(sizes) <= 256 * 1024
        if self.is_down or (self.random and self.random.random() < 0.2):
            raise refused("InternalFailure", 500, "PutEvents")
        answers: list[dict[str, str]] = []
        for entry in entries:
            assert (entry["EventBusName"], entry["Source"]) == ("jobticket-events", "jobticket")
            if self.random and self.random.random() < 0.2:
                answers.append({"ErrorCode": "ThrottlingException"})
                continue
            self.got.append({"type": entry["DetailType"], **json.loads(entry["Detail"])})
            answers.append({"EventId": "1"})
        failed = sum("ErrorCode" in answer for answer in answers)
        return {"FailedEntryCount": failed, "Entries": answers}


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def sender(aws: None, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Any:
    sender = load_function("event_sender")
    monkeypatch.setattr(sender, "client", bus)
    return sender


def record(number: int, item: dict[str, Any], name: str = "INSERT") -> dict[str, Any]:
    image = {key: type_serializer.serialize(value) for key, value in item.items()}
    return {"eventName": name, "dynamodb": {"NewImage": image, "SequenceNumber": f"{number:021d}"}}


def move(serial: int, step: int) -> dict[str, Any]:
    return {
        "pk": f"SERIAL#SN-{serial:05d}",
        "sk": f"{step:03d}",
        "action": "advanced",
        "at": "2026-11-22T09:30:00.000Z",
        "by": "tablet-3",
        "from_index": step,
        "expires_at": 1858411800,
    }


def handle(sender: Any, records: list[dict[str, Any]]) -> list[dict[str, str]]:
    answer: dict[str, Any] = sender.handler({"Records": records}, LambdaContext())
    failed: list[dict[str, str]] = answer["batchItemFailures"]
    return failed


def recorded(number: int = 0) -> list[dict[str, Any]]:
    """Return the history as the stream would have it."""
    items = client("dynamodb").scan(TableName="history")["Items"]
    items.sort(key=lambda item: item.get("at", {"S": ""})["S"])
    return [
        {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": f"{number + place:021d}"}}
        for place, item in enumerate(items)
    ]


def test_what_happens_on_the_shop_floor_is_sent(jobs_api: Gateway, sender: Any, bus: Bus) -> None:
    job = new_job(jobs_api, name="Housing")
    jobs_api.put(f"/api/jobs/{job['id']}", {"goalQuantity": 51})
    path = new_path(jobs_api, job["id"], steps=("CNC",))
    first, second = (serial["id"] for serial in new_serials(jobs_api, path["id"], 2))
    jobs_api.post(f"/api/serials/{first}/advance", {"operator": "Anna"})
    jobs_api.post(f"/api/serials/{second}/scrap", {"reason": "damaged"})
    jobs_api.put("/api/settings", {"enabled": True})
    assert handle(sender, recorded()) == []
    sent = {event["type"]: event for event in bus.got}
    assert set(sent) == {"Job Created", "Job Changed", "Serial Number Completed", "Serial Number Scrapped"}
    done = sent["Serial Number Completed"]
    assert done.pop("at") == jobs_api.get(f"/api/serials/{first}").json()["updatedAt"]
    assert done == {
        "type": "Serial Number Completed",
        "id": f"SERIAL#{first}/000",
        "serialId": first,
        "jobId": job["id"],
        "pathId": path["id"],
        "action": "completed",
        "by": "every-scope",
        "operator": "Anna",
        "fromIndex": 0,
    }
    assert sent["Job Created"]["name"] == "Housing"
    changes = [event["changes"] for event in bus.got if event.get("action") == "changed"]
    assert changes == [{"goalQuantity": {"before": 50, "after": 51}}]


def test_counts_and_deletions_are_not_sent(sender: Any, bus: Bus) -> None:
    flow = {"pk": "FLOW#path_1", "sk": "2026-11-22#00", "in_step_0": 1}
    removed: Any = {"eventName": "REMOVE", "dynamodb": {"OldImage": {}, "SequenceNumber": "3"}}
    modified = record(2, move(1, 0), "MODIFY")
    removed["dynamodb"]["NewImage"] = {}
    assert handle(sender, [record(1, flow), modified, removed]) == []
    assert bus.got == []


def test_a_repeat_has_the_same_id(sender: Any, bus: Bus) -> None:
    for _ in range(2):
        handle(sender, [record(1, move(1, 0))])
    assert [event["id"] for event in bus.got] == ["SERIAL#SN-00001/000"] * 2


@pytest.mark.parametrize("seed", range(5))
def test_every_change_arrives_and_those_of_a_subject_in_order(sender: Any, bus: Bus, seed: int) -> None:
    """Records come doubled and delayed, and the bus fails in whole and in part."""
    random = bus.random = Random(seed)
    moves = [(serial, step) for step in range(6) for serial in range(1, 9)]
    waiting = [record(number, move(*one)) for number, one in enumerate(moves)]
    while waiting:
        batch = waiting[: random.randint(1, 30)]
        failed = handle(sender, batch)
        if failed:
            places = [entry["dynamodb"]["SequenceNumber"] for entry in batch]
            waiting = waiting[places.index(failed[0]["itemIdentifier"]) :]
        elif random.random() < 0.2:  # the answer was lost: the batch comes again
            bus.random = Random(random.random())
        else:
            waiting = waiting[len(batch) :]
    arrived: dict[str, list[int]] = defaultdict(list)
    for event in bus.got:
        steps = arrived[event["serialId"]]
        if event["fromIndex"] not in steps:
            steps.append(event["fromIndex"])
    assert len(arrived) == 8
    assert all(steps == list(range(6)) for steps in arrived.values())


def test_a_change_of_many_steps_is_told_without_them(sender: Any, bus: Bus) -> None:
    steps = [{"name": "x" * 255} for _ in range(400)]
    changed = {
        "changes": {"steps": {"after": steps}},
        "pk": "JOB#job_1",
        "action": "path_changed",
        "name": "R",
    }
    assert handle(sender, [record(1, {**move(1, 0), **changed})]) == []
    assert "changes" not in bus.got[0]
    assert bus.got[0]["name"] == "R"


def test_large_changes_of_many_jobs_fit_into_calls(sender: Any, bus: Bus) -> None:
    large = {"action": "path_changed", "changes": {"steps": {"after": "x" * 55_000}}}
    records = [record(number, {**move(1, 0), **large, "pk": f"JOB#job_{number}"}) for number in range(20)]
    assert handle(sender, records) == []
    assert len(bus.got) == 20


@pytest.mark.parametrize("kind", sorted({key if isinstance(key, str) else key[0] for key in events.TYPES}))
def test_every_kind_of_subject_has_an_id_in_its_events(kind: str) -> None:
    event = events.event_of({**move(1, 0), "pk": f"{kind}#1", "action": "marked_invalid"})
    assert event is not None
    assert "1" in map(str, event.detail.values())


def test_dead_letters_are_sent_again_from_the_history(jobs_api: Gateway, bus: Bus) -> None:
    path = new_path(jobs_api, steps=("CNC", "QC"))
    serial = new_serials(jobs_api, path["id"])[0]["id"]
    advance(jobs_api, serial, 2)
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="events-dead-letters")["QueueUrl"]
    at = jobs_api.get(f"/api/serials/{serial}").json()["updatedAt"]
    batch = {"approximateArrivalOfFirstRecord": at, "approximateArrivalOfLastRecord": at, "batchSize": 2}
    for _ in range(12):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"DDBStreamBatchInfo": batch}))
    scans: list[Any] = []
    dynamodb = client("dynamodb")
    dynamodb.meta.events.register("before-call.dynamodb.Scan", lambda params, **_: scans.append(params))
    bus.is_down = True
    with pytest.raises(SystemExit, match="nothing is lost"):
        redrive_events(sqs, dynamodb, bus, url, "history", "jobticket-events")
    bus.is_down = False
    assert redrive_events(sqs, dynamodb, bus, url, "history", "jobticket-events") == 4
    assert len(scans) == 2  # however many dead letters there are
    assert [event["id"] for event in bus.got if "serialId" in event] == [
        f"SERIAL#{serial}/000",
        f"SERIAL#{serial}/001",
    ]
    assert redrive_events(sqs, client("dynamodb"), bus, url, "history", "jobticket-events") == 0
