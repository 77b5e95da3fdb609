"""Finding issues, types and priorities, at an emulated Jira of either kind."""

from __future__ import annotations

from typing import Any

import pytest

from jobticket.jira.errors import JiraMalformedAnswerError, JiraNotFoundError
from jobticket.jira.keys import MalformedKeyError
from jobticket.jira.listing import Row
from jobticket.jira.lookup import find_by_text, look_up, text_jql
from jobticket.jira.projects import issue_types, priorities
from tests.unit.jira.emulated import EmulatedJira

SHOWN = {
    "id",
    "key",
    "project",
    "summary",
    "description",
    "status",
    "priority",
    "issueType",
    "created",
    "updated",
    "resolved",
    "assignee",
    "reporter",
}


def create(jira: EmulatedJira, summary: str, *labels: str) -> str:
    fields = {"project": {"key": "PI"}, "issuetype": {"id": "10001"}, "summary": summary, "labels": labels}
    answer: Row = jira.client().post("/rest/api/2/issue", json={"fields": fields})
    return str(answer["key"])


def keys_of(jira: EmulatedJira, text: str, number: int = 1, size: int = 10) -> tuple[list[str], int]:
    found = find_by_text(jira.client(), text, number, size, None)
    return [row["key"] for row in found.rows], found.total


class TestOne:
    def test_by_key_and_by_id(self, either: EmulatedJira) -> None:
        issue = look_up(either.client(), "PI-42")
        assert set(issue) == SHOWN
        assert (issue["key"], issue["project"]) == ("PI-42", "PI")
        assert (issue["assignee"], issue["resolved"]) == ("Robin Reed", None)
        assert look_up(either.client(), issue["id"]) == issue

    def test_that_is_not_there(self, either: EmulatedJira) -> None:
        with pytest.raises(JiraNotFoundError):
            look_up(either.client(), "PI-999")

    def test_with_a_name_that_is_no_key(self, either: EmulatedJira) -> None:
        with pytest.raises(MalformedKeyError):
            look_up(either.client(), "../PI-42")
        assert either.asked("GET", "/issue") == []

    @pytest.mark.parametrize(
        "answer", [[], {}, {"id": "1"}, {"id": "x", "key": "PI-1"}, {"id": "1", "key": 5}]
    )
    def test_an_answer_that_is_not_an_issue(self, either: EmulatedJira, answer: Any) -> None:
        either.fault({"path": "/issue/", "status": 200, "body": answer})
        with pytest.raises(JiraMalformedAnswerError):
            look_up(either.client(), "PI-42")


class TestMany:
    @pytest.fixture(autouse=True)
    def orders(self, either: EmulatedJira) -> list[str]:
        """Issues that only these tests look for, the newest first."""
        return [create(either, f"Zinc order {number}") for number in range(7)][::-1]

    def test_pages_by_words(self, either: EmulatedJira, orders: list[str]) -> None:
        pages = [keys_of(either, "zinc ord", number, 3) for number in (1, 2, 3, 4)]
        assert [key for keys, _ in pages for key in keys] == orders
        assert pages[2][1] == 7
        # Beyond the first page, Cloud is asked for ids, and once for the issues of the page.
        expected = 2 if either.kind == "cloud" else 0
        assert either.asked("POST").count("/rest/api/2/issue/bulkfetch") == expected

    def test_by_key(self, either: EmulatedJira) -> None:
        assert keys_of(either, " PI-42 ") == (["PI-42"], 1)
        assert keys_of(either, "PI-42", 2) == ([], 1)
        assert keys_of(either, "PI-999") == ([], 0)

    @pytest.mark.parametrize("text", ['"', "***", "_ _", 'x" OR project = "PI', "zinc AND NOT order"])
    def test_by_what_is_no_word(self, either: EmulatedJira, text: str) -> None:
        assert keys_of(either, text) == ([], 0)

    def test_without_a_text(self, either: EmulatedJira, orders: list[str]) -> None:
        found = find_by_text(either.client(), "", 1, 7, "PI")
        assert [row["key"] for row in found.rows] == orders
        assert found.total >= 44


def test_only_words_and_quoted_keys_reach_jql() -> None:
    assert text_jql("a AND b", None) == 'summary ~ "a and b*" ORDER BY updated DESC'
    assert text_jql("", 'P" OR x = "') == r'project = "P\" OR x = \"" ORDER BY updated DESC'


class TestChoices:
    def test_types_of_a_project(self, either: EmulatedJira) -> None:
        found = issue_types(either.client(), "PI")
        assert {"id": "10001", "name": "Task", "subtask": False} in [
            row | {"id": "10001"} for row in found if row["name"] == "Task"
        ]
        assert any(row["subtask"] for row in found)

    def test_types_of_the_site(self, either: EmulatedJira) -> None:
        assert {row["name"] for row in issue_types(either.client())} >= {"Task", "Bug"}

    def test_types_of_no_project(self, either: EmulatedJira) -> None:
        with pytest.raises(JiraNotFoundError):
            issue_types(either.client(), "NONE")

    def test_priorities(self, either: EmulatedJira) -> None:
        found = [(row["id"], row["name"]) for row in priorities(either.client())]
        assert found == [("1", "Highest"), ("2", "High"), ("3", "Medium"), ("4", "Low"), ("5", "Lowest")]

    @pytest.mark.parametrize("answer", [17, {"values": 17}, [17], {"values": [{"id": "x"}]}])
    def test_an_answer_that_is_no_list(self, either: EmulatedJira, answer: Any) -> None:
        either.fault({"path": "/priority", "status": 200, "body": answer})
        with pytest.raises(JiraMalformedAnswerError):
            priorities(either.client())
