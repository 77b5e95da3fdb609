"""What is counted of runs, and that alarms look at what is counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from jobticket import clock
from jobticket.observability import metrics
from jobticket.push.descriptions import Description
from jobticket.push.ticket import PushedTicket
from tests.support.gateway import LambdaContext
from tests.support.infrastructure import template
from tests.unit.conftest import load_function
from tests.unit.push.runs.conftest import NEXT_RUN, RUN, Floor

RESOURCES = template()["Resources"]
ISSUE = "/rest/api/./issue/"
#: What this function's name is to its metrics and alarms.
FUNCTIONS = {"push_scheduler": "PushSchedulerFunction", "push_worker": "PushWorkerFunction"}


class Observed:
    """The functions of runs, and what they count."""

    def __init__(self, floor: Floor, capsys: pytest.CaptureFixture[str]) -> None:
        self.floor = floor
        self._capsys = capsys
        self._context = LambdaContext(remaining_ms=90_000)

    def call(self, function: str, event: Mapping[str, Any]) -> dict[str, float]:
        self._capsys.readouterr()
        load_function(function).handler(event, self._context)
        counted: dict[str, float] = {}
        for line in map(json.loads, filter(None, self._capsys.readouterr().out.splitlines())):
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
                assert directive["Namespace"] == "Jobticket"
                names = [metric["Name"] for metric in directive["Metrics"]]
                counted |= {name: sum(line[name]) for name in names}
        return counted

    def take(self, *job_ids: str, run: str = RUN) -> dict[str, float]:
        body = json.dumps({"run": run, "by": "schedule", "jobs": job_ids})
        return self.call("push_worker", {"Records": [{"messageId": "m", "body": body}]})

    def sweep(self) -> dict[str, float]:
        return self.call("push_scheduler", {"task": "sweep"})


@pytest.fixture
def observed(floor: Floor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Observed:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    metrics.clear_metrics()  # what other tests have counted while nothing was written
    scheduler, worker = load_function("push_scheduler"), load_function("push_worker")
    monkeypatch.setattr(scheduler, "scheduler", floor.scheduler)
    monkeypatch.setattr(scheduler, "runs", floor.scheduler.runs)
    monkeypatch.setattr(worker, "worker", floor.worker)
    return Observed(floor, capsys)


def test_each_outcome_is_counted(observed: Observed, job: str) -> None:
    floor = observed.floor
    pushed, failed, waiting = job, floor.shop.job("PI-8"), floor.shop.job("PI-9")
    skipped, broken = floor.shop.job("PI-10"), floor.shop.job("PI-11")
    for other in (failed, waiting):
        floor.shop.path(other)
    floor.table.delete(f"JOB#{broken}", "JOB")
    floor.table.put({"pk": f"JOB#{broken}", "sk": "JOB"})
    floor.jira.control(
        faults=[
            {"method": "GET", "path": f"{ISSUE}PI-8$", "status": 403},
            {"method": "GET", "path": f"{ISSUE}PI-9$", "status": 500},
        ]
    )
    assert observed.take(pushed, failed, waiting, skipped, broken) == {
        "PushesPushed": 1,
        "PushesFailed": 1,
        "PushesWaiting": 1,
        "PushesSkipped": 1,
        "PushFaults": 1,
    }


def test_what_is_due_is_counted_and_how_long_the_oldest_has_waited(observed: Observed, job: str) -> None:
    floor = observed.floor
    run = {"task": "run", "scheduledTime": clock.iso_milliseconds(floor.time.now())}
    assert observed.call("push_scheduler", run) == {"PushesDue": 1}
    assert observed.sweep() == {"PushesQueuedAgain": 0, "OldestPush": 0}
    floor.jira.fail("GET", ISSUE, status=500)
    observed.take(job, run=run["scheduledTime"])
    floor.time.pass_by(600)
    counted = observed.sweep()
    assert counted["PushesQueuedAgain"] == 1
    assert counted["OldestPush"] == pytest.approx(600, abs=1)


def test_edits_that_were_restored_are_counted(
    observed: Observed, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = observed.floor
    floor.jira.describe("Text")
    write = PushedTicket.write
    edits = ["Text, edited"]

    def meets_an_edit(self: PushedTicket, description: Description) -> Any:
        if edits:
            floor.jira.describe(edits.pop())
        return write(self, description)

    monkeypatch.setattr(PushedTicket, "write", meets_an_edit)
    assert observed.take(job, run=NEXT_RUN)["EditsRestored"] == 1


def test_alarms_look_at_what_is_counted(observed: Observed, job: str) -> None:
    worker, scheduler = observed.take(job), observed.sweep()
    counted = {
        (
            name,
            RESOURCES[FUNCTIONS[folder]]["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"],
        )
        for folder, names in {"push_worker": worker, "push_scheduler": scheduler}.items()
        for name in names
    }
    alarms = {
        name: (resource["Properties"]["MetricName"], resource["Properties"]["Dimensions"][0]["Value"])
        for name, resource in RESOURCES.items()
        if name in ("OldestPushAlarm", "PushesFailedAlarm")
    }
    assert len(alarms) == 2
    assert set(alarms.values()) <= counted
    dead = RESOURCES["PushDeadLettersAlarm"]["Properties"]
    assert dead["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["PushDeadLetters", "QueueName"]}}
    ]
    assert (dead["MetricName"], dead["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 0)
