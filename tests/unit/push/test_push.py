"""POST /api/jira/push (contract: jobs.md, Jira side of jobs; seed 000)."""

from __future__ import annotations

import html
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import EndpointConnectionError

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.jira.client import Pace
from jobticket.jobs.settings import read_settings
from jobticket.push import appending
from jobticket.push.appending import MOVED, TABLES_MOVED, Try
from jobticket.push.ticket import SETTLING_SECONDS
from tests.support.faults import CRASH, Crash, Faults, refused
from tests.unit.conftest import client
from tests.unit.push.conftest import CONNECTION, TICKET, Jira, Shop, contents, held, spoil_secret

ISSUE = "/rest/api/./issue/"
UNKNOWN = "job_AAAAAAAAAAAA"


@pytest.fixture(autouse=True)
def day(bare_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late in the evening of the 21st in New York, it is the 22nd in UTC."""
    evening = datetime(2026, 11, 21, 22, 30, tzinfo=timezone(timedelta(hours=-5)))
    pusher = replace(bare_shop.function.pusher, now=lambda: evening)
    monkeypatch.setattr(bare_shop.function, "pusher", pusher)


def table(*counts: int, name: str = "Main Route", steps: str = "CNC || Deburr || QC") -> str:
    cells = " | ".join(map(str, counts))
    return f"*{name}*\n|| Date || {steps} || Completed ||\n| 2026-11-22 | {cells} |"


def test_a_push_appends_the_contracts_table(shop: Shop, jira: Jira, job: str) -> None:
    shop.on_data_center()
    jira.describe("Build 50 housings.")
    jira.forget()
    assert shop.push(job) == {"success": True}
    issue = f"/rest/api/2/issue/{TICKET}"
    assert jira.asked() == [f"GET {issue}", f"PUT {issue}", f"GET {issue}"]
    assert jira.description() == "Build 50 housings.\n\n" + table(5, 0, 0, 1)


def test_a_push_to_cloud_stands_there_as_cloud_writes_it(shop: Shop, jira: Jira, job: str) -> None:
    before = jira.describe("Build 50 housings.")
    assert shop.push(job) == {"success": True}
    after = jira.description() or ""
    assert after.startswith(f"{before}\n\n*Main Route*")
    (found,) = contents(after)
    assert found.row == ("2026-11-22", "5", "0", "0", "1")


def test_an_empty_description_becomes_the_table(shop: Shop, jira: Jira, job: str) -> None:
    shop.on_data_center()
    jira.describe(None)
    assert shop.push(job) == {"success": True}
    assert jira.description() == table(5, 0, 0, 1)


def test_paths_come_in_the_order_of_their_creation_and_each_push_adds_a_table(
    shop: Shop, jira: Jira, job: str
) -> None:
    shop.on_data_center()
    jira.describe("Text")
    shop.path(job, "Rework", ["Grind"])
    first = table(5, 0, 0, 1) + "\n\n" + table(0, 0, name="Rework", steps="Grind")
    assert shop.push(job) == {"success": True}
    assert shop.push(job) == {"success": True}
    assert jira.description() == f"Text\n\n{first}\n\n{first}"


@pytest.mark.parametrize("data_center", [True, False])
def test_names_are_text_in_one_cell(shop: Shop, jira: Jira, data_center: bool) -> None:
    if data_center:
        shop.on_data_center()
    jira.describe("Text")
    names = ["a|b", "*c*", "{code}", "[d|http://e]", "f\\", "g\nh", "i" * 200, "{color:red}", "|| x ||"]
    job_id = shop.job()
    shop.path(job_id, "|*{code}[x]\\", names)
    assert shop.push(job_id) == {"success": True}
    page = jira.page()
    cells = re.findall(r"<th(?: [^>]*)?>(.*?)</th>", page, re.DOTALL)[: len(names) + 2]
    shown = [html.unescape(cell).strip() for cell in cells]
    assert shown == ["Date", *(name.replace("\n", " ") for name in names), "Completed"]
    assert "<b>|*{code}[x]\\</b>" in page
    (found,) = jira.tables()
    assert len(found.row) == len(names) + 2


def test_toggles_come_before_the_body(bare_shop: Shop) -> None:
    for settings, message in [
        ({}, "Jira integration is not enabled"),
        ({"pushEnabled": True}, "Jira integration is not enabled"),
        ({"pushEnabled": False, "enabled": True}, "Jira push is not enabled"),
    ]:
        bare_shop.settings(**settings)
        for route in ("push", "comment"):
            for headers in ({}, {"Idempotency-Key": "k"}):
                answer = bare_shop.api.post(f"/api/jira/{route}", "not json", headers=headers)
                assert answer.status == 400
                assert answer.json() == {"statusCode": 400, "message": message}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("not json", 400, "Invalid JSON body"),
        ("[]", 400, "Invalid JSON body"),
        (None, 400, "jobId is required"),
        ({}, 400, "jobId is required"),
        ({"jobId": None}, 400, "jobId is required"),
        ({"jobId": "  "}, 400, "jobId is required"),
        ({"jobId": 7}, 400, "jobId must be a string"),
        ({"jobId": "x" * 256}, 400, "jobId must be at most 255 characters"),
        ({"jobId": UNKNOWN}, 404, f"Job not found: {UNKNOWN}"),
        ({"jobId": "job_abc123", "mode": "comment"}, 404, "Job not found: job_abc123"),
    ],
)
@pytest.mark.parametrize("route", ["push", "comment"])
def test_a_faulty_request_is_refused(
    shop: Shop, jira: Jira, route: str, body: Any, status: int, message: str
) -> None:
    jira.forget()
    answer = shop.api.post(f"/api/jira/{route}", body)
    assert (answer.status, answer.json()) == (status, {"statusCode": status, "message": message})
    assert jira.asked() == []


def test_a_job_that_cannot_be_pushed_says_why(shop: Shop, jira: Jira) -> None:
    jira.forget()
    unlinked = shop.job(ticket=None)
    assert shop.push(unlinked) == {"success": False, "error": "Job is not linked to a Jira ticket"}
    assert shop.comment(unlinked) == {"success": False, "error": "Job is not linked to a Jira ticket"}
    assert shop.push(shop.job()) == {"success": False, "error": "Job has no paths"}
    assert jira.asked() == []


def test_without_a_working_connection_the_answer_says_which(shop: Shop, job: str) -> None:
    shop.settings(externalId="gone")
    assert shop.push(job) == {"success": False, "error": "The Jira connection gone does not exist"}
    shop.settings(externalId="")
    assert shop.push(job) == {
        "success": False,
        "error": "No Jira connection is chosen: externalId is not set in the settings",
    }


@pytest.mark.parametrize(
    "fault", [refused("KMSInternalException", 500, "Decrypt"), EndpointConnectionError(endpoint_url="kms")]
)
def test_while_kms_does_not_answer_a_push_fails_and_says_so(
    shop: Shop, jira: Jira, job: str, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    kms = Mock(decrypt=Mock(side_effect=fault))
    with monkeypatch.context() as patched:
        patched.setattr(shop.function.access.vault, "_kms", lambda: kms)
        error = f"The Jira connection {CONNECTION} could not get an access token for now"
        assert shop.push(job) == {"success": False, "error": error}
        assert shop.comment(job) == {"success": False, "error": error}
    assert jira.asked("/issue/") == []
    assert shop.push(job) == {"success": True}


def test_a_secret_that_cannot_be_read_fails_a_push_and_says_whose(shop: Shop, jira: Jira, job: str) -> None:
    spoil_secret()
    error = f"The credentials of the Jira connection {CONNECTION} cannot be read"
    assert shop.push(job) == {"success": False, "error": error}
    assert shop.comment(job) == {"success": False, "error": error}
    assert jira.asked("/issue/") == []


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("PI-9999", "Jira API error: 404 Not Found"),
        ("NOPE-1", "Jira API error: 404 Not Found"),
        ("not a key", "not a key is not the key of a Jira ticket"),
        ("../../../admin", "../../../admin is not the key of a Jira ticket"),
    ],
)
def test_a_ticket_that_is_not_there(shop: Shop, key: str, error: str) -> None:
    job_id = shop.job(ticket=key)
    shop.path(job_id)
    for result in (shop.push(job_id), shop.comment(job_id)):
        said = result.pop("details", {}).get("errorMessages")
        assert result == {"success": False, "error": error}
        assert bool(said) == (int("".join(filter(str.isdigit, error))[-3:] or 0) == 404)


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 401}, "Jira API error: 401 Unauthorized"),
        ({"status": 403}, "Jira API error: 403 Forbidden"),
        ({"status": 404}, "Jira API error: 404 Not Found"),
        ({"status": 500}, "Jira API error: 500 Internal Server Error"),
        ({"status": 503, "times": None}, "Jira API error: 503 Service Unavailable"),
        ({"status": 429, "headers": {"Retry-After": "3600"}}, "Jira API error: 429 Too Many Requests"),
    ],
)
def test_what_jira_refuses(
    shop: Shop, jira: Jira, job: str, method: str, fault: dict[str, Any], error: str
) -> None:
    before = jira.describe("Text")
    jira.fail(method, f"{ISSUE}{TICKET}$", **fault)
    assert shop.push(job) == {"success": False, "error": error}
    jira.forget()
    assert jira.description() == before


def test_an_answer_that_is_not_jiras(shop: Shop, jira: Jira, job: str) -> None:
    jira.fail(
        "GET", f"{ISSUE}{TICKET}$", status=200, headers={"Content-Type": "text/html"}, body="<html>Log in"
    )
    result = shop.push(job)
    assert result["success"] is False
    assert result["error"].startswith("Jira's answer")


@pytest.mark.parametrize("fault", [{"drop": "before"}, {"drop": "after"}, {"truncate_bytes": 10}])
def test_a_lost_answer_to_the_write_is_settled(
    shop: Shop, jira: Jira, job: str, fault: dict[str, Any]
) -> None:
    before = jira.describe("Text")
    shop.push(job)
    jira.fail("PUT", f"{ISSUE}{TICKET}$", **fault)
    assert shop.push(job) == {"success": True}
    after = jira.description() or ""
    assert after.startswith(before or "")
    assert len(contents(after)) == 2


def test_answers_that_are_lost_again_and_again(shop: Shop, jira: Jira, job: str) -> None:
    before = jira.describe("Text")
    jira.fail("PUT", f"{ISSUE}{TICKET}$", drop="before", times=None)
    result = shop.push(job)
    assert result["success"] is False
    assert "Jira" in result["error"]
    jira.forget()
    assert jira.description() == before
    assert shop.push(job) == {"success": True}
    assert len(jira.tables()) == 1


def test_a_write_that_cannot_be_settled_keeps_others_away(shop: Shop, jira: Jira, job: str) -> None:
    """Whether it arrives later nobody knows, and another push must not be overwritten by it."""
    jira.describe("Text")
    jira.control(
        faults=[
            {"method": "GET", "path": f"{ISSUE}{TICKET}$", "times": 1},
            {"method": "PUT", "path": f"{ISSUE}{TICKET}$", "drop": "after"},
            {"method": "GET", "path": f"{ISSUE}{TICKET}$", "status": 500, "times": None},
        ]
    )
    result = shop.push(job)
    assert result["success"] is False
    assert result["error"].endswith("Whether the table was written is not known")
    held = client("dynamodb").get_item(
        TableName="jobs", Key={"pk": {"S": f"PUSH_LEASE#{jira.url}#{TICKET}"}, "sk": {"S": "PUSH_LEASE"}}
    )
    assert "Item" in held


def test_a_person_who_writes_while_an_answer_is_lost_loses_nothing(
    shop: Shop, jira: Jira, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jira.describe("Text")
    jira.fail("PUT", f"{ISSUE}{TICKET}$", drop="before")
    ticket = shop.function.pusher.ticket

    def edited_meanwhile(*arguments: Any) -> Any:
        made = ticket(*arguments)
        reopen = made.settle

        def settle() -> Any:
            jira.describe("Text, edited")
            return reopen()

        made.settle = settle
        return made

    monkeypatch.setattr(type(shop.function.pusher), "ticket", lambda _self, *given: edited_meanwhile(*given))
    assert shop.push(job) == {"success": True}
    after = jira.description() or ""
    assert after.startswith("Text, edited\n\n")
    assert len(contents(after)) == 1


@pytest.mark.parametrize(("data_center", "size"), [(True, 32_400), (False, 28_500)])
def test_a_full_description_gives_its_oldest_tables_to_a_comment(
    shop: Shop, jira: Jira, job: str, data_center: bool, size: int
) -> None:
    if data_center:
        shop.on_data_center()
    human = "x" * size
    jira.describe(human)
    for _ in range(3):
        assert shop.push(job) == {"success": True}
    jira.describe(f"{jira.description()}\n\nThe end. {'y' * 60}")
    assert shop.push(job) == {"success": True, "note": TABLES_MOVED}
    after = jira.description() or ""
    assert after.startswith(human)
    assert "The end. " + "y" * 60 in after
    assert len(contents(after)) + sum(len(contents(comment)) for comment in jira.comments()) == 4
    assert [comment.startswith(MOVED) for comment in jira.comments()] == [True]


def test_without_any_room_the_table_becomes_a_comment(shop: Shop, jira: Jira, job: str) -> None:
    human = jira.describe("x" * 32_760)
    result = shop.push(job)
    assert result["success"] is True
    assert result["note"] == "The description has no room left: the table was posted as a comment"
    assert jira.description() == human
    (comment,) = jira.comments()
    assert contents(comment)[0].row[0] == "2026-11-22"


def test_a_site_with_a_smaller_limit_is_obeyed(shop: Shop, jira: Jira, job: str) -> None:
    before = jira.describe("x" * 900)
    text = "The entered text is too long. It exceeds the allowed limit of 1,000 characters."
    jira.fail("PUT", f"{ISSUE}{TICKET}$", status=400, body={"errors": {"description": text}})
    result = shop.push(job)
    assert result["success"] is True
    assert result["note"]
    assert jira.description() == before
    assert len(contents(jira.comments()[0])) == 1


def test_another_refusal_of_the_text_is_reported(
    shop: Shop, jira: Jira, job: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Jira's own sentence is in the answer, in the list and in the log."""
    jira.control(off_screen_fields=["description"])
    said = "Field 'description' cannot be set. It is not on the appropriate screen, or unknown."
    failed = {"error": "Jira API error: 400 Bad Request", "details": {"errors": {"description": said}}}
    assert shop.push(job) == {"success": False, **failed}
    (logged,) = [record for record in caplog.records if record.getMessage() == "a push failed"]
    assert vars(logged)["details"] == failed["details"]
    (listed,) = shop.api.get("/api/jira/pushes").json()["pushes"]
    assert {name: listed[name] for name in failed} == failed


@pytest.mark.parametrize("data_center", [True, False])
@pytest.mark.parametrize(
    "said",
    ["Line 3: unknown macro.", "Field 'customfield_10010' is required.", "Project ABC-1000 is archived."],
)
def test_a_number_in_a_refusal_need_not_be_a_limit(
    shop: Shop, jira: Jira, job: str, data_center: bool, said: str
) -> None:
    if data_center:
        shop.on_data_center()
    jira.fail("PUT", f"{ISSUE}{TICKET}$", status=400, body={"errors": {"description": said}})
    answer = shop.push(job)
    assert answer["success"] is False
    assert answer["details"] == {"errors": {"description": said}}
    assert jira.comments() == []


def test_a_push_costs_the_same_however_many_parts_there_are(
    shop: Shop, jira: Jira, job: str, faults: Faults
) -> None:
    shop.push(job)
    few = faults.operations()
    path = shop.jobs.get(f"/api/jobs/{job}").json()["paths"][0]["id"]
    shop.jobs.post("/api/serials", {"pathId": path, "quantity": 1000})
    faults.calls.clear()
    shop.push(job)
    assert faults.operations() == few
    lease, give_back, remember, record = "update_item", "delete_item", "update_item", "transact_write_items"
    assert few == ["get_item", "query", lease, remember, give_back, record]


def test_pushes_at_the_same_moment_leave_all_their_tables(shop: Shop, jira: Jira, job: str) -> None:
    other = shop.job(ticket=TICKET.lower())
    shop.path(other, "Rework", ["Grind"])
    jira.describe("Text")
    jira.control(latency_ms=20)
    together = threading.Barrier(6)

    def push(job_id: str) -> dict[str, Any]:
        together.wait()
        return shop.push(job_id)

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(push, [job, other] * 3))
    assert results == [{"success": True}] * 6
    after = jira.description() or ""
    assert after.startswith("Text\n\n")
    names = [found.path for found in contents(after)]
    assert sorted(names) == ["Main Route"] * 3 + ["Rework"] * 3


def test_a_push_waits_for_another_no_longer_than_it_may(
    shop: Shop, jira: Jira, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobticket.push.pushing.PATIENCE_SECONDS", 0.2)
    shop.push(job)
    jira.forget()
    with held(shop.function.table, jira):
        assert shop.push(job) == {
            "success": False,
            "error": "Another push to this ticket is under way",
        }
    assert jira.asked() == []
    assert shop.push(job) == {"success": True}


def test_a_ticket_that_was_moved_is_one_ticket(shop: Shop, jira: Jira, job: str, faults: Faults) -> None:
    jira.call("POST", "/_control/move", {"issue": TICKET, "project": "MISC"})
    assert shop.push(job) == {"success": True}
    written = [call["Key"]["pk"]["S"] for name, call in faults.calls if name == "update_item"]
    leased = [pk.rpartition("#")[2] for pk in written if pk.startswith("PUSH_LEASE#")]
    assert leased == [TICKET, "MISC-1"]
    assert faults.operations().count("delete_item") == 2


def test_a_write_of_which_nobody_knows_is_looked_for_when_the_request_is_repeated(
    shop: Shop, jira: Jira, job: str
) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    jira.describe("Text")
    jira.control(
        faults=[
            {"method": "GET", "path": f"{ISSUE}{TICKET}$", "times": 1},
            {"method": "PUT", "path": f"{ISSUE}{TICKET}$", "drop": "after"},
            {"method": "GET", "path": f"{ISSUE}{TICKET}$", "status": 500, "times": None},
        ]
    )
    assert shop.push(job, headers=headers)["success"] is False
    jira.forget()
    client("dynamodb").delete_item(  # its time is over
        TableName="jobs", Key={"pk": {"S": f"PUSH_LEASE#{jira.url}#{TICKET}"}, "sk": {"S": "PUSH_LEASE"}}
    )
    assert shop.push(job, headers=headers) == {"success": True}
    assert len(jira.tables()) == 1
    jira.forget()
    assert shop.push(job, headers=headers) == {"success": True}
    assert jira.asked() == []


def test_a_write_that_takes_too_long_is_looked_for(
    shop: Shop, jira: Jira, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "LATE_SECONDS", (0.0, *[0.1] * 30))
    jira.describe("Text")
    jira.fail("PUT", f"{ISSUE}{TICKET}$", delay_ms=700)
    deadline = Deadline.after(SETTLING_SECONDS + 2)
    result = shop.function.pusher.push(job, read_settings(shop.function.table), deadline, Try("shift-1"))
    assert result.status == "pushed"
    assert len(jira.tables()) == 1


def test_a_write_that_takes_far_too_long_is_reported_as_unsettled(shop: Shop, jira: Jira, job: str) -> None:
    jira.describe("Text")
    jira.fail("PUT", f"{ISSUE}{TICKET}$", delay_ms=8_000)
    pusher = replace(shop.function.pusher, pace=Pace(sleep=lambda _seconds: None))
    deadline = Deadline.after(SETTLING_SECONDS + 2)
    result = pusher.push(job, read_settings(shop.function.table), deadline, Try("shift-1"))
    assert result.error == "Jira did not answer in time. Whether the table was written is not known"


def test_the_same_key_pushes_once(shop: Shop, jira: Jira, job: str) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    first = shop.push(job, headers=headers)
    jira.forget()
    assert shop.push(job, headers=headers) == first == {"success": True}
    assert jira.asked() == []
    assert len(jira.tables()) == 1


def test_a_failed_push_leaves_the_key_free(shop: Shop, jira: Jira, job: str) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    jira.fail("GET", f"{ISSUE}{TICKET}$", status=403)
    assert shop.push(job, headers=headers)["success"] is False
    assert shop.push(job, headers=headers) == {"success": True}


def test_a_push_that_died_after_its_write_is_not_done_again(
    shop: Shop, jira: Jira, job: str, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    faults.fail("update_item", "before", CRASH, skip=2)
    with pytest.raises(Crash):
        shop.push(job, headers=headers)
    later = clock.now() + timedelta(seconds=90)
    monkeypatch.setattr(clock, "now", lambda: later)
    jira.forget()
    assert shop.push(job, headers=headers) == {"success": True}
    assert jira.asked() == [f"GET /rest/api/3/issue/{TICKET}"], "the description with its changelog"
    assert len(jira.tables()) == 1


def test_a_push_that_died_before_its_write_is_done(
    shop: Shop, jira: Jira, job: str, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    faults.fail("update_item", "after", CRASH, skip=1)
    with pytest.raises(Crash):
        shop.push(job, headers=headers)
    later = clock.now() + timedelta(seconds=90)
    monkeypatch.setattr(clock, "now", lambda: later)
    pusher = replace(shop.function.pusher, now=lambda: later)
    monkeypatch.setattr(shop.function, "pusher", pusher)
    assert shop.push(job, headers=headers) == {"success": True}
    assert len(jira.tables()) == 1
