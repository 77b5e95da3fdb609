"""The pages that people look at."""

from __future__ import annotations

import re

from tests.unit.atlassian.conftest import Caller

TABLE = "*Main Route*\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |"


def test_a_ticket_shows_its_text_rendered(jira: Caller, nobody: Caller) -> None:
    jira("PUT", "/rest/api/2/issue/PI-42", {"fields": {"description": TABLE, "summary": "A <b> & c"}})
    jira("POST", "/rest/api/2/issue/PI-42/comment", {"body": "Comment with *weight*"})
    link = {"object": {"url": "javascript:alert(1)", "title": "Bad"}}
    jira("POST", "/rest/api/2/issue/PI-42/remotelink", link)
    page = nobody.get("/browse/PI-42")
    assert page.status_code == 200
    for text in ("<b>Main Route</b>", "<th>CNC</th>", "<td>5</td>", "A &lt;b&gt; &amp; c", "<b>weight</b>"):
        assert text in page.text
    assert "1234567-001" in page.text
    assert 'href="javascript' not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.search(r'(src|href)="https?://(?!127\.0\.0\.1)', page.text)


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
