"""Searching: what JQL means, what it may not be, pages, lag."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.atlassian.conftest import Caller

SEARCH = "/rest/api/2/search/jql"


def keys(jira: Caller, jql: str, **more: Any) -> list[str]:
    answer = jira("POST", SEARCH, {"jql": jql, "fields": ["key"], "maxResults": 5000, **more})
    assert answer.status_code == 200, answer.text
    return [issue["key"] for issue in answer.json()["issues"]]


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        ("key = PI-42", ["PI-42"]),
        ("id = 10042", ["PI-42"]),
        ("issuekey in (PI-1, 'PI-2') ORDER BY key ASC", ["PI-1", "PI-2"]),
        ("key >= PI-43 ORDER BY key", ["PI-43", "PI-44"]),
        ('project = "Production Items" AND labels = urgent', ["PI-42"]),
        ("project = 10000 AND labels in (urgent, nothing)", ["PI-42"]),
        ("project in (PI, SCRUM) AND type = Epic", ["PI-10"]),
        ('summary ~ "aluminum housings"', ["PI-42"]),
        ('summary ~ "alumin*" AND project = PI', ["PI-42"]),
        (r'summary ~ "\"aluminum housings\""', ["PI-42"]),
        (r'summary ~ "\"housings aluminum\""', []),
        ("text ~ sawn", ["PI-42"]),
        ('"Part Number" ~ "1234567" AND project = PI', ["PI-42"]),
        ("cf[10900] = 50", ["PI-42"]),
        ("project = PI AND resolution IS NOT EMPTY", ["PI-1"]),
        ("project = PI AND resolution = Done", ["PI-1"]),
        ('project = PI AND statusCategory = "In Progress"', ["PI-42"]),
        ("project = PI AND status = Done", ["PI-1"]),
        ("sprint in openSprints() AND type = Bug", ["SCRUM-5"]),
        ("sprint = 1 AND type = Bug", ["SCRUM-1"]),
        ('sprint = "Tooling 3" AND type = Bug', ["SCRUM-9"]),
        ("project = PI AND assignee is not EMPTY", ["PI-42"]),
        ("project = PI AND NOT (resolution = Unresolved OR key = PI-2)", ["PI-1"]),
        ("key in (PI-1, PI-2, PI-3) AND key != PI-2 ORDER BY created DESC", ["PI-3", "PI-1"]),
        ("(key = PI-1 OR key = PI-2) && !(key = PI-1)", ["PI-2"]),
        ("key in (PI-2, PI-42, PI-3) ORDER BY priority, key DESC", ["PI-42", "PI-2", "PI-3"]),
        ("project = PI AND created <= -58d ORDER BY key", ["PI-1", "PI-2"]),
        ("project = PI AND labels = urgent AND assignee = currentUser()", []),
        ("project = PI AND labels not in (urgent) ", []),
        ('labels = "a b\\" OR project = PI"', []),
    ],
)
def test_queries(jira: Caller, jql: str, expected: list[str]) -> None:
    assert keys(jira, jql) == expected


@pytest.mark.parametrize(
    ("jql", "message"),
    [
        ("", "Unbounded JQL"),
        ("ORDER BY created", "Unbounded JQL"),
        ("project =", "before the end of the query"),
        ("project PI", "Expecting operator"),
        ("project = PI created", "Expecting either 'OR' or 'AND'"),
        ("project = PI AND", "Expecting a field name"),
        ("(project = PI", "Expecting ')'"),
        ('project = "PI', "has not been completed"),
        ("project = a@b", "reserved JQL character"),
        (r'project = "\q"', "illegal JQL escape"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("key = NOPE-1", "An issue with key 'NOPE-1' does not exist"),
        ("sprint = 99", "Sprint with id '99' does not exist"),
        ("universe = 42", "Field 'universe' does not exist"),
        ("project = PI ORDER BY universe", "Field 'universe' does not exist"),
        ("summary = x", "operator '=' is not supported"),
        ("project ~ x", "operator '~' is not supported"),
        ("project IS PI", "only takes EMPTY"),
        ("created > yesterdayish", "is invalid"),
        ('summary ~ ""', "empty string"),
        ("project = PI AND priority = Urgent", "does not exist for the field 'priority'"),
        ("labels in (a, b", "Expecting ')'"),
        ("project = currentUser()", "Unable to find JQL function"),
        ("and = 1", "Expecting a field name"),
    ],
)
def test_refused_queries(jira: Caller, jql: str, message: str) -> None:
    answer = jira("POST", SEARCH, {"jql": jql})
    assert answer.status_code == 400
    assert message in answer.json()["errorMessages"][0]
    assert jira.get(SEARCH, jql=jql).status_code == 400


def test_only_ids_come_unless_fields_are_named(jira: Caller) -> None:
    plain = jira.get(SEARCH, jql="key = PI-42").json()
    assert plain == {"issues": [{"id": "10042"}], "isLast": True}
    named = jira.get(SEARCH, jql="key = PI-42", fields="summary,status").json()["issues"][0]
    assert named["fields"].keys() == {"summary", "status"}


def test_the_old_search_is_gone(jira: Caller) -> None:
    for version in ("2", "3"):
        for method in ("GET", "POST"):
            answer = jira(method, f"/rest/api/{version}/search", {} if method == "POST" else None)
            assert answer.status_code == 410
            assert "has been removed" in answer.json()["errorMessages"][0]


def test_pages_by_token(jira: Caller) -> None:
    jira("POST", "/_control/issues", {"project": "BIG", "count": 6000})
    jql = "project = BIG ORDER BY key"
    first = jira("POST", SEARCH, {"jql": jql, "maxResults": 9999}).json()
    assert (len(first["issues"]), first["isLast"]) == (5000, False)
    assert "total" not in first
    # What is deleted between two pages makes the next one shorter, and nothing comes twice or is left out.
    jira("DELETE", "/rest/api/2/issue/BIG-5001")
    second = jira(
        "POST", SEARCH, {"jql": jql, "maxResults": 9999, "nextPageToken": first["nextPageToken"]}
    ).json()
    assert (len(second["issues"]), second["isLast"]) == (999, True)
    assert "nextPageToken" not in second
    with_fields = jira("POST", SEARCH, {"jql": jql, "maxResults": 9999, "fields": ["summary"]}).json()
    assert len(with_fields["issues"]) == 100
    for jql_, token in (("key = PI-1", first["nextPageToken"]), (jql, "nonsense")):
        assert jira("POST", SEARCH, {"jql": jql_, "nextPageToken": token}).status_code == 400
    count = jira("POST", "/rest/api/2/search/approximate-count", {"jql": jql}).json()
    assert count == {"count": 5999}


def test_the_index_lags_behind(jira: Caller) -> None:
    jira.control(search_lag_ms=60_000)
    fields = {"project": {"key": "PI"}, "summary": "Late", "issuetype": {"id": "10001"}, "labels": ["late"]}
    created = jira("POST", "/rest/api/2/issue", {"fields": fields}).json()
    jira("PUT", "/rest/api/2/issue/PI-42", {"fields": {"labels": ["late"]}})
    assert keys(jira, "labels = late") == []
    assert keys(jira, "labels = urgent") == ["PI-42"]
    assert keys(jira, "labels = late", reconcileIssues=[int(created["id"])]) == [created["key"]]
    assert jira.get(f"/rest/api/2/issue/{created['key']}").status_code == 200
    jira.control(clock_offset_seconds=61)
    assert keys(jira, "labels = late") == [created["key"], "PI-42"]
    assert keys(jira, "labels = urgent") == []


def test_at_most_50_issues_are_reconciled(jira: Caller) -> None:
    answer = jira("POST", SEARCH, {"jql": "key = PI-1", "reconcileIssues": list(range(51))})
    assert answer.status_code == 400


def test_nobody_finds_nothing(nobody: Caller) -> None:
    assert nobody.get(SEARCH, jql="labels = urgent").json()["issues"] == []
    assert nobody.get(SEARCH, jql="project = PI").status_code == 400
