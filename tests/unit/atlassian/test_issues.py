"""Issues: reading, writing, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from local.atlassian.default_data import DANA, KIM
from tests.unit.atlassian.conftest import Caller

ISSUE = "/rest/api/2/issue"
TOO_LONG = "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
NOT_VISIBLE = "Issue does not exist or you do not have permission to see it."


def new(**fields: Any) -> dict[str, Any]:
    return {"fields": {"project": {"key": "PI"}, "summary": "New", "issuetype": {"name": "Task"}, **fields}}


def test_an_issue_has_jiras_shape(jira: Caller) -> None:
    issue = jira.get(f"{ISSUE}/pi-42").json()
    fields = issue["fields"]
    assert (issue["id"], issue["key"]) == ("10042", "PI-42")
    assert fields["status"]["statusCategory"]["key"] == "indeterminate"
    assert fields["priority"]["name"] == "High"
    assert fields["assignee"]["accountId"].startswith("712020:")
    assert fields["customfield_10908"] == "1234567-001"
    assert fields["customfield_10900"] == 50.0
    assert fields["customfield_10014"] == "PI-10"
    assert fields["resolution"] is None
    assert fields["created"].endswith("+0200")
    assert isinstance(fields["description"], str)
    assert "parent" not in fields


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("summary", {"summary"}),
        ("summary,status,nonsense", {"summary", "status"}),
        ("*navigable,-description", None),
    ],
)
def test_only_the_fields_asked_for_come(jira: Caller, wanted: str, shown: set[str] | None) -> None:
    fields = jira.get(f"{ISSUE}/PI-42", fields=wanted).json()["fields"]
    if shown is None:
        assert "description" not in fields
        assert "comment" not in fields
        assert "summary" in fields
    else:
        assert fields.keys() == shown


def test_create_and_read_back(jira: Caller) -> None:
    body = new(
        description="Some *text*",
        labels=["b", "a"],
        priority={"id": "1"},
        assignee={"accountId": KIM.account_id},
        customfield_10908="7654321-002",
        customfield_10900=12,
    )
    body["properties"] = [{"key": "origin", "value": {"job": "job_1"}}]
    created = jira("POST", ISSUE, body)
    assert created.status_code == 201
    assert created.json().keys() == {"id", "key", "self"}
    key = created.json()["key"]
    assert key == "PI-45"
    fields = jira.get(f"{ISSUE}/{key}").json()["fields"]
    assert fields["labels"] == ["a", "b"]
    assert fields["reporter"]["accountId"] == DANA.account_id
    assert fields["assignee"]["displayName"] == "Kim Kessler"
    assert fields["customfield_10900"] == 12.0
    assert jira.get(f"{ISSUE}/{key}/properties/origin").json()["value"] == {"job": "job_1"}


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"summary": None}, {"summary": "You must specify a summary of the issue."}),
        ({"summary": "x" * 256}, {"summary": "Summary can't exceed 255 characters."}),
        ({"summary": "a\nb"}, {"summary": "The summary is invalid because it contains newline characters."}),
        ({"description": "x" * 32_768}, {"description": TOO_LONG}),
        ({"description": {"type": "doc"}}, {"description": "Operation value must be a string"}),
        ({"project": {"key": "NOPE"}}, {"project": "Specify a valid project ID or key"}),
        ({"issuetype": {"id": "99"}}, {"issuetype": "Specify a valid issue type"}),
        ({"priority": {"id": "9"}}, {"priority": "The priority selected is invalid."}),
        ({"labels": ["a b"]}, {"labels": "The label 'a b' contains spaces which is invalid."}),
        ({"assignee": {"accountId": "x"}}, {"assignee": "User 'x' does not exist."}),
        ({"customfield_10900": "many"}, {"customfield_10900": "Specify a number"}),
        (
            {"status": {"id": "3"}},
            {"status": "Field 'status' cannot be set. It is not on the appropriate screen, or unknown."},
        ),
        (
            {"issuetype": {"name": "Sub-task"}},
            {"parent": "Issue type is a sub-task but parent issue key or id not specified."},
        ),
    ],
)
def test_what_a_new_issue_must_not_be(jira: Caller, fields: dict[str, Any], errors: dict[str, str]) -> None:
    answer = jira("POST", ISSUE, new(**fields))
    assert answer.status_code == 400
    assert answer.json() == {"errorMessages": [], "errors": errors}


def test_all_errors_come_at_once(jira: Caller) -> None:
    answer = jira("POST", ISSUE, {"fields": {"labels": ["a b"]}})
    assert answer.json()["errors"].keys() == {"project", "summary", "issuetype", "labels"}


def test_the_longest_text_is_accepted(jira: Caller) -> None:
    assert jira("PUT", f"{ISSUE}/PI-42", {"fields": {"description": "x" * 32_767}}).status_code == 204


def test_edits_answer_204_and_are_remembered(jira: Caller) -> None:
    edit = jira("PUT", f"{ISSUE}/PI-42", {"fields": {"summary": "Other", "assignee": None}})
    assert (edit.status_code, edit.content) == (204, b"")
    issue = jira.get(f"{ISSUE}/PI-42", expand="changelog").json()
    assert issue["fields"]["assignee"] is None
    items = issue["changelog"]["histories"][0]["items"]
    assert {item["field"] for item in items} == {"summary", "assignee"}
    summary = next(item for item in items if item["field"] == "summary")
    assert (summary["fromString"], summary["toString"]) == ("Build 50 aluminum housings 1234567-001", "Other")
    assert issue["fields"]["updated"] > issue["fields"]["created"]


def test_an_edit_that_changes_nothing_leaves_no_trace(jira: Caller) -> None:
    before = jira.field("PI-42", "updated")
    jira("PUT", f"{ISSUE}/PI-42", {"fields": {"labels": ["urgent", "housing"]}})
    assert jira.field("PI-42", "updated") == before
    assert jira.get(f"{ISSUE}/PI-42/changelog").json()["total"] == 0


def test_the_verbs_of_update(jira: Caller) -> None:
    update: dict[str, Any] = {"labels": [{"add": "new"}, {"remove": "urgent"}], "summary": [{"set": "Set"}]}
    update["comment"] = [{"add": {"body": "Said"}}]
    assert jira("PUT", f"{ISSUE}/PI-42", {"update": update}).status_code == 204
    assert jira.field("PI-42", "labels") == ["housing", "new"]
    assert jira.field("PI-42", "comment")["comments"][0]["body"] == "Said"
    both = {"fields": {"labels": []}, "update": {"labels": [{"add": "x"}]}}
    assert jira("PUT", f"{ISSUE}/PI-42", both).status_code == 400
    wrong = {"update": {"summary": [{"add": "x"}]}}
    assert jira("PUT", f"{ISSUE}/PI-42", wrong).json()["errors"].keys() == {"summary"}


@pytest.mark.parametrize("body", [{}, {"fields": {}}, {"fields": []}, []])
def test_an_empty_edit_is_refused(jira: Caller, body: Any) -> None:
    assert jira("PUT", f"{ISSUE}/PI-42", body).status_code == 400


def test_a_wrong_edit_changes_nothing(jira: Caller) -> None:
    answer = jira("PUT", f"{ISSUE}/PI-42", {"fields": {"summary": "Other", "priority": {"id": "9"}}})
    assert answer.json()["errors"] == {"priority": "The priority selected is invalid."}
    assert jira.field("PI-42", "summary") != "Other"


def test_bodies_must_be_json(jira: Caller) -> None:
    url = jira.base_url + ISSUE
    headers = {"Content-Type": "application/json"}
    broken = jira.session.post(url, data="{", headers=headers, timeout=60)
    assert (broken.status_code, "parsing JSON" in broken.text) == (400, True)
    assert jira.session.post(url, data={"a": "b"}, timeout=60).status_code == 415


def test_deleting_is_for_good(jira: Caller) -> None:
    assert jira("DELETE", f"{ISSUE}/PI-42").status_code == 204
    gone = jira.get(f"{ISSUE}/PI-42")
    assert (gone.status_code, gone.json()["errorMessages"]) == (404, [NOT_VISIBLE])
    assert jira("DELETE", f"{ISSUE}/PI-42").status_code == 404
    # Numbers are never given out twice.
    assert jira("POST", ISSUE, new()).json()["key"] == "PI-45"


def test_subtasks_protect_their_parent(jira: Caller) -> None:
    subtask = jira("POST", ISSUE, new(issuetype={"name": "Sub-task"}, parent={"key": "PI-42"})).json()["key"]
    assert jira.field("PI-42", "subtasks")[0]["key"] == subtask
    refused = jira("DELETE", f"{ISSUE}/PI-42")
    assert refused.status_code == 400
    assert "has subtasks" in refused.json()["errorMessages"][0]
    assert jira("DELETE", f"{ISSUE}/PI-42", deleteSubtasks="true").status_code == 204
    assert jira.get(f"{ISSUE}/{subtask}").status_code == 404


def test_a_moved_issue_answers_to_its_old_key(jira: Caller) -> None:
    moved = jira("POST", "/_control/move", {"issue": "PI-42", "project": "SCRUM"}).json()
    assert moved["key"] == "SCRUM-13"
    for key in ("PI-42", "SCRUM-13", "10042"):
        assert jira.get(f"{ISSUE}/{key}").json()["key"] == "SCRUM-13"
    assert jira("PUT", f"{ISSUE}/PI-42", {"fields": {"summary": "Moved"}}).status_code == 204


def test_transitions_set_status_and_resolution(jira: Caller) -> None:
    ids = {each["name"]: each["id"] for each in jira.get(f"{ISSUE}/PI-42/transitions").json()["transitions"]}
    assert jira("POST", f"{ISSUE}/PI-42/transitions", {"transition": {"id": ids["Done"]}}).status_code == 204
    assert jira.field("PI-42", "resolution")["name"] == "Done"
    jira("POST", f"{ISSUE}/PI-42/transitions", {"transition": {"id": ids["To Do"]}})
    assert jira.field("PI-42", "resolution") is None
    assert jira("POST", f"{ISSUE}/PI-42/transitions", {"transition": {"id": "99"}}).status_code == 400


def test_a_workflow_of_steps_allows_one_at_a_time(jira: Caller) -> None:
    jira.control(workflow="steps")
    path = f"{ISSUE}/PI-3/transitions"
    for allowed, step in ((["In Progress"], 0), (["To Do", "Done"], 1), (["In Progress"], 0)):
        found = jira.get(path).json()["transitions"]
        assert [each["to"]["name"] for each in found] == allowed
        status = {"id": found[step]["id"]}
        assert jira("POST", path, {"transition": status}).status_code == 204
    assert jira("POST", path, {"transition": {"id": "21"}}).status_code == 400
    assert jira.field("PI-3", "status")["name"] == "In Progress"


def test_the_history_comes_newest_first_or_in_pages(jira: Caller) -> None:
    jira.control(rate_limits={"issue_writes_per_2s": None})
    for number in range(105):
        jira("PUT", f"{ISSUE}/PI-42", {"fields": {"summary": f"Title {number}"}})
    log = jira.get(f"{ISSUE}/PI-42", fields="summary", expand="changelog").json()["changelog"]
    assert (log["total"], len(log["histories"])) == (105, 100)
    assert log["histories"][0]["items"][0]["toString"] == "Title 104"
    page = jira.get(f"{ISSUE}/PI-42/changelog", startAt=100).json()
    assert (page["isLast"], len(page["values"])) == (True, 5)
    assert page["values"][-1]["items"][0]["toString"] == "Title 104"


def test_bulk_fetch(jira: Caller) -> None:
    body: dict[str, Any] = {"issueIdsOrKeys": ["PI-3", "PI-1", "10001", "PI-999"], "fields": ["summary"]}
    answer = jira("POST", f"{ISSUE}/bulkfetch", body).json()
    assert [issue["key"] for issue in answer["issues"]] == ["PI-1", "PI-3"]
    assert [error["id"] for error in answer["issueErrors"]] == ["PI-999"]
    for wrong in ([], [str(each) for each in range(101)]):
        assert jira("POST", f"{ISSUE}/bulkfetch", {"issueIdsOrKeys": wrong}).status_code == 400


def test_the_picker_finds_by_key_and_words(jira: Caller) -> None:
    for query in ("PI-42", "housings alum"):
        sections = jira.get(f"{ISSUE}/picker", query=query).json()["sections"]
        assert sections[1]["issues"][0]["key"] == "PI-42"


def test_permissions_by_project(jira: Caller) -> None:
    jira.control(read_only_projects=["PI"], hidden_projects=["SCRUM"])
    assert jira.get(f"{ISSUE}/PI-42").status_code == 200
    for method, path, body in (
        ("PUT", f"{ISSUE}/PI-42", {"fields": {"summary": "x"}}),
        ("DELETE", f"{ISSUE}/PI-42", None),
        ("POST", f"{ISSUE}/PI-42/comment", {"body": "x"}),
        ("POST", ISSUE, new()),
    ):
        assert jira(method, path, body).status_code == 403
    assert jira.get(f"{ISSUE}/SCRUM-1").json()["errorMessages"] == [NOT_VISIBLE]
    keys = [each["key"] for each in jira.get("/rest/api/2/project/search").json()["values"]]
    assert keys == ["MISC", "PI"]


def test_fields_can_be_off_the_screen(jira: Caller) -> None:
    jira.control(off_screen_fields=["labels"])
    refused = jira("POST", ISSUE, new(labels=["x"]))
    assert refused.json()["errors"]["labels"].startswith("Field 'labels' cannot be set.")
    meta = jira.get(f"{ISSUE}/createmeta/PI/issuetypes/10001").json()
    assert "labels" not in {field["fieldId"] for field in meta["fields"]}


def test_credentials_that_do_not_fit_make_nobody(base_url: str, nobody: Caller) -> None:
    for caller in (nobody, Caller(base_url, ("demo@example.com", "wrong"))):
        assert caller.get("/rest/api/2/myself").status_code == 401
        assert caller.get(f"{ISSUE}/PI-42").status_code == 404
        assert caller.get("/rest/api/2/project/search").json()["values"] == []
        assert caller.get("/rest/agile/1.0/board").json()["values"] == []
        assert caller("PUT", f"{ISSUE}/PI-42", {"fields": {"summary": "x"}}).status_code == 404
        assert caller("POST", ISSUE, new()).status_code == 401


def test_every_answer_to_credentials_that_do_not_fit_says_so(base_url: str, nobody: Caller) -> None:
    for path in (f"{ISSUE}/PI-42", "/rest/api/2/project/search", "/rest/api/2/myself"):
        told = Caller(base_url, ("demo@example.com", "wrong")).get(path).headers
        assert told["X-Seraph-LoginReason"] == "AUTHENTICATED_FAILED"
        assert "X-Seraph-LoginReason" not in nobody.get(path).headers


def test_basic_credentials_can_be_switched_off(jira: Caller) -> None:
    jira.control(basic_disabled=True)
    answer = jira.get("/rest/api/2/myself")
    assert answer.status_code == 403
    assert "Basic Authentication has been disabled" in answer.text


def test_the_other_sites_are_apart(base_url: str) -> None:
    south = Caller(f"{base_url}/sites/plant-south", ("demo@example.com", "local-api-token"))
    assert south.get(f"{ISSUE}/PS-1").status_code == 200
    assert south.get(f"{ISSUE}/PI-42").status_code == 404
    assert south.get("/rest/api/2/serverInfo").json()["baseUrl"] == f"{base_url}/sites/plant-south"


def test_unknown_paths_and_methods(jira: Caller) -> None:
    assert jira.get("/rest/api/2/nothing").status_code == 404
    assert jira.get("/rest/api/4/myself").status_code == 404
    assert jira("PATCH", f"{ISSUE}/PI-42").status_code == 405


def test_metadata(jira: Caller) -> None:
    projects = jira.get("/rest/api/2/project/search").json()
    assert [each["key"] for each in projects["values"]] == ["MISC", "PI", "SCRUM"]
    assert "lead" not in projects["values"][1]
    with_lead = jira.get("/rest/api/2/project/search", expand="lead").json()["values"]
    assert with_lead[1]["lead"]["displayName"] == "Dana Demo"
    assert "lead" not in with_lead[0]
    assert [each["id"] for each in jira.get("/rest/api/2/priority").json()] == ["1", "2", "3", "4", "5"]
    names = [each["name"] for each in jira.get("/rest/api/2/issuetype").json()]
    assert names == ["Epic", "Task", "Bug", "Story", "Sub-task"]
    missing = jira.get("/rest/api/2/project/NOPE")
    assert missing.json()["errorMessages"] == ["No project could be found with key 'NOPE'."]


def test_projects_come_in_pages_of_at_most_50(jira: Caller) -> None:
    for number in range(60):
        jira("POST", "/_control/issues", {"project": f"P{number:02}"})
    page = jira.get("/rest/api/2/project/search", maxResults=1000).json()
    assert (page["maxResults"], len(page["values"]), page["total"], page["isLast"]) == (50, 50, 63, False)
    last = jira.get("/rest/api/2/project/search", startAt=50).json()
    assert (len(last["values"]), last["isLast"]) == (13, True)
    for wrong in ({"startAt": -1}, {"maxResults": "x"}):
        assert jira.get("/rest/api/2/project/search", **wrong).status_code == 400
