"""The texts that tickets get: text of people stays text, and what is cut says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobticket.jira.documents.adf import to_adf
from jobticket.jira.documents.limits import LONGEST_TEXT, fitted, length
from jobticket.jira.documents.model import Document
from jobticket.jira.documents.wiki import to_wiki
from jobticket.ticketing.model import Anomaly, Datastore, FailedCheck
from jobticket.ticketing.text import Wording
from tests.support.documents import read

WORDING = Wording("Qualytics", "https://your-qualytics-instance.qualytics.io")
AT = datetime(2026, 1, 23, 20, 22, 4, tzinfo=UTC)
URL = "https://your-qualytics-instance.qualytics.io/datastores/1/anomalies?id=1"

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


def block(found: Anomaly) -> Document:
    return WORDING.block(found, AT, LONGEST_TEXT)


def comment(message: str) -> Document:
    return WORDING.comment(message, LONGEST_TEXT)


def description(user_text: str | None, found: Anomaly) -> Document:
    return WORDING.description(user_text, found, AT, LONGEST_TEXT)


def shown(document: Document) -> str:
    return read(to_adf(document))


def kinds(document: Document) -> set[str]:
    found: set[str] = set()

    def visit(node: dict[str, Any]) -> None:
        found.add(node["type"])
        found.update(mark["type"] for mark in node.get("marks", []))
        for child in node.get("content", []):
            visit(child)

    visit(to_adf(document))
    return found - {"doc", "paragraph", "text"}


def test_the_block_has_the_documented_lines_in_order() -> None:
    checks = (FailedCheck(message="is not unique", field="ID"), FailedCheck(message="too many rows"))
    assert shown(block(anomaly(*checks))).split("\n") == [
        "Qualytics Anomaly Linked [2026-01-23 20:22:04 UTC]",
        "Anomaly ID: 1",
        "Status: Acknowledged",
        "Type: shape",
        "Detected: 2025-12-21 01:48:42.988233+00:00",
        "Failed Checks:",
        "- ID: is not unique",
        "- too many rows",
        f"View in Qualytics: {URL}",
    ]


def test_the_block_has_the_same_lines_in_markup() -> None:
    markup = to_wiki(block(anomaly(FailedCheck(message="is not unique", field="ID"))))
    assert [line for line in markup.split("\n") if line][1:] == [
        "Anomaly ID: 1",
        "Status: Acknowledged",
        "Type: shape",
        "Detected: 2025-12-21 01:48:42.988233+00:00",
        "Failed Checks:",
        "- ID: is not unique",
        f"View in Qualytics: {URL}",
    ]


def test_a_time_of_long_ago_keeps_its_form() -> None:
    long_ago = anomaly(detected="0999-01-02T00:00:00.000Z")
    assert "Detected: 0999-01-02 00:00:00.000000+00:00" in shown(block(long_ago))


def test_a_status_comment_has_its_documented_form() -> None:
    at = datetime(2024, 1, 15, 11, 30, tzinfo=timezone(timedelta(hours=1)))
    expected = "[2024-01-15 10:30:00 UTC] Qualytics Anomaly Status: Acknowledged"
    assert shown(WORDING.status_comment("Acknowledged", at)) == expected


def test_a_description_is_the_users_text_a_rule_and_the_block() -> None:
    document = description("first line\nsecond line", anomaly())
    assert shown(document) == f"first line\nsecond line\n---\n{shown(block(anomaly()))}"
    assert [node["type"] for node in to_adf(document)["content"]] == [
        *["paragraph"] * 2,
        "rule",
        *["paragraph"] * 6,
        "bulletList",
        "paragraph",
    ]
    assert to_wiki(document).startswith("first line\nsecond line\n\n----\nQualytics Anomaly Linked")
    assert shown(description(None, anomaly())).startswith("---\nQualytics Anomaly Linked")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_from_anomalies_is_never_markup(hostile: str) -> None:
    expected = hostile.replace("\t", " ")
    for control in "\x00\x07\x1b\u202e":
        expected = expected.replace(control, "\ufffd")
    links = {"link"} if "https://" in hostile else set()
    told = comment(hostile)
    assert kinds(told) == links
    assert shown(told).replace("\t", " ") == f"Comment from Qualytics: {expected}"
    listed = block(anomaly(FailedCheck(message=hostile, field=hostile)))
    assert kinds(listed) == {"bulletList", "listItem", "link"}  # the checks, and the link back
    assert f"- {expected}: {expected}" in shown(listed)


def test_lines_of_a_comment_stay_lines() -> None:
    told = comment("one\r\ntwo\n\n* three\nh1. four")
    assert kinds(told) == set()
    assert shown(told) == "Comment from Qualytics: one\ntwo\n* three\nh1. four"


def test_urls_of_a_comment_are_links() -> None:
    assert kinds(comment("see https://wiki.example/7 and C:\\load\\ :D")) == {"link"}


@pytest.mark.parametrize(
    ("is_cloud", "letter"),
    [
        *((False, letter) for letter in ("x", "*", "{", "\\", "\U0001f4a5", "|", "a\n", "&#42;", "h1. ")),
        # Cloud's documents grow by what JSON escapes, and by what surrounds a text.
        *((True, letter) for letter in ("x", "\\", "\U0001f4a5", "a\n")),
    ],
)
def test_a_text_that_is_too_long_is_cut_visibly(is_cloud: bool, letter: str) -> None:
    long = ("start " + letter * LONGEST_TEXT)[:LONGEST_TEXT] + " end"
    check = anomaly(FailedCheck(message=long))
    for make in (
        lambda limit: WORDING.comment(long, limit),
        lambda limit: WORDING.block(check, AT, limit),
        lambda limit: WORDING.description(long, anomaly(), AT, limit),
    ):
        document = fitted(make, is_cloud=is_cloud)
        assert length(to_wiki(document)) <= LONGEST_TEXT
        assert shown(document).count("cut here: Jira holds 32,767 characters") == 1


def test_what_leads_back_is_never_cut() -> None:
    long = anomaly(FailedCheck(message="x" * 100_000))
    assert shown(block(long)).endswith(URL)
    described = description("y" * 100_000, long)
    text = shown(described)
    assert text.endswith(URL)
    assert length(to_wiki(described)) <= LONGEST_TEXT
    assert text.count("cut here") == 2  # of both, about half is kept
    assert text.count("x") > LONGEST_TEXT // 3 < text.count("y")
    short = description("short", long)
    assert shown(short).startswith("short\n---\n")
    assert length(to_wiki(short)) > LONGEST_TEXT - 10


def test_a_text_that_just_fits_is_not_cut() -> None:
    prefix = "Comment from Qualytics: "
    fits = "x" * (LONGEST_TEXT - len(prefix))
    assert shown(comment(fits)) == prefix + fits
    assert "cut here" in shown(comment(fits + "x"))


@settings(max_examples=60)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_fits_and_is_no_markup(anything: str) -> None:
    told = comment(anything)
    assert length(to_wiki(told)) <= LONGEST_TEXT
    assert kinds(told) <= {"link"}


def test_the_title_of_a_backlink_is_one_line_of_at_most_255_characters() -> None:
    named = Wording("Data\nQuality " * 60, "https://dq.example")
    title = named.backlink(anomaly())["object"]["title"]  # type: ignore[index]
    assert title.startswith("Data Quality Data")
    assert title.endswith("…")
    assert len(title) == 255


def test_a_name_of_a_deployment_is_text_too() -> None:
    named = Wording("Data *Quality*", "https://dq.example")
    assert kinds(named.comment("x", LONGEST_TEXT)) == set()
    assert shown(named.status_comment("Active", AT)).endswith("Data *Quality* Anomaly Status: Active")
