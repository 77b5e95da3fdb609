"""Descriptions that people and pushes write in turn (contract: jobs.md, The pushed table)."""

from __future__ import annotations

from datetime import date

import pytest

from jobticket.push.description import (
    MOVED,
    append,
    has_arrived,
    own_tables,
    plan,
    replan,
    without,
)
from jobticket.push.table import PathStatus, sections
from tests.unit.push.jira_markup import KINDS, Jira

kinds = pytest.mark.parametrize("jira", KINDS.values(), ids=KINDS)


def table(name: str = "Main Route", day: int = 22, done: int = 1, step: str = "CNC") -> str:
    (section,) = sections([PathStatus(name, ((step, 5),), done)], date(2026, 11, day))
    return section


FIRST, SECOND, THIRD = table(day=1), table(day=2), table(day=3)


@pytest.mark.parametrize("old", [None, ""])
def test_an_empty_description_becomes_the_sections_alone(old: str | None) -> None:
    assert append(old, [FIRST, SECOND]) == f"{FIRST}\n\n{SECOND}"


@pytest.mark.parametrize("old", ["Build 50 housings.", "ends with a break\n", "h1. Title\r\n* item", " "])
def test_a_push_follows_after_a_blank_line(old: str) -> None:
    assert append(old, [FIRST, SECOND]) == f"{old}\n\n{FIRST}\n\n{SECOND}"


@kinds
def test_own_tables_are_recognised_however_jira_writes_them(jira: Jira) -> None:
    names = ["Main Route", "a|b*c", "{code}", "h1. T", "ends\\", "-x-", "(x)", "[l|http://x]"]
    written = [table(name, day + 1, step=name) for day, name in enumerate(names)]
    found = own_tables(jira("Text\n\n" + "\n\n".join(written) + "\n\nMore"))
    assert [found.content for found in found] == [own_tables(section)[0].content for section in written]


@kinds
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("*Route*\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |\n| 2026-11-23 | 4 | 2 |", id="a row was added"),
        pytest.param("*Route*\n|| Date || CNC || Completed ||\n| 2026-11-22 | five | 1 |", id="words for a count"),
        pytest.param("*Route*\n|| Date || CNC || Completed ||\n| 22.11.2026 | 5 | 1 |", id="another date"),
        pytest.param("*Route*\n|| Date || CNC || Remark ||\n| 2026-11-22 | 5 | 1 |", id="another header"),
        pytest.param("*Route*\n|| Day || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |", id="another first column"),
        pytest.param("|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |", id="no name"),
        pytest.param("Route\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |", id="a plain name"),
        pytest.param("*Route*\n\nsee below\n\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |", id="text between"),
        pytest.param("As said:\n*Route*\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |", id="a paragraph goes on"),
        pytest.param("*Route*\n|| Date || CNC || Completed ||", id="no row"),
        pytest.param("*Route*\n| Date | CNC | Completed |\n| 2026-11-22 | 5 | 1 |", id="no header row"),
        pytest.param("*Route*\n|| Date || CNC || Completed ||\n|| 2026-11-22 || 5 || 1 ||", id="two header rows"),
        pytest.param("*Route*\n|| Date || Completed ||\n| 2026-11-22 | 5 | 1 |", id="too many values"),
        pytest.param("{quote}\n\n" + FIRST + "\n\n{quote}", id="a quotation"),
        pytest.param("{code}\n\n" + FIRST + "\n\n{code}", id="code"),
        pytest.param("{noformat}x{noformat} and {code:title=T}\n\n" + FIRST + "\n\n{code}", id="code after noformat"),
        pytest.param("{code}\nx\n{code} {quote}\n\n" + FIRST + "\n\n{quote}", id="a quotation after code"),
        pytest.param("{panel:title=Old}\n\n" + FIRST + "\n\n" + SECOND + "\n\n{panel}", id="a panel"),
    ],
)  # fmt: skip
def test_what_a_person_wrote_is_not_taken_for_an_own_table(jira: Jira, text: str) -> None:
    assert own_tables(jira(text)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{code}\n\n", ""),
        (r"\{quote}" + "\n\n", "\n\n\\{quote}"),
        ("{foo}\n\n", "\n\n{foo}"),
        ("{code}a{code}\n\n", "\n\n{code}b{code}"),
        ("", "\nSee the table above."),
    ],
)
def test_a_table_beside_a_macro_is_still_our_own(before: str, after: str) -> None:
    assert [found.text for found in own_tables(before + FIRST + after)] == [FIRST]


@pytest.mark.parametrize(
    ("description", "left"),
    [
        (FIRST, ""),
        (f"Text\n\n{FIRST}", "Text"),
        (f"Text\n\n\n{FIRST}", "Text\n"),
        (f"{FIRST}\n\nText", "Text"),
        (f"{FIRST}\n\n\n Text", "\n Text"),
        (f"{FIRST}\nText", "Text"),
        (f"Above\n\n{FIRST}\n\nBelow", "Above\n\nBelow"),
        (f"Above\n\n{FIRST}\nBelow", "Above\n\nBelow"),
        (f"Above\n\n{FIRST}\n\n{SECOND}\nBelow\n", "Above\n\nBelow\n"),
        (f"Above\r\n\r\n{FIRST}\r\n\r\nBelow", "Above\r\n\r\nBelow"),
        (f"Above\n\n{FIRST}\n", "Above\n"),
    ],
)
def test_removing_tables_leaves_what_people_wrote(description: str, left: str) -> None:
    assert without(description, own_tables(description)) == left


@pytest.mark.parametrize(
    "old", ["Text", "Text\n", "Text\n\n", "  Text\r\n", "\n", "{code}\nx\n{code}", "| a | b |"]
)
def test_removing_undoes_appending(old: str) -> None:
    pushed = append(old, [FIRST, SECOND])
    assert without(pushed, own_tables(pushed)) == old


def test_what_fits_to_the_character_is_appended() -> None:
    whole = f"Text\n\n{FIRST}\n\n{SECOND}"
    assert plan(f"Text\n\n{FIRST}", [SECOND], limit=len(whole)).description == whole
    assert plan(f"Text\n\n{FIRST}", [SECOND], limit=len(whole) - 1).description == f"Text\n\n{SECOND}"


def test_the_oldest_tables_move_in_order() -> None:
    old = f"Above\n\n{FIRST}\n\nBetween\n\n{SECOND}\n\n{THIRD}"
    planned = plan(old, [table(day=4)], limit=len(old))
    assert planned.description == f"Above\n\nBetween\n\n{THIRD}\n\n{table(day=4)}"
    assert planned.comments == (f"{MOVED}\n\n{FIRST}\n\n{SECOND}",)
    assert not planned.in_comment


def test_without_room_the_tables_are_comments() -> None:
    human = "x" * 500
    planned = plan(f"{human}\n\n{FIRST}", [SECOND, THIRD], limit=540)
    assert planned.description == human
    assert planned.comments == (f"{MOVED}\n\n{FIRST}", f"{SECOND}\n\n{THIRD}")
    assert planned.in_comment


def test_a_description_that_is_too_long_already_is_left_alone() -> None:
    planned = plan(f"{'x' * 600}\n\n{FIRST}", [SECOND], limit=500)
    assert planned.description is None
    assert planned.comments == (SECOND,)
    assert planned.in_comment


def test_moved_tables_fill_as_many_comments_as_they_need() -> None:
    tables = [table(day=day) for day in range(1, 21)]
    planned = plan("x" * 1900 + "\n\n" + "\n\n".join(tables), [table(day=21)], limit=2000)
    assert all(len(comment) <= 2000 for comment in planned.comments)
    assert [found.content for comment in planned.comments for found in own_tables(comment)] == [
        own_tables(section)[0].content for section in tables
    ]


def test_a_section_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 20"):
        plan("", [FIRST], limit=20)


@kinds
def test_a_lost_answer_is_settled_by_reading(jira: Jira) -> None:
    read = jira(f"Text\n\n{FIRST}")
    planned = plan(read, [SECOND]).description
    assert planned is not None
    assert has_arrived(jira(planned), read=read, planned=planned, sections=[SECOND])
    assert not has_arrived(read, read=read, planned=planned, sections=[SECOND])
    # A person wrote something in between.
    assert has_arrived(jira(f"New\n\n{planned}"), read=read, planned=planned, sections=[SECOND])
    assert not has_arrived(jira(f"{read}\n\nNew"), read=read, planned=planned, sections=[SECOND])


@kinds
def test_the_same_table_twice_is_told_from_the_same_table_once(jira: Jira) -> None:
    read = jira(f"Text\n\n{FIRST}")
    planned = plan(read, [FIRST]).description
    assert planned is not None
    assert not has_arrived(read, read=read, planned=planned, sections=[FIRST])
    assert not has_arrived(jira(f"New\n\n{read}"), read=read, planned=planned, sections=[FIRST])
    assert has_arrived(jira(planned), read=read, planned=planned, sections=[FIRST])


def test_a_lost_answer_about_an_empty_description() -> None:
    assert not has_arrived(None, read=None, planned=FIRST, sections=[FIRST])
    assert has_arrived(FIRST, read=None, planned=FIRST, sections=[FIRST])


def test_an_edit_that_a_write_replaced_comes_back_with_the_table() -> None:
    read = f"Text\n\n{FIRST}"
    earlier = plan(read, [SECOND])
    again = replan(f"Text, edited\n\n{FIRST}\n\nA remark", [SECOND], earlier)
    assert again.description == f"Text, edited\n\n{FIRST}\n\nA remark\n\n{SECOND}"
    assert again.comments == ()


def test_tables_that_are_in_a_comment_already_do_not_come_back_with_an_edit() -> None:
    human = "x" * 50
    read = f"{human}\n\n{FIRST}\n\n{SECOND}"
    earlier = plan(read, [THIRD], limit=len(read) + len(THIRD))
    assert [moved.text for moved in earlier.moved] == [FIRST]
    again = replan(f"New. {read}", [THIRD], earlier)
    assert again.description == f"New. {human}\n\n{SECOND}\n\n{THIRD}"
    assert again.comments == ()
