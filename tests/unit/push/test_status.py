"""The texts of a push: its tables, and the summary for a comment."""

from __future__ import annotations

from datetime import date

from jobticket.jira.documents.limits import LONGEST_TEXT, length
from jobticket.jira.documents.model import Document
from jobticket.jira.documents.wiki import to_wiki
from jobticket.push.status import PathStatus, json_length, markup_length, packed, sections, summary
from jobticket.push.tables import find_tables_in_markup

DAY = date(2026, 11, 22)
MAIN = PathStatus("Main Route", (("CNC", 5), ("Deburr", 0), ("QC", 0)), 1)
SIDE = PathStatus("Side Route", (("Paint", 0),), 12)


def texts(documents: list[Document]) -> list[str]:
    return [to_wiki(document) for document in documents]


def test_each_path_has_a_section_in_order() -> None:
    first, second = texts(sections([MAIN, SIDE], DAY, markup_length))
    assert first == (
        "*Main Route*\n"
        "|| Date || CNC || Deburr || QC || Completed ||\n"
        "| 2026-11-22 | 5 | 0 | 0 | 1 |"
    )  # fmt: skip
    assert second == "*Side Route*\n|| Date || Paint || Completed ||\n| 2026-11-22 | 0 | 12 |"


def test_the_summary_lists_every_step_of_every_path() -> None:
    (text,) = texts(summary("J", [MAIN, SIDE], markup_length))
    assert text == (
        "*Status Summary for J*\n\n"
        "*Main Route:*\n- CNC: 5 parts\n- Deburr: 0 parts\n- QC: 0 parts\n- Completed: 1\n\n"
        "*Side Route:*\n- Paint: 0 parts\n- Completed: 12"
    )


def test_the_summary_of_a_job_without_paths_is_its_heading() -> None:
    assert texts(summary("J-1", [], markup_length)) == ["*Status Summary for J-1*"]


def test_a_long_summary_becomes_several_comments() -> None:
    found = texts(summary("J", [MAIN] * 5, markup_length, limit=200))
    assert len(found) == 3
    assert all(length(text) <= 200 for text in found)
    assert "\n\n".join(found) == texts(summary("J", [MAIN] * 5, markup_length))[0]


def test_names_are_shortened_only_where_the_table_would_not_fit_anywhere() -> None:
    long = PathStatus("P", tuple((f"{number:03d}" + "|" * 252, 0) for number in range(100)), 0)
    for measure in (markup_length, json_length):
        (section,) = sections([long], DAY, measure)
        assert measure(section) <= LONGEST_TEXT
        assert "…" in to_wiki(section)
        assert all(f"{number:03d}" in to_wiki(section) for number in range(100))
        assert all(measure(comment) <= LONGEST_TEXT for comment in summary("J", [long], measure))
    nearly = PathStatus("P", tuple(("x" * 255, 0) for _ in range(100)), 0)
    (section,) = sections([nearly], DAY, markup_length)
    assert "…" not in to_wiki(section)


def test_packed_parts_keep_their_order_and_have_a_heading_where_it_fits() -> None:
    parts = sections([MAIN, SIDE, MAIN], DAY, markup_length)
    limit = markup_length((*parts[0], *parts[1])) + 20
    heading = summary("J", [], markup_length)[0]
    comments = packed(parts, markup_length, limit, heading)
    assert all(markup_length(comment) <= limit for comment in comments)
    found = [table.content.path for comment in comments for table in find_tables_in_markup(to_wiki(comment))]
    assert found == ["Main Route", "Side Route", "Main Route"]
    assert to_wiki(comments[-1]).startswith("*Status Summary for J*")
