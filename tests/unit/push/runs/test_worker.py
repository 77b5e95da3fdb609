"""Workers: once a run, whatever comes twice or dies; what waits, for how long, and what it costs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ReadTimeoutError

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.jira.client import Site
from jobticket.jira.errors import JiraRateLimitedError
from jobticket.jira.rate_limits import GLOBAL_QUOTA, Limit
from jobticket.jobs.jobs import load_job
from jobticket.push.descriptions import Description
from jobticket.push.pushing import Pusher, remember_pushed
from jobticket.push.runs.decisions import MOST_TRIES, Stop, Verdict, judge
from jobticket.push.runs.queue import Jobs
from jobticket.push.runs.sites import HELD, TROUBLES, places_pk
from jobticket.push.status import fingerprint, statuses_of
from jobticket.push.ticket import PushedTicket
from jobticket.store.lease import Lease, take
from jobticket.store.table import Update
from tests.support.faults import CRASH, LOST, PASSING_CALLS, WRITES, Crash, Trouble, refused
from tests.support.gateway import LambdaContext
from tests.unit.conftest import load_function
from tests.unit.push.conftest import CONNECTION, contents, held, spoil_secret
from tests.unit.push.runs.conftest import NEXT_RUN, RUN, Floor

ISSUE = "/rest/api/./issue/PI-7$"
LONG_ENOUGH = 400.0


def test_a_job_is_pushed_once_a_run(floor: Floor, job: str) -> None:
    assert floor.take(job, job) == {"pushed": 1, "left": 1}
    assert floor.take(job) == {"left": 1}
    assert floor.tables() == 1
    record = floor.record(job)
    assert record is not None
    assert {name: record.get(name) for name in ("state", "run_id", "by", "ticket_key", "error")} == {
        "state": "pushed",
        "run_id": RUN,
        "by": "schedule",
        "ticket_key": "PI-7",
        "error": None,
    }
    assert "due_pk" not in record


def test_what_has_not_changed_is_skipped(floor: Floor, job: str) -> None:
    floor.take(job)
    floor.jira.forget()
    assert floor.take(job, run=NEXT_RUN) == {"skipped": 1}
    assert floor.jira.asked() == []
    assert floor.tables() == 1
    floor.shop.parts(floor.shop.path(job, "Rework", ["Grind"]), 1)
    assert floor.take(job, run="2026-11-24T02:00:00.000Z") == {"pushed": 1}
    assert floor.tables() == 3


def test_skipping_is_a_setting(floor: Floor, job: str) -> None:
    floor.take(job)
    floor.shop.settings(skipUnchanged=False)
    assert floor.take(job, run=NEXT_RUN) == {"pushed": 1}
    assert floor.tables() == 2


def test_the_push_of_a_person_counts_as_a_push(floor: Floor, job: str) -> None:
    assert floor.shop.push(job) == {"success": True}
    assert floor.take(job) == {"skipped": 1}


def test_another_ticket_has_not_seen_the_table(floor: Floor, job: str) -> None:
    floor.take(job)
    floor.shop.api.delete(f"/api/jira/link/{job}")
    assert floor.take(job, run=NEXT_RUN) == {"dropped": 1}
    answer = floor.shop.api.post("/api/jira/link", {"jobId": job, "ticketKey": "PI-8"})
    assert answer.status == 200
    assert floor.take(job, run=NEXT_RUN) == {"pushed": 1}
    assert floor.tables("PI-8") == 1


def test_a_ticket_of_the_same_key_at_another_site_has_not_seen_the_table(floor: Floor, job: str) -> None:
    floor.take(job)
    floor.shop.connect("plant-south")
    floor.shop.settings(externalId="plant-south")
    assert floor.take(job, run=NEXT_RUN) == {"pushed": 1}
    assert floor.take(job, run="2026-11-24T02:00:00.000Z") == {"skipped": 1}


@pytest.mark.parametrize("switch", [{"enabled": False}, {"pushEnabled": False}, {"pushPaused": True}])
def test_while_pushes_are_off_or_paused_jobs_are_dropped(
    floor: Floor, job: str, switch: dict[str, bool]
) -> None:
    floor.jira.fail("GET", ISSUE, status=500)
    assert floor.take(job) == {"waiting": 1}
    floor.time.pass_by(LONG_ENOUGH)
    floor.shop.settings(**switch)
    floor.jira.forget()
    assert floor.take(job) == {"dropped": 1}
    assert floor.record(job) is None
    assert floor.jira.asked() == []
    floor.time.pass_by(LONG_ENOUGH)
    assert floor.sweep() == 0, "it would be pushed when pushes go on"


def test_a_job_that_lost_its_ticket_while_it_waited_is_dropped(floor: Floor, job: str) -> None:
    floor.jira.fail("GET", ISSUE, status=429, headers={"Retry-After": "3600"})
    assert floor.take(job) == {"waiting": 1}
    floor.shop.api.delete(f"/api/jira/link/{job}")
    floor.time.pass_by(3700)
    assert floor.sweep() == 1
    assert floor.take(job) == {"dropped": 1}
    assert floor.record(job) is None


def test_a_deleted_job_is_dropped(floor: Floor) -> None:
    job = floor.shop.job()
    assert floor.shop.jobs.delete(f"/api/jobs/{job}").status == 204
    assert floor.take(job) == {"dropped": 1}
    assert floor.record(job) is None


def test_a_job_without_paths_is_skipped(floor: Floor) -> None:
    job = floor.shop.job()
    assert floor.take(job) == {"skipped": 1}
    assert (floor.record(job) or {})["error"] == "Job has no paths"


def finish(floor: Floor, job: str, run: str = RUN) -> None:
    """Let new workers and sweeps go on until the job is done, as time does."""
    for _ in range(40):
        if floor.state(job, run) in ("pushed", "failed", "skipped"):
            return
        floor.time.pass_by(LONG_ENOUGH)
        floor.new_worker()
        floor.sweep()
        # What SQS delivers again, and what the sweep sent.
        floor.take(job, run=run)
    pytest.fail(f"never done: {floor.record(job, run)}")


@pytest.mark.parametrize(
    ("operation", "when"),
    [*((write, when) for write in WRITES for when in ("before", "after")), ("query", "before")],
)
@pytest.mark.parametrize("error", [CRASH, LOST], ids=["crash", "lost"])
def test_a_worker_that_dies_anywhere_leaves_one_table(
    floor: Floor, job: str, operation: str, when: Any, error: BaseException
) -> None:
    """Each request to the table in turn is the last, or fails; afterwards there is one table for each run."""
    floor.shop.settings(skipUnchanged=False)
    for skip in range(8):
        run = f"2026-11-{skip + 1:02d}T02:00:00.000Z"
        floor.faults.fail(operation, when, error, skip=skip)
        try:
            died = bool(floor.take(job, run=run)["fault"])
        except (Crash, ReadTimeoutError):
            died = True
        floor.faults.clear()
        finish(floor, job, run)
        assert floor.tables() == skip + 1, (operation, when, skip, died)
        if not died and skip > 0:
            break


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_jira_that_loses_answers_has_one_table(floor: Floor, job: str, method: str, drop: str) -> None:
    floor.jira.fail(method, ISSUE, drop=drop, times=5)
    floor.take(job)
    floor.jira.forget()
    finish(floor, job)
    assert (floor.state(job), floor.tables()) == ("pushed", 1)


def test_a_worker_that_died_after_its_write_is_recognised_even_if_the_counts_changed(
    floor: Floor, job: str
) -> None:
    floor.faults.fail("update_item", "before", CRASH, skip=5)
    with pytest.raises(Crash):
        floor.take(job)
    assert floor.tables() == 1
    path = floor.shop.jobs.get(f"/api/jobs/{job}").json()["paths"][0]["id"]
    floor.shop.parts(path, 5)
    finish(floor, job)
    assert floor.tables() == 1


def test_a_table_of_an_earlier_run_is_not_taken_for_this_ones(floor: Floor, job: str) -> None:
    floor.shop.settings(skipUnchanged=False)
    floor.take(job)
    # Dies with the mark written and the description not.
    floor.jira.fail("PUT", ISSUE, status=503, times=1)
    floor.take(job, run=NEXT_RUN)
    assert (floor.state(job, NEXT_RUN), floor.tables()) == ("waiting", 1)
    floor.time.pass_by(LONG_ENOUGH)
    assert floor.take(job, run=NEXT_RUN) == {"pushed": 1}
    assert floor.tables() == 2


def test_a_write_that_a_gateway_gave_up_may_arrive_late_and_keeps_others_away(floor: Floor, job: str) -> None:
    other = floor.shop.job(name="Another one")
    floor.shop.path(other)
    floor.jira.fail("PUT", f"{ISSUE}$", status=504)
    assert floor.take(job) == {"waiting": 1}
    assert (floor.record(job) or {})["error"] == "Jira API error: 504 Gateway Timeout"
    assert floor.take(other) == {"waiting": 1}
    assert floor.tables() == 0
    floor.time.pass_by(LONG_ENOUGH)
    assert floor.take(job, other) == {"pushed": 2}
    assert floor.tables() == 2


def test_a_message_during_a_push_leaves_it_to_the_one_who_is_at_it(floor: Floor, job: str) -> None:
    floor.faults.fail("update_item", "before", CRASH, skip=5)
    with pytest.raises(Crash):
        floor.take(job)
    floor.new_worker()
    assert floor.take(job) == {"left": 1}
    assert floor.state(job) == "pushing"


def test_a_quota_stops_the_site_for_all_workers_and_costs_no_try(floor: Floor, job: str) -> None:
    other = floor.shop.job("PI-8")
    floor.shop.path(other)
    floor.jira.fail(
        "GET",
        ISSUE,
        status=429,
        headers={"Retry-After": "7200", "RateLimit-Reason": "jira-quota-tenant-based"},
    )
    assert floor.take(job) == {"waiting": 1}
    floor.jira.forget()
    floor.new_worker()
    assert floor.take(other) == {"waiting": 1}
    assert floor.jira.asked() == []
    record = floor.record(job)
    assert record is not None
    assert record["tries"] == 0
    # Far longer than SQS holds a message, and no message is held.
    floor.time.pass_by(3500)
    assert floor.sweep() == 0
    assert floor.take(job, other) == {"waiting": 2}
    assert floor.jira.asked() == []
    floor.time.pass_by(300)
    assert floor.sweep() == 2
    assert sorted(floor.queue.job_ids()) == sorted([job, other])
    assert floor.take(job, other) == {"pushed": 2}


def test_the_quota_of_an_app_stops_its_other_sites_too(floor: Floor, job: str) -> None:
    floor.jira.fail(
        "GET",
        ISSUE,
        status=429,
        headers={"Retry-After": "7200", "RateLimit-Reason": "jira-quota-global-based"},
    )
    floor.take(job)
    sites = floor.table.query_all(Key("pk").eq("PUSH_SITES"))
    held = [item["sk"] for item in sites if "stopped_until" in item]
    (key,) = held
    assert key.startswith("app ")
    floor.new_worker()
    assert floor.sweep() == 0


def test_an_operator_lets_a_stopped_site_go_on(floor: Floor, job: str) -> None:
    """Also the container that was refused goes on, though it remembers the pause."""
    floor.jira.fail("GET", ISSUE, status=429, headers={"Retry-After": "7200"})
    assert floor.take(job) == {"waiting": 1}
    (stop,) = floor.scheduler.sites.stops()
    floor.time.pass_by(60)
    assert floor.sweep() == 0
    assert floor.scheduler.sites.go_on(stop.site)
    assert not floor.scheduler.sites.go_on(stop.site)
    floor.time.pass_by(1)
    assert floor.sweep() == 1
    assert floor.take(job) == {"pushed": 1}
    assert floor.tables() == 1


def test_a_new_authorization_ends_a_stop_and_may_be_stopped_for_less(floor: Floor) -> None:
    sites = floor.worker.sites
    before = Site("https://one", "https://one", "cloud", "oauth", None, floor.time.now())
    sites.failed(before, Verdict("waiting", 3600, stop=Stop("site https://one", "spent")))
    floor.time.pass_by(60)
    assert sites.stopped(before) is not None
    after = replace(before, authorized_at=floor.time.now())
    assert sites.stopped(after) is None
    floor.time.pass_by(1)
    sites.failed(after, Verdict("waiting", 30, stop=Stop("site https://one", "spent")))
    stopped = sites.stopped(after)
    assert stopped is not None
    assert (clock.parse_iso(stopped.until) - floor.time.now()).total_seconds() == pytest.approx(30, abs=0.01)


def test_an_account_that_is_limited_holds_no_other_up(floor: Floor, job: str) -> None:
    """Two connections of one Data Center: a 429 without a reason is the account's."""
    floor.shop.on_data_center()
    floor.time.pass_by(60)
    floor.jira.fail("GET", ISSUE, status=429, headers={"Retry-After": "7200"})
    assert floor.take(job) == {"waiting": 1}
    other = floor.shop.job("PI-8")
    floor.shop.path(other)
    assert floor.take(other) == {"waiting": 1}
    floor.shop.connect("plant-south", "local-personal-token")
    floor.shop.settings(externalId="plant-south")
    assert floor.take(other, run=NEXT_RUN) == {"pushed": 1}
    assert floor.sweep() == 0
    floor.shop.settings(externalId=CONNECTION)
    floor.jira.forget()
    assert floor.take(job, run=NEXT_RUN) == {"waiting": 1}
    assert floor.jira.asked() == []
    floor.time.pass_by(3601)
    assert floor.sweep() == 3
    assert floor.take(job, run=NEXT_RUN) == {"pushed": 1}


@pytest.mark.parametrize("reason", ["jira-burst-based", "jira-per-issue-on-write"])
def test_a_brief_limit_stops_nothing_else(floor: Floor, job: str, reason: str) -> None:
    other = floor.shop.job("PI-8")
    floor.shop.path(other)
    method = "GET" if reason == "jira-burst-based" else "PUT"
    floor.jira.fail(
        method, ISSUE, status=429, headers={"Retry-After": "60", "RateLimit-Reason": reason}, times=None
    )
    assert floor.take(job) == {"waiting": 1}
    floor.new_worker()
    assert floor.take(other) == {"pushed": 1}
    floor.jira.forget()
    finish(floor, job)
    assert floor.tables() == 1


def test_trouble_is_tried_again_until_the_tries_are_used_up(floor: Floor, job: str) -> None:
    floor.jira.fail("GET", ISSUE, status=500, times=None)
    assert floor.take(job) == {"waiting": 1}
    assert (floor.record(job) or {})["error"] == "Jira API error: 500 Internal Server Error"
    for _ in range(MOST_TRIES + MOST_TRIES // TROUBLES + 1):
        floor.time.pass_by(700)
        floor.take(job)
    assert floor.state(job) == "failed"
    floor.jira.forget()
    assert floor.take(job) == {"left": 1}


def test_a_refusal_fails_at_once(floor: Floor, job: str) -> None:
    floor.jira.fail("PUT", ISSUE, status=403)
    assert floor.take(job) == {"failed": 1}
    assert (floor.record(job) or {})["error"] == "Jira API error: 403 Forbidden"


def test_without_a_connection_it_fails_and_says_which(floor: Floor, job: str) -> None:
    floor.shop.settings(externalId="gone")
    assert floor.take(job) == {"failed": 1}
    assert (floor.record(job) or {})["error"] == "The Jira connection gone does not exist"


def test_while_kms_does_not_answer_a_job_waits(
    floor: Floor, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kms = Mock(decrypt=Mock(side_effect=refused("KMSInternalException", 500, "Decrypt")))
    with monkeypatch.context() as patched:
        patched.setattr(floor.shop.function.access.vault, "_kms", lambda: kms)
        assert floor.take(job) == {"waiting": 1}
    finish(floor, job)
    assert floor.tables() == 1


def test_a_secret_that_cannot_be_read_fails_and_says_whose(floor: Floor, job: str) -> None:
    spoil_secret()
    assert floor.take(job) == {"failed": 1}
    assert "plant-north cannot be read" in (floor.record(job) or {})["error"]


def test_a_later_run_takes_the_place_of_an_earlier_one(floor: Floor, job: str) -> None:
    floor.jira.fail("GET", ISSUE, status=500)
    assert floor.take(job) == {"waiting": 1}
    floor.time.pass_by(LONG_ENOUGH)
    assert floor.take(job, run=NEXT_RUN) == {"pushed": 1}
    assert floor.take(job) == {"skipped": 1}
    assert (floor.record(job) or {})["error"] == "A later run has pushed the job"
    assert floor.tables() == 1


def test_what_there_is_no_time_for_is_queued_again(floor: Floor, job: str) -> None:
    message = Jobs(RUN, "schedule", (job, "job_AAAAAAAAAAAA"))
    assert floor.worker.take(message, Deadline.after(20, floor.time.monotonic)) == {"left": 2}
    assert floor.queue.taken() == [message]
    assert floor.record(job) is None


def test_another_push_to_the_ticket_is_not_waited_for_long(floor: Floor, job: str) -> None:
    began = floor.time.monotonic()
    with held(floor.table, floor.jira):
        assert floor.take(job) == {"waiting": 1}
    assert floor.time.monotonic() - began < 2
    assert (floor.record(job) or {})["tries"] == 0
    finish(floor, job)
    assert floor.tables() == 1


def occupy(floor: Floor, site: str) -> None:
    """Let five other workers be at the site."""
    now = floor.time.now()
    for number in range(5):
        take(floor.table, places_pk(site), str(number), Lease.begin(now, HELD), now)


def test_a_site_without_a_place_holds_nobody_up(floor: Floor, job: str) -> None:
    """Five slow pushes occupy the site: the message comes again later, and after a while its job waits."""
    site = floor.jira.url
    occupy(floor, site)
    floor.jira.forget()
    assert floor.take(job) == {"held_back": 1}
    ((again, delay),) = floor.queue.messages
    assert (again.job_ids, again.held_back, delay) == ((job,), 1, 2.25)
    assert floor.take(job, held_back=3) == {"waiting": 1}
    assert floor.jira.asked() == []
    floor.time.pass_by(61)
    assert floor.sweep() == 1
    assert floor.take(job) == {"pushed": 1}


def test_a_push_of_a_run_asks_the_table_no_more_than_the_guide_says(floor: Floor, job: str) -> None:
    """docs/pushes.md reckons with it: nights are paid by requests."""
    floor.faults.calls.clear()
    floor.take(job)
    pushed = Counter(floor.faults.operations())
    assert (
        pushed
        == {
            "get_item": 6,  # settings, the last push (again when the ticket is held), what may be stopped: app, site, account
            "query": 2,  # the job, the site's places
            # the way to the site (once a day), its place (once a message), the claim, the ticket's lease, the mark,
            # what was pushed, the run's counts (once a message)
            "update_item": 7,
            "transact_write_items": 1,  # the outcome, and the job's history
            "delete_item": 2,  # the ticket's lease, the place
        }
    )
    floor.faults.calls.clear()
    floor.take(job, run=NEXT_RUN)
    assert Counter(floor.faults.operations()) == {"get_item": 2, "query": 1, "update_item": 2}


def test_a_site_in_trouble_is_left_alone(floor: Floor, job: str) -> None:
    jobs = [job, *(floor.shop.job(f"PI-{n}") for n in range(8, 8 + TROUBLES))]
    for other in jobs[1:]:
        floor.shop.path(other)
    floor.jira.fail("GET", "/rest/api/./issue/", status=500, times=None)
    assert floor.take(*jobs) == {"waiting": len(jobs)}
    records = [floor.record(other) or {} for other in jobs]
    assert [record.get("tries", 0) for record in records] == [1] * TROUBLES + [0]
    floor.jira.forget()
    floor.time.pass_by(LONG_ENOUGH)
    floor.new_worker()
    assert floor.sweep() == len(jobs)
    assert floor.take(*jobs) == {"pushed": len(jobs)}


def test_a_fault_of_one_job_holds_no_other_up(floor: Floor, job: str) -> None:
    """Its message comes again, and nobody else of that message waits for it."""
    before, after = floor.shop.job("PI-8"), floor.shop.job("PI-9")
    for other in (before, after):
        floor.shop.path(other)
    floor.table.update(Update(f"JOB#{job}", "JOB", remove=["goal_quantity"]))
    assert floor.take(before, job, after) == {"pushed": 2, "fault": 1}
    assert floor.take(before, job, after) == {"left": 2, "fault": 1}
    assert (floor.tables("PI-8"), floor.tables("PI-9"), floor.tables()) == (1, 1, 0)
    floor.table.update(Update(f"JOB#{job}", "JOB", set={"goal_quantity": 9}))
    assert floor.take(before, job, after) == {"pushed": 1, "left": 2}
    assert floor.tables() == 1


@pytest.mark.parametrize("number", range(20))
def test_trouble_of_awss_at_any_call_costs_no_push_and_doubles_none(
    floor: Floor, job: str, trouble: Trouble, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    function = load_function("push_worker")
    monkeypatch.setattr(function, "worker", floor.worker)
    body = json.dumps({"run": RUN, "by": "schedule", "jobs": [job]})
    event = {"Records": [{"messageId": "m", "body": body}]}
    trouble.from_call(number, PASSING_CALLS[number % len(PASSING_CALLS)])
    failed = function.handler(event, LambdaContext(remaining_ms=90_000))["batchItemFailures"]
    trouble.from_call(None)
    assert failed or floor.state(job) in ("pushed", "waiting")
    finish(floor, job)
    assert (floor.state(job), floor.tables()) == ("pushed", 1)


def test_only_the_message_that_met_a_fault_comes_again(
    floor: Floor, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = load_function("push_worker")
    monkeypatch.setattr(function, "worker", floor.worker)
    sound = json.dumps({"run": RUN, "by": "schedule", "jobs": [job]})
    broken = floor.shop.job("PI-8")
    floor.table.update(Update(f"JOB#{broken}", "JOB", remove=["goal_quantity"]))
    bodies = [
        json.dumps({"run": RUN, "by": "schedule", "jobs": [broken]}),
        sound,
        "not a message",
        sound,
    ]
    event = {"Records": [{"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]}
    assert function.handler(event, LambdaContext(remaining_ms=90_000)) == {
        "batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]
    }
    assert floor.tables() == 1


def test_a_table_in_a_comment_of_a_moment_ago_is_not_taken_for_this_runs(floor: Floor, job: str) -> None:
    """Two runs within a minute, a description without room, and a worker that dies before it posts."""
    floor.shop.settings(skipUnchanged=False)
    human = floor.jira.describe("x" * 32_760)
    assert floor.take(job) == {"pushed": 1}
    later = "2026-11-22T02:01:00.000Z"
    floor.jira.fail("POST", f"{ISSUE[:-1]}/comment$", status=503)
    assert floor.take(job, run=later) == {"waiting": 1}
    assert len(floor.jira.comments()) == 1
    floor.time.pass_by(20)
    assert floor.take(job, run=later) == {"pushed": 1}
    assert len(floor.jira.comments()) == 2
    assert floor.jira.description() == human


def test_a_table_that_was_posted_as_a_comment_by_a_worker_that_died_is_recognised(
    floor: Floor, job: str
) -> None:
    floor.jira.describe("x" * 32_760)
    floor.faults.fail("update_item", "before", CRASH, skip=6)
    with pytest.raises(Crash):
        floor.take(job)
    assert len(floor.jira.comments()) == 1
    finish(floor, job)
    assert len(floor.jira.comments()) == 1


def test_two_runs_at_the_same_moment_leave_one_table(
    floor: Floor, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run has the ticket first: what this one has to say stands there by the time it gets it."""
    append = Pusher.append
    others = [NEXT_RUN]

    def append_late(self: Pusher, *given: Any, **options: Any) -> Any:
        if others:
            assert floor.take(job, run=others.pop()) == {"pushed": 1}
        return append(self, *given, **options)

    monkeypatch.setattr(Pusher, "append", append_late)
    assert floor.take(job) == {"skipped": 1}
    assert floor.tables() == 1
    assert (floor.state(job), floor.state(job, NEXT_RUN)) == ("skipped", "pushed")


def test_what_was_pushed_before_a_crash_is_not_asked_about_again(floor: Floor, job: str) -> None:
    """A person may even have deleted the table meanwhile: it was there."""
    floor.faults.fail("transact_write_items", "before", CRASH)
    with pytest.raises(Crash):
        floor.take(job)
    assert (floor.state(job), floor.tables()) == ("pushing", 1)
    floor.jira.describe("Done.")
    floor.jira.forget()
    finish(floor, job)
    assert floor.state(job) == "pushed"
    assert floor.jira.asked() == []


def test_counts_that_changed_while_a_worker_was_dead_are_news_for_the_next_run(
    floor: Floor, job: str
) -> None:
    floor.faults.fail("update_item", "before", CRASH, skip=5)
    with pytest.raises(Crash):
        floor.take(job)
    path = floor.shop.jobs.get(f"/api/jobs/{job}").json()["paths"][0]["id"]
    floor.shop.parts(path, 5)
    finish(floor, job)
    assert floor.tables() == 1
    assert floor.take(job, run=NEXT_RUN) == {"pushed": 1}
    assert floor.tables() == 2


def die_after_overwriting_an_edit(floor: Floor, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker overwrite somebody's edit, and die before it finds out."""
    write = PushedTicket.write

    def meets_an_edit(self: PushedTicket, description: Description) -> None:
        floor.jira.describe("Text, edited")
        write(self, description)
        raise CRASH

    floor.jira.describe("Text")
    with monkeypatch.context() as patched:
        patched.setattr(PushedTicket, "write", meets_an_edit)
        with pytest.raises(Crash):
            floor.take(job)
    assert "edited" not in (floor.jira.description() or "")


def test_an_edit_comes_back_though_a_person_has_pushed_meanwhile(
    floor: Floor, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left to push, and there is something to settle all the same."""
    die_after_overwriting_an_edit(floor, job, monkeypatch)
    remember_pushed(floor.table, job, "PI-7", _shown(floor, job), None)
    finish(floor, job)
    assert (floor.jira.description() or "").startswith("Text, edited\n\n")
    assert (floor.state(job), floor.tables()) == ("pushed", 1)


def test_an_edit_comes_back_though_the_job_has_lost_its_ticket_meanwhile(
    floor: Floor, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_after_overwriting_an_edit(floor, job, monkeypatch)
    floor.shop.settings(pushPaused=True)
    floor.time.pass_by(LONG_ENOUGH)
    assert floor.take(job) == {"dropped": 1}
    floor.shop.api.delete(f"/api/jira/link/{job}")
    floor.shop.settings(pushPaused=False)
    finish(floor, job)
    assert (floor.jira.description() or "").startswith("Text, edited")


def test_a_try_that_wrote_nothing_is_skipped_when_there_is_nothing_left_to_push(
    floor: Floor, job: str
) -> None:
    floor.jira.fail("PUT", ISSUE, status=503)
    assert floor.take(job) == {"waiting": 1}
    floor.shop.api.delete(f"/api/jira/link/{job}")
    finish(floor, job)
    assert (floor.state(job), floor.tables()) == ("skipped", 0)


def _shown(floor: Floor, job: str) -> str:
    _, paths = load_job(floor.table, job)
    return fingerprint(CONNECTION, "PI-7", statuses_of(paths))


def test_jobs_of_a_site_where_nobody_has_been_are_found_when_the_quota_of_its_app_is_back(
    floor: Floor, job: str
) -> None:
    sites = floor.worker.sites
    spent = Verdict("waiting", 3600, stop=Stop(f"app {floor.jira.url}", "spent"))
    sites.failed(Site("https://elsewhere", "https://elsewhere", "cloud", floor.jira.url), spent)
    floor.new_worker()
    assert floor.take(job) == {"waiting": 1}
    assert floor.sweep() == 0
    floor.time.pass_by(3700)
    assert floor.sweep() == 1
    assert floor.take(job) == {"pushed": 1}


def test_a_spent_quota_of_an_app_stops_its_sites_and_no_others(floor: Floor) -> None:
    def site(name: str, quota: str) -> Site:
        return Site(f"https://{name}", f"https://{name}", "cloud", quota)

    one, other, token = site("one", "oauth"), site("other", "oauth"), site("token", "https://token")
    failure = JiraRateLimitedError(
        "Too Many Requests", limit=GLOBAL_QUOTA, retry_after=3600, held=Limit("app", "app oauth")
    )
    sites = floor.worker.sites
    for each in (one, other, token):
        sites.enter(each)
    sites.failed(one, judge(failure, 1, 0.5))
    floor.new_worker()
    stopped = floor.worker.sites.stopped(other)
    assert stopped is not None
    assert (clock.parse_iso(stopped.until) - floor.time.now()).total_seconds() == pytest.approx(
        3600, abs=0.01
    )
    assert floor.worker.sites.stopped(token) is None
    assert floor.worker.sites.known() == {"https://one": False, "https://other": False, "https://token": True}


def die_at(
    floor: Floor, job: str, call: int, when: str, meanwhile: Callable[[int], None] = lambda _number: None
) -> None:
    """Let a worker die at one of its calls of Jira: before it is sent, or when it has been answered."""
    session = floor.shop.function.access.session
    request = session.request
    calls = 0

    def die(method: str, *given: Any, **options: Any) -> Any:
        nonlocal calls
        number, calls = calls, calls + 1
        if number == call and when == "before":
            raise CRASH
        meanwhile(number)
        answer = request(method, *given, **options)
        if number == call:
            raise CRASH
        return answer

    with pytest.MonkeyPatch.context() as deadly:
        deadly.setattr(session, "request", die)
        with pytest.raises(Crash):
            floor.take(job)


DEPLOYMENTS_AND_CALLS = [*((False, call) for call in range(3)), *((True, call) for call in range(5))]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("data_center", "call"), DEPLOYMENTS_AND_CALLS)
def test_a_worker_that_dies_at_any_call_of_jira_loses_nothing(
    floor: Floor, job: str, data_center: bool, call: int, when: str
) -> None:
    """A push that replaces an edit reads, writes and puts it back. On Data Center it looks after each write."""
    if data_center:
        floor.shop.on_data_center()
    floor.jira.describe("Text")

    def edit(number: int) -> None:
        if number == 1:
            floor.jira.describe("Text, edited")

    die_at(floor, job, call, when, edit)
    finish(floor, job)
    was_edited = call > 1 or (call, when) == (1, "after")
    edited = "Text, edited" if was_edited else "Text"
    assert (floor.jira.description() or "").startswith(f"{edited}\n\n")
    assert (floor.state(job), floor.tables()) == ("pushed", 1)
    assert floor.jira.comments() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("data_center", "call"),
    [*((False, call) for call in range(4)), *((True, call) for call in range(5))],
)
def test_a_worker_that_dies_while_it_moves_tables_leaves_each_once(
    floor: Floor, job: str, data_center: bool, call: int, when: str
) -> None:
    """The description is full: a push reads it, writes, is refused, posts a comment and writes again."""
    if data_center:
        floor.shop.on_data_center()
    floor.shop.settings(skipUnchanged=False)
    human = "x" * (32_350 if data_center else 28_500)
    floor.jira.describe(human)
    for day in (19, 20, 21):
        floor.take(job, run=f"2026-11-{day}T02:00:00.000Z")
    floor.jira.describe(f"{floor.jira.description()}\n\n{'y' * 100}")
    assert (floor.tables(), floor.jira.comments()) == (3, [])
    die_at(floor, job, call, when)
    finish(floor, job)
    (comment,) = floor.jira.comments()
    assert floor.tables() + len(contents(comment)) == 4
    after = floor.jira.description() or ""
    assert after.startswith(human)
    assert "y" * 100 in after


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", range(3))
def test_a_worker_that_dies_while_it_posts_its_table_leaves_it_once(
    floor: Floor, job: str, call: int, when: str
) -> None:
    """There is no room for it: a push reads the description and the comments, and posts one."""
    human = floor.jira.describe("x" * 32_760)
    die_at(floor, job, call, when)
    finish(floor, job)
    (comment,) = floor.jira.comments()
    assert len(contents(comment)) == 1
    assert floor.jira.description() == human
