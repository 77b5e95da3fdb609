from __future__ import annotations

import pytest

from jobticket.jira.redaction import field_errors, messages, redact


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345",
        "basic dXNlcjpwYXNzd29yZA==",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "ATATT3xFfGF0abcdefghijklmnopqrstuv",
        '{"access_token":"abcdefghij"}',
        "refresh_token=abcdefghij&x=1",
        "client_secret: abcdefghij",
    ],
)
def test_hides(text: str) -> None:
    shown = redact(text)
    assert "[hidden]" in shown
    for secret in ("abcdefgh", "dXNlcjpw", "eyJ", "ATATT"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        "Field 'summary' cannot be set.",
        "Basic authentication with passwords is deprecated.",
        "Token of the issue",
    ],
)
def test_leaves_plain_sentences(text: str) -> None:
    assert redact(text) == text


def test_one_bearable_line() -> None:
    assert redact("a\r\nSet-Cookie: b\x00c") == "a Set-Cookie: b c"
    assert len(redact("x" * 10_000)) == 500


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"errorMessages": ["One.", "Two."]}, ("One.", "Two.")),
        ({"message": "Gateway."}, ("Gateway.",)),
        ({"errorMessage": "Singular."}, ("Singular.",)),
        ({"errorMessages": []}, ()),
        ({"errorMessages": [None, 5]}, ()),
        (["x"], ()),
        (None, ()),
    ],
)
def test_messages(body: object, expected: tuple[str, ...]) -> None:
    assert messages(body, ()) == expected


def test_field_errors() -> None:
    assert field_errors({"errors": {"summary": "Too long: hush"}}, ["hush"]) == {
        "summary": "Too long: [hidden]"
    }
    assert field_errors({"errors": ["x"]}, ()) == {}
