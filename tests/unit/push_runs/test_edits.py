"""A person edits the description between a push's read and its write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from jobticket import clock
from jobticket.jira.errors import JiraStatusError
from jobticket.push import delivery
from jobticket.push.description import Plan, own_tables
from jobticket.push.edits import Change, LostEdit, Mark, lost_edit
from jobticket.push.service import KEPT_IN_COMMENT, UNCHECKED
from jobticket.push.ticket import Ticket
from tests.support.faults import CRASH, Crash
from tests.unit.push.conftest import Jira, Shop
from tests.unit.push_runs.conftest import Floor

TABLE = "*Main*\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |"
OLD = TABLE.replace("2026-11-22", "2026-11-20")
LATER = TABLE.replace("2026-11-22", "2026-11-21")
CORRECTED = OLD.replace("| 5 |", "| 7 |")
MARK = Mark.of("Text", [TABLE], Plan(f"Text\n\n{TABLE}"), "")
PUSH = Change("Text", f"Text\n\n{TABLE}")
OVERWRITING = Change("Text, edited", f"Text\n\n{TABLE}")
RESTORING = Change(f"Text\n\n{TABLE}", f"Text, edited\n\n{TABLE}")


class TestLostEdit:
    def test_none_was_lost(self) -> None:
        assert lost_edit([PUSH], MARK) is None
        assert lost_edit([Change(PUSH.after, "something newer"), PUSH, Change("", "Text")], MARK) is None

    def test_one_was_overwritten(self) -> None:
        assert lost_edit([OVERWRITING, Change("Text", "Text, edited")], MARK) == LostEdit(
            "Text, edited", buried=False
        )

    def test_one_was_overwritten_and_restored(self) -> None:
        assert lost_edit([RESTORING, OVERWRITING], MARK) is None

    def test_one_was_overwritten_and_somebody_went_on(self) -> None:
        later = Change(OVERWRITING.after, f"New text\n\n{TABLE}")
        assert lost_edit([later, OVERWRITING], MARK) == LostEdit("Text, edited", buried=True)

    def test_another_was_overwritten_by_the_restoring(self) -> None:
        restoring = Change(f"Other\n\n{TABLE}", RESTORING.after)
        assert lost_edit([restoring, Change(PUSH.after, restoring.before), OVERWRITING], MARK) == LostEdit(
            f"Other\n\n{TABLE}", buried=True
        )

    def test_what_jira_writes_differently_is_no_edit(self) -> None:
        assert lost_edit([Change("Te\\*xt* \r\n\r\n", f"Te*xt*\n\n{TABLE}")], MARK) is None

    def test_a_changelog_without_the_write(self) -> None:
        with pytest.raises(LookupError):
            lost_edit([Change("a", "b")], MARK)

    def test_a_write_that_moved_all_tables_into_comments(self) -> None:
        mark = Mark.of(f"Text\n\n{TABLE}", [TABLE], Plan("Text", in_comment=True), "")
        assert lost_edit([Change(f"Text\n\n{TABLE}", "Text")], mark) is None
        lost = lost_edit([Change(f"Text, edited\n\n{TABLE}", "Text")], mark)
        assert lost == LostEdit(f"Text, edited\n\n{TABLE}", buried=False)

    def test_a_write_that_moved_tables_which_say_the_same_as_the_new_one(self) -> None:
        """Runs an hour apart, and nothing has changed: there are fewer of them than before."""
        tables = "\n\n".join([TABLE] * 3)
        read = f"Text\n\n{tables}"
        mark = Mark.of(read, [TABLE], Plan(PUSH.after, moved=tuple(own_tables(read))), "")
        assert mark.has_arrived(PUSH.after)
        assert not mark.has_arrived(read)
        edited = f"Text, edited\n\n{tables}"
        assert lost_edit([Change(edited, PUSH.after)], mark) == LostEdit(edited, buried=False)

    @pytest.mark.parametrize(
        "edited",
        [
            pytest.param(f"Text\n\n{LATER}", id="a table was deleted"),
            pytest.param(f"Text\n\n{CORRECTED}\n\n{LATER}", id="a count was corrected"),
            pytest.param(f"Text\n\n{OLD}\n\n{LATER}\n\n{CORRECTED}", id="a table was added"),
            pytest.param(f"{OLD}\n\nText\n\n{LATER}", id="the text went elsewhere"),
        ],
    )
    def test_an_edit_of_the_tables_was_overwritten_and_restored(self, edited: str) -> None:
        read = f"Text\n\n{OLD}\n\n{LATER}"
        planned = f"{read}\n\n{TABLE}"
        mark = Mark.of(read, [TABLE], Plan(planned), "")
        write = Change(edited, planned)
        assert lost_edit([write], mark) == LostEdit(edited, buried=False)
        assert lost_edit([Change(planned, f"{edited}\n\n{TABLE}"), write], mark) is None
        assert lost_edit([Change(read, planned)], mark) is None

    def test_an_edit_of_a_table_that_stays_while_others_move(self) -> None:
        read = f"Text\n\n{OLD}\n\n{LATER}"
        planned = Plan(f"Text\n\n{LATER}\n\n{TABLE}", moved=tuple(own_tables(read)[:1]))
        mark = Mark.of(read, [TABLE], planned, "")
        assert lost_edit([Change(read, planned.description)], mark) is None
        edited = f"Text\n\n{OLD}"
        assert lost_edit([Change(edited, planned.description)], mark) == LostEdit(edited, buried=False)

    def test_a_person_who_puts_the_new_table_elsewhere_overwrites_nobody(self) -> None:
        read = f"Text\n\n{OLD}"
        planned = f"{read}\n\n{TABLE}"
        mark = Mark.of(read, [TABLE], Plan(planned), "")
        cut, pasted = Change(planned, read), Change(read, f"{TABLE}\n\n{read}")
        assert lost_edit([pasted, cut, Change(read, planned)], mark) is None

    def test_the_same_table_again_is_no_edit(self) -> None:
        mark = Mark.of(PUSH.after, [TABLE], Plan(f"{PUSH.after}\n\n{TABLE}"), "")
        assert lost_edit([Change(PUSH.after, f"{PUSH.after}\n\n{TABLE}")], mark) is None


@pytest.fixture
def before_write(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let things happen right before the writes of a push, one before each."""

    def prepare(*events: Callable[[], object]) -> None:
        waiting = list(events)
        write = Ticket.write

        def interrupted(self: Ticket, description: str) -> None:
            if waiting:
                waiting.pop(0)()
            write(self, description)

        monkeypatch.setattr(Ticket, "write", interrupted)

    return prepare


@pytest.mark.parametrize("data_center", [True, False])
def test_an_edit_comes_back_with_the_table_below_it(
    shop: Shop, jira: Jira, job: str, before_write: Any, data_center: bool
) -> None:
    if data_center:
        shop.on_data_center()
    jira.describe("Text")
    before_write(lambda: jira.describe("Text\n\nOne more bore: see *drawing 7*"))
    assert shop.push(job) == {"success": True}
    after = jira.description() or ""
    assert after.startswith("Text\n\nOne more bore: see *drawing 7*\n\n")
    assert len(own_tables(after)) == 1
    assert jira.comments() == []


@pytest.mark.parametrize("data_center", [True, False])
def test_a_table_that_a_person_deletes_or_corrects_stays_so(
    shop: Shop, jira: Jira, job: str, before_write: Any, data_center: bool
) -> None:
    if data_center:
        shop.on_data_center()
    jira.describe(f"Text\n\n{OLD}\n\n{LATER}")
    before_write(lambda: jira.describe(f"Text\n\n{CORRECTED}"))
    assert shop.push(job) == {"success": True}
    corrected, pushed = own_tables(jira.description() or "")
    assert corrected.content == own_tables(CORRECTED)[0].content
    assert pushed.content != corrected.content
    assert jira.comments() == []


def test_two_edits_one_after_the_other(shop: Shop, jira: Jira, job: str, before_write: Any) -> None:
    """The restoring write meets another edit: one text stands, the other is kept, both texts in comments."""
    jira.describe("Text")
    before_write(
        lambda: jira.describe("Text by Ann"), lambda: jira.describe(f"By Bo\n\n{jira.description()}")
    )
    assert shop.push(job) == {"success": True, "note": KEPT_IN_COMMENT}
    after = jira.description() or ""
    assert after.startswith("Text by Ann\n\n")
    overwritten, overwriting = jira.comments()
    assert overwritten.startswith(delivery.OVERWRITTEN)
    assert "By Bo" in overwritten
    assert overwriting.startswith(delivery.OVERWRITING)
    assert "Text by Ann" in overwriting


def test_an_edit_that_cannot_be_restored_is_kept_in_comments(
    shop: Shop, jira: Jira, job: str, before_write: Any
) -> None:
    jira.describe("Text")

    def refuse() -> None:
        raise JiraStatusError(403, "Forbidden")

    before_write(lambda: jira.describe("Text, edited"), refuse)
    assert shop.push(job) == {"success": True, "note": KEPT_IN_COMMENT}
    overwritten, overwriting = jira.comments()
    assert "Text, edited" in overwritten
    assert own_tables(overwriting)
    assert len(own_tables(jira.description() or "")) == 1


def test_an_edit_comes_back_even_if_the_push_died_before_it_could_look(
    shop: Shop, jira: Jira, job: str, before_write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    jira.describe("Text")
    before_write(lambda: jira.describe("Text, edited"))
    with monkeypatch.context() as dying:
        dying.setattr(Ticket, "changes", Mock(side_effect=CRASH))
        with pytest.raises(Crash):
            shop.push(job, headers=headers)
    assert "edited" not in (jira.description() or "")
    later = clock.now() + timedelta(seconds=90)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert shop.push(job, headers=headers) == {"success": True}
    after = jira.description() or ""
    assert after.startswith("Text, edited\n\n")
    assert len(own_tables(after)) == 1


def test_if_jira_does_not_show_the_changelog_the_answer_says_so(shop: Shop, jira: Jira, job: str) -> None:
    jira.describe("Text")
    issue = "/rest/api/2/issue/PI-7$"
    jira.control(
        faults=[
            {"method": "GET", "path": issue, "times": 1},
            {"method": "GET", "path": issue, "status": 403},
        ]
    )
    assert shop.push(job) == {"success": True, "note": UNCHECKED}
    assert len(own_tables(jira.description() or "")) == 1


def test_if_the_changelog_does_not_show_the_write_the_answer_says_so(
    shop: Shop, jira: Jira, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ticket, "changes", Mock(return_value=[]))
    assert shop.push(job) == {"success": True, "note": UNCHECKED}


def test_a_changelog_that_is_too_long_is_not_asked_for_again(
    floor: Floor, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Data Center hands out all of it, and it never gets shorter."""
    monkeypatch.setattr("jobticket.http.transport.LONGEST_ANSWER", 10_000)
    for number in range(3):
        floor.jira.describe(f"{number}" * 3000)
    floor.jira.describe("Text")
    assert floor.take(job) == {"pushed": 1}
    assert (floor.record(job) or {})["error"] == UNCHECKED
    assert floor.tables() == 1


def test_a_worker_looks_again_later(floor: Floor, job: str, before_write: Any) -> None:
    """The write overwrites an edit, and Jira goes away before the push can see it."""
    floor.jira.describe("Text")

    def edit_and_go_away() -> None:
        floor.jira.describe("Text, edited")
        floor.jira.fail("GET", "/rest/api/2/issue/PI-7$", status=500, times=1)

    before_write(edit_and_go_away)
    assert floor.take(job) == {"waiting": 1}
    assert not (floor.jira.description() or "").startswith("Text, edited")
    floor.time.pass_by(60)
    assert floor.sweep() == 1
    assert floor.take(job) == {"pushed": 1}
    assert (floor.jira.description() or "").startswith("Text, edited")
    assert floor.tables() == 1
