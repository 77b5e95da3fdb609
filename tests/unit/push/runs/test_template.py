"""What scheduled pushes rely on in template.yaml."""

from __future__ import annotations

from jobticket.push.runs import scheduler, worker
from jobticket.push.runs.push_records import HELD, QUEUED_AGAIN
from tests.support.infrastructure import template

RESOURCES = template()["Resources"]
WORKER = RESOURCES["PushWorkerFunction"]["Properties"]
SCHEDULER = RESOURCES["PushSchedulerFunction"]["Properties"]
QUEUE = RESOURCES["PushQueue"]["Properties"]


def test_a_message_stays_hidden_for_longer_than_its_worker_lives() -> None:
    assert QUEUE["VisibilityTimeout"] >= 2 * WORKER["Timeout"]
    assert QUEUED_AGAIN.total_seconds() > QUEUE["VisibilityTimeout"]


def test_a_worker_has_time_for_a_push_and_holds_the_job_for_longer() -> None:
    assert WORKER["Timeout"] > worker.PUSH_SECONDS + 2 * worker.SPARE_SECONDS
    assert HELD.total_seconds() > worker.PUSH_SECONDS + 2 * worker.SPARE_SECONDS
    assert SCHEDULER["Timeout"] > scheduler.PAGE_SECONDS * 10


def test_a_failed_message_alone_comes_again_and_ends_with_the_dead_letters() -> None:
    event = WORKER["Events"]["Pushes"]["Properties"]
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["ScalingConfig"]["MaximumConcurrency"]["Fn::If"][2] == {"Ref": "PushConcurrency"}
    assert QUEUE["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["PushDeadLetters", "Arn"]}


def test_the_schedule_is_a_parameter_with_its_time_zone() -> None:
    run = SCHEDULER["Events"]["Run"]["Properties"]
    assert run["ScheduleExpression"] == {"Ref": "PushSchedule"}
    assert run["ScheduleExpressionTimezone"] == {"Ref": "PushTimeZone"}
    assert "<aws.scheduler.scheduled-time>" in run["Input"]


def test_the_index_of_linked_jobs_holds_keys_alone() -> None:
    indexes = RESOURCES["JobsTable"]["Properties"]["GlobalSecondaryIndexes"]
    (linked,) = (index for index in indexes if index["IndexName"] == "linked_jobs")
    assert linked["Projection"] == {"ProjectionType": "KEYS_ONLY"}
