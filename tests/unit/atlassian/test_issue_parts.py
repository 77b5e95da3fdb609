"""Comments, properties, remote links."""

from __future__ import annotations

from tests.unit.atlassian.conftest import Caller

ISSUE = "/rest/api/2/issue/PI-42"


def test_comments_with_properties(jira: Caller) -> None:
    made = jira(
        "POST", f"{ISSUE}/comment", {"body": "One", "properties": [{"key": "event", "value": {"id": 7}}]}
    )
    assert made.status_code == 201
    comment = made.json()["id"]
    assert "properties" not in made.json()
    assert jira.get(f"/rest/api/2/comment/{comment}/properties/event").json() == {
        "key": "event",
        "value": {"id": 7},
    }
    assert jira.get(f"/rest/api/2/comment/{comment}/properties/other").status_code == 404
    assert jira.get("/rest/api/2/comment/1/properties/event").status_code == 404
    listed = jira.get(f"{ISSUE}/comment", expand="properties").json()["comments"]
    assert listed[0]["properties"] == [{"key": "event", "value": {"id": 7}}]
    assert jira.get(f"{ISSUE}/comment/{comment}").json()["body"] == "One"
    assert jira.get(f"/rest/api/2/issue/PI-1/comment/{comment}").status_code == 404


def test_comments_in_pages_and_both_directions(jira: Caller) -> None:
    for number in range(5):
        jira("POST", f"{ISSUE}/comment", {"body": f"Comment {number}"})
    page = jira.get(f"{ISSUE}/comment", startAt=1, maxResults=2).json()
    assert [each["body"] for each in page["comments"]] == ["Comment 1", "Comment 2"]
    assert (page["total"], page["startAt"], page["maxResults"]) == (5, 1, 2)
    newest = jira.get(f"{ISSUE}/comment", orderBy="-created", maxResults=1).json()
    assert newest["comments"][0]["body"] == "Comment 4"
    assert jira.get(f"{ISSUE}/comment", orderBy="author").status_code == 400


def test_what_a_comment_must_not_be(jira: Caller) -> None:
    for body in ("", "   ", None):
        answer = jira("POST", f"{ISSUE}/comment", {"body": body})
        assert answer.json()["errors"] == {"comment": "Comment body can not be empty!"}
    long = jira("POST", f"{ISSUE}/comment", {"body": "x" * 32_768})
    assert long.status_code == 400
    assert "32,767" in long.json()["errors"]["comment"]
    assert jira("POST", "/rest/api/2/issue/PI-999/comment", {"body": "x"}).status_code == 404
    assert jira("POST", "/rest/api/3/issue/PI-42/comment", {"body": "x"}).status_code == 400


def test_issue_properties(jira: Caller) -> None:
    path = f"{ISSUE}/properties/jobticket"
    assert jira("PUT", path, {"job": 1}).status_code == 201
    assert jira("PUT", path, {"job": 2}).status_code == 200
    assert jira.get(path).json() == {"key": "jobticket", "value": {"job": 2}}
    assert [each["key"] for each in jira.get(f"{ISSUE}/properties").json()["keys"]] == ["jobticket"]
    assert jira("DELETE", path).status_code == 204
    assert jira("DELETE", path).status_code == 404
    assert jira("PUT", path, "x" * 32_768).status_code == 400


def test_remote_links_with_a_global_id_are_upserts(jira: Caller) -> None:
    link = {"globalId": "anomaly=1", "object": {"url": "http://x.test/1", "title": "First"}}
    first = jira("POST", f"{ISSUE}/remotelink", link)
    link["object"] = {"url": "http://x.test/1", "title": "Second"}
    second = jira("POST", f"{ISSUE}/remotelink", link)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    (only,) = jira.get(f"{ISSUE}/remotelink").json()
    assert only["object"]["title"] == "Second"
    del link["globalId"]
    jira("POST", f"{ISSUE}/remotelink", link)
    jira("POST", f"{ISSUE}/remotelink", link)
    assert len(jira.get(f"{ISSUE}/remotelink").json()) == 3
    assert jira.get(f"{ISSUE}/remotelink", globalId="anomaly=1").json()["object"]["title"] == "Second"
    assert jira.get(f"{ISSUE}/remotelink", globalId="other").status_code == 404
    assert jira("POST", f"{ISSUE}/remotelink", {"object": {"title": "x"}}).json()["errors"].keys() == {"url"}
