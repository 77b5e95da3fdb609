"""Boards and sprints."""

from __future__ import annotations

import pytest

from tests.unit.atlassian.conftest import Caller

AGILE = "/rest/agile/1.0"


def test_boards_of_a_project(jira: Caller) -> None:
    for reference in ("SCRUM", "10001"):
        boards = jira.get(f"{AGILE}/board", projectKeyOrId=reference).json()
        assert [(each["id"], each["type"]) for each in boards["values"]] == [(1, "scrum"), (2, "kanban")]
        assert boards["isLast"] is True
    assert jira.get(f"{AGILE}/board", projectKeyOrId="PI").json()["values"] == []
    assert jira.get(f"{AGILE}/board", projectKeyOrId="NOPE").status_code == 400
    assert len(jira.get(f"{AGILE}/board", type="kanban").json()["values"]) == 1
    assert jira.get(f"{AGILE}/board/1").json()["name"] == "Tooling board"
    assert jira.get(f"{AGILE}/board/99").status_code == 404


def test_sprints_of_a_board(jira: Caller) -> None:
    sprints = jira.get(f"{AGILE}/board/1/sprint").json()["values"]
    assert [each["state"] for each in sprints] == ["closed", "active", "future"]
    closed, active, future = sprints
    assert "completeDate" in closed
    assert "completeDate" not in active
    assert "startDate" not in future
    chosen = jira.get(f"{AGILE}/board/1/sprint", state="active,future").json()["values"]
    assert [each["id"] for each in chosen] == [2, 3]
    assert jira.get(f"{AGILE}/board/1/sprint", state="open").status_code == 400


def test_a_kanban_board_has_no_sprints(jira: Caller) -> None:
    answer = jira.get(f"{AGILE}/board/2/sprint")
    assert answer.status_code == 400
    assert answer.json()["errorMessages"] == ["The board does not support sprints"]


def test_issues_of_a_sprint_and_of_a_board(jira: Caller) -> None:
    page = jira.get(f"{AGILE}/sprint/2/issue", fields="summary", maxResults=3).json()
    assert (page["total"], page["maxResults"], len(page["issues"])) == (4, 3, 3)
    assert page["issues"][0]["fields"].keys() == {"summary"}
    assert jira.get(f"{AGILE}/sprint/2/issue", jql="type = Bug").json()["total"] == 1
    assert jira.get(f"{AGILE}/sprint/2/issue", jql="type =").status_code == 400
    assert jira.get(f"{AGILE}/board/1/issue").json()["total"] == 12
    assert jira.get(f"{AGILE}/sprint/99/issue").status_code == 404
    assert jira.get(f"{AGILE}/sprint/2").json()["goal"] == "Fixtures for the housings"


@pytest.mark.parametrize("path", ["board/1", "board/1/sprint", "board/1/issue", "sprint/2", "sprint/2/issue"])
def test_a_board_one_may_not_view(jira: Caller, path: str) -> None:
    jira.control(forbidden_boards=[1])
    assert jira.get(f"{AGILE}/{path}").status_code == 403


def test_many_boards_and_sprints_in_pages_of_50(jira: Caller) -> None:
    made = jira(
        "POST",
        "/_control/issues",
        {"project": "MANY", "boards": 60, "sprints": 2, "issues_per_sprint": 1, "count": 3},
    ).json()
    assert (len(made["boards"]), len(made["sprints"]), made["count"]) == (60, 120, 123)
    page = jira.get(f"{AGILE}/board", projectKeyOrId="MANY", maxResults=500).json()
    assert (len(page["values"]), page["total"], page["isLast"]) == (50, 60, False)
    assert len(jira.get(f"{AGILE}/board", projectKeyOrId="MANY", startAt=50).json()["values"]) == 10


def test_boards_may_share_a_sprint(jira: Caller) -> None:
    board = {"name": "Other", "type": "scrum", "sprint_ids": [2]}
    (number,) = jira("POST", "/_control/issues", {"project": "SCRUM", "boards": [board]}).json()["boards"]
    sprints = jira.get(f"{AGILE}/board/{number}/sprint").json()["values"]
    assert [(each["id"], each["originBoardId"]) for each in sprints] == [(2, 1)]


def test_a_board_without_mapped_columns(jira: Caller) -> None:
    jira.control(unmapped_boards=[1])
    answer = jira.get(f"{AGILE}/board/1/sprint")
    assert answer.status_code == 422
    assert answer.json()["errorMessages"] == ["This board has no columns with a mapped status."]
    assert jira.get(f"{AGILE}/board/1").status_code == 200


def test_pages_get_shorter_by_what_one_may_not_see(jira: Caller) -> None:
    made = jira("POST", "/_control/issues", {"project": "MANY", "boards": 1, "sprints": 60}).json()
    path = f"{AGILE}/board/{made['boards'][0]}/sprint"
    jira.control(hidden_sprints=made["sprints"][:50], agile_totals=False)
    first, second = (jira.get(path, startAt=start, maxResults=50).json() for start in (0, 50))
    # The active sprint is the newest and comes after the closed ones.
    assert (len(first["values"]), first["isLast"], "total" in first) == (0, False, False)
    assert (len(second["values"]), second["isLast"]) == (10, True)
    assert jira.get(f"{AGILE}/sprint/{made['sprints'][0]}").status_code == 404
    jira.control(hidden_boards=[1])
    boards = jira.get(f"{AGILE}/board", projectKeyOrId="SCRUM", maxResults=1).json()
    assert (boards["values"], boards["isLast"]) == ([], False)
    assert jira.get(f"{AGILE}/board/1").status_code == 404


def test_issues_that_one_may_not_see(jira: Caller) -> None:
    path = f"{AGILE}/sprint/2/issue"
    keys = [each["key"] for each in jira.get(path, fields="summary").json()["issues"]]
    jira.control(hidden_issues=keys[:2])
    page = jira.get(path, fields="summary", maxResults=3).json()
    assert (page["total"], [each["key"] for each in page["issues"]]) == (4, keys[2:3])
    assert jira.get(f"/rest/api/2/issue/{keys[0]}").status_code == 404
    body = {"jql": "sprint = 2", "fields": ["key"]}
    assert len(jira("POST", "/rest/api/2/search/jql", body).json()["issues"]) == 2
    assert jira("POST", "/rest/api/2/search/approximate-count", body).json() == {"count": 2}
    bulk = jira("POST", "/rest/api/2/issue/bulkfetch", {"issueIdsOrKeys": keys}).json()
    assert len(bulk["issueErrors"]) == 2
