"""Documents as wiki markup: what people see on Data Center is the text, whatever it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobticket.jira.documents.model import (
    BulletList,
    HorizontalRule,
    Link,
    Paragraph,
    Text,
    TextTable,
    plain_text,
    strong,
)
from jobticket.jira.documents.wiki import escape, to_wiki, unescape
from tests.unit.jira.data_center import NAMES, TEXTS, Line, Row, rendered


def shown(markup: str) -> str:
    """What a reader sees of one line; it must be a line of text."""
    (line,) = rendered(markup)
    assert isinstance(line, Line)
    assert line.kind == "line"
    return line.text


@pytest.mark.parametrize(
    "text",
    [
        "Main Route",
        "JOB-2024-001",
        "Deburr (2)",
        "R&D, 50%",
        "Line #3 / cell 4",
        "Saw - rough",
        "Größe: 5,5 mm",
        "6.5\" x 4'",
        "検査",
        "a@b",
        "in|out",
        "a_b_c CUSTOMER_NAME",
        "x*y*z",
        "run -v",
        "Stop!",
        "really?",
        "[2024-01-15 10:30:00 UTC] Qualytics Anomaly Status: Acknowledged",
        "C:\\load\\x and C:\\load\\",
        "\\\\server\\share\\a.pdf",
        "see https://wiki.example/7?a=1&b=2_c*d*.",
        '"https://wiki.example/7"',
        "f(y) is not it, (see https://wiki.example/7).",
    ],
)
def test_what_acts_on_nothing_is_written_as_it_is(text: str) -> None:
    if "f(y)" not in text:
        assert escape(text) == text
    assert shown(escape(text)) == text


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("Ask [~accountid:5b10]", r"Ask \[~accountid:5b10]"),
        ("Main {code} line", r"Main \{code\} line"),
        ("Rework (x)", r"Rework \(x)"),
        ("Panel !photo.png!", r"Panel \!photo.png!"),
        ("-5-", r"\-5-"),
        (":)", r":\)"),
        ("{{m}}", r"&#123;&#123;m\}\}"),
        (
            r"see https://wiki.example/7 and C:\load\ :D",
            r"see https://wiki.example/7 and C:\load\ &#58;D",
        ),
        ("*M4*", r"\*M4*"),
        ("a -- b --- c", r"a \-- b \--- c"),
        ("----", r"\-\---"),
        ("- one", r"\- one"),
        ("# one", r"\# one"),
        ("h1. Title", "h1&#46; Title"),
        ("h2.5 mm", "h2&#46;5 mm"),
        ("bq. Said", "bq&#46; Said"),
        ("| a | b", "&#124; a | b"),
        ("??who??", r"\??who??"),
        ("m^2^ H~2~O", r"m^2^ H~2~O"),
        ("[text|https://x.example]", r"\[text|https://x.example]"),
        ("&#124; &amp; &c", "&amp;#124; &amp;amp; &c"),
        (r"ends with \*", r"ends with &#92;*"),
        ("a\\\\b", r"a&#92;\b"),
        ("(*)", r"\(*)"),
        ("(-)", r"\(-\)"),
        ("<->)", r"<->\)"),
        ("mailto:a@b.example", "mailto&#58;a@b.example"),
        ("https://a.example/{code}", r"https&#58;//a.example/\{code\}"),
        ("||https://a.example/*b*", r"&#124;|https://a.example/\*b*"),
        ("|https://a.example/*b*", "&#124;https://a.example/*b*"),
    ],
)
def test_what_would_act_is_escaped_and_no_more(text: str, markup: str) -> None:
    assert escape(text) == markup
    assert shown(markup) == text


@given(NAMES)
def test_any_text_is_shown_as_it_is(text: str) -> None:
    assert shown(escape(text)) == text
    assert unescape(escape(text)) == text


@given(NAMES)
def test_any_strong_name_is_strong_throughout(name: str) -> None:
    assert shown(to_wiki((strong(name),))) == f"<b>{name}</b>"


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_any_name_stays_in_its_cell(names: list[str]) -> None:
    header, row = rendered(to_wiki((TextTable(tuple(names), (tuple(names),)),)))
    assert header == Row(tuple(("header", name) for name in names))
    assert row == Row(tuple(("cell", name) for name in names))


@given(NAMES)
def test_any_item_is_one_item(name: str) -> None:
    assert rendered(to_wiki((BulletList(((Text(f"{name}: 5 parts"),),)),))) == [
        Line("item", f"{name}: 5 parts")
    ]


@given(TEXTS, NAMES, TEXTS)
def test_strong_text_within_a_line(before: str, name: str, after: str) -> None:
    line = shown(to_wiki((Paragraph((Text(before), Text(name, strong=True), Text(after))),)))
    assert line == f"{before}<b>{name}</b>{after}"


@given(st.lists(TEXTS, max_size=5))
def test_any_text_of_several_lines_keeps_its_lines(lines: list[str]) -> None:
    for end in ("\n", "\r\n", "\r"):
        found = rendered(to_wiki(plain_text(end.join(lines))))
        assert found == [Line("line", line) for line in lines if line]


def test_blocks_are_separated_as_people_do() -> None:
    document = (
        *plain_text("one\ntwo\r\n\r\n\r\nthree"),
        HorizontalRule(),
        Paragraph((Text("Failed Checks:"),)),
        BulletList(((Text("a"),), (Text("b"),))),
        Paragraph((Text("View: "), Link("https://x.example/1"))),
        strong("Main"),
        TextTable(("A",), (("1",), ("",))),
    )
    assert to_wiki(document) == (
        "one\ntwo\n\nthree\n\n----\nFailed Checks:\n- a\n- b\n\nView: https://x.example/1\n\n"
        "*Main*\n|| A ||\n| 1 |\n|  |"
    )


def test_the_comment_summary_is_the_contracts() -> None:
    parts = [(Text("CNC: 5 parts"),), (Text("Completed: 1"),)]
    document = (strong("Status Summary for JOB-2024-001"), strong("Main Route:"), BulletList(tuple(parts)))
    assert to_wiki(document) == (
        "*Status Summary for JOB-2024-001*\n\n*Main Route:*\n- CNC: 5 parts\n- Completed: 1"
    )
