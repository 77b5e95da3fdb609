"""Wiki markup: blocks, what Cloud gives back, HTML, documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.atlassian import adf, wiki, wiki_html, wiki_inline

MARKUP = st.text(alphabet=st.sampled_from("ab1 \n|*_-#[]{}\\!.:h~^+<&;\r—"), max_size=60)
LINES = (
    *("*bold*", "|| A || B ||", "| 1 | 2 |", "{code}", "{noformat}", "{quote}", "* item", "- item", "----"),
    *("---", "h1. Title", "", "text", "| a \\| b | [x|http://y.z] |", "## deep", "{code:python}x{code} tail"),
)
BLOCKS = st.lists(st.sampled_from(LINES), max_size=8).map("\n".join)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("| 5 | 0 |", "|5|0|"),
        ("|| A || B ||\n| 1 |  |", "||A||B||\n|1| |"),
        ("*Main*\n|| A ||\n| 1 |", "*Main*\n\n||A||\n|1|"),
        ("text  \n\n\n\nmore\r\n", "text\n\nmore"),
        ("- one\n- two", "* one\n* two"),
        ("* one\n** deep\n# two", "* one\n** deep\n# two"),
        (r"| a \| b \* c \{ d |", r"|a \| b \* c \{ d|"),
        ("| [a|http://x.test] | {color:red}b{color} |", "|[a|http://x.test]|{color:red}b{color}|"),
        ("| a\nb | c |", "|a\nb|c|"),
        ("| a \\", "|a \\ |"),
        ("| a \\\\|", "|a \\\\|"),
        ("---", "—"),
        ("----", "----"),
        ("a -- b", "a – b"),
        ("a--b", "a--b"),
        ("{code:java}x | y\n{code}", "{code:java}\nx | y\n{code}"),
        ("{noformat}\n* kept *\n{noformat}", "{noformat}\n* kept *\n{noformat}"),
        ("{quote}\nsaid\n{quote}", "{quote}\nsaid\n{quote}"),
        ("h2.   Title", "h2. Title"),
        ("", ""),
    ],
)
def test_what_cloud_gives_back(written: str, read: str) -> None:
    assert wiki.normalise(written) == read


@given(st.one_of(MARKUP, BLOCKS))
def test_giving_back_again_changes_nothing(text: str) -> None:
    once = wiki.normalise(text)
    assert wiki.normalise(once) == once


@given(st.one_of(MARKUP, BLOCKS))
def test_any_text_renders_to_balanced_and_safe_html(text: str) -> None:
    html = wiki_html.to_html(text)
    assert html.count("<table>") == html.count("</table>")
    assert html.count("<ul>") + html.count("<ol>") == html.count("</ul>") + html.count("</ol>")
    assert html.count("<li>") == html.count("</li>")
    assert "<script" not in wiki_html.to_html(text + "<script>")


@given(st.one_of(MARKUP, BLOCKS))
def test_any_text_becomes_a_document_and_text_again(text: str) -> None:
    document = adf.from_markup(text)
    assert adf.is_document(document)
    assert isinstance(adf.to_markup(document), str)


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (
            "*a* _b_ -c- +d+ ^e^ ~f~ {{g}}",
            "<b>a</b> <i>b</i> <s>c</s> <u>d</u> <sup>e</sup> <sub>f</sub> <code>g</code>",
        ),
        (r"\*a\* \{b\} \| \[c\]", "*a* {b} | [c]"),
        ("2*3*4 a_b_c 1-2-3", "2*3*4 a_b_c 1-2-3"),
        ("&#92; &#0; &amp;", "\\  &amp;amp;"),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        (
            "[t|http://x.test/?a=1&b=2]",
            '<a href="http://x.test/?a=1&amp;b=2" rel="noreferrer noopener">t</a>',
        ),
        ("[t|javascript:alert(1)]", "[t|javascript:alert(1)]"),
        (
            "see http://x.test/a.",
            'see <a href="http://x.test/a" rel="noreferrer noopener">http://x.test/a</a>.',
        ),
        ("*a _b_*", "<b>a <i>b</i></b>"),
        ("a\nb", "a<br>b"),
    ],
)
def test_inline_markup(source: str, html: str) -> None:
    assert wiki_html.to_html(source) == f"<p>{html}</p>"


def test_lists_nest() -> None:
    html = wiki_html.to_html("* a\n** b\n* c\n# d")
    assert html == "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul><ol><li>d</li></ol>"


def test_tables_have_heads_and_cells() -> None:
    html = wiki_html.to_html("|| A || B ||\n| 1 | *2* |")
    assert "<tr><th>A</th><th>B</th></tr><tr><td>1</td><td><b>2</b></td></tr>" in html


@pytest.mark.parametrize(
    "markup",
    [
        "plain *bold* and [link|http://x.test]",
        "||A||B||\n|1|2|",
        "* a\n** b\n* c",
        "# one\n# two",
        "{code:python}\nx = 1\n{code}",
        "----",
        "h3. Title",
        "{quote}\nsaid\n{quote}",
        r"a \| b \* c",
    ],
)
def test_documents_keep_what_markup_says(markup: str) -> None:
    assert adf.to_markup(adf.from_markup(markup)) == markup


def test_what_markup_cannot_say_is_kept_as_a_document() -> None:
    document = {"type": "doc", "version": 1, "content": [{"type": "taskList", "content": []}]}
    assert adf.to_markup(document) == '{adf}{"type":"taskList","content":[]}{adf}'


def test_plain_text_comes_in_one_piece() -> None:
    assert wiki_inline.parse(r"a \* b & c") == (wiki_inline.Text("a * b & c"),)
