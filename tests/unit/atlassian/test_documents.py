"""Documents over REST: version 3 keeps them, version 2 converts, a Data Center has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.atlassian.default_data import PLANT_NORTH
from local.atlassian.testing import running
from tests.unit.atlassian.conftest import Auth, Caller

V2, V3 = "/rest/api/2/issue", "/rest/api/3/issue"


def doc(*content: Any) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(content)}


def text(value: str, *marks: Any) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "text", "text": value}
    return {**node, "marks": list(marks)} if marks else node


def paragraph(*content: Any) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(content)}


def task(value: str, state: str) -> dict[str, Any]:
    return {"type": "taskItem", "attrs": {"localId": value, "state": state}, "content": [text(value)]}


TASKS = {
    "type": "taskList",
    "attrs": {"localId": "tasks"},
    "content": [task("check bore", "TODO"), task("check thread", "DONE")],
}
PANEL = {
    "type": "panel",
    "attrs": {"panelType": "custom", "panelColor": "#E6FCFF", "panelIcon": ":gear:"},
    "content": [paragraph(text("custom"))],
}
RICH = doc(paragraph({"type": "status", "attrs": {"text": "Go", "color": "green"}}), TASKS, PANEL)


def put(jira: Caller, description: Any, path: str = V3, **query: Any) -> Any:
    return jira("PUT", f"{path}/PI-42", {"fields": {"description": description}}, **query)


def described(jira: Caller, path: str = V3) -> Any:
    return jira.get(f"{path}/PI-42", fields="description").json()["fields"]["description"]


def test_version_3_keeps_a_document_as_it_came(jira: Caller) -> None:
    assert put(jira, RICH).status_code == 204
    assert described(jira) == RICH
    body = {"jql": "key = PI-42", "fields": ["description"]}
    found = jira("POST", "/rest/api/3/search/jql", body).json()["issues"]
    body = {"issueIdsOrKeys": ["PI-42"], "fields": ["description"]}
    found += jira("POST", f"{V3}/bulkfetch", body).json()["issues"]
    assert [each["fields"]["description"] for each in found] == [RICH, RICH]


def test_version_2_of_a_cloud_site_converts_and_loses(jira: Caller) -> None:
    put(jira, RICH)
    markup = described(jira, V2)
    assert markup == (
        "{color:#36B37E}*[ GO ]*{color}\n\n* check bore\n* -check thread-\n\n{panel:bgColor=}\ncustom\n{panel}"
    )
    put(jira, markup, V2)
    assert [node["type"] for node in described(jira)["content"]] == ["paragraph", "bulletList", "panel"]
    assert described(jira)["content"][2]["attrs"] == {"panelType": "info"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("run -- now", "run – now"),
        ("*Main*\n|| A ||\n| 1 |", "*Main*\n\n||*A*||\n|1|"),
        (r"\*kept\*", "*kept*"),
        (":)", "🙂"),
        ("by\r\nhand", "by\nhand"),
    ],
)
def test_markup_does_not_come_back_as_it_was_sent(jira: Caller, written: str, read: str) -> None:
    put(jira, written, V2)
    assert described(jira, V2) == read


def test_a_new_issue_and_its_comments_take_documents(jira: Caller) -> None:
    fields = {"project": {"key": "PI"}, "summary": "New", "issuetype": {"name": "Task"}, "description": RICH}
    key = jira("POST", V3, {"fields": fields}).json()["key"]
    assert jira.get(f"{V3}/{key}").json()["fields"]["description"] == RICH
    body = {"body": RICH, "properties": [{"key": "origin", "value": 7}]}
    made = jira("POST", f"{V3}/{key}/comment", body)
    assert (made.status_code, made.json()["body"]) == (201, RICH)
    comment = made.json()["id"]
    assert jira.get(f"/rest/api/3/comment/{comment}/properties/origin").json()["value"] == 7
    assert jira.get(f"{V2}/{key}/comment/{comment}").json()["body"].startswith("{color:#36B37E}")
    update = {"update": {"comment": [{"add": {"body": RICH}}]}}
    assert jira("PUT", f"{V3}/{key}", update).status_code == 204
    assert [each["body"] for each in jira.get(f"{V3}/{key}/comment").json()["comments"]] == [RICH, RICH]


def test_an_edit_shows_the_issue_and_its_history_on_request(jira: Caller) -> None:
    put(jira, doc(paragraph(text("before"))))
    answer = put(jira, RICH, returnIssue="true", expand="changelog")
    assert (answer.status_code, answer.json()["fields"]["description"]) == (200, RICH)
    newest = answer.json()["changelog"]["histories"][0]["items"][0]
    assert (newest["field"], newest["fromString"]) == ("description", "before")
    # The history knows documents as markup only.
    assert newest["toString"] == described(jira, V2)
    emptied = put(jira, None, returnIssue="true", expand="changelog").json()
    item = emptied["changelog"]["histories"][0]["items"][0]
    assert (emptied["fields"]["description"], item["toString"]) == (None, None)


def test_the_history_tells_of_default_text_as_version_2_shows_it(jira: Caller) -> None:
    shown = described(jira, V2)
    answer = put(jira, "other", V2, returnIssue="true", expand="changelog").json()
    assert answer["changelog"]["histories"][0]["items"][0]["fromString"] == shown


def test_a_document_without_content_is_no_description(jira: Caller) -> None:
    for path, empty in ((V3, doc()), (V2, ""), (V2, " \n ")):
        put(jira, RICH)
        put(jira, empty, path)
        assert described(jira) is None


@pytest.mark.parametrize("wrong", ["text", 5, [], {}, {"type": "doc"}, {"type": "paragraph", "version": 1}])
def test_version_3_takes_nothing_but_documents(jira: Caller, wrong: Any) -> None:
    answer = put(jira, wrong)
    message = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    assert (answer.status_code, answer.json()) == (
        400,
        {"errorMessages": [], "errors": {"description": message}},
    )
    comment = jira("POST", f"{V3}/PI-42/comment", {"body": wrong})
    assert (comment.status_code, comment.json()["errors"]) == (400, {"comment": "Comment body is not valid!"})


@pytest.mark.parametrize(
    "node",
    [
        text("at the top"),
        {"type": "mystery"},
        "no node",
        paragraph(text("")),
        paragraph(text("x", {"type": "glow"})),
        paragraph(text("x", {"type": "link"})),
        paragraph(text("x", {"type": "code"}, {"type": "strong"})),
        paragraph(text("x", {"type": "textColor", "attrs": {"color": "red"}})),
        paragraph(paragraph(text("x"))),
        {"type": "heading", "content": [text("x")]},
        {"type": "heading", "attrs": {"level": 7}, "content": [text("x")]},
        {"type": "panel", "attrs": {"panelType": "info"}, "content": []},
        {"type": "panel", "attrs": {"panelType": "blue"}, "content": [paragraph()]},
        {"type": "table", "content": [{"type": "tableRow", "content": [paragraph()]}]},
        {
            "type": "taskList",
            "attrs": {"localId": "x"},
            "content": [{"type": "taskItem", "attrs": {"localId": "y"}}],
        },
        {"type": "paragraph", "content": [], "colour": "red"},
        {"type": "paragraph", "attrs": {"shape": "round"}},
        {"type": "codeBlock", "content": [text("x", {"type": "strong"})]},
        {
            "type": "mediaSingle",
            "attrs": {"layout": "center"},
            "content": [{"type": "media", "attrs": {"type": "file"}}],
        },
        {"type": "paragraph", "marks": [{"type": "alignment", "attrs": {"align": "left"}}]},
        {"type": "rule", "content": [paragraph()]},
    ],
)
def test_documents_must_be_well_built(jira: Caller, node: Any) -> None:
    answer = put(jira, doc(node))
    assert (answer.status_code, answer.json()) == (400, {"errorMessages": ["INVALID_INPUT"], "errors": {}})
    comment = jira("POST", f"{V3}/PI-42/comment", {"body": doc(node)})
    assert comment.status_code == 400
    assert comment.json() == {"errorMessages": ["INVALID_INPUT"], "errors": {"comment": "INVALID_INPUT"}}
    assert jira.get(f"{V3}/PI-42/comment").json()["total"] == 0


def test_a_document_can_be_too_long(jira: Caller) -> None:
    long = doc(paragraph(text("x" * 32_767)))
    answer = put(jira, long)
    assert (answer.status_code, answer.json()["errorMessages"]) == (400, ["CONTENT_LIMIT_EXCEEDED"])
    assert put(jira, doc(paragraph(text("x" * 32_000)))).status_code == 204
    jira.control(text_limit=100_000)
    assert put(jira, long).status_code == 204


def test_a_data_center_keeps_bytes_and_names_its_limit(base_url: str) -> None:
    jira = Caller(base_url, ("demo", "local-password"))
    jira.control(data_center=True, text_limit=40_000)
    written = "*Main*\r\n|| A ||  \n\n\n:) \\* " + "x" * 39_000
    assert put(jira, written, V2).status_code == 204
    assert described(jira, V2) == written
    assert put(jira, RICH, V2).status_code == 400
    assert put(jira, RICH).status_code == 404
    refused = put(jira, "x" * 40_001, V2).json()["errors"]["description"]
    assert refused == "The entered text is too long. It exceeds the allowed limit of 40,000 characters."


def test_one_site_can_be_read_in_both_ways(jira: Caller, auth: Auth) -> None:
    """What a Data Center has stored, a Cloud site shows as the document that it would make of it."""
    jira.control(data_center=True)
    written = "*bold* \r\n text"
    assert put(Caller(jira.base_url, ("demo", "local-password")), written, V2).status_code == 204
    cloud = auth.gateway(auth.tokens(PLANT_NORTH)["access_token"])
    strong = text("bold", {"type": "strong"})
    expected = paragraph(strong, text(" "), {"type": "hardBreak"}, text("text"))
    assert described(cloud) == {"version": 1, "type": "doc", "content": [expected]}
    assert described(Caller(jira.base_url, ("demo", "local-password")), V2) == written


def test_attachments_of_one_name_become_one_in_version_2(jira: Caller) -> None:
    names = {"id-1": "photo.png", "id-2": "photo.png"}
    issues = [{"summary": "Pictures", "attachments": names, "description": "see below"}]
    key = jira("POST", "/_control/issues", {"project": "PIX", "issues": issues}).json()["issues"][0]

    def picture(media_id: str) -> dict[str, Any]:
        media = {"type": "media", "attrs": {"type": "file", "id": media_id, "collection": ""}}
        return {"type": "mediaSingle", "attrs": {"layout": "center"}, "content": [media]}

    both = doc(picture("id-1"), picture("id-2"))
    assert jira("PUT", f"{V3}/{key}", {"fields": {"description": both}}).status_code == 204
    assert jira.get(f"{V3}/{key}").json()["fields"]["description"] == both
    markup = jira.get(f"{V2}/{key}").json()["fields"]["description"]
    jira("PUT", f"{V2}/{key}", {"fields": {"description": markup}})
    found = jira.get(f"{V3}/{key}").json()["fields"]["description"]["content"]
    assert [each["content"][0]["attrs"]["id"] for each in found] == ["id-2", "id-2"]


def test_documents_are_there_after_a_restart_and_old_strings_are_documents(tmp_path: Path) -> None:
    account = ("demo@example.com", "local-api-token")
    with running(data_dir=tmp_path) as base_url:
        put(Caller(base_url, account), RICH)
    saved = tmp_path / "atlassian.json"
    state = json.loads(saved.read_text(encoding="utf-8"))
    for issue in state["sites"][0]["issues"]:
        # As a state from before documents: texts are strings, attachments are not there.
        del issue["attachments"]
        if issue["key"] == "PI-41":
            issue["description"] = "* old"
    saved.write_text(json.dumps(state), encoding="utf-8")
    with running(data_dir=tmp_path) as base_url:
        jira = Caller(base_url, account)
        assert described(jira) == RICH
        old = jira.get(f"{V3}/PI-41").json()["fields"]["description"]
        assert old["content"][0]["type"] == "bulletList"
        assert jira.field("PI-41", "description") == "* old"


def test_searching_finds_words_in_documents(jira: Caller) -> None:
    put(jira, doc(paragraph(text("xylo"), text("phone", {"type": "strong"}))))
    for field in ("description", "text"):
        body = {"jql": f"project = PI AND {field} ~ xylophone", "fields": ["summary"]}
        found = jira("POST", "/rest/api/3/search/jql", body).json()["issues"]
        assert [each["key"] for each in found] == ["PI-42"]
