"""A person edits the description between a push's read and its write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jobticket import clock
from jobticket.jira.errors import JiraStatusError
from jobticket.push.appending import CLOSED, KEPT_IN_COMMENT, REPLACED, UNCHECKED
from jobticket.push.descriptions import Description
from jobticket.push.ticket import PushedTicket
from tests.support.faults import CRASH, Crash
from tests.unit.push.conftest import Jira, Shop, contents
from tests.unit.push.runs.conftest import Floor

TABLE = "*Main*\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |"
OLD = TABLE.replace("2026-11-22", "2026-11-20")
LATER = TABLE.replace("2026-11-22", "2026-11-21")
CORRECTED = OLD.replace("| 5 |", "| 7 |")
TASKS = {
    "type": "taskList",
    "attrs": {"localId": "1"},
    "content": [
        {
            "type": "taskItem",
            "attrs": {"localId": "2", "state": "TODO"},
            "content": [{"type": "text", "text": "check bore"}],
        }
    ],
}

UNTITLED = {
    "type": "expand",
    "attrs": {"title": ""},
    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "inside"}]}],
}
EMOJI = {
    "type": "paragraph",
    "content": [{"type": "emoji", "attrs": {"shortName": ":parrot:", "id": "x", "text": ":parrot:"}}],
}


@pytest.fixture
def before_write(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let things happen right before the writes of a push, one before each."""

    def prepare(*events: Callable[[], object]) -> None:
        waiting = list(events)
        write = PushedTicket.write

        def interrupted(self: PushedTicket, description: Description) -> Any:
            if waiting:
                waiting.pop(0)()
            return write(self, description)

        monkeypatch.setattr(PushedTicket, "write", interrupted)

    return prepare


@pytest.mark.parametrize("data_center", [True, False])
@pytest.mark.parametrize("edited", ["Text\n\nOne more bore: see drawing 7", "Another text"])
def test_an_edit_comes_back_with_the_table_below_it(
    shop: Shop, jira: Jira, job: str, before_write: Any, data_center: bool, edited: str
) -> None:
    if data_center:
        shop.on_data_center()
    jira.describe("Text")
    before_write(lambda: jira.describe(edited))
    assert shop.push(job) == {"success": True}
    after = jira.description() or ""
    assert after.startswith(f"{edited}\n\n")
    assert len(contents(after)) == 1
    assert jira.comments() == []


@pytest.mark.parametrize("data_center", [True, False])
def test_an_emptied_description_stays_empty(
    shop: Shop, jira: Jira, job: str, before_write: Any, data_center: bool
) -> None:
    if data_center:
        shop.on_data_center()
    jira.describe("* Text")
    before_write(lambda: jira.describe(None))
    assert shop.push(job) == {"success": True}
    assert (jira.description() or "").startswith("*Main Route*")
    assert len(jira.tables()) == 1


def test_data_center_gets_any_edit_back(shop: Shop, jira: Jira, job: str, before_write: Any) -> None:
    shop.on_data_center()
    jira.describe("Text")
    edited = "h1. Text\r\n\r\n* see *drawing 7*\r\n{code}\r\nx = 1\r\n{code}"
    before_write(lambda: jira.describe(edited))
    assert shop.push(job) == {"success": True}
    assert (jira.description() or "").startswith(f"{edited}\n\n*Main Route*")


@pytest.mark.parametrize(
    ("text", "edited", "note"),
    [("Text", "Text\r\n{code}\r\nx = 1", CLOSED), ("{code}\r\nx = 1", "{code}\r\nx = 1\r\n{code}", None)],
)
def test_the_note_tells_of_the_macro_that_an_edit_leaves_open(
    shop: Shop, jira: Jira, job: str, before_write: Any, text: str, edited: str, note: str | None
) -> None:
    shop.on_data_center()
    jira.describe(text)
    before_write(lambda: jira.describe(edited))
    assert shop.push(job).get("note") == note
    assert (jira.description() or "").startswith(edited)
    assert len(jira.tables()) == 1


def test_paragraphs_around_nodes_come_back_and_the_nodes_stay(
    shop: Shop, jira: Jira, job: str, before_write: Any
) -> None:
    above, below = ({"type": "paragraph", "content": [{"type": "text", "text": word}]} for word in "AB")
    jira.write({"type": "doc", "version": 1, "content": [TASKS]})
    edited = {"type": "doc", "version": 1, "content": [above, TASKS, below]}
    before_write(lambda: jira.write(edited))
    assert shop.push(job) == {"success": True}
    document = jira.document() or {}
    assert document["content"][:3] == [above, TASKS, below]
    assert len(document["content"]) == 5
    assert jira.comments() == []


@pytest.mark.parametrize(
    "edited",
    ["Text, *edited*", "Text\n\nsee https://wiki.example/7 edited", "Text\nedited", "* Text\n* edited"],
)
def test_cloud_keeps_an_edit_in_a_comment_that_the_changelog_does_not_tell_all_of(
    shop: Shop, jira: Jira, job: str, before_write: Any, edited: str
) -> None:
    jira.describe("Text")
    before_write(lambda: jira.describe(edited))
    assert shop.push(job) == {"success": True, "note": KEPT_IN_COMMENT}
    assert (jira.description() or "").startswith("Text\n\n*Main Route*")
    (comment,) = jira.comments()
    assert comment.startswith(REPLACED)
    assert "edited" in comment


@pytest.mark.parametrize(
    ("node", "words"), [(TASKS, "check bore"), (UNTITLED, "inside"), (EMOJI, ":parrot:")]
)
def test_nodes_that_an_edit_added_are_kept_as_text(
    shop: Shop, jira: Jira, job: str, before_write: Any, node: dict[str, Any], words: str
) -> None:
    jira.describe("Text")
    before_write(lambda: jira.write({"type": "doc", "version": 1, "content": [node]}))
    assert shop.push(job) == {"success": True, "note": KEPT_IN_COMMENT}
    (comment,) = jira.comments()
    assert words in comment


@pytest.mark.parametrize("data_center", [True, False])
def test_a_table_that_a_person_deletes_or_corrects_stays_so(
    shop: Shop, jira: Jira, job: str, before_write: Any, data_center: bool
) -> None:
    if data_center:
        shop.on_data_center()
    jira.describe(f"Text\n\n{OLD}\n\n{LATER}")
    before_write(lambda: jira.describe(f"Text\n\n{CORRECTED}"))
    assert shop.push(job) == {"success": True}
    corrected, pushed = jira.tables()
    assert corrected == contents(CORRECTED)[0]
    assert pushed != corrected
    assert jira.comments() == []


@pytest.mark.parametrize("data_center", [True, False])
def test_two_edits_one_after_the_other(
    shop: Shop, jira: Jira, job: str, before_write: Any, data_center: bool
) -> None:
    """The write that puts an edit back meets another edit: one stands, the other is in a comment."""
    if data_center:
        shop.on_data_center()
    jira.describe("Text")
    before_write(
        lambda: jira.describe("Text by Ann"), lambda: jira.describe(f"By Bo\n\n{jira.description()}")
    )
    assert shop.push(job) == {"success": True, "note": KEPT_IN_COMMENT}
    after = jira.description() or ""
    assert after.startswith("Text by Ann\n\n")
    assert len(contents(after)) == 1
    (comment,) = jira.comments()
    assert comment.startswith(REPLACED)
    assert "By Bo" in comment


def test_an_edit_that_cannot_be_put_back_is_kept_in_a_comment(
    shop: Shop, jira: Jira, job: str, before_write: Any
) -> None:
    jira.describe("Text")

    def refuse() -> None:
        raise JiraStatusError(403, "Forbidden")

    before_write(lambda: jira.describe("Text, edited"), refuse)
    assert shop.push(job) == {"success": True, "note": KEPT_IN_COMMENT}
    (comment,) = jira.comments()
    assert "Text, edited" in comment
    assert len(jira.tables()) == 1


def test_an_edit_after_the_write_is_nobodys_loss(
    shop: Shop, jira: Jira, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person saves before Jira answers the write: the changelog shows our write first, theirs above it."""
    jira.write({"type": "doc", "version": 1, "content": [TASKS]})
    write = PushedTicket.write

    def edited_since(self: PushedTicket, description: Description) -> None:
        write(self, description)
        jira.write({"type": "doc", "version": 1, "content": [*(jira.document() or {})["content"], TASKS]})

    monkeypatch.setattr(PushedTicket, "write", edited_since)
    assert shop.push(job) == {"success": True}
    assert [node["type"] for node in (jira.document() or {})["content"]] == [
        "taskList",
        "paragraph",
        "table",
        "taskList",
    ]
    assert jira.comments() == []


def test_an_edit_comes_back_even_if_the_push_died_before_it_could_look(
    shop: Shop, jira: Jira, job: str, before_write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    jira.describe("Text")
    before_write(lambda: jira.describe("Text, edited"))
    write = PushedTicket.write

    def dying(self: PushedTicket, description: Description) -> None:
        write(self, description)
        raise CRASH

    with monkeypatch.context() as patched:
        patched.setattr(PushedTicket, "write", dying)
        with pytest.raises(Crash):
            shop.push(job, headers=headers)
    assert "edited" not in (jira.description() or "")
    later = clock.now() + timedelta(seconds=90)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert shop.push(job, headers=headers) == {"success": True}
    after = jira.description() or ""
    assert after.startswith("Text, edited\n\n")
    assert len(contents(after)) == 1


@pytest.fixture
def data_center_issue(shop: Shop) -> str:
    """A Data Center, where the look after a write is a call of its own; the issue's path."""
    shop.on_data_center()
    return "/rest/api/2/issue/PI-7$"


def test_if_jira_does_not_show_the_changelog_the_answer_says_so(
    shop: Shop, jira: Jira, job: str, data_center_issue: str
) -> None:
    jira.control(
        faults=[
            {"method": "GET", "path": data_center_issue, "times": 1},
            {"method": "GET", "path": data_center_issue, "status": 403},
        ]
    )
    assert shop.push(job) == {"success": True, "note": UNCHECKED}
    assert len(jira.tables()) == 1


def test_if_the_changelog_does_not_show_the_write_the_answer_says_so(
    shop: Shop, jira: Jira, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobticket.push.ticket._description_changes", lambda _history: iter(()))
    assert shop.push(job) == {"success": True, "note": UNCHECKED}


def test_a_changelog_that_is_too_long_is_not_asked_for_again(
    floor: Floor, job: str, data_center_issue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Data Center hands out all of it, and it never gets shorter."""
    monkeypatch.setattr("jobticket.http.transport.LONGEST_ANSWER", 10_000)
    for number in range(3):
        floor.jira.describe(f"{number}" * 3000)
    floor.jira.describe("Text")
    assert floor.take(job) == {"pushed": 1}
    assert (floor.record(job) or {})["error"] == UNCHECKED
    assert floor.tables() == 1


def test_a_worker_looks_again_later(
    floor: Floor, job: str, before_write: Any, data_center_issue: str
) -> None:
    """The write replaces an edit, and Jira goes away before the push can see it."""
    floor.jira.describe("Text")

    def edit_and_go_away() -> None:
        floor.jira.describe("Text, edited")
        floor.jira.fail("GET", data_center_issue, status=500, times=1)

    before_write(edit_and_go_away)
    assert floor.take(job) == {"waiting": 1}
    assert not (floor.jira.description() or "").startswith("Text, edited")
    floor.time.pass_by(60)
    assert floor.sweep() == 1
    assert floor.take(job) == {"pushed": 1}
    assert (floor.jira.description() or "").startswith("Text, edited")
    assert floor.tables() == 1
