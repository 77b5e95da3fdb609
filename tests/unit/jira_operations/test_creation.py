"""Creating a ticket: once, whatever happens to the answer, the function or the search."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.support.faults import CRASH, Crash, Faults
from tests.support.tables import recorded
from tests.unit.conftest import client
from tests.unit.jira_operations.conftest import DANA, Atlassian, Jira, Time

CREATE = "/rest/api/2/issue"
KEY = {"Idempotency-Key": "order-17"}
TICKET = {"id", "key", "summary", "status", "assignee", "priority", "created", "updated"}
LOST = {"method": "POST", "path": "issue$", "drop": "after"}
UNSETTLED = "It is not known yet whether the ticket was created. Repeat the request."


def create(jira: Jira, *, key: bool = True, **changes: Any) -> Any:
    body = {"jira_project_id": "10000", "summary": "New ticket", "issue_type_id": "10001"} | changes
    return jira.send("POST", "create-ticket", headers=KEY if key else None, **body)


def tickets(atlassian: Atlassian) -> int:
    """How many tickets exist that the tests did not find there."""
    project = atlassian.session.get(f"{atlassian.url}/_control").json()["sites"][0]["projects"]
    return int(project["PI"]) - 44


class TestAnswers:
    @pytest.mark.parametrize("project", ["10000", "PI", 10000])
    def test_a_ticket(self, either: Jira, atlassian: Atlassian, project: Any) -> None:
        person = DANA if either.external_id == "team-1" else "demo"
        answer = create(
            either,
            key=False,
            jira_project_id=project,
            description="A *bold* word",
            priority_id="2",
            assignee_account_id=person,
        )
        assert answer.status == 201
        assert set(answer.json()) == {"ticket"}
        ticket = answer.json()["ticket"]
        assert set(ticket) == TICKET
        assert (ticket["key"], ticket["summary"], ticket["status"]) == ("PI-45", "New ticket", "To Do")
        assert (ticket["assignee"], ticket["priority"]) == ("Dana Demo", "High")

    def test_in_the_selected_project(self, jira: Jira) -> None:
        jira.send("POST", "select-project", jira_project_id="10001")
        assert create(jira, jira_project_id=None).json()["ticket"]["key"] == "SCRUM-13"

    def test_no_project(self, jira: Jira, atlassian: Atlassian) -> None:
        answer = create(jira, jira_project_id=None)
        assert answer.status == 400
        assert answer.json() == {"error": "No project selected and no project ID provided"}
        assert atlassian.asked() == []

    def test_without_a_key_there_is_no_label(self, jira: Jira, atlassian: Atlassian) -> None:
        create(jira, key=False)
        assert atlassian.issue("PI-45")["fields"]["labels"] == []

    def test_created_but_unreadable(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.fault({"method": "GET", "path": "/issue/", "status": 403, "times": None, "body": {}})
        answer = create(jira)
        assert answer.status == 201
        ticket = answer.json()["ticket"]
        assert set(ticket) == TICKET
        assert (ticket["key"], ticket["summary"], ticket["status"]) == ("PI-45", "New ticket", None)

    @pytest.mark.parametrize("missing", ["external_id", "summary", "issue_type_id"])
    @pytest.mark.parametrize("value", [None, ""])
    def test_what_is_required(self, jira: Jira, atlassian: Atlassian, missing: str, value: Any) -> None:
        answer = create(jira, **{missing: value})
        assert answer.status == 400
        assert answer.json() == {"error": "Missing required fields: external_id, summary, or issue_type_id"}
        assert atlassian.asked() == []

    @pytest.mark.parametrize(
        "faulty", [{"summary": 17}, {"issue_type_id": "Bug"}, {"priority_id": "High"}, {"description": {}}]
    )
    def test_faulty_values(self, jira: Jira, atlassian: Atlassian, faulty: dict[str, Any]) -> None:
        answer = create(jira, **faulty)
        text = "Invalid field values or missing required fields for Jira issue creation"
        assert (answer.status, answer.json()["error"]) == (400, text)
        assert atlassian.asked() == []

    @pytest.mark.parametrize(
        ("changes", "status", "text"),
        [
            ({"jira_project_id": "99999"}, 404, "Project or issue type not found"),
            ({"issue_type_id": "99999"}, 404, "Project or issue type not found"),
            (
                {"summary": "x" * 300},
                400,
                "Invalid field values or missing required fields for Jira issue creation",
            ),
            (
                {"summary": "x" * 300, "issue_type_id": "99999"},
                400,
                "Invalid field values or missing required fields for Jira issue creation",
            ),
        ],
    )
    def test_what_jira_refuses(
        self, either: Jira, atlassian: Atlassian, changes: dict[str, Any], status: int, text: str
    ) -> None:
        answer = create(either, **changes)
        assert (answer.status, answer.json()["error"]) == (status, text)
        assert answer.json()["details"]["errors"]
        # A refusal is not kept: the corrected request may have the same key.
        assert create(either).status == 201

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 403, "body": {}},
            {"status": 400, "body": {"errors": {"project": "You do not have permission to create issues."}}},
            {"status": 400, "body": {"errorMessages": ["You do not have permission to create issues."]}},
        ],
    )
    def test_no_permission(self, jira: Jira, atlassian: Atlassian, fault: dict[str, Any]) -> None:
        atlassian.fault({"method": "POST", "path": "issue$", **fault})
        answer = create(jira)
        assert (answer.status, answer.json()["error"]) == (403, "Access denied to create issue")


class TestRepeats:
    def test_a_repeat_gets_the_first_ticket(self, either: Jira, atlassian: Atlassian) -> None:
        first, second = create(either), create(either)
        assert (first.status, second.status) == (201, 201)
        assert first.json() == second.json()
        assert atlassian.count("POST", CREATE) == 1

    def test_by_another_path_too(self, jira: Jira, atlassian: Atlassian) -> None:
        first = create(jira)
        jira.prefix = "/api/backend/integration-helpers/jira"
        assert create(jira).json() == first.json()
        assert atlassian.count("POST", CREATE) == 1

    def test_another_body_is_refused(self, jira: Jira, atlassian: Atlassian) -> None:
        create(jira)
        assert create(jira, summary="Something else").status == 422

    def test_without_a_key_each_is_a_ticket(self, jira: Jira, atlassian: Atlassian) -> None:
        create(jira, key=False)
        create(jira, key=False)
        assert tickets(atlassian) == 2


class TestLostAnswers:
    """The request arrived, Jira worked, nobody heard of it."""

    @pytest.mark.parametrize(
        "fault",
        [
            {"drop": "after"},
            {"truncate_bytes": 5},
        ],
    )
    def test_the_ticket_is_found(self, either: Jira, atlassian: Atlassian, fault: dict[str, Any]) -> None:
        atlassian.fault({"method": "POST", "path": "issue$", **fault})
        answer = create(either)
        assert answer.status == 201
        assert answer.json()["ticket"]["key"] == "PI-45"
        assert create(either).json() == answer.json()
        assert (atlassian.count("POST", CREATE), tickets(atlassian)) == (1, 1)

    def test_until_the_search_shows_it_the_caller_comes_back(
        self, jira: Jira, atlassian: Atlassian, passing: Time
    ) -> None:
        atlassian.control(search_lag_ms=60_000, faults=[LOST])
        for _ in range(3):
            answer = create(jira)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert answer.json() == {"error": UNSETTLED, "outcome_unknown": True}
        atlassian.control(search_lag_ms=0)
        answer = create(jira)
        assert (answer.status, answer.json()["ticket"]["key"]) == (201, "PI-45")
        assert (atlassian.count("POST", CREATE), tickets(atlassian)) == (1, 1)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (500, {"errorMessages": ["Internal server error"]}),
            (500, {"message": "A workflow function failed.", "status-code": 500}),
        ],
    )
    def test_what_always_fails_alike_is_told_at_last(
        self, jira: Jira, atlassian: Atlassian, passing: Time, status: int, body: dict[str, Any]
    ) -> None:
        (words,) = (text for text in body.values() if text != status)
        details = {"errorMessages": words if isinstance(words, list) else [words]}
        atlassian.fault({"method": "POST", "path": "issue$", "status": status, "body": body, "times": None})
        for _ in range(2):
            answer = create(jira)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert answer.json() == {"error": UNSETTLED, "outcome_unknown": True, "details": details}
        passing.passed += 65
        for _ in range(2):
            answer = create(jira)
            assert answer.status == 500
            assert answer.json() == {"error": "Failed to create Jira ticket", "details": details}
        assert (atlassian.count("POST", CREATE), tickets(atlassian)) == (2, 0)

    def test_a_trace_id_makes_no_other_answer(self, jira: Jira, atlassian: Atlassian, passing: Time) -> None:
        fault = {"method": "POST", "path": "issue$", "status": 500}
        said = [{"errorMessages": [f"Internal server error, trace {each}."]} for each in ("1f-a2", "77-0c")]
        atlassian.fault(*({**fault, "body": each} for each in said))
        assert create(jira).status == 503
        passing.passed += 65
        answer = create(jira)
        assert (answer.status, answer.json()["details"]) == (500, said[1])
        assert create(jira).json() == answer.json()

    @pytest.mark.parametrize("status", [502, 503])
    def test_an_outage_is_never_final(
        self, jira: Jira, atlassian: Atlassian, passing: Time, status: int
    ) -> None:
        atlassian.fault({"method": "POST", "path": "issue$", "status": status, "body": {}, "times": 3})
        for _ in range(3):
            answer = create(jira)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            passing.passed += 65
        assert create(jira).status == 201
        assert tickets(atlassian) == 1

    def test_a_search_that_fails_leaves_it_unsettled(
        self, jira: Jira, atlassian: Atlassian, passing: Time
    ) -> None:
        atlassian.control(search_lag_ms=60_000, faults=[LOST])
        assert create(jira).status == 503
        passing.passed += 65
        body = {"errorMessages": ["The index is being built."]}
        atlassian.fault({"path": "search", "status": 500, "times": None, "body": body})
        answer = create(jira)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert answer.json() == {"error": UNSETTLED, "outcome_unknown": True, "details": body}
        atlassian.control(search_lag_ms=0, faults=[])
        assert create(jira).json()["ticket"]["key"] == "PI-45"

    def test_what_fails_otherwise_is_a_new_question(
        self, jira: Jira, atlassian: Atlassian, passing: Time
    ) -> None:
        fault = {"method": "POST", "path": "issue$", "status": 500}
        atlassian.fault({**fault, "body": {"message": "One."}}, {**fault, "body": {"message": "Two."}})
        assert create(jira).status == 503
        passing.passed += 65
        assert create(jira).json()["details"] == {"errorMessages": ["Two."]}
        passing.passed += 65
        assert create(jira).status == 201
        assert tickets(atlassian) == 1

    @pytest.mark.parametrize("fault", [{"drop": "before"}, {"status": 502}, {"status": 500}])
    def test_one_that_never_arrived_is_created_after_a_minute(
        self, jira: Jira, atlassian: Atlassian, passing: Time, fault: dict[str, Any]
    ) -> None:
        atlassian.fault({"method": "POST", "path": "issue$", **fault})
        assert create(jira).status == 503
        passing.passed += 40
        assert create(jira).status == 503
        assert atlassian.count("POST", CREATE) == 1
        passing.passed += 25
        answer = create(jira)
        assert (answer.status, answer.json()["ticket"]["key"]) == (201, "PI-45")
        assert tickets(atlassian) == 1

    def test_nothing_else_forgets_the_attempt(
        self, jira: Jira, atlassian: Atlassian, function: ModuleType
    ) -> None:
        """A repeat that fails for a reason of its own leaves the open question open."""
        atlassian.control(search_lag_ms=60_000, faults=[LOST])
        assert create(jira).status == 503
        atlassian.fault({"path": "search", "status": 403, "times": None, "body": {}})
        refused = create(jira)
        assert (refused.status, refused.json()["outcome_unknown"]) == (403, True)
        atlassian.fault({"path": "search", "status": 429, "headers": {"Retry-After": "900"}, "times": None})
        limited = create(jira)
        assert (limited.status, limited.json()["outcome_unknown"]) == (429, True)
        function.access._rate_limits._until.clear()
        atlassian.control(search_lag_ms=0, faults=[])
        assert create(jira).json()["ticket"]["key"] == "PI-45"
        assert tickets(atlassian) == 1

    def test_two_lost_answers_in_a_row(self, jira: Jira, atlassian: Atlassian, passing: Time) -> None:
        atlassian.fault({**LOST, "drop": "before"}, LOST)
        assert create(jira).status == 503
        passing.passed += 70
        assert create(jira).status == 201  # this one's answer is lost too, and the ticket found
        assert tickets(atlassian) == 1

    @pytest.mark.parametrize("fault", [{"drop": "after"}, {"status": 503, "headers": {"Retry-After": "120"}}])
    def test_without_a_key_the_caller_is_told(
        self, jira: Jira, atlassian: Atlassian, fault: dict[str, Any]
    ) -> None:
        """Not to come back later, which would make a second ticket of what may be one already."""
        atlassian.fault({"method": "POST", "path": "issue$", **fault})
        answer = create(jira, key=False)
        assert (answer.status, answer.json()["error"]) == (500, "Failed to create Jira ticket")
        assert answer.json()["outcome_unknown"] is True
        assert "retry-after" not in answer.headers
        assert atlassian.count("POST", CREATE) == 1


class TestNoTime:
    @pytest.fixture(autouse=True)
    def little_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jobticket.web.api.LONGEST_WORK_SECONDS", 2)

    def test_an_answer_that_comes_too_late(
        self, jira: Jira, atlassian: Atlassian, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        atlassian.fault({"method": "POST", "path": "issue$", "held": True})
        answer = create(jira)
        assert (answer.status, answer.json()["error"]) == (503, UNSETTLED)
        monkeypatch.setattr("jobticket.web.api.LONGEST_WORK_SECONDS", 20)
        atlassian.fault()
        while (answer := create(jira)).status == 503:
            continue
        assert answer.json()["ticket"]["key"] == "PI-45"
        assert tickets(atlassian) == 1

    def test_without_a_key(self, jira: Jira, atlassian: Atlassian) -> None:
        atlassian.fault({"method": "POST", "path": "issue$", "held": True})
        answer = create(jira, key=False)
        assert answer.status == 504
        assert answer.json() == {"error": "Jira did not answer in time", "outcome_unknown": True}
        atlassian.fault()
        while tickets(atlassian) == 0:  # the next test shall not find it
            continue


class TestNoLabels:
    """A project whose screens have no labels: there is nothing to find a ticket by."""

    @pytest.fixture(autouse=True)
    def no_labels(self, atlassian: Atlassian) -> None:
        atlassian.control(off_screen_fields=["labels"])

    def test_the_ticket_is_created_without(self, either: Jira, atlassian: Atlassian) -> None:
        atlassian.control(off_screen_fields=["labels"])
        answer = create(either)
        assert answer.status == 201
        assert create(either).json() == answer.json()
        assert tickets(atlassian) == 1

    def test_an_unknown_outcome_is_told_and_stays(self, jira: Jira, atlassian: Atlassian) -> None:
        refusal = {"method": "POST", "path": "issue$", "status": 400}
        body = {"errors": {"labels": "Field 'labels' cannot be set."}}
        atlassian.fault({**refusal, "body": body}, LOST)
        for _ in range(3):
            answer = create(jira)
            assert answer.status == 500
            assert answer.json() == {"error": "Failed to create Jira ticket", "outcome_unknown": True}
        assert (atlassian.count("POST", CREATE), tickets(atlassian)) == (2, 1)


class TestCrashes:
    """The function dies, wherever; whoever repeats the request afterwards gets one ticket."""

    def crash(
        self, function: ModuleType, monkeypatch: pytest.MonkeyPatch, operation: str, **when: Any
    ) -> None:
        faults = Faults(client("dynamodb"))
        faults.fail(operation, error=CRASH, **when)
        monkeypatch.setattr(function.access.store, "table", recorded(faults, "connections"))

    @pytest.mark.parametrize(
        ("operation", "when"),
        [
            ("put_item", {"when": "after"}),  # the key is claimed
            ("update_item", {"when": "after"}),  # the attempt is remembered
            ("update_item", {"when": "before", "skip": 1}),  # the ticket is created, the answer not kept
            ("update_item", {"when": "after", "skip": 1}),  # kept, not given
        ],
    )
    def test_between_any_two_steps(
        self,
        jira: Jira,
        atlassian: Atlassian,
        function: ModuleType,
        passing: Time,
        monkeypatch: pytest.MonkeyPatch,
        operation: str,
        when: Any,
    ) -> None:
        with monkeypatch.context() as patches:
            self.crash(function, patches, operation, **when)
            with pytest.raises(Crash):
                create(jira)
        statuses = []
        for _ in range(10):
            answer = create(jira)
            statuses.append(answer.status)
            if answer.status == 201:
                break
            assert answer.status in {409, 503}
            passing.passed += int(answer.headers["retry-after"])
        assert answer.json()["ticket"]["key"] == "PI-45"
        assert tickets(atlassian) == 1

    def test_the_attempt_is_remembered_before_jira_is_called(
        self, jira: Jira, atlassian: Atlassian, function: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.crash(function, monkeypatch, "update_item", when="before")
        with pytest.raises(Crash):
            create(jira)
        assert atlassian.count("POST", CREATE) == 0


def test_credentials_that_are_refused_leave_no_open_question(jira: Jira, atlassian: Atlassian) -> None:
    atlassian.fault({"method": "POST", "path": "issue$", "status": 401, "body": {}})
    answer = create(jira)
    assert (answer.status, "needs_reauthorization" in answer.json()) == (403, False)  # /myself takes them
    assert create(jira).status == 201
    assert tickets(atlassian) == 1


def test_a_limit_that_ends_in_time_is_waited_for(jira: Jira, atlassian: Atlassian, passing: Time) -> None:
    atlassian.fault(
        {
            "method": "POST",
            "path": "issue$",
            "status": 429,
            "headers": {"Retry-After": "3", "RateLimit-Reason": "jira-burst-based"},
        }
    )
    assert create(jira).status == 201
    assert round(sum(passing.slept)) == 3
    assert tickets(atlassian) == 1
