"""GET /api/jira/tickets and /api/jira/tickets/{key} (contract: jobs.md, Jira side of jobs)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from jobticket.jobs.model import FieldMappings
from jobticket.push.tickets import part_number, ticket_from
from tests.unit.push.conftest import Jira, Shop


@pytest.mark.parametrize(
    ("field", "summary", "expected"),
    [
        ("ALU-7075", "Build 1234567-001", "ALU-7075"),
        ("  ALU  ", "", "ALU"),
        ("  ", "Build 50 of 1234567-001 now", "1234567-001"),
        (None, "123456-001", "123456-001"),
        (None, "1234567-001-02", "1234567-001-02"),
        (None, "1234567-001-2", "1234567-001"),
        (None, "1234567-001-234", "1234567-001"),
        (None, "first 123456-001, then 654321-001", "123456-001"),
        (None, "12345-001", None),
        (None, "12345678-001", None),
        (None, "1234567-0012", None),
        (None, "1234567-01", None),
        (None, "١٢٣٤٥٦-١٢٣", None),
        (None, "", None),
        (42, "none", None),
        ({"value": "x"}, "Part 1234567-001.", "1234567-001"),
    ],
)
def test_the_part_number(field: Any, summary: str, expected: str | None) -> None:
    assert part_number(field, summary) == expected


def test_one_ticket(shop: Shop) -> None:
    answer = shop.api.get("/api/jira/tickets/PI-42")
    assert answer.status == 200
    ticket = answer.json()
    assert ticket.pop("createdAt").endswith("Z")
    assert ticket.pop("updatedAt").endswith("Z")
    assert ticket == {
        "key": "PI-42",
        "summary": "Build 50 aluminum housings 1234567-001",
        "status": "In Progress",
        "priority": "High",
        "assignee": "Robin Reed",
        "reporter": "Dana Demo",
        "labels": ["housing", "urgent"],
        "partNumber": "1234567-001",
        "goalQuantity": 50,
        "epicLink": "PI-10",
    }


@pytest.mark.parametrize("key", ["PI-9999", "no%20key", "..", "PI-42%2Fcomment"])
def test_an_unknown_ticket(shop: Shop, jira: Jira, key: str) -> None:
    answer = shop.api.get(f"/api/jira/tickets/{key}")
    assert answer.status == 404
    assert answer.json()["message"].startswith("Jira ticket not found: ")


def test_a_ticket_that_jira_does_not_give(shop: Shop, jira: Jira) -> None:
    jira.fail("GET", "/issue/PI-42$", status=500)
    answer = shop.api.get("/api/jira/tickets/PI-42")
    assert (answer.status, answer.json()["message"]) == (502, "Jira API error: 500 Internal Server Error")
    jira.fail("GET", "/issue/PI-42$", status=200, body={"id": "1"})
    answer = shop.api.get("/api/jira/tickets/PI-42")
    assert (answer.status, answer.json()["message"]) == (502, "Jira's answer is not a ticket")


@pytest.mark.parametrize("data_center", [True, False])
def test_the_unresolved_tickets_of_the_project_newest_first(
    shop: Shop, jira: Jira, data_center: bool
) -> None:
    jira.issues(
        *({"summary": f"Order {number}"} for number in range(1, 8)),
        {"summary": "Done", "resolution": "Fixed", "status": "Done"},
        project="ORD",
    )
    if data_center:
        shop.on_data_center()
    shop.settings(projectKey="ORD")
    answer = shop.api.get("/api/jira/tickets")
    assert answer.status == 200
    body = answer.json()
    assert body["error"] is None
    assert [ticket["key"] for ticket in body["tickets"]] == [f"ORD-{number}" for number in range(7, 0, -1)]
    assert set(body["tickets"][0]) == {
        "key", "summary", "status", "priority", "reporter", "labels", "createdAt", "updatedAt",
    }  # fmt: skip


@pytest.mark.parametrize("data_center", [True, False])
def test_all_pages_are_read(shop: Shop, jira: Jira, data_center: bool) -> None:
    jira.call("POST", "/_control/issues", {"project": "BIG", "count": 620})
    if data_center:
        shop.on_data_center()
    shop.settings(projectKey="BIG")
    tickets = shop.api.get("/api/jira/tickets").json()["tickets"]
    assert [ticket["key"] for ticket in tickets] == [f"BIG-{number}" for number in range(620, 0, -1)]


@pytest.mark.parametrize("data_center", [True, False])
@pytest.mark.parametrize("limit", [50, 300])
def test_a_long_list_comes_in_parts(shop: Shop, jira: Jira, data_center: bool, limit: int) -> None:
    jira.call("POST", "/_control/issues", {"project": "BIG", "count": 310})
    if data_center:
        shop.on_data_center()
    shop.settings(projectKey="BIG")
    keys: list[str] = []
    query = {"limit": str(limit)}
    while True:
        answer = shop.api.get(f"/api/jira/tickets?{urlencode(query)}")
        page = [ticket["key"] for ticket in answer.json()["tickets"]]
        assert 1 <= len(page) <= limit
        keys += page
        if "x-next-cursor" not in answer.headers:
            break
        query["cursor"] = answer.headers["x-next-cursor"]
    assert keys == [f"BIG-{number}" for number in range(310, 0, -1)]


def test_a_cursor_is_bound_to_its_project(shop: Shop, jira: Jira) -> None:
    jira.call("POST", "/_control/issues", {"project": "BIG", "count": 3})
    shop.settings(projectKey="BIG")
    cursor = shop.api.get("/api/jira/tickets?limit=2").headers["x-next-cursor"]
    shop.settings(projectKey="PI")
    for query in ({"cursor": cursor}, {"cursor": "?"}, {"cursor": ""}):
        answer = shop.api.get(f"/api/jira/tickets?{urlencode(query)}")
        assert (answer.status, answer.json()["message"]) == (400, "Invalid cursor")
    answer = shop.api.get("/api/jira/tickets?limit=0")
    assert (answer.status, answer.json()["message"]) == (400, "limit must be an integer from 1 to 500")


def test_a_project_key_cannot_change_the_query(shop: Shop, jira: Jira) -> None:
    shop.settings(projectKey='PI" OR project = "MISC')
    body = shop.api.get("/api/jira/tickets").json()
    assert body == {"tickets": [], "error": "Jira API error: 400 Bad Request"}


def test_what_goes_wrong_is_told_in_the_answer(shop: Shop, jira: Jira) -> None:
    jira.fail("POST", "/search", status=403, times=None)
    assert shop.api.get("/api/jira/tickets").json() == {
        "tickets": [],
        "error": "Jira API error: 403 Forbidden",
    }
    shop.settings(externalId="gone")
    assert shop.api.get("/api/jira/tickets").json() == {
        "tickets": [],
        "error": "The Jira connection gone does not exist",
    }
    shop.settings(externalId="plant-north", projectKey="")
    assert shop.api.get("/api/jira/tickets").json() == {
        "tickets": [],
        "error": "projectKey is not set in the settings",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12.0, 12), (2.5, 2.5), ("12", 12), (" 12.0 ", 12), ("a", None), (True, None), (float("inf"), None)],
)
def test_a_quantity_is_a_number(value: Any, expected: float | None) -> None:
    issue = {"key": "A-1", "fields": {"summary": None, "labels": None, "customfield_10900": value}}
    assert ticket_from(issue, FieldMappings()).goal_quantity == expected


@pytest.mark.parametrize("issue", [[], {}, {"key": "A-1"}, {"key": "A-1", "fields": None}, "A-1"])
def test_what_is_no_ticket(shop: Shop, jira: Jira, issue: Any) -> None:
    jira.fail("GET", "/issue/PI-42$", status=200, body=issue)
    answer = shop.api.get("/api/jira/tickets/PI-42")
    assert answer.status == 502
    jira.fail("POST", "/search/jql", status=200, body={"issues": [issue], "isLast": True}, times=None)
    listed = shop.api.get("/api/jira/tickets").json()
    assert listed["tickets"] == []
    assert listed["error"].startswith("Jira")


@pytest.mark.parametrize("fields", [{"summary": {}}, {"labels": [1, "a"]}, {"status": "open", "created": 5}])
def test_a_field_of_another_form_is_left_out(shop: Shop, jira: Jira, fields: dict[str, Any]) -> None:
    jira.fail("GET", "/issue/PI-42$", status=200, body={"key": "PI-42", "fields": fields})
    answer = shop.api.get("/api/jira/tickets/PI-42")
    labels = ["a"] if "labels" in fields else []
    assert (answer.status, answer.json()) == (200, {"key": "PI-42", "summary": "", "labels": labels})
