"""The texts that tickets get: data stays data, and what is cut says so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobticket.ticketing import text
from jobticket.ticketing.model import Anomaly, Datastore, FailedCheck
from jobticket.ticketing.text import LONGEST_TEXT, Wording
from local.atlassian.adf.from_wiki import to_document

WORDING = Wording("Qualytics", "https://your-qualytics-instance.qualytics.io")
AT = datetime(2026, 1, 23, 20, 22, 4, tzinfo=UTC)

HOSTILE = [
    "*bold* _em_ -strike- +plus+ ^up^ ~down~ {{code}} ??cite??",
    "h1. Heading",
    "----",
    "|| a || b ||",
    "| a | b |",
    "{code}rm -rf{code} {noformat} {quote} {color:red}x{color} {adf}{}{adf} {panel}",
    "[click|https://evil.example] [~accountid:5b10] [^file.pdf] [mailto:x@example.com]",
    "!https://evil.example/pixel.png!",
    "<script>alert(1)</script> <b>b</b> &amp; &#42;",
    "project = X OR labels in (a) ORDER BY created",
    "\\ \\\\ C:\\new\\* \\{x\\}",
    "bq. quoted :) ;-) (!) (x) :D",
    "tab\tand\x00nul\x07bell\x1bescape\u202eturned",
    "* one",
    "# one",
    "- one",
]


def anomaly(*checks: FailedCheck, detected: str = "2025-12-21T01:48:42.988233Z") -> Anomaly:
    return Anomaly(
        id=1,
        type="shape",
        status="Acknowledged",
        archived=False,
        datastore=Datastore(id=1, name="CRM"),
        failed_checks=list(checks) or [FailedCheck(message="is empty", field="NAME")],
        detected=detected,
        detected_count=1,
        created="2025-12-21T01:48:43.000Z",
        updated="2025-12-21T01:48:43.000Z",
    )


def shown(markup: str) -> str:
    """What people read: the text of the document that Jira makes of the markup."""
    blocks = to_document(markup)["content"]
    found = "\n".join("".join(_texts(block)) for block in blocks)
    # The emulated Jira knows no emoticons, and leaves their escapes as they are.
    return found.replace("\\(", "(").replace("\\)", ")")


def _texts(node: dict[str, object]) -> list[str]:
    if node["type"] == "text":
        return [str(node["text"])]
    if node["type"] == "hardBreak":
        return ["\n"]
    content = node.get("content", [])
    assert isinstance(content, list)
    joined = [part for child in content for part in _texts(child)]
    return [*joined, "\n"] if node["type"] == "listItem" else joined


def kinds(markup: str) -> set[str]:
    found: set[str] = set()

    def visit(node: dict[str, object]) -> None:
        found.add(str(node["type"]))
        for mark in node.get("marks", []):  # type: ignore[attr-defined]
            found.add(str(mark["type"]))
        for child in node.get("content", []):  # type: ignore[attr-defined]
            visit(child)

    visit(to_document(markup))
    return found - {"doc", "paragraph", "text", "hardBreak"}


def test_the_block_has_the_documented_lines_in_order() -> None:
    block = WORDING.block(
        anomaly(FailedCheck(message="is not unique", field="ID"), FailedCheck(message="too many rows")), AT
    )
    assert block.replace("\n\n", "\n").split("\n") == [
        "Qualytics Anomaly Linked [2026-01-23 20:22:04 UTC]",
        "Anomaly ID: 1",
        "Status: Acknowledged",
        "Type: shape",
        "Detected: 2025-12-21 01:48:42.988233+00:00",
        "Failed Checks:",
        "- ID: is not unique",
        "- too many rows",
        "View in Qualytics: https://your-qualytics-instance.qualytics.io/datastores/1/anomalies?id=1",
    ]


def test_a_time_of_long_ago_keeps_its_form() -> None:
    block = WORDING.block(anomaly(detected="0999-01-02T00:00:00.000Z"), AT)
    assert "Detected: 0999-01-02 00:00:00.000000+00:00" in block


def test_a_status_comment_is_the_seeds() -> None:
    at = datetime(2024, 1, 15, 11, 30, tzinfo=timezone(timedelta(hours=1)))
    expected = "[2024-01-15 10:30:00 UTC] Qualytics Anomaly Status: Acknowledged"
    assert WORDING.status_comment("Acknowledged", at) == expected
    assert shown(expected) == expected


def test_a_description_is_the_users_text_a_rule_and_the_block() -> None:
    markup = WORDING.description("first line\nsecond line", anomaly(), AT)
    user, rule, block = markup.partition("\n\n----\n")
    assert (user, rule) == ("first line\nsecond line", "\n\n----\n")
    assert block == WORDING.block(anomaly(), AT)
    assert [node["type"] for node in to_document(markup)["content"]] == [
        "paragraph",
        "rule",
        "paragraph",
        "bulletList",
        "paragraph",
    ]
    assert WORDING.description(None, anomaly(), AT).startswith("----\nQualytics Anomaly Linked")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_from_anomalies_is_never_markup(hostile: str) -> None:
    comment = WORDING.comment(hostile)
    assert kinds(comment) == set()
    expected = hostile.replace("\t", " ")
    for control in "\x00\x07\x1b\u202e":
        expected = expected.replace(control, "\ufffd")
    assert shown(comment) == f"Comment from Qualytics: {expected}"
    block = WORDING.block(anomaly(FailedCheck(message=hostile, field=hostile)), AT)
    assert kinds(block) == {"bulletList", "listItem", "link"}  # the one list of checks, the one link back
    assert f"{expected}: {expected}" in shown(block)


def test_lines_of_a_comment_stay_lines() -> None:
    comment = WORDING.comment("one\r\ntwo\n\n* three\nh1. four")
    assert kinds(comment) == set()
    assert shown(comment) == "Comment from Qualytics: one\ntwo\n* three\nh1. four"


@pytest.mark.parametrize("letter", ["x", "*", "{", "\\", "\U0001f4a5", "|", "a\n", "&#42;", "h1. "])
def test_a_text_that_is_too_long_is_cut_visibly(letter: str) -> None:
    long = ("start " + letter * 100_000)[:100_000]
    for markup in (
        WORDING.comment(f"{long} end"),
        WORDING.block(anomaly(FailedCheck(message=f"{long} end")), AT),
        WORDING.description(f"{long} end", anomaly(), AT),
    ):
        assert text.length(markup) <= LONGEST_TEXT
        assert markup.count("cut here: Jira holds 32,767 characters") == 1
        kept = markup.partition("\n\n… (cut here")[0]
        assert not re.search(r"(?<!\\)(\\\\)*\\$|&#\d*$", kept)  # no escape is torn


def test_what_leads_back_is_never_cut() -> None:
    long = FailedCheck(message="x" * 100_000)
    url = "https://your-qualytics-instance.qualytics.io/datastores/1/anomalies?id=1"
    assert WORDING.block(anomaly(long), AT).endswith(url)
    described = WORDING.description("y" * 100_000, anomaly(long), AT)
    assert described.endswith(url)
    assert text.length(described) <= LONGEST_TEXT
    assert described.count("cut here") == 2  # of both, about half is kept
    assert described.count("x") > LONGEST_TEXT // 3 < described.count("y")
    short = WORDING.description("short", anomaly(long), AT)
    assert short.startswith("short\n\n----\n")
    assert text.length(short) > LONGEST_TEXT - 10


def test_a_text_that_just_fits_is_not_cut() -> None:
    prefix = "Comment from Qualytics: "
    fits = "x" * (LONGEST_TEXT - len(prefix))
    assert WORDING.comment(fits) == prefix + fits
    assert "cut here" in WORDING.comment(fits + "x")


@settings(max_examples=60)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_fits_and_is_no_markup(anything: str) -> None:
    comment = WORDING.comment(anything)
    assert text.length(comment) <= LONGEST_TEXT
    assert kinds(comment) == set()
    title = text.summary(anything)
    assert text.length(title) <= 255
    assert "\n" not in title


def test_a_title_is_one_line_of_at_most_255_characters() -> None:
    assert text.summary("  a\n b\tc\x00d ") == "a b c d"
    assert text.summary("x" * 255) == "x" * 255
    assert text.summary("x" * 256) == "x" * 254 + "…"
    assert text.length(text.summary("\U0001f4a5" * 200)) <= 255


def test_a_name_of_a_deployment_is_data_too() -> None:
    named = Wording("Data *Quality*", "https://dq.example")
    assert kinds(named.comment("x")) == set()
    assert named.status_comment("Active", AT).endswith("Data \\*Quality\\* Anomaly Status: Active")
