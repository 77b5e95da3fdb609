"""Scheduled pushes on the deployed stack: the schedule, the queue, the workers, and people who edit meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobticket.push.tables import find_tables_in_markup
from local.emulator import ACCOUNT_KEY, REGION
from tests.stack.test_push import Floor as PushFloor
from tests.support.deployed import ROOT, Stack, running

#: The emulator's scheduler looks every 10 seconds, and a rate of a minute begins a minute after the start.
A_FEW_MINUTES = 600
POLL_SECONDS = 0.2
pytestmark = pytest.mark.long
#: Runs of one day each, later than those of any other test.
NIGHTS = (f"2026-12-{day:02d}T02:00:00" for day in itertools.count(1))


def wait_for(found: Callable[[], Any], seconds: float = A_FEW_MINUTES) -> Any:
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, "it did not come"
        threading.Event().wait(POLL_SECONDS)
    return result


class Floor(PushFloor):
    """The shop floor, and what runs by the clock."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.sqs = stack.client("sqs")

    def schedule(self, **event: str) -> dict[str, Any]:
        """Call the scheduler as EventBridge does: the function's alias, with the schedule's event."""
        answer = self.stack.client("lambda").invoke(
            FunctionName=self.stack.outputs["PushSchedulerFunctionName"],
            Qualifier="live",
            Payload=json.dumps(event),
        )
        assert "FunctionError" not in answer
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        return result

    def night(self, moment: str | None = None) -> str:
        """Let a night's run begin; return its id."""
        moment = moment or next(NIGHTS)
        run = str(self.schedule(task="run", scheduledTime=f"{moment}Z")["runId"])
        assert run == f"{moment}.000Z"
        return run

    def pushes(self, job_id: str, status: str | None = None) -> list[Any]:
        return list(self.api.jobs.pushes(job_id=job_id, status=status))

    def outcome(self, job_id: str, run: str) -> Any:
        """Wait for what becomes of a job in a run, letting the minutes' sweeps come at once."""

        def done() -> Any:
            (push,) = [push for push in self.pushes(job_id) if push["runId"] == run] or [None]
            if push is None or push["status"] != "waiting":
                return push
            self.schedule(task="sweep")
            return None

        return wait_for(done)

    def tables(self, key: str) -> int:
        return len(find_tables_in_markup(self.description(key)))

    def messages(self, queue: str) -> int:
        """How many messages a queue holds, those that are being worked on included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.stack.outputs[queue]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def send(self, *job_ids: str, run: str) -> None:
        body = json.dumps({"run": run, "by": "schedule", "jobs": job_ids})
        self.sqs.send_message(QueueUrl=self.stack.outputs["PushQueueUrl"], MessageBody=body)


@pytest.fixture
def floor(stack: Stack) -> Iterator[Floor]:
    floor = Floor(stack)
    floor.connect()
    yield floor
    floor.jira("PUT", "/_control", {"faults": [], "latency_ms": 0})


def test_a_night_reaches_every_ticket_once(floor: Floor) -> None:
    jobs = {floor.job(key): key for key in (floor.ticket() for _ in range(12))}
    moment = next(NIGHTS)
    run = floor.night(moment)
    for job_id, key in jobs.items():
        push = floor.outcome(job_id, run)
        assert (push["status"], push["ticketKey"], push["by"]) == ("pushed", key, "schedule")
        assert floor.description(key).startswith("Build 50 housings.\n\n*Main Route*")
    # The event comes twice, and so does a message.
    assert floor.schedule(task="run", scheduledTime=f"{moment}Z") == {"runId": run, "queued": 0}
    floor.send(*list(jobs)[:10], run=run)
    wait_for(lambda: floor.messages("PushQueueUrl") == 0)
    assert [floor.tables(key) for key in jobs.values()] == [1] * 12


def test_nothing_new_is_skipped_and_listed(floor: Floor) -> None:
    key = floor.ticket()
    job_id = floor.job(key)
    first = floor.night()
    assert floor.outcome(job_id, first)["status"] == "pushed"
    second = floor.night()
    skipped = floor.outcome(job_id, second)
    assert (skipped["status"], skipped["error"]) == ("skipped", "Nothing has changed since the last push")
    assert floor.tables(key) == 1
    (path,) = floor.api.jobs.get(job_id)["paths"]
    serial = next(floor.api.serials.list(path["id"]))
    floor.api.serials.advance(serial["id"], from_step_index=0)
    third = floor.night()
    assert floor.outcome(job_id, third)["status"] == "pushed"
    assert floor.tables(key) == 2
    assert [push["runId"] for push in floor.pushes(job_id)] == [third, second, first]
    assert [push["runId"] for push in floor.pushes(job_id, status="skipped")] == [second]
    latest, following = itertools.islice(floor.api.jobs.pushes(page_size=1), 2)
    assert latest != following


def test_everybody_at_once(floor: Floor) -> None:
    key = floor.ticket()
    job_id = floor.job(key)
    run = floor.stack.api("admin").jobs.push_all()["runId"]
    assert floor.outcome(job_id, run)["by"] == "admin"
    assert floor.tables(key) == 1


def test_a_lost_answer_and_a_spent_quota_are_got_over(floor: Floor) -> None:
    lost, limited = floor.ticket(), floor.ticket()
    jobs = {key: floor.job(key) for key in (lost, limited)}
    headers = {"Retry-After": "2", "RateLimit-Reason": "jira-quota-tenant-based"}
    faults = [
        {"method": "PUT", "path": f"/issue/{lost}$", "drop": "after"},
        {"method": "GET", "path": f"/issue/{limited}$", "status": 429, "headers": headers},
    ]
    floor.jira("PUT", "/_control", {"faults": faults})
    run = floor.night()
    assert [floor.outcome(job_id, run)["status"] for job_id in jobs.values()] == ["pushed", "pushed"]
    assert [floor.tables(key) for key in jobs] == [1, 1]


def edit_during_a_push(floor: Floor, key: str, line: str) -> None:
    """Add a line to a description at the worst moment: a push's write is on its way, and arrives now."""
    wait_for(lambda: floor.jira("GET", "/_control")["faults"][0]["times"] == 0)
    # By its id, which the slow path does not match.
    issue = floor.jira("GET", f"/rest/api/2/issue/{key}")["id"]
    text = f"{line}\n\n{floor.description(issue)}"
    floor.jira("PUT", f"/rest/api/2/issue/{issue}", {"fields": {"description": text}})
    floor.jira("PUT", "/_control", {"faults": []})


def slow_write(key: str) -> dict[str, Any]:
    return {"faults": [{"method": "PUT", "path": f"/issue/{key}$", "held": True}]}


def test_an_edit_during_a_push_survives(floor: Floor) -> None:
    key = floor.ticket()
    job_id = floor.job(key)
    floor.jira("PUT", "/_control", slow_write(key))
    run = floor.night()
    edit_during_a_push(floor, key, "Ann: one more bore.")
    assert floor.outcome(job_id, run)["status"] == "pushed"
    after = floor.description(key)
    assert after.startswith("Ann: one more bore.\n\nBuild 50 housings.\n\n*Main Route*")
    assert floor.tables(key) == 1


def test_dead_letters_come_back(floor: Floor) -> None:
    """A worker meets a job that it cannot read, gives the message up, and is sent it again when that is mended."""
    broken, sound = floor.ticket(), floor.ticket()
    jobs = [floor.job(broken), floor.job(sound)]
    mend = _break(floor, jobs[0])
    outputs = floor.stack.outputs
    visibility = {"VisibilityTimeout": "1"}
    usual = floor.sqs.get_queue_attributes(QueueUrl=outputs["PushQueueUrl"], AttributeNames=list(visibility))
    floor.sqs.set_queue_attributes(QueueUrl=outputs["PushQueueUrl"], Attributes=visibility)
    run = f"{next(NIGHTS)}.000Z"
    floor.send(*jobs, run=run)
    wait_for(lambda: floor.messages("PushDeadLettersUrl") == 1)
    floor.sqs.set_queue_attributes(QueueUrl=outputs["PushQueueUrl"], Attributes=usual["Attributes"])
    assert floor.outcome(jobs[1], run)["status"] == "pushed", "it was held up by the other one"
    assert floor.pushes(jobs[0]) == []
    mend()
    assert _redrive(floor) == "1 message sent again\n"
    assert floor.outcome(jobs[0], run)["status"] == "pushed"
    wait_for(lambda: floor.messages("PushQueueUrl") == 0)
    assert (floor.tables(broken), floor.tables(sound)) == (1, 1)
    assert floor.messages("PushDeadLettersUrl") == 0
    assert _redrive(floor) == "0 messages sent again\n"


def _break(floor: Floor, job_id: str) -> Callable[[], object]:
    """Spoil a job's item, as a fault of ours might; the function returned mends it."""
    dynamodb = floor.stack.client("dynamodb")
    place = {
        "TableName": floor.stack.outputs["JobsTableName"],
        "Key": {"pk": {"S": f"JOB#{job_id}"}, "sk": {"S": "JOB"}},
    }
    item = dynamodb.get_item(**place)["Item"]
    dynamodb.update_item(**place, UpdateExpression="REMOVE created_at, goal_quantity")
    return lambda: dynamodb.put_item(TableName=place["TableName"], Item=item)


def _redrive(floor: Floor) -> str:
    """Run the command as an operator does."""
    outputs = floor.stack.outputs
    account = {
        "AWS_ENDPOINT_URL": floor.stack.description()["aws_endpoint_url"],
        "AWS_ACCESS_KEY_ID": ACCOUNT_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": "*",
    }
    command = ["-m", "tools.redrive", outputs["PushDeadLettersUrl"], outputs["PushQueueUrl"]]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | account,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_schedule_itself_pushes_and_a_person_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every minute, as PUSH_SCHEDULE says, on a stack of its own."""
    monkeypatch.setenv("PUSH_SCHEDULE", "rate(1 minute)")
    with running(tmp_path) as stack:
        floor = Floor(stack)
        floor.connect()
        edited, calm = floor.ticket(), floor.ticket()
        jobs = [floor.job(edited), floor.job(calm)]
        floor.jira("PUT", "/_control", slow_write(edited))
        edit_during_a_push(floor, edited, "Bo: see drawing 7.")
        for job_id in jobs:
            wait_for(lambda: floor.pushes(job_id, status="pushed"))  # noqa: B023, called at once
        assert floor.description(edited).startswith(
            "Bo: see drawing 7.\n\nBuild 50 housings.\n\n*Main Route*"
        )
        assert floor.description(calm).startswith("Build 50 housings.\n\n*Main Route*")
        assert (floor.tables(edited), floor.tables(calm)) == (1, 1)
