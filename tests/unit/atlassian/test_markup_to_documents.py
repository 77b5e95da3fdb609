"""Wiki markup to documents and back, as a Cloud site does for REST v2."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.atlassian.adf.from_wiki import to_document
from local.atlassian.adf.nodes import MisfitError, plain_text
from local.atlassian.adf.reader import Media
from local.atlassian.adf.to_wiki import to_markup
from local.atlassian.adf.validity import is_valid

PIECES = (
    *(
        "*",
        "_",
        "-",
        "+",
        "^",
        "~",
        "{{",
        "}}",
        "??",
        "{*}",
        "\n",
        "\n\n",
        "\r\n",
        " ",
        "a",
        "b",
        "ö",
        "1",
        "\\",
    ),
    *(
        "|",
        "||",
        "!p.png|width=9!",
        "[^f.pdf]",
        "[~u]",
        "[t|https://e.test]",
        "[x]",
        "https://e.test",
        "(x)",
        ":)",
    ),
    *(
        "{code}",
        "{noformat}",
        "{quote}",
        "{panel:title=T}",
        "{color:red}",
        "{color}",
        "{anchor:a}",
        "{",
        "}",
        "[",
    ),
    *("h1. ", "bq. ", "* ", "# ", "** ", "- ", "----", " -- ", "\\\\", "\\*", "\u00a0", "😀", "&#58;"),
)
MARKUP = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def text(value: str, *marks: str) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "text", "text": value}
    return {**node, "marks": [{"type": mark} for mark in marks]} if marks else node


def paragraph(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(content)}


def listed(kind: str, *items: list[dict[str, Any]]) -> dict[str, Any]:
    node: dict[str, Any] = {"type": kind}
    if kind == "orderedList":
        node["attrs"] = {"order": 1}
    return {**node, "content": [{"type": "listItem", "content": item} for item in items]}


def cell(*content: dict[str, Any], header: bool = False) -> dict[str, Any]:
    kind = "tableHeader" if header else "tableCell"
    return {"type": kind, "attrs": {}, "content": list(content)}


BREAK = {"type": "hardBreak"}


@pytest.mark.parametrize(
    ("markup", "content"),
    [
        ("one\ntwo\n\nthree", [paragraph(text("one"), BREAK, text("two")), paragraph(text("three"))]),
        ("a *b* c", [paragraph(text("a "), text("b", "strong"), text(" c"))]),
        ("a*b*c 1-2-3", [paragraph(text("a*b*c 1-2-3"))]),
        ("x{*}y{*}z", [paragraph(text("x"), text("y", "strong"), text("z"))]),
        ("*a _b_*", [paragraph(text("a ", "strong"), text("b", "em", "strong"))]),
        ("* no", [listed("bulletList", [paragraph(text("no"))])]),
        ("*no *", [paragraph(text("*no *"))]),
        (r"\*no\*", [paragraph(text("*no*"))]),
        (r"\\host\share", [paragraph(text(r"\\host\share"))]),
        (r"a\\b", [paragraph(text("a"), BREAK, text("b"))]),
        ("a -- b", [paragraph(text("a – b"))]),
        ("a--b", [paragraph(text("a--b"))]),
        ("----\nx", [{"type": "rule"}, paragraph(text("x"))]),
        ("h2. T", [{"type": "heading", "attrs": {"level": 2}, "content": [text("T")]}]),
        (
            "* a\n** b",
            [listed("bulletList", [paragraph(text("a")), listed("bulletList", [paragraph(text("b"))])])],
        ),
        (
            "* a\n# b",
            [listed("bulletList", [paragraph(text("a"))]), listed("orderedList", [paragraph(text("b"))])],
        ),
        ("* a\nb", [listed("bulletList", [paragraph(text("a"), BREAK, text("b"))])]),
        (
            "* h1. big",
            [listed("bulletList", [paragraph(text("BIG", "strong"))])],
        ),
        (
            "|a\\|b|",
            [
                {
                    "type": "table",
                    "attrs": {"isNumberColumnEnabled": False, "layout": "default"},
                    "content": [
                        {
                            "type": "tableRow",
                            "content": [cell(paragraph(text("a\\"))), cell(paragraph(text("b")))],
                        }
                    ],
                }
            ],
        ),
        (
            "||H ||",
            [
                {
                    "type": "table",
                    "attrs": {"isNumberColumnEnabled": False, "layout": "default"},
                    "content": [
                        {"type": "tableRow", "content": [cell(paragraph(text("H ", "strong")), header=True)]}
                    ],
                }
            ],
        ),
        ("{quote}said{quote}", [{"type": "blockquote", "content": [paragraph(text("said"))]}]),
        (
            "{code:title=T|python}\nx\n{code}",
            [
                paragraph(text("T", "strong")),
                {"type": "codeBlock", "attrs": {"language": "python"}, "content": [text("x")]},
            ],
        ),
        (
            "{panel:bgColor=#fffae0}in{panel}",
            [{"type": "panel", "attrs": {"panelType": "warning"}, "content": [paragraph(text("in"))]}],
        ),
        ("see {anchor:x}it", [paragraph(text("see it"))]),
        ("{loremipsum}", [paragraph(text("{loremipsum}"))]),
        ("[not a link]", [paragraph(text("[not a link]"))]),
        ("[x|javascript:alert(1)]", [paragraph(text("[x|javascript:alert(1)]"))]),
        (
            "{adf}no json{adf}",
            [{"type": "codeBlock", "attrs": {}, "content": [text("Invalid ADF Macro: no json")]}],
        ),
        ("", []),
    ],
)
def test_markup_becomes_a_document(markup: str, content: list[dict[str, Any]]) -> None:
    assert to_document(markup) == {"version": 1, "type": "doc", "content": content}


@pytest.mark.parametrize(
    ("address", "href"),
    [
        ("https://Host.test", "https://host.test/"),
        ("http://h.test:80/a/../b", "http://h.test/b"),
        ("https://h.test:8443/x?q=<1", "https://h.test:8443/x?q=%3C1"),
        ("ftp://h.test/f", "ftp://h.test/f"),
        ("mailto:a@b.test", "mailto:a@b.test"),
    ],
)
def test_addresses_in_a_text_become_links_as_browsers_write_them(address: str, href: str) -> None:
    (found,) = to_document(address)["content"][0]["content"]
    assert found["marks"] == [{"type": "link", "attrs": {"href": href}}]
    assert found["text"] == address.removeprefix("mailto:")


def test_files_are_known_by_name_only() -> None:
    media = Media({"id-1": "same.png", "id-2": "same.png", "id-3": "x.pdf"})
    picture = {"type": "media", "attrs": {"type": "file", "id": "id-1", "collection": ""}}
    single = {"type": "mediaSingle", "attrs": {"layout": "center"}, "content": [picture]}
    markup = to_markup({"type": "doc", "version": 1, "content": [single]}, media)
    assert markup == "!same.png|thumbnail!"
    back = to_document(markup, media)["content"][0]["content"][0]
    assert back["attrs"]["id"] == "id-2"
    group = to_document("[^x.pdf]\n[^x.pdf]", media)["content"]
    assert [each["attrs"]["id"] for each in group[0]["content"]] == ["id-3", "id-3"]


@pytest.mark.parametrize(
    ("node", "markup"),
    [
        (paragraph(text(" a ", "strong")), " *a* "),
        (paragraph(text("{code} [~u] !x!")), r"\{code} \[~u] \!x\!"),
        (paragraph(text("*M4* -5-")), "*M4* -5-"),
        (paragraph(text("{code}", "code")), "{{{code}}}"),
        (paragraph({"type": "date", "attrs": {"timestamp": "0"}}), "{{1970-01-01}}"),
        (
            paragraph({"type": "status", "attrs": {"text": "go", "color": "#ABF5D1"}}),
            "{color:#36B37E}*[ GO ]*{color}",
        ),
        (paragraph({"type": "emoji", "attrs": {"shortName": ":own:", "id": "mine"}}), ":own:"),
        (
            paragraph(
                {"type": "emoji", "attrs": {"shortName": ":check_mark:", "id": "atlassian-check_mark"}}
            ),
            "(/)",
        ),
        (paragraph({"type": "emoji", "attrs": {"shortName": ":one:", "id": "31-20e3"}}), "1\ufe0f\u20e3"),
        (
            {
                "type": "taskList",
                "attrs": {"localId": "l"},
                "content": [
                    {
                        "type": "taskItem",
                        "attrs": {"localId": "1", "state": "DONE"},
                        "content": [text("cut")],
                    },
                    {
                        "type": "taskList",
                        "attrs": {"localId": "m"},
                        "content": [
                            {
                                "type": "taskItem",
                                "attrs": {"localId": "2", "state": "TODO"},
                                "content": [text("bore")],
                            }
                        ],
                    },
                ],
            },
            "* -cut-\n** bore",
        ),
        (
            {"type": "nestedExpand", "attrs": {"title": "T"}, "content": [paragraph(text("x"))]},
            '{adf:display=block}\n{"type":"nestedExpand","attrs":{"title":"T"},'
            '"content":[{"type":"paragraph","content":[{"type":"text","text":"x"}]}]}\n{adf}',
        ),
        ({"type": "expand", "content": [paragraph(text("x"))]}, "**\n\nx"),
        (
            {"type": "codeBlock", "attrs": {"language": "rust"}, "content": [text("x")]},
            "{noformat}x{noformat}",
        ),
        (
            {"type": "panel", "attrs": {"panelType": "custom"}, "content": [paragraph(text("x"))]},
            "{panel:bgColor=}\nx\n{panel}",
        ),
    ],
)
def test_a_node_becomes_markup(node: dict[str, Any], markup: str) -> None:
    assert to_markup({"type": "doc", "version": 1, "content": [node]}) == markup


def test_what_markup_cannot_say_comes_back_through_its_macro() -> None:
    column = {"type": "layoutColumn", "attrs": {"width": 50}, "content": [paragraph(text("{x}"))]}
    document = {
        "version": 1,
        "type": "doc",
        "content": [{"type": "layoutSection", "content": [column, column]}],
    }
    assert to_document(to_markup(document)) == document


def test_a_node_that_no_document_holds_is_refused() -> None:
    with pytest.raises(MisfitError):
        to_document('{adf}{"type":"tableRow","content":[]}{adf}')


@given(MARKUP)
def test_any_markup_becomes_a_valid_document(markup: str) -> None:
    document = to_document(markup)
    assert is_valid(document)
    assert is_valid(to_document(to_markup(document)))


@given(st.text(alphabet="abc XYZ,.\n", max_size=40))
def test_words_stay_words(words: str) -> None:
    shown = " ".join(plain_text(block) for block in to_document(words)["content"])
    assert shown.replace(" ", "") == words.replace(" ", "").replace("\n", "")
