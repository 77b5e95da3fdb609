"""Names in Jira's wiki markup: shown as they are, whatever they hold.

``shown`` is what Jira makes of a line, after the rules of its renderer: backslashes are taken off first,
character references stay, and what is left over must not hold anything that means something.
"""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobticket.jira.markup import escape

ESCAPED = re.compile(r"(?<!\\)\\([-#*_+?^~|%{}\[\]()!@])")
ICONS = [
    "(y)",
    "(n)",
    "(i)",
    "(/)",
    "(x)",
    "(!)",
    "(+)",
    "(-)",
    "(?)",
    "(on)",
    "(off)",
    "(*)",
    "(*r)",
    "(flag)",
]
SMILEYS = [":)", ":-)", ":(", ":-(", ":P", ":p", ":D", ":-D", ";)", ";-)"]
ACTIVE = re.compile(
    r"""[*_+^~|{}\[\]!] | \\\\ | \?\? | -- | (?:^|\s)-\S | \S-(?:\s|$) | ^[-#]\s | ^h[1-6]\. | ^bq\.
    | :// | mailto: | \((?:y|n|i|x|/|!|\+|-|\?|on|off|\*[rgby]?|flag|flagoff)\) | [:;]-?[()DPp](?!\w)""",
    re.VERBOSE,
)

#: Pieces that mean something to Jira, and pieces that do not.
PIECES = st.sampled_from(
    [
        *r"|*{}[]\_-+^~?!#%@()&;:<>. ",
        "||", "\\\\", "--", "---", "----", "??", "{code}", "{noformat}", "{color:red}", "[link|http://x.y]", "[~admin]",
        "!image.png!", "h1.", "h6. ", "bq.", "# ", "- ", "http://", "mailto:", "&#124;", "&amp;", "&nbsp;", "\\n",
        "\n", "\r\n", "\t", "\x00", "\x85", "\u2028", "\u202e", "a", "Z9", "ß", "漢", "🙂", " ", *ICONS, *SMILEYS,
    ]
)  # fmt: skip
NAMES = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join) | st.text(max_size=200)


def plain(name: str) -> str:
    """The name as one line: what a reader is to see."""
    line = re.sub(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+", " ", name)
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", "\ufffd", line).strip()


def inert(markup: str) -> str:
    """The markup with everything that is escaped taken out of it."""
    return re.sub(r"&#\d+;", "\ue000", ESCAPED.sub("\ue000", markup))


def shown(markup: str) -> str:
    without_backslashes = ESCAPED.sub(lambda match: f"&#{ord(match[1])};", markup)
    return re.sub(r"&#?\w+;", lambda match: html.unescape(match[0]), without_backslashes)


@pytest.mark.parametrize(
    "name",
    [
        "Main Route",
        "CNC",
        "JOB-2024-001",
        "Deburr (2)",
        "R&D, 50%",
        "Line #3 / cell 4",
        "Saw - rough",
        "Größe: 5,5 mm",
        "6.5\" x 4'",
        "検査",
        "a@b",
        "C:\\temp",
    ],
)
def test_a_simple_name_stays_as_it_is(name: str) -> None:
    assert escape(name) == name


@pytest.mark.parametrize(
    ("name", "markup"),
    [
        ("in|out", r"in\|out"),
        ("*bold*", r"\*bold\*"),
        ("{code}x{code}", r"\{code\}x\{code\}"),
        ("[link|http://x]", r"\[link\|http&#58;//x\]"),
        ("a_b", r"a\_b"),
        ("-gone-", r"\-gone\-"),
        ("a -b", r"a \-b"),
        ("a--b", r"a\-\-b"),
        ("+new+", r"\+new\+"),
        ("m^2^ H~2~O", r"m\^2\^ H\~2\~O"),
        ("??who??", r"\?\?who\?\?"),
        ("!a.png!", r"\!a.png\!"),
        ("h1. Title", "h1&#46; Title"),
        ("bq. Said", "bq&#46; Said"),
        ("# one", r"\# one"),
        ("- one", r"\- one"),
        ("----", r"\-\-\-\-"),
        ("(x) and (!)", r"\(x) and \(\!)"),
        (":) ;-) :D", r":\) ;\-\) &#58;D"),
        ("ends with \\", "ends with &#92;"),
        ("\\*", r"&#92;\*"),
        ("\\\\server", r"&#92;\server"),
        ("&#124; &amp;", "&#38;#124; &#38;amp;"),
        ("two\nlines\r\nof\ttext", "two lines of text"),
        ("a\x00b\u202ec", "a\ufffdb\ufffdc"),
        ("  padded  ", "padded"),
    ],
)  # fmt: skip
def test_what_means_something_is_escaped(name: str, markup: str) -> None:
    assert escape(name) == markup


@given(NAMES)
def test_any_name_is_shown_as_it_is(name: str) -> None:
    assert shown(escape(name)) == plain(name)


@given(NAMES)
def test_nothing_in_a_name_acts(name: str) -> None:
    left = inert(escape(name))
    assert not ACTIVE.search(left), left


@given(NAMES)
def test_a_name_stays_within_its_cell(name: str) -> None:
    row = f"| {escape(name)} | 5 |"
    assert len(re.split(r"(?<!\\)\|", row)) == 4
    assert "\n" not in row


@given(NAMES)
def test_a_name_stays_within_its_cell_when_jira_trims_it(name: str) -> None:
    row = f"|{escape(name).strip()}|5|"
    assert len(re.split(r"(?<!\\)\|", row)) == 4


def test_two_hundred_characters_stay_two_hundred() -> None:
    assert escape("x" * 200) == "x" * 200
    assert shown(escape("|*" * 100)) == "|*" * 100
