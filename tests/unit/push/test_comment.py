"""POST /api/jira/comment (contract: jobs.md, The comment summary)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobticket import clock
from jobticket.jira.documents.limits import LONGEST_TEXT
from tests.support.faults import CRASH, Crash, Faults
from tests.unit.push.conftest import TICKET, Jira, Shop

COMMENTS = f"/rest/api/./issue/{TICKET}/comment$"


def test_the_summary_is_posted_and_the_description_left_alone(shop: Shop, jira: Jira) -> None:
    shop.on_data_center()
    job = shop.job(name="JOB-2024-001")
    shop.parts(shop.path(job, steps=["CNC", "QC"]), 6, completed=1)
    shop.path(job, "Rework", ["Grind"])
    before = jira.description()
    assert shop.comment(job) == {"success": True}
    assert jira.comments() == [
        "*Status Summary for JOB-2024-001*\n\n"
        "*Main Route:*\n- CNC: 5 parts\n- QC: 0 parts\n- Completed: 1\n\n"
        "*Rework:*\n- Grind: 0 parts\n- Completed: 0"
    ]
    assert jira.description() == before


def test_a_job_without_paths_posts_the_heading(shop: Shop, jira: Jira) -> None:
    shop.on_data_center()
    assert shop.comment(shop.job(name="*J*")) == {"success": True}
    assert jira.comments() == [r"*Status Summary for \*J\**"]


def test_pushes_must_be_switched_on(shop: Shop, jira: Jira, job: str) -> None:
    shop.settings(pushEnabled=False)
    answer = shop.api.post("/api/jira/comment", {"jobId": job})
    assert (answer.status, answer.json()["message"]) == (400, "Jira push is not enabled")
    assert jira.comments() == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, "Jira API error: 401 Unauthorized"),
        (404, "Jira API error: 404 Not Found"),
        (500, "Jira API error: 500 Internal Server Error"),
    ],
)
def test_what_jira_refuses(shop: Shop, jira: Jira, job: str, status: int, error: str) -> None:
    jira.fail("POST", COMMENTS, status=status)
    assert shop.comment(job) == {"success": False, "error": error}
    jira.forget()
    assert jira.comments() == []


@pytest.mark.parametrize("fault", [{"drop": "before"}, {"drop": "after"}])
@pytest.mark.parametrize("data_center", [True, False])
def test_a_lost_answer_is_settled(
    shop: Shop, jira: Jira, job: str, fault: dict[str, str], data_center: bool
) -> None:
    if data_center:
        shop.on_data_center()
    jira.fail("POST", COMMENTS, **fault)
    assert shop.comment(job) == {"success": True}
    assert len(jira.comments()) == 1


def test_without_a_working_connection_the_answer_says_which(shop: Shop, job: str) -> None:
    shop.settings(externalId="gone")
    assert shop.comment(job) == {"success": False, "error": "The Jira connection gone does not exist"}


def test_a_summary_that_is_too_long_becomes_several_comments(shop: Shop, jira: Jira) -> None:
    job = shop.job()
    for number in range(2):
        shop.path(job, f"Path {number}", [f"{step:03d}" + "x" * 250 for step in range(100)])
    assert shop.comment(job) == {"success": True}
    comments = jira.comments()
    assert len(comments) == 2
    assert all(len(comment) <= LONGEST_TEXT for comment in comments)
    assert all(f"Path {number}" in comment for number, comment in enumerate(comments))


def test_the_same_key_comments_once(shop: Shop, jira: Jira, job: str) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    assert shop.comment(job, headers=headers) == {"success": True}
    assert shop.comment(job, headers=headers) == {"success": True}
    assert len(jira.comments()) == 1


def test_a_comment_that_died_after_it_was_posted_is_not_posted_again(
    shop: Shop, jira: Jira, job: str, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    faults.fail("update_item", "before", CRASH)
    with pytest.raises(Crash):
        shop.comment(job, headers=headers)
    later = clock.now() + timedelta(seconds=90)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert shop.comment(job, headers=headers) == {"success": True}
    assert len(jira.comments()) == 1


def test_a_comment_of_which_nobody_knows_is_looked_for_when_the_request_is_repeated(
    shop: Shop, jira: Jira, job: str
) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    jira.control(
        faults=[
            {"method": "POST", "path": COMMENTS, "drop": "after"},
            {"method": "GET", "path": COMMENTS, "status": 500, "times": None},
        ]
    )
    assert shop.comment(job, headers=headers)["success"] is False
    jira.forget()
    assert len(jira.comments()) == 1
    assert shop.comment(job, headers=headers) == {"success": True}
    assert len(jira.comments()) == 1


@pytest.mark.parametrize("drop", ["before", "after"])
def test_an_equal_comment_of_a_moment_ago_is_not_taken_for_the_one_that_is_lost(
    shop: Shop, jira: Jira, job: str, drop: str
) -> None:
    assert shop.comment(job) == {"success": True}
    jira.fail("POST", COMMENTS, drop=drop)
    assert shop.comment(job) == {"success": True}
    assert len(jira.comments()) == 2


@pytest.mark.parametrize("drop", ["before", "after"])
def test_nor_is_it_when_the_request_is_repeated(shop: Shop, jira: Jira, job: str, drop: str) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    assert shop.comment(job) == {"success": True}
    jira.control(
        faults=[
            {"method": "POST", "path": COMMENTS, "drop": drop},
            {"method": "GET", "path": COMMENTS, "status": 500, "times": None},
        ]
    )
    assert shop.comment(job, headers=headers)["success"] is False
    jira.forget()
    assert shop.comment(job, headers=headers) == {"success": True}
    assert len(jira.comments()) == 2


def test_a_comment_is_one_call(shop: Shop, jira: Jira, job: str) -> None:
    jira.forget()
    assert shop.comment(job, headers={"Idempotency-Key": "shift-1"}) == {"success": True}
    assert jira.asked() == [f"POST /rest/api/3/issue/{TICKET}/comment"]


def test_of_several_comments_those_that_were_posted_are_not_posted_again(shop: Shop, jira: Jira) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    job = shop.job()
    for number in range(2):
        shop.path(job, f"Path {number}", [f"{step:03d}" + "x" * 250 for step in range(100)])
    jira.control(
        faults=[
            {"method": "POST", "path": COMMENTS, "times": 1},
            {"method": "POST", "path": COMMENTS, "status": 400},
        ]
    )
    assert shop.comment(job, headers=headers)["success"] is False
    jira.forget()
    assert shop.comment(job, headers=headers) == {"success": True}
    assert len(jira.comments()) == 2


def test_a_refused_comment_leaves_no_question(shop: Shop, jira: Jira, job: str) -> None:
    """Another request may have posted the same text since; a refused one must not take it for its own."""
    headers = {"Idempotency-Key": "shift-1"}
    jira.fail("POST", COMMENTS, status=500)
    assert shop.comment(job, headers=headers)["success"] is False
    jira.forget()
    assert shop.comment(job) == {"success": True}
    assert shop.comment(job, headers=headers) == {"success": True}
    assert len(jira.comments()) == 2
