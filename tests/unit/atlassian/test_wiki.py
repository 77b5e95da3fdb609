"""Wiki markup as a Data Center renders it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.atlassian import wiki_html, wiki_inline

MARKUP = st.text(alphabet=st.sampled_from("ab1 \n|*_-#[]{}\\!.:h~^+<&;\r—"), max_size=60)
LINES = (
    *("*bold*", "|| A || B ||", "| 1 | 2 |", "{code}", "{noformat}", "{quote}", "* item", "- item", "----"),
    *("---", "h1. Title", "", "text", "| a \\| b | [x|http://y.z] |", "## deep", "{code:python}x{code} tail"),
)
BLOCKS = st.lists(st.sampled_from(LINES), max_size=8).map("\n".join)


@given(st.one_of(MARKUP, BLOCKS))
def test_any_text_renders_to_balanced_and_safe_html(text: str) -> None:
    html = wiki_html.to_html(text)
    assert html.count("<table>") == html.count("</table>")
    assert html.count("<ul>") + html.count("<ol>") == html.count("</ul>") + html.count("</ol>")
    assert html.count("<li>") == html.count("</li>")
    assert "<script" not in wiki_html.to_html(text + "<script>")


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


@pytest.mark.parametrize("before", ["text", "* item", "h1. Title", "text {code}a{code} more"])
@pytest.mark.parametrize("macro", ["{code}x", "{code:java}x", "{noformat}x", "{quote}x"])
def test_a_macro_begins_wherever_it_stands(before: str, macro: str) -> None:
    """Its end, on a line of its own, begins no other one: the table below is a table."""
    end = macro.partition("}")[0].partition(":")[0] + "}"
    html = wiki_html.to_html(f"{before} {macro}\n{end}\n\n|| A ||\n| 1 |")
    assert html.endswith(wiki_html.to_html("|| A ||\n| 1 |"))
    assert end not in html


@pytest.mark.parametrize("text", [r"a \{code} b", "a {{code}} b", "a {code b"])
def test_what_only_looks_like_a_macro_is_text(text: str) -> None:
    assert wiki_html.to_html(text).startswith("<p>")
    assert "<pre" not in wiki_html.to_html(text)


def test_lists_nest() -> None:
    html = wiki_html.to_html("* a\n** b\n* c\n# d")
    assert html == "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul><ol><li>d</li></ol>"


def test_tables_have_heads_and_cells() -> None:
    html = wiki_html.to_html("|| A || B ||\n| 1 | *2* |")
    assert "<tr><th>A</th><th>B</th></tr><tr><td>1</td><td><b>2</b></td></tr>" in html


def test_plain_text_comes_in_one_piece() -> None:
    assert wiki_inline.parse(r"a \* b & c") == (wiki_inline.Text("a * b & c"),)
