"""The operator's routes: what they show, and what they set going again."""

from __future__ import annotations

import sys
import threading
from typing import Any
from urllib.parse import quote

import pytest

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.push.runs.queue import Jobs
from tests.support.gateway import Gateway
from tests.unit.conftest import client, gateway, load_function
from tests.unit.push.runs.conftest import NEXT_RUN, RUN, Floor

ISSUE = "/rest/api/./issue/"
FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


@pytest.fixture
def queues(aws: None) -> dict[str, str]:
    sqs: Any = client("sqs")
    names = ("pushes", "pushes-dead-letters", "failed-events", "events-dead-letters")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in names}
    for name in ("ticket-events", "ticket-events-dead-letters"):
        urls[name] = sqs.create_queue(QueueName=f"{name}.fifo", Attributes=FIFO)["QueueUrl"]
    return urls


@pytest.fixture
def operations(queues: dict[str, str]) -> Gateway:
    return gateway(load_function("operations"))


def sent(url: str) -> list[Jobs]:
    answer: Any = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [Jobs.read(message["Body"]) for message in answer.get("Messages", [])]


def test_queues_show_what_waits_and_what_failed(operations: Gateway, queues: dict[str, str]) -> None:
    sqs: Any = client("sqs")
    for name in ("pushes", "pushes", "pushes", "failed-events"):
        sqs.send_message(QueueUrl=queues[name], MessageBody="{}")
    sqs.receive_message(QueueUrl=queues["pushes"])
    for _ in range(2):
        sqs.send_message(QueueUrl=queues["events-dead-letters"], MessageBody="{}")
    sqs.send_message(QueueUrl=queues["ticket-events-dead-letters"], MessageBody="{}", MessageGroupId="1")
    assert operations.get("/api/operations").json() == {
        "queues": [
            {"name": "pushes", "waiting": 2, "in_flight": 1, "failed": 0, "redrivable": True},
            {"name": "ticket-events", "waiting": 0, "in_flight": 0, "failed": 1, "redrivable": True},
            {"name": "failed-events", "waiting": 0, "in_flight": 0, "failed": 1, "redrivable": False},
            {"name": "events", "waiting": 0, "in_flight": 0, "failed": 2, "redrivable": False},
        ],
        "stops": [],
        "runs": [],
        "paused": False,
    }


def test_queues_are_counted_side_by_side(queues: dict[str, str]) -> None:
    module = load_function("operations")
    two = threading.Barrier(2)  # which breaks if one waits for the other

    def meet(**_: Any) -> None:
        two.wait(10)

    module.sqs.meta.events.register("before-call.sqs.GetQueueAttributes", meet)
    assert gateway(module).get("/api/operations").status == 200


def test_dead_letters_are_sent_again(operations: Gateway, queues: dict[str, str]) -> None:
    message = Jobs(RUN, "schedule", ("job_AAAAAAAAAAAA",))
    client("sqs").send_message(QueueUrl=queues["pushes-dead-letters"], MessageBody=message.body())
    assert operations.post("/api/operations/redrive", {"queue": "pushes"}).json() == {"moved": 1}
    assert sent(queues["pushes"]) == [message]
    assert operations.post("/api/operations/redrive", {"queue": "pushes"}).json() == {"moved": 0}


@pytest.mark.parametrize("queue", ["failed-events", "events", "jobs"])
def test_what_cannot_be_sent_again_is_refused(operations: Gateway, queue: str) -> None:
    answer = operations.post("/api/operations/redrive", {"queue": queue})
    assert (answer.status, answer.json()["message"]) == (400, "queue must be one of: pushes, ticket-events")


def test_without_a_bus_there_is_no_queue_of_events(
    queues: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_DEAD_LETTERS", "")
    monkeypatch.delitem(sys.modules, "functions.operations.app", raising=False)
    shown = gateway(load_function("operations")).get("/api/operations").json()["queues"]
    del sys.modules["functions.operations.app"]
    assert [queue["name"] for queue in shown] == ["pushes", "ticket-events", "failed-events"]


@pytest.mark.parametrize("key", ["only-jobs", "only-jira"])
def test_operators_alone_may(operations: Gateway, key: str) -> None:
    assert gateway(load_function("operations"), key).get("/api/operations").status == 403


def test_a_run_shows_what_became_of_its_jobs(floor: Floor, job: str, operations: Gateway) -> None:
    others = [floor.shop.job(f"PI-{number}") for number in (8, 9)]
    floor.shop.path(others[0])
    floor.scheduler.runs.begin(RUN, "schedule")
    floor.time.pass_by(60)
    floor.scheduler.queue_run(RUN, Deadline.after(280, floor.time.monotonic))
    floor.jira.fail("PUT", f"{ISSUE}PI-8$", status=403)
    assert floor.take(job, others[0]) == {"pushed": 1, "failed": 1}
    (run,) = operations.get("/api/operations").json()["runs"]
    counts = {"pushed": 1, "skipped": 0, "failed": 1, "waiting": 1}
    assert run == {"run_id": RUN, "by": "schedule", "at": run["at"], **counts}
    assert floor.take(others[1]) == {"skipped": 1}
    (run,) = operations.get("/api/operations").json()["runs"]
    assert (run["skipped"], run["waiting"]) == (1, 0)


def test_failed_pushes_are_tried_again(
    floor: Floor, job: str, operations: Gateway, queues: dict[str, str]
) -> None:
    other = floor.shop.job("PI-8")
    floor.shop.path(other)
    floor.scheduler.runs.begin(RUN, "schedule")
    floor.jira.fail("PUT", f"{ISSUE}PI-7$", status=403)
    assert floor.take(job) == {"failed": 1}
    floor.jira.fail("PUT", f"{ISSUE}PI-8$", status=400)
    assert floor.take(other) == {"failed": 1}
    assert floor.take(job, other) == {"left": 2}

    def retry(**which: Any) -> Any:
        return operations.post("/api/jira/pushes/retry", {"run_id": RUN, **which}).json()

    floor.time.pass_by(60)  # the function has the time of this machine
    assert retry(error="another") == {"retried": 0, "complete": True}
    assert retry(error="Jira API error: 403 Forbidden") == {"retried": 1, "complete": True}
    assert retry(job_ids=[job, "job_AAAAAAAAAAAA"]) == {"retried": 0, "complete": True}
    (message,) = sent(queues["pushes"])
    assert (message.run_id, message.by, message.job_ids) == (RUN, "schedule", (job,))
    assert (floor.state(job), floor.state(other)) == ("waiting", "failed")
    assert floor.sweep() == 1, "should the message be lost"
    assert floor.take(job) == {"pushed": 1}
    assert retry(job_ids=[other]) == {"retried": 1, "complete": True}
    assert floor.take(other) == {"pushed": 1}
    (run,) = operations.get("/api/operations").json()["runs"]
    assert (run["pushed"], run["failed"]) == (2, 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"run_id": NEXT_RUN}, 404),
        ({"run_id": RUN, "job_ids": ["a"], "error": "b"}, 400),
        ({"run_id": RUN, "job_ids": "a"}, 400),
        ({}, 400),
    ],
)
def test_a_retry_that_names_nothing_is_refused(operations: Gateway, body: Any, status: int) -> None:
    assert operations.post("/api/jira/pushes/retry", body).status == status


def test_a_stopped_site_goes_on(floor: Floor, job: str, operations: Gateway) -> None:
    floor.time.pass_by(60)
    headers = {"Retry-After": "7200", "RateLimit-Reason": "jira-quota-tenant-based"}
    floor.jira.fail("GET", f"{ISSUE}PI-7$", status=429, headers=headers)
    assert floor.take(job) == {"waiting": 1}
    (stop,) = operations.get("/api/operations").json()["stops"]
    assert (stop["site"], stop["reason"]) == (f"site {floor.jira.url}", "jira-quota-tenant-based")
    left = clock.parse_iso(stop["until"]) - floor.time.now()
    assert left.total_seconds() == pytest.approx(3600, abs=1), "no limit is believed for longer"
    path = f"/api/operations/stops/{quote(stop['site'], safe='')}"
    assert operations.delete(path).status == 204
    assert operations.delete(path).status == 404
    assert operations.get("/api/operations").json()["stops"] == []
    assert floor.sweep() == 1
