"""The pages that people look at."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.atlassian.default_data import ROBIN
from tests.unit.atlassian.conftest import SCOPES, Auth, Caller

TABLE = "*Main Route*\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |"


def test_a_ticket_shows_its_text_rendered(jira: Caller, nobody: Caller) -> None:
    jira("PUT", "/rest/api/2/issue/PI-42", {"fields": {"description": TABLE, "summary": "A <b> & c"}})
    jira("POST", "/rest/api/2/issue/PI-42/comment", {"body": "Comment with *weight*"})
    link = {"object": {"url": "javascript:alert(1)", "title": "Bad"}}
    jira("POST", "/rest/api/2/issue/PI-42/remotelink", link)
    page = nobody.get("/browse/PI-42")
    assert page.status_code == 200
    for text in (
        "<b>Main Route</b>",
        "<th><b>CNC </b></th>",
        "<td>5 </td>",
        "A &lt;b&gt; &amp; c",
        "<b>weight</b>",
    ):
        assert text in page.text
    assert "1234567-001" in page.text
    assert 'href="javascript' not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.search(r'(src|href)="https?://(?!127\.0\.0\.1)', page.text)


def test_a_data_center_shows_its_markup_rendered(jira: Caller, nobody: Caller) -> None:
    jira.control(data_center=True)
    basic = Caller(jira.base_url, ("demo", "local-password"))
    basic("PUT", "/rest/api/2/issue/PI-42", {"fields": {"description": TABLE}})
    page = nobody.get("/browse/PI-42").text
    for text in ("<b>Main Route</b>", "<th>CNC</th>", "<td>5</td>", "*Main Route*"):
        assert text in page


def node(kind: str, *content: Any, **attrs: Any) -> dict[str, Any]:
    return {"type": kind, "attrs": attrs, "content": list(content)}


def text(value: str, *marks: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, "marks": list(marks)}


P = {"type": "paragraph", "content": [text("<in>")]}
LINK = {"type": "link", "attrs": {"href": "javascript:alert(1)"}}
FILE = {"type": "media", "attrs": {"type": "file", "id": "<id>", "collection": ""}}
TINT = "background:#deebff"


@pytest.mark.parametrize(
    ("shown", "html"),
    [
        (node("paragraph", text("<b>", {"type": "strong"}, LINK)), "<p><b>&lt;b&gt;</b></p>"),
        (node("heading", text("H"), level=1), '<h3 class="level-1">H</h3>'),
        (
            node("paragraph", text("c", {"type": "textColor", "attrs": {"color": "#ff0000"}})),
            '<span style="color:#ff0000">c</span>',
        ),
        (
            node(
                "taskList",
                node("taskItem", text("a"), localId="1", state="TODO"),
                node("taskItem", text("b"), localId="2", state="DONE"),
                localId="l",
            ),
            '<li><label><input type="checkbox" disabled><span>a</span></label></li>'
            '<li><label><input type="checkbox" disabled checked><span>b</span></label></li>',
        ),
        (
            node("paragraph", {"type": "status", "attrs": {"text": "<go>", "color": "blue"}}),
            '<span class="lozenge blue">&lt;go&gt;</span>',
        ),
        (
            node("paragraph", {"type": "date", "attrs": {"timestamp": "1764201600000"}}),
            '<time class="date" datetime="2025-11-27">27 Nov 2025</time>',
        ),
        (
            node("panel", P, panelType="custom", panelColor="#E6FCFF", panelIconText="<"),
            '<div class="panel custom tinted" style="background:#E6FCFF"><span aria-hidden="true">&lt;</span>',
        ),
        (node("panel", P, panelType="custom", panelColor="red;x:url(y)"), '<div class="panel custom"><div>'),
        (node("panel", P, panelType="warning"), '<div class="panel warning">'),
        (node("expand", P, title="<More>"), '<details class="expand"><summary>&lt;More&gt;</summary>'),
        (
            node(
                "table",
                node("tableRow", node("tableCell", P, background="#deebff", colwidth=[120], colspan=2)),
            ),
            f'<td colspan="2" class="tinted" style="min-width:120px;{TINT}">&lt;in&gt;</td>',
        ),
        (
            node("table", node("tableRow", node("tableCell", P)), isNumberColumnEnabled=True, width=900),
            '<table style="width:900px"><tr><td class="number">1</td>',
        ),
        (
            node("codeBlock", text("<x>"), language="c"),
            '<pre tabindex="0" title="c"><code>&lt;x&gt;</code></pre>',
        ),
        (node("blockquote", P), "<blockquote><p>&lt;in&gt;</p></blockquote>"),
        ({"type": "rule"}, "<hr>"),
        (node("mediaSingle", FILE, layout="center"), '<figure class="media"><div class="picture">'),
        (node("mediaGroup", FILE), '<p class="files"><span class="file">&lt;id&gt;</span></p>'),
        (
            node("paragraph", {"type": "mention", "attrs": {"id": "1", "text": "@<Sam>"}}),
            '<span class="mention">@&lt;Sam&gt;</span>',
        ),
        (
            node("paragraph", {"type": "emoji", "attrs": {"shortName": ":x:", "id": "atlassian-cross_mark"}}),
            '<span role="img" title=":x:">✖</span>',
        ),
        (
            node("layoutSection", node("layoutColumn", P, width=60), node("layoutColumn", P, width=40)),
            '<div class="columns"><div style="flex-grow:60">',
        ),
        (
            node("paragraph", {"type": "inlineCard", "attrs": {"url": "https://x.test/?a&b"}}),
            '<a class="smart" href="https://x.test/?a&amp;b"',
        ),
        ({"type": "blockCard", "attrs": {"url": "javascript:x"}}, '<p class="link-card">javascript:x</p>'),
        (
            {"type": "extension", "attrs": {"extensionKey": "<key>", "extensionType": "t"}},
            '<div class="unknown"><small>&lt;key&gt;</small></div>',
        ),
    ],
)
def test_every_node_is_shown_and_nothing_in_it_is_markup(
    jira: Caller, nobody: Caller, shown: dict[str, Any], html: str
) -> None:
    document = {"type": "doc", "version": 1, "content": [shown]}
    put = jira("PUT", "/rest/api/3/issue/PI-42", {"fields": {"description": document}})
    assert put.status_code == 204, put.text
    page = nobody.get("/browse/PI-42").text
    assert html in page
    rendered = jira.get("/rest/api/3/issue/PI-42", expand="renderedFields").json()["renderedFields"]
    assert html in rendered["description"]


def test_the_demonstration_ticket_shows_tasks_a_status_and_a_panel(nobody: Caller) -> None:
    page = nobody.get("/browse/PI-42").text
    for html in (
        '<ul class="tasks">',
        'class="lozenge green"',
        '<div class="panel warning">',
        "mailto:robin@",
    ):
        assert html in page


def test_saving_a_form_that_nobody_touched_keeps_the_document(jira: Caller, nobody: Caller) -> None:
    jira.control(rate_limits={"issue_writes_per_2s": None})
    document = {"type": "doc", "version": 1, "content": [node("expand", P, title="T")]}
    jira("PUT", "/rest/api/3/issue/PI-42", {"fields": {"description": document}})
    shown = jira.field("PI-42", "description")
    for written, kinds in ((shown, ["expand"]), (shown + "\n\nmore", ["paragraph"] * 3)):
        nobody.session.post(nobody.base_url + "/browse/PI-42", data={"description": written}, timeout=10)
        content = jira.get("/rest/api/3/issue/PI-42").json()["fields"]["description"]["content"]
        assert [each["type"] for each in content] == kinds


def test_the_description_can_be_edited_by_hand(jira: Caller, nobody: Caller) -> None:
    saved = nobody.session.post(
        nobody.base_url + "/browse/PI-42",
        data={"description": "By\r\nhand"},
        timeout=60,
        allow_redirects=False,
    )
    assert saved.status_code == 303
    assert saved.headers["Location"] == nobody.base_url + "/browse/PI-42"
    assert jira.field("PI-42", "description") == "By\nhand"
    assert jira.get("/rest/api/2/issue/PI-42/changelog").json()["total"] == 1
    long = nobody.session.post(
        nobody.base_url + "/browse/PI-42", data={"description": "x" * 32_768}, timeout=60
    )
    assert long.status_code == 400


def test_the_list_of_everything(jira: Caller, nobody: Caller) -> None:
    jira("POST", "/_control/issues", {"project": "BIG", "count": 500})
    page = nobody.get("/")
    for text in ("Plant North", "Plant South", "Data Team", "PI-42", "500 tickets"):
        assert text in page.text
    assert f'href="{nobody.base_url}/sites/plant-south/browse/PS-1"' in page.text
    assert "BIG-1<" not in page.text


def test_tickets_of_other_sites_and_missing_ones(nobody: Caller) -> None:
    assert "item 1" in nobody.get("/sites/plant-south/browse/PS-1").text
    for path in (
        "/browse/PS-1",
        "/browse/NOPE-1",
        "/sites/plant-south/browse/PI-42",
        "/sites/none/browse/PI-1",
    ):
        assert nobody.get(path).status_code == 404


def test_every_picture_exists(jira: Caller) -> None:
    issue = jira.get("/rest/api/2/issue/PI-42").json()["fields"]
    for url in (issue["priority"]["iconUrl"], issue["assignee"]["avatarUrls"]["48x48"]):
        assert jira.get(url.removeprefix(jira.base_url)).headers["Content-Type"] == "image/svg+xml"


def test_the_history_shows_what_an_edit_has_changed(jira: Caller, nobody: Caller) -> None:
    lines = ["First", "*Main*", "| 1 | 2 |", "Middle", "More", "Even more", "<Last>"]
    for last in ("<Last>", "<New>"):
        text = "\n\n".join([*lines[:-1], last])
        jira("PUT", "/rest/api/2/issue/PI-1", {"fields": {"description": text}})
    jira("PUT", "/rest/api/2/issue/PI-1", {"fields": {"summary": "A <new> title", "priority": {"id": "1"}}})
    page = nobody.get("/browse/PI-1").text
    history = page[page.index("<h2>History</h2>") :]
    newest = history[: history.index("<del>&lt;Last&gt;</del>")]
    assert "<td>Priority</td><td><del>Medium</del> → <ins>Highest</ins></td>" in newest
    assert "<ins>A &lt;new&gt; title</ins>" in newest
    assert "<del>&lt;Last&gt;</del></div><div><ins>&lt;New&gt;</ins></div>" in history
    # What stayed is left out, but for a line or so around.
    assert "Middle" not in newest
    assert "<ins>First</ins>" in history


def test_a_colleague_changes_the_status_by_hand(jira: Caller, nobody: Caller) -> None:
    page = nobody.get("/browse/PI-2").text
    assert '<option value="10000" selected>To Do</option>' in page
    assert "selected>Robin Reed</option>" in page
    assert "Jobticket service" not in page
    for form in ({"status": "10001", "account": "nobody"}, {"status": "3", "account": ROBIN.account_id}):
        nobody.session.post(nobody.base_url + "/browse/PI-2", data=form, timeout=60)
    histories = jira.get("/rest/api/2/issue/PI-2", expand="changelog").json()["changelog"]["histories"]
    assert [each["author"]["displayName"] for each in histories] == ["Robin Reed", "Dana Demo"]
    assert jira.field("PI-2", "status")["name"] == "In Progress"
    assert jira.field("PI-2", "resolution") is None


def test_the_consent_page_names_permissions_in_words(nobody: Caller) -> None:
    asked = Auth(nobody.base_url).parameters(scope=f"{SCOPES} manage:jira-webhook delete:some-thing:jira")
    page = nobody.get("/authorize", **asked).text
    listed = page[page.index("It may then") : page.index("Afterwards")]
    assert not re.search(r":jira|read:|jira-", listed)
    for words in ("View boards", "Be told of changes as soon as they are made", "Delete some thing"):
        assert f"<li>{words}</li>" in listed
