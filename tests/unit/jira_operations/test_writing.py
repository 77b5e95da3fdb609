"""Editing and deleting."""

from __future__ import annotations

from typing import Any

import pytest

from jobticket.clock import parse_iso
from local.atlassian import catalogue
from tests.unit.jira_operations.conftest import DANA, ROBIN, Atlassian, Jira

ISSUE = "/rest/api/2/issue/PI-42"
SHOWN = {"id", "key", "summary", "description", "priority", "issueType", "assignee", "updated"}


def edit(jira: Jira, **fields: Any) -> Any:
    return jira.send("PUT", "edit-issue", issue_id_or_key="PI-42", **fields)


class TestEdit:
    def test_every_field(self, either: Jira, atlassian: Atlassian) -> None:
        assignee = DANA if either.external_id == "team-1" else "demo"
        answer = edit(
            either,
            summary="New summary",
            description="New *description*",
            priority_id="1",
            issue_type_id="10004",
            assignee_account_id=assignee,
        )
        assert answer.status == 200
        assert set(answer.json()) == {"success", "issue"}
        issue = answer.json()["issue"]
        assert set(issue) == SHOWN
        assert (issue["summary"], issue["description"]) == ("New summary", "New *description*")
        assert issue["priority"]["name"] == "Highest"
        assert issue["assignee"]["displayName"] == "Dana Demo"
        assert set(issue["issueType"]) == {"name", "iconUrl"}
        assert atlassian.count("PUT", ISSUE) == 1

    def test_one_field_leaves_the_others(self, either: Jira) -> None:
        issue = edit(either, priority_id=4).json()["issue"]
        assert issue["priority"]["name"] == "Low"
        assert issue["summary"] == "Build 50 aluminum housings 1234567-001"
        assert issue["assignee"]["displayName"] == "Robin Reed"

    @pytest.mark.parametrize("nobody", ["null", None])
    def test_unassigns(self, either: Jira, nobody: str | None) -> None:
        assert edit(either, assignee_account_id=nobody).json()["issue"]["assignee"] is None

    def test_empties_a_description(self, jira: Jira) -> None:
        assert edit(jira, description="").json()["issue"]["description"] is None

    def test_text_is_a_string_both_ways(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.control(record_bodies=True)
        edit(jira, description="A *bold* word")
        (sent,) = [call["body"] for call in atlassian.asked() if call["method"] == "PUT"]
        assert sent == {"fields": {"description": "A *bold* word"}}

    def test_expected_updated_that_still_holds(self, either: Jira, atlassian: Atlassian) -> None:
        updated = either.get("get-issue-details", issue_id_or_key="PI-42").json()["issue"]["updated"]
        local = parse_iso(updated).astimezone().isoformat()
        assert edit(either, summary="New", expected_updated=local).status == 200

    def test_expected_updated_that_does_not(self, either: Jira, atlassian: Atlassian) -> None:
        answer = edit(either, summary="New", expected_updated="2024-01-01T00:00:00.000Z")
        assert (answer.status, answer.json()) == (409, {"error": "Issue has been modified since last read"})
        assert atlassian.count("PUT", ISSUE) == 0

    def test_is_one_call_on_cloud(self, jira: Jira, atlassian: Atlassian) -> None:
        assert edit(jira, summary="New").json()["issue"]["summary"] == "New"
        assert [call["method"] for call in atlassian.asked()] == ["PUT"]

    def test_is_read_back_on_a_data_center(self, server: Jira, atlassian: Atlassian) -> None:
        assert edit(server, summary="New").json()["issue"]["summary"] == "New"
        assert [call["method"] for call in atlassian.asked()] == ["PUT", "GET"]

    @pytest.mark.parametrize(
        "fault",
        [
            {"method": "GET", "path": "issue/PI-42", "status": 403, "times": None, "body": {}},
            {"method": "GET", "path": "issue/PI-42", "status": 200, "times": None, "body": {"key": "PI-42"}},
            {"method": "PUT", "path": "issue/PI-42", "status": 200, "body": []},
            {"method": "PUT", "path": "issue/PI-42", "status": 200, "body": {"id": "1", "key": "../PI-42"}},
        ],
    )
    def test_written_but_not_read_back(
        self, either: Jira, atlassian: Atlassian, fault: dict[str, Any]
    ) -> None:
        atlassian.fault(fault, {"method": "PUT", "path": "issue/PI-42", "status": 204})
        answer = edit(either, summary="New")
        assert answer.status == 200
        assert answer.json()["success"] is True
        issue = answer.json()["issue"]
        assert set(issue) == SHOWN
        assert (issue["key"], issue["summary"], issue["updated"]) == ("PI-42", "New", None)

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({}, "At least one field must be provided for update"),
            ({"summary": None}, "At least one field must be provided for update"),
            ({"expected_updated": "2024-01-01"}, "At least one field must be provided for update"),
            ({"summary": 17}, "Invalid field values provided"),
            ({"description": {"type": "doc"}}, "Invalid field values provided"),
            ({"priority_id": "High"}, "Invalid field values provided"),
            ({"issue_type_id": "1; 2"}, "Invalid field values provided"),
            ({"priority_id": True}, "Invalid field values provided"),
            ({"summary": "a", "expected_updated": "yesterday"}, "Invalid field values provided"),
            ({"assignee_account_id": ["x"]}, "Invalid field values provided"),
            ({"assignee_account_id": ""}, "Invalid field values provided"),
        ],
    )
    def test_faulty_fields(self, jira: Jira, atlassian: Atlassian, fields: dict[str, Any], text: str) -> None:
        answer = edit(jira, **fields)
        assert (answer.status, answer.json()["error"]) == (400, text)
        assert atlassian.asked() == []

    def test_jira_says_what_is_wrong(self, either: Jira) -> None:
        answer = edit(either, summary="x" * 256)
        assert answer.status == 400
        assert answer.json() == {
            "error": "Invalid field values provided",
            "details": {"errors": {"summary": "Summary can't exceed 255 characters."}},
        }

    @pytest.mark.parametrize(
        ("status", "text"),
        [
            (403, "Access denied to edit issue"),
            (404, "Issue not found"),
            (409, "Issue has been modified since last read"),
            (500, "Failed to update Jira issue"),
        ],
    )
    def test_refusals(self, jira: Jira, atlassian: Atlassian, status: int, text: str) -> None:
        atlassian.fault({"method": "PUT", "path": "issue", "status": status, "body": {}})
        answer = edit(jira, summary="New")
        assert (answer.status, answer.json()["error"]) == (status, text)

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 500},
            {"status": 502},
            {"status": 503},
            {"drop": "after"},
            {"drop": "before"},
        ],
    )
    def test_no_write_is_sent_twice(self, jira: Jira, atlassian: Atlassian, fault: dict[str, Any]) -> None:
        atlassian.fault({"method": "PUT", "path": "issue/PI-42", **fault, "times": None})
        answer = edit(jira, summary="New")
        assert answer.status == 500
        assert answer.json()["outcome_unknown"] is True
        assert atlassian.count("PUT", ISSUE) == 1

    def test_no_write_is_sent_twice_after_a_reset_in_mid_body(self, jira: Jira, atlassian: Atlassian) -> None:
        body = {"padding": "x" * 5000}
        atlassian.fault(
            {"method": "PUT", "path": "issue/PI-42", "status": 200, "body": body, "truncate_bytes": 10}
        )
        answer = edit(jira, summary="New")
        assert (answer.status, answer.json()["outcome_unknown"]) == (500, True)
        assert atlassian.count("PUT", ISSUE) == 1


class TestDelete:
    def test_by_body(self, either: Jira, atlassian: Atlassian) -> None:
        answer = either.send("DELETE", "delete-issue", issue_id_or_key="PI-42")
        assert (answer.status, answer.body) == (204, b"")
        assert either.get("get-issue-details", issue_id_or_key="PI-42").status == 404

    def test_by_query(self, either: Jira) -> None:
        url = f"/api/backend/jira/delete-issue?external_id={either.external_id}&issue_id_or_key=PI-42"
        assert either.api.delete(url).status == 204
        assert either.get("get-issue-details", issue_id_or_key="PI-42").status == 404

    def test_subtasks_stay_unless_they_are_meant(self, either: Jira, atlassian: Atlassian) -> None:
        subtask = next(each.id for each in catalogue.ISSUE_TYPES.values() if each.subtask)
        atlassian.create(project="PI", issues=[{"summary": "Part", "type": subtask, "parent": "PI-42"}])
        refused = either.send("DELETE", "delete-issue", issue_id_or_key="PI-42")
        assert refused.status == 400
        assert "subtasks" in refused.json()["details"]["errorMessages"][0]
        done = either.send("DELETE", "delete-issue", issue_id_or_key="PI-42", delete_subtasks=True)
        assert done.status == 204

    def test_one_that_does_not_exist(self, either: Jira) -> None:
        refused = either.send("DELETE", "delete-issue", issue_id_or_key="PI-999")
        assert (refused.status, refused.json()["error"]) == (404, "Issue not found")

    def test_an_answer_that_is_lost(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.fault({"method": "DELETE", "path": "issue/PI-42", "drop": "after"})
        assert jira.send("DELETE", "delete-issue", issue_id_or_key="PI-42").status == 204
        assert atlassian.count("DELETE", ISSUE) == 2

    def test_a_gateway_in_trouble(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.fault({"method": "DELETE", "path": "issue/PI-42", "status": 503, "times": 2})
        assert jira.send("DELETE", "delete-issue", issue_id_or_key="PI-42").status == 204

    @pytest.mark.parametrize(
        ("status", "text"),
        [(403, "Access denied to delete issue"), (500, "Failed to delete Jira issue")],
    )
    def test_refusals(self, jira: Jira, atlassian: Atlassian, status: int, text: str) -> None:
        atlassian.fault({"method": "DELETE", "path": "issue", "status": status, "body": {}})
        answer = jira.send("DELETE", "delete-issue", issue_id_or_key="PI-42")
        assert (answer.status, answer.json()["error"]) == (status, text)

    def test_flag_that_is_none(self, jira: Jira, atlassian: Atlassian) -> None:
        answer = jira.send("DELETE", "delete-issue", issue_id_or_key="PI-42", delete_subtasks="perhaps")
        assert (answer.status, answer.json()["error"]) == (400, "delete_subtasks must be true or false")
        assert atlassian.asked() == []


def test_assigning_names_people_as_the_deployment_does(either: Jira, atlassian: Atlassian) -> None:
    atlassian.control(record_bodies=True)
    person = ROBIN if either.external_id == "team-1" else "robin"
    edit(either, assignee_account_id=person)
    (sent,) = [call["body"] for call in atlassian.asked() if call["method"] == "PUT"]
    name = "accountId" if either.external_id == "team-1" else "name"
    assert sent == {"fields": {"assignee": {name: person}}}
