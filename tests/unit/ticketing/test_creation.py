"""Creating a ticket: few calls, and never a twin."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobticket.jira.client import JiraClient
from jobticket.ticketing import links
from tests.support.gateway import HttpAnswer
from tests.unit.ticketing.conftest import INTEGRATION, Shop, slow_jira

CREATE = {"method": "POST", "path": "/issue$"}


class Killed(BaseException):
    """The function's process is gone."""


def calls(shop: Shop) -> list[str]:
    return [f"{method} {re.sub('^/rest/api/[23]/', '', path)}" for method, path in shop.atlassian.asked()]


def labels(shop: Shop, key: str) -> list[str]:
    found: list[str] = shop.atlassian.issue(key)["fields"]["labels"]
    return found


@pytest.fixture
def anomaly(shop: Shop) -> int:
    return int(shop.anomaly()["id"])


def linked(shop: Shop, anomaly: int) -> list[str]:
    return [link["ticket_number"] for link in shop.links(anomaly)]


def test_a_ticket_takes_two_calls(shop: Shop, anomaly: int) -> None:
    ticket = shop.ticket(anomaly)
    made = calls(shop)
    print(f"creating a ticket: {len(made)} calls to Jira")  # noqa: T201
    assert made == ["POST issue", f"GET issue/{ticket['ticket_id']}"]
    assert linked(shop, anomaly) == ["MISC-1"]


def test_several_tickets_can_be_made_for_an_anomaly(shop: Shop, anomaly: int) -> None:
    for number in (1, 2, 3):
        assert shop.ticket(anomaly)["ticket_number"] == f"MISC-{number}"
    assert linked(shop, anomaly) == ["MISC-1", "MISC-2", "MISC-3"]


@pytest.mark.parametrize("lag", [0, 30], ids=["search at once", "search lags 30 s"])
def test_a_process_that_dies_before_the_link_is_stored_leaves_no_twin(
    shop: Shop, anomaly: int, monkeypatch: pytest.MonkeyPatch, lag: int
) -> None:
    shop.atlassian.control(search_lag_ms=lag * 1000)

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(links, "add_link", dies)
        with pytest.raises(Killed):
            shop.create_ticket(anomaly)
    assert shop.atlassian.issues() == (0 if lag else 1)  # as the search sees it
    answers = _until_created(shop, anomaly, step=7)
    assert {answer.status for answer in answers[:-1]} <= {503}
    assert all(1 <= int(answer.headers["retry-after"]) <= 10 for answer in answers[:-1])
    assert answers[-1].json()["ticket"]["ticket_number"] == "MISC-1"
    shop.atlassian.control(search_lag_ms=0)
    assert shop.atlassian.issues() == 1
    assert linked(shop, anomaly) == ["MISC-1"]


def _until_created(shop: Shop, anomaly: int, step: float, **body: Any) -> list[HttpAnswer]:
    """Ask again, as Retry-After says, letting time pass for the product and for Jira."""
    answers = [shop.create_ticket(anomaly, **body)]
    while answers[-1].status == 503 and len(answers) < 40:
        shop.clock.passes(step)
        shop.atlassian.control(clock_offset_seconds=shop.clock.passed.total_seconds())
        answers.append(shop.create_ticket(anomaly, **body))
    assert answers[-1].status == 201, answers[-1].text
    return answers


@pytest.mark.parametrize(
    "fault",
    [{"drop": "after"}, {"status": 502}, {"truncate_bytes": 5}, {"status": 504}],
    ids=lambda fault: " ".join(map(str, fault.items())),
)
def test_an_answer_that_is_lost_is_settled_by_looking(
    shop: Shop, anomaly: int, fault: dict[str, Any]
) -> None:
    shop.atlassian.fault(CREATE | fault)
    refused = shop.create_ticket(anomaly)
    assert refused.status == 503
    assert "not known yet" in refused.json()["detail"]
    assert "retry-after" in refused.headers
    shop.atlassian.forget()
    answers = _until_created(shop, anomaly, step=11)
    assert shop.atlassian.issues() == 1
    assert linked(shop, anomaly) == ["MISC-1"]
    if "status" not in fault:
        assert len(answers) == 1
        assert calls(shop)[:1] == ["POST search/jql"]  # one call gives the whole ticket
        assert answers[0].json()["ticket"]["status"] == "To Do"


def test_what_was_never_created_is_created_once_the_search_must_know(shop: Shop, anomaly: int) -> None:
    shop.atlassian.fault(CREATE | {"drop": "before"})
    assert shop.create_ticket(anomaly).status == 503
    shop.clock.passes(50)
    assert shop.create_ticket(anomaly).status == 503
    shop.clock.passes(11)
    shop.atlassian.forget()
    assert shop.create_ticket(anomaly).status == 201
    assert calls(shop)[:2] == ["POST search/jql", "POST issue"]
    assert len(calls(shop)) == 3
    assert shop.atlassian.issues() == 1


def test_another_ticket_is_made_beside_one_that_was_lost(shop: Shop, anomaly: int) -> None:
    shop.atlassian.fault(CREATE | {"drop": "after"})
    assert shop.create_ticket(anomaly, title="the first").status == 503
    assert shop.ticket(anomaly, title="the second")["title"] == "the second"
    assert [link["title"] for link in shop.links(anomaly)] == ["the first", "the second"]
    assert shop.atlassian.issues() == 2


@pytest.mark.parametrize("lag", [0, 30], ids=["search at once", "search lags 30 s"])
def test_a_database_that_fails_after_jiras_answer_leaves_no_twin(
    shop: Shop, anomaly: int, monkeypatch: pytest.MonkeyPatch, function: Any, lag: int
) -> None:
    shop.atlassian.control(search_lag_ms=lag * 1000)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no database")

    with monkeypatch.context() as patch:
        patch.setattr(function.table, "transact", broken)
        assert shop.create_ticket(anomaly).status == 500
    answers = _until_created(shop, anomaly, step=11)
    assert len(answers) == (4 if lag else 1)
    assert answers[-1].json()["ticket"]["ticket_number"] == "MISC-1"
    shop.atlassian.control(search_lag_ms=0)
    assert shop.atlassian.issues() == 1


def test_a_creation_that_times_out_is_found(
    shop: Shop, anomaly: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_jira(monkeypatch, "/issue") as at_work:
        refused = shop.create_ticket(anomaly)
    assert (refused.status, "Network timeout" in refused.text) == (503, True)
    assert shop.create_ticket(anomaly).status == 503
    at_work.finish()
    assert shop.ticket(anomaly)["ticket_number"] == "MISC-1"
    assert shop.atlassian.issues() == 1


def test_a_doubled_click_makes_one_ticket_at_a_time(shop: Shop, anomaly: int) -> None:
    shop.atlassian.control(latency_ms=40)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: shop.create_ticket(anomaly), range(6)))
    made = [answer for answer in answers if answer.status == 201]
    assert {answer.status for answer in answers} <= {201, 503}
    assert len(made) >= 1
    shop.atlassian.control(latency_ms=0)
    assert shop.atlassian.issues() == len(made) == len(linked(shop, anomaly))


def test_the_same_idempotency_key_makes_one_ticket(shop: Shop, anomaly: int) -> None:
    path, body = f"{INTEGRATION}/anomalies/{anomaly}/tickets", {"title": "once"}
    headers = {"Idempotency-Key": "ticket-1"}
    first, second = (shop.api.post(path, body, headers=headers) for _ in range(2))
    assert (first.status, first.json()) == (second.status, second.json()) == (201, first.json())
    assert shop.api.post(path, {"title": "other"}, headers=headers).status == 422
    assert shop.atlassian.issues() == 1


def test_an_idempotency_key_survives_a_lost_answer(shop: Shop, anomaly: int) -> None:
    path, body = f"{INTEGRATION}/anomalies/{anomaly}/tickets", {"title": "once"}
    headers = {"Idempotency-Key": "ticket-1"}
    shop.atlassian.fault(CREATE | {"drop": "after"})
    assert shop.api.post(path, body, headers=headers).status == 503
    second, third = (shop.api.post(path, body, headers=headers) for _ in range(2))
    assert second.status == 201
    assert second.json() == third.json()
    assert shop.atlassian.issues() == 1


def test_a_new_ticket_that_cannot_be_read_is_linked_all_the_same(shop: Shop, anomaly: int) -> None:
    shop.atlassian.fault({"method": "GET", "path": "/issue/", "status": 503, "times": None})
    ticket = shop.ticket(anomaly)
    assert (ticket["ticket_number"], ticket["title"], ticket["status"]) == (
        "MISC-1",
        "summary of ticket",
        None,
    )
    assert "\n\n---\nQualytics Anomaly Linked [" in ticket["description"]
    assert "\n- 8 values in CUSTOMER_NAME were" in ticket["description"]
    assert linked(shop, anomaly) == ["MISC-1"]


def test_a_screen_without_labels_gets_its_ticket_too(shop: Shop, anomaly: int) -> None:
    shop.atlassian.control(off_screen_fields=["labels"])
    assert shop.ticket(anomaly)["ticket_number"] == "MISC-1"
    assert len(calls(shop)) == 3
    assert labels(shop, "MISC-1") == []
    shop.atlassian.fault(
        CREATE | {"times": 0}, CREATE | {"status": 400, "body": _LABELS}, CREATE | {"drop": "after"}
    )
    lost = shop.create_ticket(anomaly)
    assert lost.status == 502
    assert "look in Jira" in lost.json()["detail"]


def test_a_ticket_that_cannot_be_found_again_is_not_made_twice_unasked(
    shop: Shop, anomaly: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after it created a ticket whose project has no labels."""
    shop.atlassian.control(off_screen_fields=["labels"])

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(links, "add_link", dies)
        with pytest.raises(Killed):
            shop.create_ticket(anomaly)
    shop.clock.passes(31)
    told = shop.create_ticket(anomaly)
    assert (told.status, "look in Jira before you try again" in told.text) == (502, True)
    assert shop.atlassian.issues() == 1
    assert shop.create_ticket(anomaly).status == 201  # somebody has looked


_LABELS = {"errorMessages": [], "errors": {"labels": "Field 'labels' cannot be set."}}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"title": ""}, 400, "title is required"),
        ({"title": None}, 400, "title is required"),
        ({"title": 5}, 400, "title must be a string"),
        ({"project_key": "a b"}, 400, "project_key must be the key of a Jira project"),
        ({"project_key": "NOPE"}, 400, "Project not found: NOPE"),
        ({"issue_type": "Wish"}, 400, "Issue type not found: Wish does not exist in the project MISC"),
        ({"priority": "Soon"}, 400, "Jira refused the ticket: priority: The priority selected is invalid."),
    ],
)
def test_a_field_that_is_wrong_is_named(
    shop: Shop, anomaly: int, body: dict[str, Any], status: int, text: str
) -> None:
    refused = shop.create_ticket(anomaly, **body)
    assert refused.status == status
    assert refused.json()["detail"].startswith(text)
    assert shop.atlassian.issues() == 0
    assert shop.create_ticket(anomaly).status == 201  # nothing stands in the way of the next try


def test_a_project_without_tasks_gets_tickets_of_its_first_type(shop: Shop, anomaly: int) -> None:
    shop.atlassian.control(project_issue_types={"SCRUM": ["Aufgabe", "Fehler"]})
    assert shop.api.put(INTEGRATION, {"project_key": "SCRUM"}).status == 200
    form = shop.api.get(f"{INTEGRATION}/form-specification").json()
    (kind,) = [entry for entry in form["properties"] if entry["field"] == "issue_type"]
    assert kind["default"] == "Aufgabe"
    assert [value["value"] for value in kind["values"]] == ["Aufgabe", "Fehler"]
    assert shop.ticket(anomaly)["category"] == "Aufgabe"
    assert shop.ticket(anomaly, issue_type="Fehler")["category"] == "Fehler"
    refused = shop.create_ticket(anomaly, issue_type="Task")
    assert refused.json()["detail"] == "Issue type not found: Task does not exist in the project SCRUM"


def test_types_and_priorities_may_be_named_by_id(shop: Shop, anomaly: int) -> None:
    ticket = shop.ticket(anomaly, issue_type="10002", priority="2")
    assert (ticket["category"], ticket["priority"]) == ("Bug", "High")


def test_a_type_that_is_gone_is_refused_once(shop: Shop, anomaly: int) -> None:
    shop.ticket(anomaly)
    shop.atlassian.control(project_issue_types={"MISC": ["Aufgabe"]})
    assert "issuetype" in shop.create_ticket(anomaly).json()["detail"]
    assert shop.ticket(anomaly)["category"] == "Aufgabe"


def test_without_a_project_it_says_so(shop: Shop, anomaly: int) -> None:
    assert shop.api.put(INTEGRATION, {"project_key": ""}).status == 200
    refused = shop.create_ticket(anomaly)
    assert (refused.status, refused.json()) == (400, {"detail": "project_key is required"})
    assert shop.ticket(anomaly, project_key="SCRUM", issue_type="Bug")["category"] == "Bug"


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ({"status": 401}, 502, "401 Unauthorized: the credentials are not correct"),
        ({"status": 403}, 502, "403 Forbidden: the account lacks a permission"),
        ({"status": 429, "headers": {"Retry-After": "77"}}, 503, "429"),
    ],
)
def test_a_refusal_of_jiras_is_told_apart(
    shop: Shop, anomaly: int, fault: dict[str, Any], status: int, text: str
) -> None:
    shop.atlassian.fault(CREATE | fault)
    refused = shop.create_ticket(anomaly)
    assert refused.status == status
    assert text in refused.json()["detail"]
    if status == 503:
        assert int(refused.headers["retry-after"]) >= 77
    assert shop.atlassian.issues() == 0


def test_unknown_anomalies_and_missing_integrations_are_not_found(shop: Shop, anomaly: int) -> None:
    assert shop.create_ticket(99).json() == {"detail": "Anomaly not found: 99"}
    shop.api.delete(INTEGRATION)
    refused = shop.create_ticket(anomaly)
    assert (refused.status, refused.json()) == (404, {"detail": "No ticketing integration is configured"})


def test_what_is_asked_of_jira_never_carries_a_secret_into_an_answer(
    shop: Shop, anomaly: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.atlassian.fault(
        CREATE | {"status": 400, "body": {"errorMessages": ["token local-api-token refused"]}}
    )
    assert "local-api-token" not in shop.create_ticket(anomaly).text


def test_a_jira_client_is_the_only_way_out(shop: Shop, anomaly: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ticketing speaks to Jira past the one client."""

    def closed(*_: Any, **__: Any) -> None:
        raise AssertionError("called")

    monkeypatch.setattr(JiraClient, "_request", closed)
    assert shop.create_ticket(anomaly).status == 500
    assert shop.atlassian.asked() == []
