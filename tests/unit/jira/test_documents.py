"""Documents: text of people, ADF, limits, and macros that a description leaves open."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobticket.jira.documents.adf import to_adf, to_nodes
from jobticket.jira.documents.limits import CUT, cut, cut_line, length
from jobticket.jira.documents.macros import closing, open_macro
from jobticket.jira.documents.model import (
    BulletList,
    Document,
    HorizontalRule,
    Link,
    Paragraph,
    Text,
    TextTable,
    plain_line,
    plain_text,
    strong,
)
from jobticket.jira.documents.wiki import to_wiki

COMMENT = "see https://wiki.example/7 and C:\\load\\ :D"


def text_node(text: str, *marks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": text, "marks": list(marks)} if marks else {"type": "text", "text": text}


def paragraph(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(nodes)}


def link(url: str) -> dict[str, Any]:
    return text_node(url, {"type": "link", "attrs": {"href": url}})


class TestPlainText:
    def test_each_line_is_a_paragraph(self) -> None:
        for end in ("\n", "\r\n", "\r"):
            assert plain_text(f"one{end}two{end}{end}{end}three{end}") == (
                Paragraph((Text("one"),)),
                Paragraph((Text("two"),), tight=True),
                Paragraph((Text("three"),)),
            )

    def test_nothing_is_markup(self) -> None:
        assert plain_text("*a* {code}") == (Paragraph((Text("*a* {code}"),)),)

    def test_text_without_text_is_nothing(self) -> None:
        assert plain_text(" \r\n\n ") == ()

    @pytest.mark.parametrize(
        ("line", "urls"),
        [
            (COMMENT, ["https://wiki.example/7"]),
            ("(https://a.example/x).", ["https://a.example/x"]),
            ("https://a.example/wiki/Bore_(hole), next", ["https://a.example/wiki/Bore_(hole)"]),
            ("http://a.example?b=c&d='e'!", ["http://a.example?b=c&d='e"]),
            ("https://a https://b", ["https://a", "https://b"]),
            ('<https://a.example> "https://b.example"', ["https://a.example", "https://b.example"]),
            ("https://", []),
            ("https://...", []),
            ("xhttps://a ftp://b mailto:c@d.example file:e", []),
        ],
    )
    def test_urls_are_links(self, line: str, urls: list[str]) -> None:
        found = plain_line(line)
        assert [inline.url for inline in found if isinstance(inline, Link)] == urls
        assert "".join(inline.url if isinstance(inline, Link) else inline.text for inline in found) == line

    def test_control_characters_are_shown(self) -> None:
        assert plain_text("a\x00b\u202ec") == (Paragraph((Text("a\ufffdb\ufffdc"),)),)


class TestAdf:
    def test_an_anomaly_comment_stays_readable(self) -> None:
        assert to_nodes(plain_text(COMMENT)) == [
            paragraph(text_node("see "), link("https://wiki.example/7"), text_node(" and C:\\load\\ :D"))
        ]

    @pytest.mark.parametrize(
        "name", ["in|out", "Ask [~accountid:5b10]", "Main {code} line", "Rework (x)", "-5-", ":)", "{{m}}"]
    )
    def test_a_name_is_one_text_node(self, name: str) -> None:
        assert to_nodes((strong(name),)) == [paragraph(text_node(name, {"type": "strong"}))]
        (table,) = to_nodes((TextTable((name,), ((name,),)),))
        assert [row["content"] for row in table["content"]] == [
            [{"type": kind, "attrs": {}, "content": [paragraph(text_node(name))]}]
            for kind in ("tableHeader", "tableCell")
        ]

    def test_all_blocks(self) -> None:
        document: Document = (
            HorizontalRule(),
            BulletList(((Text("a"),),)),
            BulletList(()),
            TextTable(("",), (("1",),)),
        )
        assert to_adf(document) == {
            "type": "doc",
            "version": 1,
            "content": [
                {"type": "rule"},
                {
                    "type": "bulletList",
                    "content": [{"type": "listItem", "content": [paragraph(text_node("a"))]}],
                },
                {
                    "type": "table",
                    "attrs": {"isNumberColumnEnabled": False, "layout": "default"},
                    "content": [
                        {
                            "type": "tableRow",
                            "content": [{"type": "tableHeader", "attrs": {}, "content": [paragraph()]}],
                        },
                        {
                            "type": "tableRow",
                            "content": [
                                {"type": "tableCell", "attrs": {}, "content": [paragraph(text_node("1"))]}
                            ],
                        },
                    ],
                },
            ],
        }

    @settings(deadline=None)
    @given(st.text(max_size=80))
    def test_no_text_node_is_empty(self, text: str) -> None:
        document = to_adf((*plain_text(text), strong(text), TextTable((text,), ((text,),))))
        assert '"text": ""' not in json.dumps(document)


def test_importing_documents_imports_nothing_heavy() -> None:
    code = (
        "import sys; from jobticket.push import tables; from jobticket.jira.documents import adf, limits;"
        "sys.exit(any(name in sys.modules for name in ('pydantic', 'boto3', 'requests')))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
    )


class TestCut:
    TAIL: Document = (HorizontalRule(), Paragraph((Text("tail"),)))

    def test_what_fits_stays(self) -> None:
        document = plain_text("a" * 100)
        assert cut(document, 100) == document
        assert cut(document, 200, tail=self.TAIL) == (*document, *self.TAIL)

    @pytest.mark.parametrize(
        "letter", ["x", "*", "{", "\\", "💥", "|", "a\n", "&#42;", "h1. ", "https://a.example/b "]
    )
    def test_what_does_not_fit_is_visibly_cut(self, letter: str) -> None:
        found = cut(plain_text(letter * 4000), 1000, tail=self.TAIL)
        assert found[-3:] == (CUT, *self.TAIL)
        assert 940 < length(to_wiki(found)) <= 1000

    def test_a_list_is_cut_within_an_item(self) -> None:
        items = BulletList(tuple((Text(f"{number} " + "y" * 40),) for number in range(100)))
        kept, note = cut((items,), 500)
        assert note == CUT
        assert isinstance(kept, BulletList)
        assert kept.items[:2] == items.items[:2]
        assert 440 < length(to_wiki((kept, note))) <= 500

    def test_strong_text_stays_strong_and_a_link_stays_whole(self) -> None:
        document = (
            Paragraph((Text("s" * 300, strong=True),)),
            Paragraph((Link("https://a.example/" + "b" * 300),)),
        )
        kept, _ = cut(document, 200)
        assert isinstance(kept, Paragraph)
        assert isinstance(text := kept.content[0], Text)
        assert text.strong
        assert cut(document[1:], 200) == (CUT,)

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("  a\n b\tc ", "a b c"),
            ("a" * 255, "a" * 255),
            ("a" * 256, "a" * 254 + "…"),
            ("💥" * 128, "💥" * 127 + "…"),
        ],
    )
    def test_a_summary_is_one_line(self, text: str, line: str) -> None:
        assert cut_line(text) == line


class TestOpenMacros:
    @pytest.mark.parametrize(
        ("markup", "name", "closes"),
        [
            ("", None, ""),
            ("plain { text } {x} {toc}", None, ""),
            ("{code}\nint x;", "code", "\n{code}"),
            ("{code:java}\r\nint x;\r\n", "code", "\n{code}"),
            ("{code:title=a\\}b}\nint x;", "code", "\n{code}"),
            ("{code}\nint x;\n{code}", None, ""),
            ("{code}a{code} {code:c}b", "code", "\n{code}"),
            ("{code}{quote}{code}", None, ""),
            ("{noformat}{code}{noformat}", None, ""),
            ("{noformat}{code}", "code", "\n{code}\n{noformat}"),
            ("{quote}\nsaid\n{code}\nx", "code", "\n{code}\n{quote}"),
            ("{quote}said{quote}\n{panel:title=x|borderColor=#ccc}\nin", "panel", "\n{panel}"),
            ("{color:red}red", "color", "\n{color}"),
            ("{color:red}red{color}", None, ""),
            ("{code} {code:java} x", "code", "\n{code}"),
            ("\\{code} and {{code}} and {code\\}", None, ""),
            ("{QUOTE}\nsaid", "QUOTE", "\n{QUOTE}"),
        ],
    )
    def test_what_is_open_is_closed_off(self, markup: str, name: str | None, closes: str) -> None:
        assert open_macro(markup) == name
        assert closing(markup) == closes
        assert open_macro(markup + closing(markup)) is None

    @settings(deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [
                    "{code}",
                    "{code:java}",
                    "{quote}",
                    "{panel:a=b}",
                    "{noformat}",
                    "{color:red}",
                    "{color}",
                    "\\",
                ]
            )
            | st.text(max_size=3),
            max_size=12,
        ).map("".join)
    )
    def test_anything_can_be_closed_off(self, markup: str) -> None:
        assert open_macro(markup + closing(markup)) is None
