"""POST /api/jira/push-all and GET /api/jira/pushes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.push.runs.push_records import KEPT, Outcome, Records, Ref
from jobticket.push.runs.run import Runs
from tests.unit.conftest import gateway
from tests.unit.push.conftest import Shop
from tests.unit.push.runs.conftest import RUN, Floor


class Lambda:
    """Remembers what it was asked to start."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def invoke(self, **asked: Any) -> None:
        assert (asked["FunctionName"], asked["InvocationType"]) == ("push-scheduler", "Event")
        self.events.append(json.loads(asked["Payload"]))


@pytest.fixture
def started(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    client = Lambda()
    monkeypatch.setattr(shop.function, "lambdas", lambda: client)
    return client.events


def test_everybody_is_pushed_by_a_run_of_its_own(floor: Floor, job: str, started: list[Any]) -> None:
    answer = floor.shop.api.post("/api/jira/push-all")
    assert answer.status == 202
    run = answer.json()["runId"]
    assert clock.parse_iso(run)
    assert started == [{"task": "queue", "runId": run}]
    floor.time.pass_by(600)
    floor.scheduler.queue_run(run, _soon(floor))
    (message,) = floor.queue.taken()
    assert (message.run_id, message.by, message.job_ids) == (run, "every-scope", (job,))
    floor.worker.take(message, _soon(floor))
    (push,) = floor.shop.api.get("/api/jira/pushes").json()["pushes"]
    shown = {"jobId": job, "ticketKey": "PI-7", "runId": run, "by": "every-scope", "status": "pushed"}
    assert push == shown | {"at": push["at"]}


def _soon(floor: Floor) -> Any:
    return Deadline.after(85, floor.time.monotonic)


def test_the_sweep_begins_what_could_not_be_started(floor: Floor, job: str) -> None:
    """Nothing answers to the function's name here."""
    assert floor.shop.api.post("/api/jira/push-all").status == 202
    floor.time.pass_by(600)  # its clock and the run's may differ by as much as this machine is slow
    floor.sweep()
    assert floor.queue.job_ids() == [job]


def test_two_at_the_same_moment_are_two_runs(
    shop: Shop, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    runs = {shop.api.post("/api/jira/push-all").json()["runId"] for _ in range(3)}
    assert len(runs) == 3


def test_the_same_key_begins_one_run(shop: Shop, started: list[Any]) -> None:
    headers = {"Idempotency-Key": "night"}
    first = shop.api.post("/api/jira/push-all", headers=headers)
    assert shop.api.post("/api/jira/push-all", headers=headers).json() == first.json()
    assert len(started) == 1


def test_only_administrators_push_everything(shop: Shop, started: list[Any]) -> None:
    jobs = gateway(shop.function, "only-jobs")
    assert jobs.post("/api/jira/push-all").status == 403
    assert jobs.get("/api/jira/pushes").status == 200
    assert gateway(shop.function, "only-admin").post("/api/jira/push-all").status == 202


@pytest.mark.parametrize(
    ("switch", "message"),
    [
        ({"enabled": False}, "Jira integration is not enabled"),
        ({"pushEnabled": False}, "Jira push is not enabled"),
    ],
)
def test_toggles_come_first(shop: Shop, switch: dict[str, bool], message: str) -> None:
    shop.settings(**switch)
    answer = shop.api.post("/api/jira/push-all")
    assert (answer.status, answer.json()["message"]) == (400, message)


@pytest.fixture
def many(floor: Floor) -> list[str]:
    """Pushes of three jobs in four runs, each with another outcome; the newest first."""
    jobs = [f"job_{letter * 12}" for letter in "abc"]
    kinds: Any = ("pushed", "skipped", "failed", "waiting")
    records = floor.worker.records
    for number in range(12):
        floor.time.pass_by(1)
        run = f"2026-11-{22 + number // 3:02d}T02:00:00.000Z"
        status = kinds[number % 4]
        error = None if status == "pushed" else f"error {number}"
        ref = Ref(jobs[number % 3], run, "schedule")
        records.conclude(ref, Outcome(status, f"PI-{number}", error))
    return [f"PI-{number}" for number in reversed(range(12))]


def listed(floor: Floor, query: str = "") -> list[str]:
    """Every page of a list, as ticket keys."""
    keys: list[str] = []
    cursor: str | None = None
    while True:
        at = f"&cursor={cursor}" if cursor else ""
        body = floor.shop.api.get(f"/api/jira/pushes?limit=5{query}{at}").json()
        assert set(body) == {"pushes", "next_cursor"}
        keys += [push["ticketKey"] for push in body["pushes"]]
        cursor = body["next_cursor"]
        if cursor is None:
            return keys


def test_pushes_are_listed_newest_first(floor: Floor, many: list[str]) -> None:
    assert listed(floor) == many
    assert [push["ticketKey"] for push in floor.shop.api.get("/api/jira/pushes").json()["pushes"]] == many
    assert listed(floor, "&status=failed") == ["PI-10", "PI-6", "PI-2"]
    assert listed(floor, "&jobId=job_aaaaaaaaaaaa") == ["PI-9", "PI-6", "PI-3", "PI-0"]
    assert listed(floor, "&jobId=job_aaaaaaaaaaaa&status=failed") == ["PI-6"]
    assert listed(floor, "&jobId=nobody") == []


def test_the_push_of_one_job_is_listed_without_a_run(floor: Floor, job: str) -> None:
    floor.shop.push(job)
    floor.jira.fail("GET", "/rest/api/./issue/PI-7$", status=403)
    floor.shop.push(job)
    failed, pushed = floor.shop.api.get(f"/api/jira/pushes?jobId={job}").json()["pushes"]
    assert (pushed["status"], pushed["runId"], pushed["by"]) == ("pushed", None, "every-scope")
    assert (failed["status"], failed["error"]) == ("failed", "Jira API error: 403 Forbidden")


def test_what_is_past_its_time_is_not_shown(floor: Floor) -> None:
    """DynamoDB deletes it within days, not at once."""
    now = clock.now()
    old = Records(floor.table, lambda: now - KEPT - timedelta(seconds=1))
    old.conclude(Ref("job_aaaaaaaaaaaa", RUN, "schedule"), Outcome("pushed", "PI-7"))
    assert listed(floor) == listed(floor, "&jobId=job_aaaaaaaaaaaa") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("status=done", "status must be one of: pushed, skipped, failed, waiting"),
        ("limit=0", "limit must be an integer from 1 to 500"),
        ("cursor=x", "Invalid cursor"),
        ("cursor=Ind3dyI", "Invalid cursor"),
    ],
)
def test_a_faulty_question_is_refused(shop: Shop, query: str, message: str) -> None:
    answer = shop.api.get(f"/api/jira/pushes?{query}")
    assert (answer.status, answer.json()["message"]) == (400, message)


def test_a_run_belongs_to_whoever_took_it(floor: Floor) -> None:
    runs = Runs(floor.table, floor.time.now)
    assert runs.begin(RUN, "schedule")
    assert not runs.begin(RUN, "somebody")
    assert runs.take(RUN) is not None
    assert runs.take(RUN) is None
