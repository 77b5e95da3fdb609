"""Values from outside, one at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobticket import foreign
from jobticket.ticketing.linked_tickets import plain


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"\ud83d\ude00"', "\N{GRINNING FACE}"),
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\\ud83d"', r"\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'{"\uDC00": 1}', {"\ufffd": 1}),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b"\xef\xbb\xbf[1]", [1]),
        ('"ü"'.encode(), "ü"),
    ],
)
def test_text_can_always_be_stored(written: bytes, read: Any) -> None:
    assert foreign.decoded(written) == read


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"NaN", b"[-Infinity]", b"1e999", b"9" * 5000, b"[" * 100_000, b'"\xff']
)
def test_what_is_no_json(content: bytes) -> None:
    try:
        read = foreign.decoded(content)
    except ValueError:
        return
    pytest.fail(f"read as {read}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("  two\r\n\x00lines\u2028", "two lines"),
        ("\ud800", "\ufffd"),
        ("x" * 300, "x" * 255),
        (" " * 100 + "x", "x"),
        ("a\u00a0b", "a\u00a0b"),
        (" \n", None),
        ("", None),
        (5, None),
        (None, None),
        ({"a": 1}, None),
    ],
)
def test_text(value: Any, text: str | None) -> None:
    assert foreign.text(value) == text


def test_texts() -> None:
    assert foreign.texts(["a", 5, None, " ", "b" * 300]) == ["a", "b" * 255]
    assert len(foreign.texts(["a"] * 5000)) == 1000
    assert foreign.texts("ab") == foreign.texts(None) == []


@pytest.mark.parametrize(
    ("value", "found"), [(0, 0), (5, 5), (-1, None), (10**30, None), (True, None), (5.0, None), ("5", None)]
)
def test_integer(value: Any, found: int | None) -> None:
    assert foreign.integer(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [(2.5, 2.5), (-3, -3), (float("nan"), None), (float("inf"), None), (10**30, None), (True, None)],
)
def test_number(value: Any, found: float | None) -> None:
    assert foreign.number(value) == found


@pytest.mark.parametrize("url", ["https://a.example", "http://127.0.0.1:8001/x?y=1", "https://a.example/%20"])
def test_urls(url: str) -> None:
    assert foreign.url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//a.example",
        "https://",
        "https://user:pass@a.example",
        "https://a.example/ x",
        "https://a.example/\n",
        'https://a.example/"onload=',
        "https://a.example:99999",
        "https://[::1",
        "https://ä.example",
        "https://\U0001f600.example",
        "https://a.example/\U0001f600",
        "https://a.example/" + "x" * 3000,
        None,
    ],
)
def test_what_is_no_url(url: Any) -> None:
    assert foreign.url(url) is None


def test_moments() -> None:
    assert foreign.moment("2026-11-22T10:30:00.000+0100") == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "soon", "0001-01-01T00:00:00+14:00", "2026-11-22" + " " * 99, 5, None])
def test_what_is_no_moment(value: Any) -> None:
    assert foreign.moment(value) is None


@pytest.mark.parametrize("code", ["&#55296;", "&#57343;"])
def test_an_escape_in_markup_makes_no_half_pair(code: str) -> None:
    assert plain(f"a{code}b") == "a\ufffdb"


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"fields": {"status": 7}}, ("fields", "status"), 7),
        ({"fields": {"status": 7}}, ("fields",), {"status": 7}),
        ({"fields": None}, ("fields", "status"), None),
        ({"fields": ["status"]}, ("fields", "status"), None),
        ({}, ("fields",), None),
        ("fields", ("fields",), None),
        (None, ("fields",), None),
    ],
)
def test_a_member(value: Any, path: tuple[str, ...], found: Any) -> None:
    assert foreign.member(value, *path) == found


@pytest.mark.parametrize(("value", "found"), [([1], [1]), ([], []), (None, []), ("ab", []), ({"a": 1}, [])])
def test_entries(value: Any, found: list[Any]) -> None:
    assert foreign.entries(value) == found
