"""The pushed table: what is written is found again, whatever the names hold, and nothing else is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobticket.jira.documents.adf import to_adf, to_nodes
from jobticket.jira.documents.model import Document, HorizontalRule, TextTable, one_line, plain_text, strong
from jobticket.jira.documents.wiki import to_wiki
from jobticket.push import tables
from jobticket.push.tables import Content, find_tables, find_tables_in_markup, section
from tests.contract.jira_specification import specifications_folder
from tests.unit.jira.data_center import NAMES

DAY = date(2026, 11, 22)
MAIN = section("Main Route", ["CNC", "Deburr", "QC"], DAY, [5, 0, 0], 1)
MAIN_CONTENT = Content(
    "Main Route", ("Date", "CNC", "Deburr", "QC", "Completed"), ("2026-11-22", "5", "0", "0", "1")
)
MARKUP = "*Main Route*\n|| Date || CNC || Deburr || QC || Completed ||\n| 2026-11-22 | 5 | 0 | 0 | 1 |"
CONVERSIONS = (specifications_folder() or Path()) / "wiki-documents.json"


def contents(found: list[tables.OwnTable]) -> list[Content]:
    return [table.content for table in found]


def test_the_markup_is_the_contracts() -> None:
    assert to_wiki(MAIN) == MARKUP
    assert to_wiki((*MAIN, *section("Rework", [], DAY, [], 0))) == (
        f"{MARKUP}\n\n*Rework*\n|| Date || Completed ||\n| 2026-11-22 | 0 |"
    )


def test_the_nodes_are_a_strong_paragraph_and_a_table_without_marks() -> None:
    heading, table = to_nodes(MAIN)
    assert heading["content"] == [{"type": "text", "text": "Main Route", "marks": [{"type": "strong"}]}]
    header, row = table["content"]
    assert {cell["type"] for cell in header["content"]} == {"tableHeader"}
    assert {cell["type"] for cell in row["content"]} == {"tableCell"}
    assert "marks" not in json.dumps(table)


@pytest.mark.parametrize(
    "name",
    [
        "in|out",
        "Ask [~accountid:5b10]",
        "Main {code} line",
        "Rework (x)",
        "Panel !photo.png!",
        ":)",
        "{{m}}",
        "a\nb",
    ],
)
def test_names_of_the_field_are_found_as_they_are(name: str) -> None:
    pushed = section(name, [name, "b"], DAY, [1, 2], 3)
    found = Content(one_line(name), ("Date", one_line(name), "b", "Completed"), ("2026-11-22", "1", "2", "3"))
    assert contents(find_tables(to_adf(pushed))) == [found]
    assert contents(find_tables_in_markup(to_wiki(pushed))) == [found]


@given(NAMES, st.lists(st.tuples(NAMES, st.integers(0, 10**6)), max_size=4), st.integers(0))
def test_any_names_are_found_as_they_are(name: str, steps: list[tuple[str, int]], completed: int) -> None:
    names, counts = [step for step, _ in steps], [count for _, count in steps]
    pushed = section(name, names, DAY, counts, completed)
    row = (DAY.isoformat(), *map(str, counts), str(completed))
    found = Content(name, ("Date", *names, "Completed"), row)
    assert contents(find_tables(to_adf(pushed))) == [found]
    assert contents(find_tables_in_markup(to_wiki(pushed))) == [found]


def test_where_they_stand() -> None:
    document = (*plain_text("by a person"), *MAIN, HorizontalRule(), *section("Rework", [], DAY, [], 0))
    assert [(table.start, table.end) for table in find_tables(to_adf(document))] == [(1, 3), (4, 6)]
    for end in ("\n", "\r\n"):
        markup = f"by a person\n\n{MARKUP}\n\nby another".replace("\n", end)
        (table,) = find_tables_in_markup(markup)
        assert markup[table.start : table.end] == MARKUP.replace("\n", end)


@pytest.mark.parametrize(
    "markup",
    [
        "*in*\n|| Date || in\\|out || Completed ||\n| 2026-11-22 | 1 | 2 |",  # of an older push
        "*M*\n|| Date || h1&#46; x || \\*y\\* || Completed ||\n| 2026-11-22 | 1 | 2 | 3 |",
        "*Main*\n\n||*Date*||*CNC*||*Completed*||\n|2026-11-27|5|1|",  # Jira Cloud wrote it once
        "text\n\n  {*}Main{*}  \n|| Date || Completed || \n | 2026-11-22 | 2 |",
        "{code}\nopen\n\n*M*\n|| Date || Completed ||\n| 2026-11-22 | 2 |",
    ],
)
def test_older_markup_is_found(markup: str) -> None:
    assert len(find_tables_in_markup(markup)) == 1


@pytest.mark.parametrize(
    "markup",
    [
        MARKUP.replace("*Main Route*", "Main Route"),
        MARKUP.replace("*Main Route*", "by a person\n*Main Route*"),
        MARKUP.replace("Date", "When"),
        MARKUP.replace("Completed", "Done"),
        MARKUP.replace("| 5 |", "| five |"),
        MARKUP.replace("2026-11-22", "today"),
        MARKUP + "\n| 2026-11-23 | 4 | 1 | 0 | 1 |",
        MARKUP.rpartition("\n")[0],
        f"{{quote}}\n\n{MARKUP}\n\n{{quote}}",
        f"{{code:title=x}}\n{MARKUP}\n{{code}}",
        "*x*\n|\n|",
        "*x*\n||||\n||",
    ],
)
def test_what_people_made_is_theirs(markup: str) -> None:
    assert find_tables_in_markup(markup) == []


def row(document: Any, number: int = 1) -> Any:
    return document["content"][1]["content"][number]["content"]


CHANGES: dict[str, Callable[[Any], object]] = {
    "not strong": lambda document: document["content"][0]["content"][0].pop("marks"),
    "more than the name": lambda document: document["content"][0]["content"].append(
        {"type": "text", "text": " by a person"}
    ),
    "no name": lambda document: document["content"][0].pop("content"),
    "another row": lambda document: document["content"][1]["content"].append({"content": row(document)}),
    "no row": lambda document: document["content"][1]["content"].pop(),
    "merged cells": lambda document: row(document)[1].update(attrs={"colspan": 2}),
    "a list in a cell": lambda document: row(document)[1]["content"].append({"type": "bulletList"}),
    "a word for a count": lambda document: row(document)[1]["content"][0]["content"][0].update(text="five"),
    "a header without header cells": lambda document: row(document, 0)[1].update(type="tableCell"),
    "text in between": lambda document: document["content"].insert(1, {"type": "paragraph"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_people_made_of_a_document_is_theirs(change: str) -> None:
    document = copy.deepcopy(to_adf(MAIN))
    CHANGES[change](document)
    assert find_tables(document) == []


def test_what_jira_adds_to_nodes_does_not_matter() -> None:
    document = to_adf(MAIN)
    document["content"][0]["attrs"] = {"localId": "1"}
    document["content"][1]["attrs"] = {"layout": "center", "width": 760, "localId": "2"}
    for row in document["content"][1]["content"]:
        for cell in row["content"]:
            cell["attrs"] = {"colspan": 1, "rowspan": 1, "colwidth": [100], "background": "#fff"}
    assert contents(find_tables(document)) == [MAIN_CONTENT]


@pytest.mark.parametrize("document", [None, {}, {"type": "doc", "version": 1, "content": []}])
def test_nothing_is_found_in_nothing(document: dict[str, Any] | None) -> None:
    assert find_tables(document) == []
    assert find_tables_in_markup(None) == []


def test_a_new_last_column_leaves_older_tables_known(monkeypatch: pytest.MonkeyPatch) -> None:
    old_nodes, old_markup = to_adf(MAIN), to_wiki(MAIN)
    monkeypatch.setattr(tables, "ENDINGS", ("Completed", "Scrapped"))
    new = section("Main Route", ["CNC"], DAY, [5], 1, 2)
    assert to_wiki(new).splitlines()[1] == "|| Date || CNC || Completed || Scrapped ||"
    for document, markup in ((old_nodes, old_markup), (to_adf(new), to_wiki(new))):
        assert len(find_tables(document)) == 1
        assert contents(find_tables(document)) == contents(find_tables_in_markup(markup))


def test_a_persons_table_with_our_columns_and_a_strong_line_is_told_apart_by_its_rows() -> None:
    persons: Document = (
        strong("Mine"),
        TextTable(("Date", "CNC", "Completed"), (("2026-11-22", "5", "1"),) * 2),
    )
    assert find_tables(to_adf(persons)) == []
    assert find_tables_in_markup(to_wiki(persons)) == []


@pytest.mark.skipif(not CONVERSIONS.exists(), reason="Atlassian's conversions are not at hand")
def test_the_nodes_are_those_that_jira_reads_as_the_seeds_markup() -> None:
    cases = json.loads(CONVERSIONS.read_text())
    (pushed,) = [case for case in cases["documents"] if case["name"] == "two sections as pushed"]
    day = date(2026, 11, 27)
    document = (*section("Main Route", ["CNC"], day, [5], 1), *section("Rework", [], day, [], 0))
    assert pushed["markup"].startswith("*Main Route*\n\n||Date||CNC||Completed||\n|2026-11-27|5|1|")
    assert to_adf(document) == pushed["document"]
    # What an older push wrote through v2 is found, too.
    assert len(find_tables(pushed["written_back"])) == 2
    seed = cases["markup"][0]
    assert seed["markup"] == MARKUP
    assert contents(find_tables(seed["document"])) == [MAIN_CONTENT]
