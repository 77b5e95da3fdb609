"""POST /api/jira/link and DELETE /api/jira/link/{jobId} (contract: jobs.md, Jira side of jobs)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.faults import LOST, Faults
from tests.unit.push.conftest import Jira, Shop

FROM_TICKET = {
    "jiraTicketKey": "PI-42",
    "jiraTicketSummary": "Build 50 aluminum housings 1234567-001",
    "jiraPartNumber": "1234567-001",
    "jiraPriority": "High",
    "jiraEpicLink": "PI-10",
    "jiraLabels": ["housing", "urgent"],
}
UNKNOWN = "job_AAAAAAAAAAAA"


def link(shop: Shop, body: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    answer = shop.api.post("/api/jira/link", body, **options)
    return answer.status, answer.json()


def test_a_job_is_linked_to_a_ticket(shop: Shop) -> None:
    job_id = shop.job(ticket=None, name="Mine", goalQuantity=7)
    status, body = link(shop, {"jobId": job_id, "ticketKey": "pi-42", "goalQuantity": 99})
    assert status == 200
    stored = shop.jobs.get(f"/api/jobs/{job_id}").json()
    assert body["job"] == {key: value for key, value in stored.items() if key not in ("paths", "progress")}
    assert {key: stored[key] for key in FROM_TICKET} == FROM_TICKET
    assert (stored["name"], stored["goalQuantity"]) == ("Mine", 7)
    assert stored["updatedAt"] > stored["createdAt"]


def test_a_job_is_created_for_a_ticket(shop: Shop) -> None:
    status, body = link(shop, {"ticketKey": "PI-42"})
    assert status == 201
    job = body["job"]
    assert {key: job[key] for key in FROM_TICKET} == FROM_TICKET
    assert (job["name"], job["goalQuantity"]) == ("Build 50 aluminum housings 1234567-001", 50)
    stored = shop.jobs.get(f"/api/jobs/{job['id']}").json()
    assert job == {key: value for key, value in stored.items() if key not in ("paths", "progress")}


@pytest.mark.parametrize(
    ("custom", "asked", "goal"),
    [
        ({}, None, 1),
        ({"customfield_10900": 12.0}, None, 12),
        ({"customfield_10900": 12.0}, 5, 5),
        ({"customfield_10900": 2.5}, None, 1),
        ({"customfield_10900": -3}, None, 1),
        ({"customfield_10900": 0}, None, 1),
    ],
)
def test_the_goal_is_asked_for_or_the_tickets_or_one(
    shop: Shop, jira: Jira, custom: dict[str, Any], asked: int | None, goal: int
) -> None:
    jira.issues({"summary": "Plain", "custom": custom})
    status, body = link(shop, {"ticketKey": "NEW-1", "goalQuantity": asked})
    assert status == 201
    assert body["job"]["goalQuantity"] == goal
    assert body["job"]["jiraLabels"] == []
    assert "jiraPartNumber" not in body["job"]


def test_what_a_job_cannot_hold_is_cut(shop: Shop, jira: Jira) -> None:
    labels = [f"l{number}" for number in range(120)]
    jira.issues({"summary": "S" * 255, "labels": labels, "custom": {"customfield_10908": "p" * 200}})
    status, body = link(shop, {"ticketKey": "NEW-1"})
    assert status == 201
    assert len(body["job"]["jiraLabels"]) == 100
    assert body["job"]["name"] == "S" * 255


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("not json", 400, "Invalid JSON body"),
        ({}, 400, "ticketKey is required"),
        ({"ticketKey": " "}, 400, "ticketKey is required"),
        ({"ticketKey": 42}, 400, "ticketKey must be a string"),
        ({"ticketKey": "PI-42", "jobId": 7}, 400, "jobId must be a string"),
        ({"ticketKey": "PI-42", "jobId": " "}, 400, "jobId cannot be empty"),
        ({"ticketKey": "PI-42", "goalQuantity": "5"}, 400, "goalQuantity must be a number"),
        ({"ticketKey": "PI-42", "goalQuantity": 0}, 400, "goalQuantity must be greater than 0"),
        ({"ticketKey": "PI-42", "goalQuantity": 1.5}, 400, "goalQuantity must be an integer"),
        ({"ticketKey": "PI-42", "jobId": UNKNOWN}, 404, f"Job not found: {UNKNOWN}"),
        ({"ticketKey": "PI-42", "jobId": "job_abc123"}, 404, "Job not found: job_abc123"),
        ({"ticketKey": "PI-9999"}, 404, "Jira ticket not found: PI-9999"),
        ({"ticketKey": "no key"}, 404, "Jira ticket not found: no key"),
        ({"ticketKey": "../../myself"}, 404, "Jira ticket not found: ../../myself"),
        ({"ticketKey": "PI-42?x=1#y"}, 404, "Jira ticket not found: PI-42?x=1#y"),
    ],
)
def test_a_faulty_request_is_refused(shop: Shop, body: Any, status: int, message: str) -> None:
    assert link(shop, body) == (status, {"statusCode": status, "message": message})
    assert shop.jobs.get("/api/jobs").json() == []


def test_a_linked_job_is_not_linked_again(shop: Shop, jira: Jira) -> None:
    job_id = shop.job(ticket="PI-7")
    jira.forget()
    assert link(shop, {"jobId": job_id, "ticketKey": "PI-42"}) == (
        400,
        {"statusCode": 400, "message": "Job is already linked to PI-7"},
    )
    assert jira.asked() == []


def test_of_two_links_at_once_one_wins(shop: Shop) -> None:
    job_id = shop.job(ticket=None)
    with ThreadPoolExecutor(2) as pool:
        keys = ["PI-41", "PI-42"]
        answers = list(pool.map(lambda key: link(shop, {"jobId": job_id, "ticketKey": key}), keys))
    won = shop.jobs.get(f"/api/jobs/{job_id}").json()["jiraTicketKey"]
    assert {status for status, _ in answers} == {200, 400}
    assert {"statusCode": 400, "message": f"Job is already linked to {won}"} in [body for _, body in answers]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Jira API error: 401 Unauthorized"),
        (403, "Jira API error: 403 Forbidden"),
        (500, "Jira API error: 500 Internal Server Error"),
    ],
)
def test_what_jira_refuses(shop: Shop, jira: Jira, status: int, message: str) -> None:
    jira.fail("GET", "/rest/api/2/issue/PI-42$", status=status)
    assert link(shop, {"ticketKey": "PI-42"}) == (502, {"statusCode": 502, "message": message})
    assert shop.jobs.get("/api/jobs").json() == []


def test_a_jira_that_hangs_up(shop: Shop, jira: Jira) -> None:
    jira.fail("GET", "/rest/api/2/issue/PI-42$", drop="before", times=None)
    status, body = link(shop, {"ticketKey": "PI-42"})
    assert status == 502
    assert "Jira" in body["message"]
    assert shop.jobs.get("/api/jobs").json() == []


def test_without_a_connection_nothing_is_linked(shop: Shop) -> None:
    shop.settings(externalId="gone")
    assert link(shop, {"ticketKey": "PI-42"}) == (
        502,
        {"statusCode": 502, "message": "The Jira connection gone does not exist"},
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/jira/link"),
        ("DELETE", f"/api/jira/link/{UNKNOWN}"),
        ("GET", "/api/jira/tickets"),
        ("GET", "/api/jira/tickets/PI-42"),
    ],
)
def test_the_integration_must_be_switched_on(bare_shop: Shop, method: str, path: str) -> None:
    answer = bare_shop.api.call(method, path, "not json" if method == "POST" else None)
    assert (answer.status, answer.json()["message"]) == (400, "Jira integration is not enabled")


def test_linking_does_not_need_pushes_switched_on(shop: Shop) -> None:
    shop.settings(pushEnabled=False)
    assert link(shop, {"ticketKey": "PI-42"})[0] == 201


def test_a_link_is_forgotten_and_made_again(shop: Shop, jira: Jira) -> None:
    job_id = shop.job(ticket=None)
    link(shop, {"jobId": job_id, "ticketKey": "PI-42"})
    jira.forget()
    answer = shop.api.delete(f"/api/jira/link/{job_id}")
    assert (answer.status, answer.body) == (204, b"")
    assert jira.asked() == []
    job = shop.jobs.get(f"/api/jobs/{job_id}").json()
    assert not [member for member in job if member.startswith("jira")]
    assert link(shop, {"jobId": job_id, "ticketKey": "PI-41"})[0] == 200


def test_an_unlinked_job_may_be_unlinked_and_an_unknown_one_not(shop: Shop) -> None:
    assert shop.api.delete(f"/api/jira/link/{shop.job(ticket=None)}").status == 204
    for unknown in (UNKNOWN, "job_abc123"):
        answer = shop.api.delete(f"/api/jira/link/{unknown}")
        assert (answer.status, answer.json()["message"]) == (404, f"Job not found: {unknown}")


def test_the_same_key_creates_one_job(shop: Shop, jira: Jira) -> None:
    headers = {"Idempotency-Key": "scan-1"}
    first = link(shop, {"ticketKey": "PI-42"}, headers=headers)
    jira.forget()
    assert link(shop, {"ticketKey": "PI-42"}, headers=headers) == first
    assert jira.asked() == []
    assert len(shop.jobs.get("/api/jobs").json()) == 1
    assert link(shop, {"ticketKey": "PI-41"}, headers=headers)[0] == 422


def test_the_same_key_links_once(shop: Shop) -> None:
    job_id = shop.job(ticket=None)
    headers = {"Idempotency-Key": "scan-1"}
    first = link(shop, {"jobId": job_id, "ticketKey": "PI-42"}, headers=headers)
    assert first[0] == 200
    assert link(shop, {"jobId": job_id, "ticketKey": "PI-42"}, headers=headers) == first


def test_a_link_whose_answer_was_lost_is_recognised(shop: Shop, faults: Faults) -> None:
    job_id = shop.job(ticket=None)
    faults.fail("transact_write_items", "after", LOST)
    assert link(shop, {"jobId": job_id, "ticketKey": "PI-42"})[0] == 200
