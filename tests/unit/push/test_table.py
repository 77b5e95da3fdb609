"""The texts of a push (contract: jobs.md, The pushed table and The comment summary)."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from jobticket.push.description import own_tables
from jobticket.push.limits import LIMIT, fits, length
from jobticket.push.table import PathStatus, sections, summary

DAY = date(2026, 11, 22)
MAIN = PathStatus("Main Route", (("CNC", 5), ("Deburr", 0), ("QC", 0)), 1)
SIDE = PathStatus("Side Route", (("Paint", 0),), 12)


def test_a_section_is_the_contracts() -> None:
    assert sections([MAIN], DAY) == [
        "*Main Route*\n"
        "|| Date || CNC || Deburr || QC || Completed ||\n"
        "| 2026-11-22 | 5 | 0 | 0 | 1 |"
    ]  # fmt: skip


def test_each_path_has_a_section_in_order() -> None:
    first, second = sections([MAIN, SIDE], DAY)
    assert first.startswith("*Main Route*\n")
    assert second == "*Side Route*\n|| Date || Paint || Completed ||\n| 2026-11-22 | 0 | 12 |"


def test_names_are_text_in_one_cell() -> None:
    path = PathStatus("a|b\n*c*", (("{code}", 1), ("[x|http://y]", 2), ("z" * 200, 3)), 0)
    heading, header, row = sections([path], DAY)[0].split("\n")
    assert heading == r"*a\|b \*c\**"
    assert header == r"|| Date || \{code\} || \[x\|http&#58;//y\] || " + "z" * 200 + " || Completed ||"
    assert row == "| 2026-11-22 | 1 | 2 | 3 | 0 |"


def test_the_summary_is_the_contracts() -> None:
    path = PathStatus("Main Route", (("CNC", 5),), 1)
    assert summary("JOB-2024-001", [path]) == (
        "*Status Summary for JOB-2024-001*\n\n*Main Route:*\n- CNC: 5 parts\n- Completed: 1",
    )


def test_the_summary_lists_every_step_of_every_path() -> None:
    (text,) = summary("J", [MAIN, SIDE])
    assert text == (
        "*Status Summary for J*\n\n"
        "*Main Route:*\n- CNC: 5 parts\n- Deburr: 0 parts\n- QC: 0 parts\n- Completed: 1\n\n"
        "*Side Route:*\n- Paint: 0 parts\n- Completed: 12"
    )


def test_the_summary_of_a_job_without_paths_is_its_heading() -> None:
    assert summary("J|1", []) == (r"*Status Summary for J\|1*",)


def test_a_long_summary_becomes_several_comments() -> None:
    texts = summary("J", [MAIN] * 5, limit=200)
    assert len(texts) == 3
    assert all(length(text) <= 200 for text in texts)
    assert "\n\n".join(texts) == summary("J", [MAIN] * 5)[0]


def test_names_are_shortened_only_where_the_table_would_not_fit_anywhere() -> None:
    long = PathStatus("P", tuple((f"{number:03d}" + "|" * 252, 0) for number in range(100)), 0)
    (section,) = sections([long], DAY)
    assert fits(section)
    assert "…" in section
    assert all(f"{number:03d}" in section for number in range(100))
    assert fits(summary("J", [long])[0])
    nearly = PathStatus("P", tuple(("x" * 255, 0) for _ in range(100)), 0)
    assert "…" not in sections([nearly], DAY)[0]
    assert length(sections([nearly], DAY)[0]) < LIMIT


def test_jira_counts_utf_16() -> None:
    assert length("a🙂é") == 4
    assert fits("🙂" * 5, 10)
    assert not fits("🙂" * 5 + "a", 10)


@given(
    st.text(min_size=1).filter(str.strip),
    st.lists(st.tuples(st.text(), st.integers(0, 10**6)), max_size=5),
    st.integers(0),
)
def test_any_section_is_recognised_as_our_own(
    name: str, steps: list[tuple[str, int]], completed: int
) -> None:
    (section,) = sections([PathStatus(name, tuple(steps), completed)], DAY)
    (table,) = own_tables(section)
    assert table.text == section
    assert table.content[2] == (DAY.isoformat(), *(str(count) for _, count in steps), str(completed))
