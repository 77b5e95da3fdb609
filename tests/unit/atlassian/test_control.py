"""Faults, limits, latency, the log and the bulk."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from local.atlassian.testing import running
from tests.unit.atlassian.conftest import Auth, Caller

ISSUE = "/rest/api/2/issue/PI-42"
MYSELF = "/rest/api/2/myself"


def test_faults_strike_in_order_and_run_out(jira: Caller) -> None:
    jira.control(
        faults=[
            {"path": "/myself$", "status": 503, "times": 2},
            {
                "method": "GET",
                "path": "/myself",
                "status": 429,
                "headers": {"Retry-After": "7"},
                "body": {"code": 429},
            },
        ]
    )
    answers = [jira.get(MYSELF) for _ in range(4)]
    assert [each.status_code for each in answers] == [503, 503, 429, 200]
    assert answers[2].headers["Retry-After"] == "7"
    assert answers[2].json() == {"code": 429}
    assert jira.get("/_control").json()["faults"][0]["times"] == 0


def test_a_fault_without_times_stays(jira: Caller) -> None:
    jira.control(faults=[{"method": "PUT", "path": "/issue/", "status": 500, "times": None}])
    for _ in range(3):
        assert jira("PUT", ISSUE, {"fields": {"summary": "x"}}).status_code == 500
    assert jira.get(ISSUE).status_code == 200
    assert jira("DELETE", "/_control").status_code == 204
    assert jira("PUT", ISSUE, {"fields": {"summary": "x"}}).status_code == 204


@pytest.mark.parametrize(("when", "summary_after"), [("before", False), ("after", True)])
def test_a_dropped_call(jira: Caller, when: str, summary_after: bool) -> None:
    jira.control(faults=[{"method": "PUT", "path": "/issue/PI-42$", "drop": when}])
    with pytest.raises(requests.ConnectionError):
        jira("PUT", ISSUE, {"fields": {"summary": "Changed"}})
    assert (jira.field("PI-42", "summary") == "Changed") is summary_after
    dropped = next(each for each in jira.requests() if each["method"] == "PUT" and "/issue" in each["path"])
    assert dropped["status"] is None


def test_an_answer_that_breaks_off(jira: Caller) -> None:
    jira.control(
        faults=[
            {"path": "/myself", "truncate_bytes": 10},
            {"path": "/myself", "status": 200, "body": {"a": "b" * 100}, "truncate_bytes": 5},
        ]
    )
    for _ in range(2):
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            jira.get(MYSELF)
    assert jira.get(MYSELF).status_code == 200


def test_faults_of_the_token_endpoint(auth: Auth) -> None:
    token = auth.tokens()["refresh_token"]
    auth.control(faults=[{"method": "POST", "path": "^/oauth/token$", "drop": "after"}])
    with pytest.raises(requests.ConnectionError):
        auth.refresh(token)
    # The lost answer held the new token; the old one still works within the reuse interval.
    assert auth.refresh(token).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": 1},
        {"latency_ms": -1},
        {"faults": [{"path": "("}]},
        {"faults": [{"drop": "sometimes"}]},
        {"rate_limits": {"points": 1}},
        [],
    ],
)
def test_unknown_switches_change_nothing(jira: Caller, wrong: Any) -> None:
    answer = jira("PUT", "/_control", wrong)
    assert (answer.status_code, "error" in answer.json()) == (400, True)
    assert jira.get("/_control").json()["latency_ms"] == 0


def test_a_part_of_the_switches_leaves_the_rest(jira: Caller) -> None:
    jira.control(latency_ms=1, rate_limits={"points_per_hour": 100})
    jira.control(search_lag_ms=2)
    state = jira.get("/_control").json()
    assert (state["latency_ms"], state["search_lag_ms"]) == (1, 2)
    assert state["rate_limits"]["points_per_hour"] == 100
    assert state["rate_limits"]["issue_writes_per_2s"] == 20


def test_calls_that_are_held_are_counted_and_let_go(jira: Caller) -> None:
    jira.control(faults=[{"path": "/myself", "held": True, "times": None}])
    threads = [threading.Thread(target=jira.get, args=(MYSELF,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    while jira.get("/_control").json()["in_flight"] < len(threads):
        assert all(thread.is_alive() for thread in threads)
    jira.control(faults=[])
    for thread in threads:
        thread.join()
    assert jira.get("/_control").json()["max_in_flight"] == len(threads)
    assert jira("DELETE", "/_control/requests").status_code == 204
    state = jira.get("/_control").json()
    assert (state["max_in_flight"], state["in_flight"]) == (0, 0)
    assert jira.requests() == []


def test_the_log_tells_what_was_asked(jira: Caller) -> None:
    jira.get(ISSUE, fields="summary")
    jira.control(record_bodies=True)
    jira("PUT", ISSUE, {"fields": {"summary": "x"}})
    first, second = jira.requests()
    assert first.keys() >= {"at", "method", "path", "query", "status"}
    assert (first["path"], first["query"], first["status"]) == (ISSUE, {"fields": "summary"}, 200)
    assert "body" not in first
    assert (second["body"], second["answer"]) == ({"fields": {"summary": "x"}}, None)
    # Neither the controls nor the pages are calls of a product.
    jira.get("/browse/PI-42")
    assert len(jira.requests()) == 2


def _gateway(auth: Auth) -> Caller:
    return auth.gateway(auth.tokens()["access_token"])


def _points(name: str, reason: str) -> tuple[dict[str, int], str]:
    return {name: 5}, reason


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        _points("points_per_hour", "jira-quota-global-based"),
        _points("tenant_points_per_hour", "jira-quota-tenant-based"),
    ],
)
def test_hourly_points(auth: Auth, jira: Caller, limits: dict[str, int], reason: str) -> None:
    gateway = _gateway(auth)
    auth.control(rate_limits=limits)
    first = gateway.get(ISSUE)
    assert first.headers["X-RateLimit-Limit"] == "5"
    assert first.headers["X-RateLimit-Remaining"] == "5"
    # A read of an issue costs two points: one, and one for the issue.
    assert gateway.get(ISSUE).headers["X-RateLimit-Remaining"] == "3"
    assert gateway.get(ISSUE).headers["X-RateLimit-Remaining"] == "1"
    refused = gateway.get(ISSUE)
    assert refused.status_code == 429
    assert refused.headers["RateLimit-Reason"] == reason
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert refused.headers["X-RateLimit-NearLimit"] == "true"
    # API tokens know nothing of points.
    assert jira.get(ISSUE).status_code == 200
    auth.control(clock_offset_seconds=3600)
    assert _gateway(auth).get(ISSUE).status_code == 200


def test_bursts_are_counted_for_each_endpoint(jira: Caller) -> None:
    jira.control(rate_limits={"burst_per_second": 1, "retry_after": False})
    answers = [jira.get(MYSELF) for _ in range(5)]
    refused = next(each for each in answers if each.status_code == 429)
    assert refused.headers["RateLimit-Reason"] == "jira-burst-based"
    assert "Retry-After" not in refused.headers
    assert jira.get(ISSUE).status_code == 200


def test_writes_to_one_issue(jira: Caller) -> None:
    jira.control(rate_limits={"issue_writes_per_2s": 1})
    jira("PUT", ISSUE, {"fields": {"summary": "a"}})
    refused = jira("POST", f"{ISSUE}/comment", {"body": "x"})
    assert refused.status_code == 429
    assert refused.headers["RateLimit-Reason"] == "jira-per-issue-on-write"
    assert jira("PUT", "/rest/api/2/issue/PI-2", {"fields": {"summary": "a"}}).status_code == 204
    assert jira.get(ISSUE).status_code == 200


def test_many_issues_and_explicit_ones(jira: Caller) -> None:
    made = jira("POST", "/_control/issues", {"project": "BIG", "count": 20_000}).json()
    assert made["count"] == 20_000
    explicit = {"project": "BIG", "issues": [{"summary": "One", "labels": ["x"], "status": "10001"}]}
    (key,) = jira("POST", "/_control/issues", explicit).json()["issues"]
    assert (key, jira.field(key, "labels"), jira.field(key, "status")["name"]) == ("BIG-20001", ["x"], "Done")
    assert jira.get("/_control").json()["sites"][0]["projects"]["BIG"] == 20_001
    assert jira("DELETE", "/_control/data").status_code == 204
    assert "BIG" not in jira.get("/_control").json()["sites"][0]["projects"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"project": "a b"},
        {"project": "BIG", "many": 1},
        {"project": "BIG", "sprints": 1},
        {"project": "BIG", "site": "x"},
    ],
)
def test_wrong_bulks_are_refused(jira: Caller, wrong: dict[str, Any]) -> None:
    assert jira("POST", "/_control/issues", wrong).status_code == 400


def test_switches_can_be_set_at_the_start() -> None:
    with running(data_center=True) as base_url:
        assert Caller(base_url).get("/_control").json()["data_center"] is True


def test_other_web_sites_cannot_steer_it(jira: Caller) -> None:
    url = jira.base_url + "/_control/revoke"
    foreign = requests.post(url, data="{}", headers={"Sec-Fetch-Site": "cross-site"}, timeout=60)
    rebound = requests.get(jira.base_url + "/_control", headers={"Host": "evil.example"}, timeout=60)
    assert (foreign.status_code, rebound.status_code) == (403, 403)


ODD: list[Any] = [
    [],
    "text",
    {"fields": []},
    {"fields": {"project": [], "summary": 1, "issuetype": [], "labels": {}, "assignee": "x", "parent": 1}},
    {"fields": {"project": {"id": 10000}, "summary": [], "issuetype": {"id": 1}, "priority": {"id": []}}},
    {"fields": {"description": 1, "components": [1], "timetracking": [], "customfield_10020": "x"}},
    {"fields": {"assignee": {"accountId": []}, "duedate": 1, "customfield_10014": [], "parent": {"key": []}}},
    {"update": []},
    {"update": {"labels": [{"add": []}], "comment": [{"set": 1}], "summary": 1}},
    {"fields": {"summary": "x"}, "properties": 1},
    {"body": 1, "properties": [1]},
    {"body": "x", "properties": {"key": []}},
    {"object": []},
    {"object": {"url": [], "title": {}}, "globalId": 1},
    {"transition": []},
    {"issueIdsOrKeys": [1, None], "fields": 1},
    {"issueIdsOrKeys": ["PI-1"], "fields": [1], "expand": 1},
    {"jql": 1, "fields": "summary"},
    {"jql": "project = PI", "nextPageToken": 1, "reconcileIssues": "x"},
    {"jql": "project = PI", "fields": [1, {}], "reconcileIssues": [{}]},
    {"jql": "project = PI", "maxResults": "x", "startAt": []},
    {"jql": "project = PI", "maxResults": None},
    {"grant_type": [], "client_id": 1},
]
WRITES = [
    ("POST", "/rest/api/2/issue"),
    ("PUT", ISSUE),
    ("POST", f"{ISSUE}/comment"),
    ("POST", f"{ISSUE}/remotelink"),
    ("POST", f"{ISSUE}/transitions"),
    ("POST", "/rest/api/2/issue/bulkfetch"),
    ("POST", "/rest/api/2/search/jql"),
    ("POST", "/rest/api/2/search"),
    ("POST", "/rest/api/2/search/approximate-count"),
    ("POST", "/oauth/token"),
    ("PUT", "/_control"),
    ("POST", "/_control/issues"),
    ("POST", "/_control/move"),
    ("POST", "/_control/revoke"),
]


@pytest.mark.parametrize("data_center", [False, True])
def test_odd_bodies_are_answered_not_stumbled_over(data_center: bool) -> None:
    auth = ("demo", "local-password") if data_center else ("demo@example.com", "local-api-token")
    with running(data_center=data_center, rate_limits={"issue_writes_per_2s": None}) as base_url:
        caller = Caller(base_url, auth)
        for method, path in WRITES:
            for body in ODD:
                assert caller(method, path, body).status_code < 500, (path, body)
        assert caller.get(ISSUE, expand="changelog,renderedFields").status_code == 200
        assert caller.get("/browse/PI-42").status_code == 200
