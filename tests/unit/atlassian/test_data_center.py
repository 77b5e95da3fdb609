"""Data Center mode of the default site."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.atlassian.testing import running
from tests.unit.atlassian.conftest import Caller

ISSUE = "/rest/api/2/issue/PI-42"


@pytest.fixture
def data_center() -> Iterator[Caller]:
    with running(data_center=True) as base_url:
        yield Caller(base_url, bearer="local-personal-token")


def test_personal_tokens_and_passwords(data_center: Caller) -> None:
    me = data_center.get("/rest/api/2/myself").json()
    assert (me["name"], me["key"]) == ("demo", "JIRAUSER10100")
    assert "accountId" not in me
    basic = Caller(data_center.base_url, ("demo", "local-password"))
    assert basic.get("/rest/api/2/myself").status_code == 200
    for wrong in (
        Caller(data_center.base_url),
        Caller(data_center.base_url, ("demo", "wrong")),
        Caller(data_center.base_url, ("demo@example.com", "local-api-token")),
        Caller(data_center.base_url, bearer="wrong"),
    ):
        answer = wrong.get(ISSUE)
        assert answer.status_code == 401
        assert "text/html" in answer.headers["Content-Type"]
    data_center.control(basic_disabled=True)
    assert basic.get(ISSUE).status_code == 403
    assert data_center.get(ISSUE).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/rest/api/3/myself"),
        ("GET", "/rest/api/2/search/jql"),
        ("POST", "/rest/api/2/search/jql"),
        ("POST", "/rest/api/2/issue/bulkfetch"),
        ("POST", "/rest/api/2/search/approximate-count"),
        ("GET", "/rest/api/2/project/search"),
        ("GET", "/rest/api/2/issue/PI-42/changelog"),
    ],
)
def test_what_only_cloud_has(data_center: Caller, method: str, path: str) -> None:
    assert data_center(method, path, {} if method == "POST" else None).status_code in (404, 405)


def test_its_own_search(data_center: Caller) -> None:
    page = data_center.get(
        "/rest/api/2/search", jql="project = PI ORDER BY key", startAt=40, maxResults=3
    ).json()
    assert (page["total"], page["startAt"], page["maxResults"]) == (44, 40, 3)
    assert [issue["key"] for issue in page["issues"]] == ["PI-41", "PI-42", "PI-43"]
    body = {"jql": "key = PI-42", "fields": ["summary"]}
    found = data_center("POST", "/rest/api/2/search", body).json()
    assert found["issues"][0]["fields"].keys() == {"summary"}
    # It takes unbounded queries.
    assert data_center.get("/rest/api/2/search").json()["total"] == 56
    assert data_center.get("/rest/api/2/search", jql="project = NOPE").status_code == 400


def test_users_have_names(data_center: Caller) -> None:
    assert data_center.field("PI-42", "assignee")["name"] == "robin"
    edit = {"fields": {"assignee": {"name": "kim"}}}
    assert data_center("PUT", ISSUE, edit).status_code == 204
    assert data_center.field("PI-42", "assignee")["displayName"] == "Kim Kessler"
    wrong = {"fields": {"assignee": {"accountId": "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d01"}}}
    assert data_center("PUT", ISSUE, wrong).status_code == 400


def test_text_is_kept_as_it_was_written(data_center: Caller) -> None:
    text = "*Main*\n|| A || B ||\n| 1 | 2 |  \n"
    data_center("PUT", ISSUE, {"fields": {"description": text}})
    assert data_center.field("PI-42", "description") == text


def test_lists_and_metadata(data_center: Caller) -> None:
    projects = data_center.get("/rest/api/2/project").json()
    assert [each["key"] for each in projects] == ["PI", "SCRUM", "MISC"]
    assert data_center.get("/rest/api/2/serverInfo").json()["deploymentType"] == "Server"
    types = data_center.get("/rest/api/2/issue/createmeta/PI/issuetypes").json()
    assert (types["isLast"], len(types["values"])) == (True, 5)
