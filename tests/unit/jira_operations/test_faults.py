"""What people's Jiras really answer, and what the operations make of it."""

from __future__ import annotations

from typing import Any

import pytest

from jobticket.errors import UnavailableError
from jobticket.jira.client import JiraClient
from jobticket.jira.issue_lists import sprint_or_none
from tests.unit.jira_operations.conftest import Atlassian, Jira
from tests.unit.jira_operations.test_refusals import DEAD, FAILED, READS, WRITES, call

every = pytest.mark.parametrize("name", [*READS, *WRITES])
WAYS = [
    {"status": 403, "headers": {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=https://x/"}},
    {"status": 403, "headers": {"X-Seraph-LoginReason": "OUT, AUTHENTICATION_DENIED"}},
    {"status": 403, "body": "<p>Basic Authentication Failure - Reason : AUTHENTICATION_DENIED</p>"},
]


@every
@pytest.mark.parametrize("way", WAYS, ids=["header", "login", "page"])
def test_a_captcha(server: Jira, atlassian: Atlassian, name: str, way: dict[str, Any]) -> None:
    atlassian.fault({"path": "/rest/", "times": None, **way})
    answer = call(server, name)
    text = "Jira asks for a CAPTCHA: log in once in a browser with this account, then try again"
    assert (answer.status, answer.json()["error"]) == (403, text)
    assert "needs_reauthorization" not in answer.json()


@every
def test_a_refusal_that_myself_does_not_confirm(server: Jira, atlassian: Atlassian, name: str) -> None:
    """A new authorization would change nothing: the account's credentials are good."""
    refusal = {"status": 401, "body": {"errorMessages": ["Not here."]}}
    atlassian.fault({"path": "^/rest/(?!api/2/myself)", "times": None, **refusal})
    answer = call(server, name)
    assert answer.status == 403
    assert "needs_reauthorization" not in answer.json()
    assert answer.json()["details"] == {"errorMessages": ["Not here."]}
    assert "denied" in answer.json()["error"] or "accepts the credentials" in answer.json()["error"]


@every
@pytest.mark.parametrize(
    "text", ["Unauthorized; scope does not match", "insufficient_scope", "Scopes do not match"]
)
def test_a_missing_scope(jira: Jira, atlassian: Atlassian, name: str, text: str) -> None:
    atlassian.fault({"path": "/rest/", "status": 401, "body": {"code": 401, "message": text}, "times": None})
    answer = call(jira, name)
    assert answer.status == 403
    assert answer.json() == {
        "error": "The connection lacks a scope that this operation needs",
        "missing_scope": True,
    }


@every
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": "Failed to parse Connect Session Auth Token"}, "email:token"),
        ({"message": "Basic Authentication has been disabled on this instance."}, "personal access token"),
        ({"errorMessages": "Basic authentication with passwords is deprecated."}, "personal access token"),
    ],
)
def test_a_login_of_the_wrong_kind(
    jira: Jira, atlassian: Atlassian, name: str, body: dict[str, str], told: str
) -> None:
    atlassian.fault({"path": "/rest/", "status": 403, "body": body, "times": None})
    answer = call(jira, name)
    assert answer.status == 403
    assert told in answer.json()["error"]
    assert answer.json()["details"] == {"errorMessages": list(body.values())}


@every
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"status": 302, "headers": {"Location": "https://sso.example/login"}}, "redirect to sso.example"),
        ({"status": 403, "body": "<html>Blocked</html>"}, "a page instead of JSON"),
        ({"status": 404, "body": "<html>Page unavailable</html>"}, "a page instead of JSON"),
        (
            {"status": 404, "body": {"errorMessage": "Site temporarily unavailable"}},
            "as if there were no Jira",
        ),
    ],
)
def test_what_is_not_jira(
    jira: Jira, atlassian: Atlassian, name: str, fault: dict[str, Any], told: str
) -> None:
    atlassian.fault({"path": "/rest/", "times": None, **fault})
    answer = call(jira, name)
    assert (answer.status, answer.json()["error"]) == (500, FAILED[name])
    assert told in answer.json()["details"]["errorMessages"][0]


@pytest.mark.parametrize("name", ["get-all-sprints-for-project", "get-active-sprints-for-project"])
@pytest.mark.parametrize("status", [400, 410, 422])
def test_a_board_without_sprints_costs_no_others(
    jira: Jira, atlassian: Atlassian, name: str, status: int
) -> None:
    whole = call(jira, name).json()["boards"]
    number = next(board["board_id"] for board in whole if board["active_sprints"])
    fault = {"status": status, "body": {"errorMessages": ["No."]}, "times": None}
    atlassian.fault({"path": f"/board/{number}/sprint", **fault})
    answer = call(jira, name)
    assert answer.status == 200
    boards = answer.json()["boards"]
    assert [board["board_id"] for board in boards] == [board["board_id"] for board in whole]
    assert [board["active_sprints"] for board in boards if board["board_id"] == number] == [[]]


@pytest.mark.parametrize("path", ["/board$", "/sprint"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 429, 500, 503])
def test_no_trouble_of_boards_costs_the_tickets(
    jira: Jira, atlassian: Atlassian, path: str, status: int
) -> None:
    headers = {"Retry-After": "600"} if status in {429, 503} else {}
    fault = {"status": status, "body": {"errorMessages": ["No."]}, "headers": headers, "times": None}
    if status == 401:
        fault["body"] = {"code": 401, "message": "Unauthorized; scope does not match"}
    if status == 429:
        headers["RateLimit-Reason"] = "jira-burst-based"
    atlassian.fault({"path": path, **fault})
    answer = call(jira, "get-tickets-for-project", include_sprint="true")
    assert answer.status == 200
    assert answer.json()["tickets"]
    assert answer.json()["sprint"] is None


def test_nor_does_a_token_that_cannot_be_renewed_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_given: Any, **_options: Any) -> Any:
        raise UnavailableError("Failed to refresh access token")

    monkeypatch.setattr(JiraClient, "get", unavailable)
    assert sprint_or_none(JiraClient.__new__(JiraClient), "PI") is None


@pytest.mark.parametrize("project", [9_223_372_036_854_775_807, "1234567890123456789"])
def test_a_project_id_of_19_digits(jira: Jira, atlassian: Atlassian, project: Any) -> None:
    assert jira.send("POST", "select-project", jira_project_id=project).status == 200
    assert jira.get("get-selected-project").json() == {"jira_project_id": str(project)}
    found = {"id": project, "key": "BIG", "name": "Big"}
    atlassian.fault({"path": "project/search", "status": 200, "body": {"values": [found], "isLast": True}})
    answer = call(jira, "get-projects")
    assert (answer.status, answer.json()["projects"][0]["id"]) == (200, project)


@every
def test_a_dead_credential_is_sent_once(jira: Jira, atlassian: Atlassian, name: str) -> None:
    atlassian.fault({"path": "/rest/", "status": 401, "times": None, "body": {}, "delay_ms": 20})
    with_sprint = {"include_sprint": "true"} if name == "get-tickets-for-project" else {}
    answer = call(jira, name, **with_sprint)
    assert (answer.status, answer.json()) == (403, DEAD)
    # Only calls that were under way together with the first, and the question whether it is dead.
    asked = [each["path"].rpartition("/")[2] for each in atlassian.asked()]
    assert asked.count("myself") <= 1
    assert len(asked) - asked.count("myself") <= {
        "get-tickets-for-sprint": 9,
        "get-tickets-for-project": 3,
    }.get(name, 1)
