"""What the reading operations answer, on Cloud and on Data Center."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

import pytest

from tests.support.gateway import LambdaContext
from tests.unit.jira_operations.conftest import DANA, ROBIN, Atlassian, Jira

TICKET = {"id", "key", "summary", "status", "assignee", "priority", "created", "updated"}
SPRINT = {"id", "name", "state", "startDate", "endDate", "completeDate", "goal"}
SPRINT_TICKET = {
    "summary",
    "description",
    "status",
    "assignee",
    "reporter",
    "created",
    "updated",
    "priority",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def answered(answer: Any, status: int = 200) -> Any:
    assert answer.status == status, answer.text
    return answer.json()


class TestProjects:
    def test_the_answer(self, either: Jira) -> None:
        either.send("POST", "select-project", jira_project_id="10000")
        assert answered(either.get("get-projects")) == {
            "projects": [
                {"id": "10002", "key": "MISC", "name": "Miscellaneous", "lead": None},
                {
                    "id": "10000",
                    "key": "PI",
                    "name": "Production Items",
                    "lead": {"displayName": "Dana Demo"},
                },
                {
                    "id": "10001",
                    "key": "SCRUM",
                    "name": "Tooling Team",
                    "lead": {"displayName": "Robin Reed"},
                },
            ],
            "total": 3,
            "selected_project_id": "10000",
        }

    def test_many(self, either: Jira, atlassian: Atlassian) -> None:
        for number in range(120):
            atlassian.create(project=f"X{number:03d}")
        found = answered(either.get("get-projects"))
        keys = [project["key"] for project in found["projects"]]
        assert found["total"] == 123
        assert keys == sorted(set(keys))

    def test_page_by_page(self, either: Jira) -> None:
        first = either.get("get-projects", limit=2)
        cursor = first.headers["x-next-cursor"]
        second = either.get("get-projects", limit=2, cursor=cursor)
        assert [p["key"] for a in (first, second) for p in a.json()["projects"]] == ["MISC", "PI", "SCRUM"]
        assert "x-next-cursor" not in second.headers


class TestSelection:
    def test_nothing_is_selected_at_first(self, jira: Jira, atlassian: Atlassian) -> None:
        assert answered(jira.get("get-selected-project")) == {"jira_project_id": None}
        assert atlassian.asked() == []

    @pytest.mark.parametrize(("given", "kept"), [("10001", "10001"), (10001, "10001"), ("SCRUM", "SCRUM")])
    def test_selects_and_takes_back(self, jira: Jira, atlassian: Atlassian, given: Any, kept: str) -> None:
        assert answered(jira.send("POST", "select-project", jira_project_id=given)) == {"success": True}
        assert answered(jira.get("get-selected-project")) == {"jira_project_id": kept}
        assert answered(jira.send("POST", "select-project", jira_project_id=None)) == {"success": True}
        assert answered(jira.get("get-selected-project")) == {"jira_project_id": None}
        assert atlassian.asked() == []

    def test_is_the_project_where_none_is_named(self, jira: Jira) -> None:
        jira.send("POST", "select-project", jira_project_id="10001")
        assert answered(jira.get("get-tickets-for-project"))["total"] == 12
        assert answered(jira.get("get-tickets-for-project", jira_project_id="PI"))["total"] == 44


class TestTicketsOfProject:
    def test_the_answer(self, either: Jira) -> None:
        found = answered(either.get("get-tickets-for-project", jira_project_id="10000"))
        assert set(found) == {"tickets", "total", "sprint"}
        assert (found["total"], found["sprint"]) == (44, None)
        ticket = next(each for each in found["tickets"] if each["key"] == "PI-42")
        assert set(ticket) == TICKET
        assert ticket | {"created": "", "updated": ""} == {
            "id": "10042",
            "key": "PI-42",
            "summary": "Build 50 aluminum housings 1234567-001",
            "status": "In Progress",
            "assignee": "Robin Reed",
            "priority": "High",
            "created": "",
            "updated": "",
        }
        assert MOMENT.fullmatch(ticket["created"])
        assert all(set(each) == TICKET for each in found["tickets"])
        assert next(each for each in found["tickets"] if each["key"] == "PI-1")["assignee"] is None

    @pytest.mark.parametrize("project", ["10000", "PI"])
    def test_newest_first_by_id_or_key(self, either: Jira, project: str) -> None:
        found = answered(either.get("get-tickets-for-project", jira_project_id=project))
        assert [each["key"] for each in found["tickets"]] == [f"PI-{number}" for number in range(44, 0, -1)]

    @pytest.mark.parametrize("count", [99, 100, 101, 730])
    def test_long_ones_come_whole_and_in_order(self, either: Jira, atlassian: Atlassian, count: int) -> None:
        project = atlassian.create(project="LONG", count=count)["project_id"]
        found = answered(either.get("get-tickets-for-project", jira_project_id=project))
        assert [each["key"] for each in found["tickets"]] == [f"LONG-{n}" for n in range(count, 0, -1)]
        assert found["total"] == count

    def test_an_empty_one(self, either: Jira) -> None:
        found = answered(either.get("get-tickets-for-project", jira_project_id="10002"))
        assert found == {"tickets": [], "total": 0, "sprint": None}

    def test_its_active_sprint(self, either: Jira) -> None:
        query: dict[str, Any] = {"jira_project_id": "SCRUM", "include_sprint": "true"}
        sprint = answered(either.get("get-tickets-for-project", **query))["sprint"]
        assert set(sprint) == SPRINT
        assert (sprint["id"], sprint["name"], sprint["state"]) == (2, "Tooling 2", "active")

    def test_no_boards_no_sprint(self, either: Jira) -> None:
        query: dict[str, Any] = {"jira_project_id": "MISC", "include_sprint": "true"}
        assert answered(either.get("get-tickets-for-project", **query))["sprint"] is None

    def test_boards_that_may_not_be_read_leave_the_tickets(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.fault({"path": "/agile/", "status": 403, "times": None})
        query: dict[str, Any] = {"jira_project_id": "SCRUM", "include_sprint": "true"}
        found = answered(jira.get("get-tickets-for-project", **query))
        assert (found["sprint"], found["total"]) == (None, 12)

    def test_asks_for_what_it_shows_and_nothing_else(self, either: Jira, atlassian: Atlassian) -> None:
        atlassian.control(record_bodies=True)
        either.get("get-tickets-for-project", jira_project_id="10000")
        wanted = {"summary", "status", "assignee", "priority", "created", "updated"}
        asked = [call["body"] for call in atlassian.asked()]
        assert {frozenset(body["fields"]) for body in asked} <= {frozenset(wanted), frozenset({"id"})}
        assert not any("expand" in body for body in asked)

    def test_never_the_removed_search(self, jira: Jira, atlassian: Atlassian) -> None:
        jira.get("get-tickets-for-project", jira_project_id="10000")
        assert {call["path"] for call in atlassian.asked()} == {"/rest/api/2/search/jql"}

    @pytest.mark.parametrize("limit", [7, 100, 150])
    def test_page_by_page(self, either: Jira, atlassian: Atlassian, limit: int) -> None:
        atlassian.create(project="LONG", count=330)
        found: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = either.get("get-tickets-for-project", jira_project_id="LONG", limit=limit, **cursor)
            keys = [each["key"] for each in answered(page)["tickets"]]
            assert len(keys) <= limit
            assert page.json()["total"] == len(keys)
            found += keys
            if "x-next-cursor" not in page.headers:
                break
            cursor = {"cursor": page.headers["x-next-cursor"]}
        assert found == [f"LONG-{number}" for number in range(330, 0, -1)]

    def test_a_cursor_belongs_to_its_list(self, either: Jira) -> None:
        cursor = either.get("get-tickets-for-project", jira_project_id="PI", limit=5).headers["x-next-cursor"]
        refused = either.get("get-tickets-for-project", jira_project_id="SCRUM", limit=5, cursor=cursor)
        assert (refused.status, refused.json()) == (400, {"error": "Invalid cursor"})

    def test_a_cursor_of_the_other_kind_of_jira(self, either: Jira, atlassian: Atlassian) -> None:
        """The connection was replaced between two pages: not the first page again, and for ever."""
        for_cloud, for_data_center = '["tickets PI","token"]', '["tickets PI",5]'
        other = for_data_center if either.external_id == "team-1" else for_cloud
        cursor = base64.urlsafe_b64encode(other.encode()).decode()
        refused = either.get("get-tickets-for-project", jira_project_id="PI", limit=5, cursor=cursor)
        assert (refused.status, refused.json()) == (400, {"error": "Invalid cursor"})
        assert atlassian.asked() == []

    def test_a_cursor_that_jira_has_forgotten(self, jira: Jira, atlassian: Atlassian) -> None:
        cursor = jira.get("get-tickets-for-project", jira_project_id="PI", limit=5).headers["x-next-cursor"]
        atlassian.fault({"path": "search/jql", "status": 400, "body": {"errorMessages": ["expired"]}})
        refused = jira.get("get-tickets-for-project", jira_project_id="PI", limit=5, cursor=cursor)
        assert (refused.status, refused.json()["error"]) == (400, "Invalid cursor")

    def test_issues_that_are_deleted_between_their_id_and_their_fields(
        self, jira: Jira, atlassian: Atlassian
    ) -> None:
        atlassian.create(project="LONG", count=150)
        one = {"id": "1", "key": "LONG-1", "fields": {"summary": "left"}}
        body = {"issues": [one], "issueErrors": []}
        atlassian.fault({"path": "bulkfetch", "status": 200, "body": body})
        found = answered(jira.get("get-tickets-for-project", jira_project_id="LONG"))
        assert [each["key"] for each in found["tickets"]] == [f"LONG-{n}" for n in range(150, 50, -1)]

    def test_issues_that_jira_did_not_give_at_first(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.create(project="LONG", count=101)
        first = answered(jira.get("get-tickets-for-project", jira_project_id="LONG"))["tickets"][-1]
        body = {"issues": [], "issueErrors": [{"id": first["id"], "errorMessage": "try again"}]}
        atlassian.fault({"path": "bulkfetch", "status": 200, "body": body})
        assert answered(jira.get("get-tickets-for-project", jira_project_id="LONG"))["total"] == 101


class TestIdsOfCloud:
    """The chain of pages of ids ends, whatever Jira makes of its cursors."""

    def chain(self, atlassian: Atlassian, *pages: dict[str, Any], times: int | None = 1) -> None:
        ids = [{"id": f"100{number}", "key": f"PI-{number}", "fields": {}} for number in (44, 43)]
        head = {"issues": [], "isLast": False}
        faults = [{"path": "search/jql", "status": 200, "body": {**head, "issues": ids} | p} for p in pages]
        faults[-1]["times"] = times
        atlassian.fault(*faults)

    @pytest.mark.parametrize(
        "page",
        [
            {"nextPageToken": "again"},
            {"nextPageToken": None},
            {"isLast": True, "nextPageToken": "more"},
            {"issues": [], "nextPageToken": "more"},
        ],
    )
    def test_ends(self, jira: Jira, atlassian: Atlassian, page: dict[str, Any]) -> None:
        self.chain(atlassian, page, times=None)
        found = answered(jira.get("get-tickets-for-project", jira_project_id="PI"))
        assert found["total"] in {0, 2}
        assert atlassian.count("POST", "/rest/api/2/search/jql") <= 3


class TestBoards:
    def test_the_answer(self, either: Jira) -> None:
        assert answered(either.get("get-boards-for-project", jira_project_id="10001")) == {
            "boards": [
                {"id": 1, "name": "Tooling board", "type": "scrum"},
                {"id": 2, "name": "Tooling kanban", "type": "kanban"},
            ],
            "total": 2,
        }

    def test_more_than_a_page(self, either: Jira, atlassian: Atlassian) -> None:
        made = atlassian.create(project="MANY", boards=130)["boards"]
        found = answered(either.get("get-boards-for-project", jira_project_id="MANY"))
        assert [board["id"] for board in found["boards"]] == made

    @pytest.mark.parametrize("operation", ["boards", "all-sprints", "active-sprints"])
    @pytest.mark.parametrize("project", ["10002", "99999", "NOPE"])
    def test_none(self, either: Jira, operation: str, project: str) -> None:
        refused = either.get(f"get-{operation}-for-project", jira_project_id=project)
        assert refused.status == 404
        assert refused.json()["error"] == "No agile boards found for this project"


class TestSprints:
    def test_the_answer(self, either: Jira) -> None:
        found = answered(either.get("get-all-sprints-for-project", jira_project_id="10001"))
        assert set(found) == {"boards", "total_sprints"}
        assert found["total_sprints"] == 3
        scrum, kanban = found["boards"]
        assert set(scrum) == {"board_id", "board_name", "board_type", "sprints", "active_sprints"}
        assert [sprint["state"] for sprint in scrum["sprints"]] == ["closed", "active", "future"]
        assert all(set(sprint) == SPRINT for sprint in scrum["sprints"])
        assert scrum["active_sprints"] == [scrum["sprints"][1]]
        assert scrum["sprints"][2]["startDate"] is None
        assert kanban == {
            "board_id": 2,
            "board_name": "Tooling kanban",
            "board_type": "kanban",
            "sprints": [],
            "active_sprints": [],
        }

    def test_active_ones(self, either: Jira) -> None:
        found = answered(either.get("get-active-sprints-for-project", jira_project_id="10001"))
        assert set(found) == {"boards"}
        assert [set(board) for board in found["boards"]] == [
            {"board_id", "board_name", "board_type", "active_sprints"}
        ] * 2
        assert [sprint["id"] for sprint in found["boards"][0]["active_sprints"]] == [2]

    def test_kanban_boards_are_not_asked(self, either: Jira, atlassian: Atlassian) -> None:
        either.get("get-all-sprints-for-project", jira_project_id="10001")
        assert atlassian.count("GET", "/rest/agile/1.0/board/2/sprint") == 0

    def test_every_page_of_every_board(self, either: Jira, atlassian: Atlassian) -> None:
        made = atlassian.create(project="MANY", boards=3, sprints=120)
        found = answered(either.get("get-all-sprints-for-project", jira_project_id="MANY"))
        assert found["total_sprints"] == 360
        ids = [sprint["id"] for board in found["boards"] for sprint in board["sprints"]]
        assert sorted(ids) == sorted(made["sprints"])
        assert [board["board_id"] for board in found["boards"]] == made["boards"]

    def test_a_sprint_that_two_boards_show_counts_once(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.create(project="TWO", boards=2)
        page = {"maxResults": 50, "startAt": 0, "isLast": True, "values": [{"id": 7, "state": "active"}]}
        atlassian.fault({"path": "/sprint", "status": 200, "body": page, "times": None})
        found = answered(jira.get("get-all-sprints-for-project", jira_project_id="TWO"))
        assert found["total_sprints"] == 1
        assert [len(board["sprints"]) for board in found["boards"]] == [1, 1]

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_board_that_is_hidden_or_deleted_meanwhile(
        self, either: Jira, atlassian: Atlassian, status: int
    ) -> None:
        made = atlassian.create(project="TWO", boards=2, sprints=70)["boards"]
        atlassian.fault({"path": f"board/{made[0]}/sprint", "status": status, "times": None, "body": {}})
        found = answered(either.get("get-all-sprints-for-project", jira_project_id="TWO"))
        assert [board["board_id"] for board in found["boards"]] == [made[1]]
        assert found["total_sprints"] == 70

    def test_a_board_without_sprints_that_does_not_say_so(self, jira: Jira, atlassian: Atlassian) -> None:
        made = atlassian.create(project="SIMPLE", boards=[{"name": "Simple", "type": "simple"}])["boards"]
        found = answered(jira.get("get-all-sprints-for-project", jira_project_id="SIMPLE"))
        assert [(b["board_id"], b["sprints"]) for b in found["boards"]] == [(made[0], [])]

    def test_page_by_page_of_boards(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.create(project="MANY", boards=3, sprints=2)
        first = jira.get("get-all-sprints-for-project", jira_project_id="MANY", limit=2)
        assert len(answered(first)["boards"]) == 2
        cursor = first.headers["x-next-cursor"]
        second = jira.get("get-all-sprints-for-project", jira_project_id="MANY", limit=2, cursor=cursor)
        assert len(answered(second)["boards"]) == 1


class TestTicketsOfSprint:
    def test_the_answer(self, either: Jira) -> None:
        found = answered(either.get("get-tickets-for-sprint", sprint_id="2"))
        assert set(found) == {"tickets", "total", "sprint"}
        assert found["total"] == 4
        assert set(found["sprint"]) == SPRINT
        ticket = found["tickets"][0]
        assert set(ticket) == {"id", "key", "fields"}
        fields = ticket["fields"]
        assert set(fields) == SPRINT_TICKET
        assert fields["status"] == {
            "id": "10000",
            "name": "To Do",
            "statusCategory": {"id": 2, "key": "new", "colorName": "blue-gray"},
        }
        account = DANA if either.external_id == "team-1" else "demo"
        assert fields["reporter"] == {"accountId": account, "displayName": "Dana Demo"}
        assert fields["assignee"] is None
        assert fields["priority"] == {"id": "3", "name": "Medium"}
        assert MOMENT.fullmatch(fields["updated"])

    def test_many(self, either: Jira, atlassian: Atlassian) -> None:
        made = atlassian.create(project="SPR", boards=1, sprints=1, issues_per_sprint=430)
        found = answered(either.get("get-tickets-for-sprint", sprint_id=made["sprints"][0]))
        keys = [ticket["key"] for ticket in found["tickets"]]
        assert len(keys) == len(set(keys)) == found["total"] == 430

    def test_page_by_page(self, either: Jira) -> None:
        first = either.get("get-tickets-for-sprint", sprint_id=2, limit=3)
        second = either.get(
            "get-tickets-for-sprint", sprint_id=2, limit=3, cursor=first.headers["x-next-cursor"]
        )
        assert [len(answered(page)["tickets"]) for page in (first, second)] == [3, 1]

    @pytest.mark.parametrize(
        ("fault", "status", "text"),
        [
            ({}, 404, "Sprint not found"),
            ({"path": "sprint/77", "status": 403}, 403, "Access denied to sprint"),
            ({"path": "sprint/77", "status": 500}, 500, "Failed to fetch Jira tickets for sprint"),
        ],
    )
    def test_refusals(
        self, either: Jira, atlassian: Atlassian, fault: dict[str, Any], status: int, text: str
    ) -> None:
        if fault:
            atlassian.fault({**fault, "times": None, "body": {}})
        refused = either.get("get-tickets-for-sprint", sprint_id=77)
        assert (refused.status, refused.json()["error"]) == (status, text)


class TestIssueDetails:
    @pytest.mark.parametrize("name", ["PI-42", "10042", "pi-42"])
    def test_the_answer(self, either: Jira, atlassian: Atlassian, name: str) -> None:
        issue = answered(either.get("get-issue-details", issue_id_or_key=name))["issue"]
        base = atlassian.url
        assert MOMENT.fullmatch(issue.pop("created"))
        assert MOMENT.fullmatch(issue.pop("updated"))
        assert issue.pop("description").startswith("Customer order 4711")
        assert issue == {
            "id": "10042",
            "key": "PI-42",
            "summary": "Build 50 aluminum housings 1234567-001",
            "status": {"name": "In Progress", "category": "indeterminate"},
            "priority": {"name": "High", "iconUrl": f"{base}/images/icons/priorities/high.svg"},
            "issueType": {"name": "Task", "iconUrl": f"{base}/images/icons/issuetypes/task.svg"},
            "assignee": {
                "displayName": "Robin Reed",
                "emailAddress": "robin@example.com",
                "avatarUrl": f"{base}/images/avatars/JIRAUSER10101-48.svg",
            },
            "reporter": {
                "displayName": "Dana Demo",
                "emailAddress": "demo@example.com",
                "avatarUrl": f"{base}/images/avatars/JIRAUSER10100-48.svg",
            },
            "project": {"id": "10000", "key": "PI", "name": "Production Items"},
            "resolution": None,
            "labels": ["housing", "urgent"],
            "components": [],
            "fixVersions": [],
            "affectedVersions": [],
            "timeTracking": None,
            "customFields": {
                "customfield_10014": "PI-10",
                "customfield_10900": 50.0,
                "customfield_10908": "1234567-001",
            },
        }

    def test_what_is_resolved_and_tracked(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.session.put(
            f"{atlassian.url}/rest/api/2/issue/PI-1",
            auth=("demo@example.com", "local-api-token"),
            json={
                "fields": {
                    "components": [{"name": "Frontend"}],
                    "fixVersions": [{"name": "v2.1.0"}],
                    "versions": [{"name": "v2.0.0"}],
                    "timetracking": {"originalEstimate": "4h"},
                }
            },
        ).raise_for_status()
        issue = answered(jira.get("get-issue-details", issue_id_or_key="PI-1"))["issue"]
        assert set(issue["resolution"]) == {"name", "description"}
        assert (issue["components"], issue["fixVersions"], issue["affectedVersions"]) == (
            ["Frontend"],
            ["v2.1.0"],
            ["v2.0.0"],
        )
        assert issue["timeTracking"] == {
            "originalEstimate": "4h",
            "remainingEstimate": None,
            "timeSpent": None,
        }

    def test_an_issue_that_lacks_everything(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.fault(
            {"path": "issue/PI-1", "status": 200, "body": {"id": "1", "key": "PI-1", "fields": {}}}
        )
        issue = answered(jira.get("get-issue-details", issue_id_or_key="PI-1"))["issue"]
        assert issue["assignee"] is issue["status"] is issue["priority"] is issue["created"] is None
        assert issue["labels"] == []

    def test_one_that_was_moved(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.session.post(f"{atlassian.url}/_control/move", json={"issue": "PI-42", "project": "MISC"})
        issue = answered(jira.get("get-issue-details", issue_id_or_key="PI-42"))["issue"]
        assert issue["key"] == "MISC-1"

    @pytest.mark.parametrize(
        ("status", "told", "text"),
        [(403, 403, "Access denied to issue"), (500, 500, "Failed to fetch Jira issue")],
    )
    def test_refusals(self, jira: Jira, atlassian: Atlassian, status: int, told: int, text: str) -> None:
        atlassian.fault({"path": "issue/PI-1", "status": status, "body": {"errorMessages": ["Because."]}})
        refused = jira.get("get-issue-details", issue_id_or_key="PI-1")
        assert refused.status == told
        assert refused.json() == {"error": text, "details": {"errorMessages": ["Because."]}}

    def test_one_that_does_not_exist(self, either: Jira) -> None:
        refused = either.get("get-issue-details", issue_id_or_key="PI-999")
        assert (refused.status, refused.json()["error"]) == (404, "Issue not found")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2024-01-01T10:00:00.000+0200", "2024-01-01T08:00:00.000Z"),
        ("2024-01-01T00:30:00.123-0530", "2024-01-01T06:00:00.123Z"),
        ("2024-01-01T10:00:00.000Z", "2024-01-01T10:00:00.000Z"),
        ("2024-01-01", "2024-01-01T00:00:00.000Z"),
        ("yesterday", None),
        ("0001-01-01T00:00:00.000+1400", None),
        (17, None),
    ],
)
def test_dates_are_converted_not_cut(
    jira: Jira, atlassian: Atlassian, written: Any, shown: str | None
) -> None:
    body = {"id": "1", "key": "PI-1", "fields": {"created": written}}
    atlassian.fault({"path": "issue/PI-1", "status": 200, "body": body})
    assert jira.get("get-issue-details", issue_id_or_key="PI-1").json()["issue"]["created"] == shown


def test_large_answers_are_compressed(jira: Jira) -> None:
    plain = jira.get("get-tickets-for-project", jira_project_id="PI")
    small = jira.get("get-tickets-for-project", jira_project_id="PI", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert json.loads(small.body) == plain.json()


def test_twenty_thousand_issues(jira: Jira, atlassian: Atlassian) -> None:
    atlassian.create(project="HUGE", count=20_000)
    event = jira.api.event(
        "GET",
        f"{jira.prefix}/get-tickets-for-project?external_id=team-1&jira_project_id=HUGE",
        headers={"Accept-Encoding": "gzip"},
    )
    answer = jira.api._handler(event, LambdaContext())
    assert answer["statusCode"] == 200
    assert len(json.dumps(answer)) < 6 * 1024 * 1024
    tickets = json.loads(gzip.decompress(base64.b64decode(answer["body"])))["tickets"]
    assert [ticket["key"] for ticket in tickets] == [f"HUGE-{number}" for number in range(20_000, 0, -1)]


def test_an_answer_that_would_not_fit(jira: Jira, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobticket.web.api.LARGEST_ANSWER", 2000)
    refused = jira.get("get-tickets-for-project", jira_project_id="PI")
    assert refused.status == 413
    assert "limit and cursor" in refused.json()["error"]


def test_never_more_calls_at_once_than_allowed(jira: Jira, atlassian: Atlassian) -> None:
    """Jira is slow enough for all of them to be under way: in the end the bulk reads, and the sprints beside them."""
    atlassian.create(project="MANY", boards=12, sprints=24, count=1700)
    atlassian.control(latency_ms=150)
    answered(jira.get("get-all-sprints-for-project", jira_project_id="MANY"))
    assert most_at_once(atlassian) <= 16
    answered(jira.get("get-tickets-for-project", jira_project_id="MANY", include_sprint="true"))
    assert most_at_once(atlassian) <= 16


def most_at_once(atlassian: Atlassian) -> int:
    most: int = atlassian.session.get(f"{atlassian.url}/_control").json()["max_in_flight"]
    return most


def test_people_of_a_data_center_are_named_as_they_are_assigned(server: Jira) -> None:
    assert ROBIN not in server.get("get-tickets-for-sprint", sprint_id=2).text
