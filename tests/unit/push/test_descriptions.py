"""What a push does to a description, and leaves."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest

from jobticket.jira.errors import JiraMalformedAnswerError
from jobticket.push.descriptions import Markup, Nodes
from jobticket.push.tables import section
from tests.unit.push.conftest import TICKET, Jira, Shop

FIRST, SECOND = (section("Main", ["CNC"], date(2026, 11, day), [5], 1) for day in (1, 2))
FIRST_MARKUP = "*Main*\n|| Date || CNC || Completed ||\n| 2026-11-01 | 5 | 1 |"
SECOND_MARKUP = FIRST_MARKUP.replace("11-01", "11-02")


@pytest.mark.parametrize("old", ["Build 50 housings.", "ends with a break\n", "h1. Title\r\n* item", " "])
def test_a_push_follows_after_a_blank_line(old: str) -> None:
    pushed = Markup(old).with_sections([FIRST, SECOND])
    assert pushed.text == f"{old}\n\n{FIRST_MARKUP}\n\n{SECOND_MARKUP}"
    assert pushed.without(pushed.tables()).text == old
    assert Markup.read(None).with_sections([FIRST]).text == FIRST_MARKUP


@pytest.mark.parametrize(
    ("description", "left"),
    [
        (FIRST_MARKUP, ""),
        (f"Text\n\n\n{FIRST_MARKUP}", "Text\n"),
        (f"{FIRST_MARKUP}\n\n\n Text", "\n Text"),
        (f"{FIRST_MARKUP}\nText", "Text"),
        (f"Above\n\n{FIRST_MARKUP}\n\nBelow", "Above\n\nBelow"),
        (f"Above\n\n{FIRST_MARKUP}\nBelow", "Above\n\nBelow"),
        (f"Above\n\n{FIRST_MARKUP}\n\n{SECOND_MARKUP}\nBelow\n", "Above\n\nBelow\n"),
        (f"Above\r\n\r\n{FIRST_MARKUP}\r\n\r\nBelow", "Above\r\n\r\nBelow"),
        (f"Above\n\n{FIRST_MARKUP}\n", "Above\n"),
    ],
)
def test_removing_tables_leaves_what_people_wrote(description: str, left: str) -> None:
    markup = Markup(description)
    assert markup.without(markup.tables()).text == left


@pytest.mark.parametrize("value", ["text", 7, [], {"type": "paragraph"}, {"type": "doc", "content": {}}])
def test_what_is_no_document_is_refused(value: Any) -> None:
    with pytest.raises(JiraMalformedAnswerError):
        Nodes.read(value)


def test_what_is_no_markup_is_refused() -> None:
    with pytest.raises(JiraMalformedAnswerError):
        Markup.read({"type": "doc"})


def text(shown: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": shown}]}


def task(shown: str, state: str) -> dict[str, Any]:
    attrs = {"localId": shown, "state": state}
    return {"type": "taskItem", "attrs": attrs, "content": [{"type": "text", "text": shown}]}


MEDIA = {"type": "file", "id": "1", "collection": "c", "width": 10, "height": 20}
CELL = {"colwidth": [120], "background": "#deebff"}
PERSONS_NODES: dict[str, dict[str, Any]] = {
    "check boxes": {
        "type": "taskList",
        "attrs": {"localId": "1"},
        "content": [task("check bore", "TODO"), task("check thread", "DONE")],
    },
    "a status and a date": {
        "type": "paragraph",
        "content": [
            {"type": "status", "attrs": {"text": "RELEASED", "color": "green", "localId": "2", "style": ""}},
            {"type": "date", "attrs": {"timestamp": "1764201600000"}},
        ],
    },
    "an expand": {"type": "expand", "attrs": {"title": "Packing"}, "content": [text("pack")]},
    "a custom panel": {
        "type": "panel",
        "attrs": {"panelType": "custom", "panelColor": "#ff8800", "panelIcon": ":tools:"},
        "content": [text("careful")],
    },
    "a coloured table": {
        "type": "table",
        "attrs": {"isNumberColumnEnabled": True, "layout": "wide", "width": 900},
        "content": [
            {"type": "tableRow", "content": [{"type": "tableCell", "attrs": CELL, "content": [text("a")]}]}
        ],
    },
    "a picture": {
        "type": "mediaSingle",
        "attrs": {"layout": "center", "width": 50},
        "content": [{"type": "media", "attrs": MEDIA}],
    },
    "literal stars": text("run *M4* -- now, see https://wiki.example/7 :-)"),
}


@pytest.mark.parametrize("kind", PERSONS_NODES)
def test_a_persons_nodes_stay_through_three_pushes(shop: Shop, jira: Jira, job: str, kind: str) -> None:
    document: dict[str, Any] = {"type": "doc", "version": 1, "content": [PERSONS_NODES[kind], text("end")]}
    jira.write(document)
    before = copy.deepcopy(document["content"])
    for number in range(3):
        jira.forget()
        assert shop.push(job) == {"success": True}
        assert [call.partition(" ")[0] for call in jira.asked()] == ["GET", "PUT"]
        after = (jira.document() or {})["content"]
        assert after[: len(before)] == before
        assert len(after) == 2 + 2 * (number + 1)
        before = after


@pytest.mark.parametrize("words", ["Start with: run -- now", "https://wiki.example/7", "fine :-)"])
def test_words_that_jira_writes_differently_are_no_edit(shop: Shop, jira: Jira, job: str, words: str) -> None:
    jira.describe(words)
    jira.forget()
    assert shop.push(job) == {"success": True}
    assert jira.asked() == [f"{method} /rest/api/3/issue/{TICKET}" for method in ("GET", "PUT")]
    assert jira.comments() == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_open_macro_is_closed_and_the_answer_says_so(shop: Shop, jira: Jira, job: str, end: str) -> None:
    shop.on_data_center()
    open_one = f"Text{end}{{quote}}{end}{{code:java}}{end}int x;"
    jira.describe(open_one)
    answer = shop.push(job)
    assert answer["success"]
    assert "closed" in answer["note"]
    description = jira.description() or ""
    assert description.startswith(f"{open_one}\n{{code}}\n{{quote}}\n\n*Main Route*")
    assert len(jira.tables()) == 1
    assert shop.push(job) == {"success": True}
    assert len(jira.tables()) == 2


def test_a_data_center_with_a_higher_limit_takes_more(shop: Shop, jira: Jira, job: str) -> None:
    shop.on_data_center()
    jira.control(text_limit=40_000)
    human = "x" * 39_000
    jira.describe(human)
    assert shop.push(job) == {"success": True}
    assert (jira.description() or "").startswith(f"{human}\n\n*Main Route*")


def test_a_full_document_gives_the_new_table_to_a_comment(shop: Shop, jira: Jira, job: str) -> None:
    document = {"type": "doc", "version": 1, "content": [PERSONS_NODES["check boxes"], text("x" * 1500)]}
    jira.write(document)
    jira.control(text_limit=2_400)
    answer = shop.push(job)
    assert answer["success"], answer
    assert "posted as a comment" in answer["note"]
    assert jira.document() == document
    assert len(jira.comments()) == 1
