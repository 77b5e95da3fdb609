"""What Atlassian's answers mean."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from jobticket.connections.atlassian import (
    AppRefusedError,
    AppSecret,
    AtlassianError,
    AtlassianUnavailableError,
    Grant,
    GrantDeadError,
    grant_of,
    jira_sites,
    with_offline_access,
)
from jobticket.http.transport import HttpAnswer


def _classified(status: int, body: Any, headers: dict[str, str] | None = None) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        return grant_of(HttpAnswer(status, "", headers or {}, content))
    except AtlassianError as error:
        return error


GOOD = {"access_token": "a", "refresh_token": "r", "expires_in": 3600, "token_type": "Bearer"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, GOOD, Grant),
        (
            403,
            {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."},
            GrantDeadError,
        ),
        (400, {"error": "invalid_grant"}, GrantDeadError),
        (401, {"error": "unauthorized_client"}, GrantDeadError),
        (401, {"error": "invalid_client"}, AppRefusedError),
        (401, {"error": "access_denied", "error_description": "Unauthorized"}, AppRefusedError),
        (400, {"error": "invalid_request"}, AppRefusedError),
        (429, {"error": "too_many_requests"}, AtlassianUnavailableError),
        (429, {"error": "invalid_grant"}, AtlassianUnavailableError),
        (500, {"error": "invalid_grant"}, AtlassianUnavailableError),
        (503, b"<html>", AtlassianUnavailableError),
        (403, b"<html>blocked</html>", AtlassianUnavailableError),
        (403, ["invalid_grant"], AtlassianUnavailableError),
        (302, b"", AtlassianUnavailableError),
        (200, b"<html>", AtlassianUnavailableError),
        (200, {"access_token": "a"}, Grant),
        (200, {"access_token": "", "expires_in": 3600}, AtlassianUnavailableError),
    ],
)
def test_only_two_words_end_a_grant(status: int, body: Any, kind: type) -> None:
    assert type(_classified(status, body)) is kind


@pytest.mark.parametrize(
    ("status", "unknown"), [(429, False), (403, False), (500, True), (502, True), (200, True)]
)
def test_whether_the_token_may_be_spent(status: int, unknown: bool) -> None:
    assert _classified(status, b"<html>").outcome_unknown is unknown


def test_a_wait_that_atlassian_names() -> None:
    assert _classified(429, b"", {"Retry-After": "11"}).retry_after == 11


@pytest.mark.parametrize(
    ("scopes", "asked"),
    [
        ("read:jira-work", "read:jira-work offline_access"),
        ("offline_access read:jira-work read:jira-work", "offline_access read:jira-work"),
        ("", "offline_access"),
    ],
)
def test_asks_for_a_refresh_token(scopes: str, asked: str) -> None:
    assert with_offline_access(scopes) == asked


def _entry(**changes: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "name": "Plant North",
        "url": "https://north.example",
        "scopes": ["read:jira-work"],
        "avatarUrl": "https://avatar.example/1.png",
    } | changes


@pytest.mark.parametrize("seconds", [60, 3600, 30 * 86_400])
def test_lives_that_are_believed(seconds: int) -> None:
    assert _classified(200, GOOD | {"expires_in": seconds}).expires_in == seconds


@pytest.mark.parametrize(
    "seconds", [None, 0, -1, 59, 30 * 86_400 + 1, 10**30, True, "3600", 3600.5, [3600], {}]
)
def test_lives_that_are_not_count_as_an_hour(seconds: Any) -> None:
    assert _classified(200, GOOD | {"expires_in": seconds}).expires_in == 3600


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
@pytest.mark.parametrize(
    "token", ["a\r\nX-Injected: b", "a b", "ä", "\ud800", "a\x00", "x" * 20_000, 5, True, ["a"], {"a": 1}]
)
def test_tokens_that_no_header_can_carry(name: str, token: Any) -> None:
    assert type(_classified(200, GOOD | {name: token})) is AtlassianUnavailableError


@pytest.mark.parametrize("content", [b'{"access_token": "a", "expires_in": 1e999}', b"[" * 100_000, b"\xff"])
def test_answers_that_are_no_json(content: bytes) -> None:
    assert type(_classified(200, content)) is AtlassianUnavailableError


def test_only_sites_with_a_scope_of_jiras() -> None:
    found = jira_sites(
        [
            _entry(),
            _entry(id="2", scopes=["read:confluence-space.summary"]),
            _entry(id="3", scopes=["read:board-scope:jira-software"]),
            _entry(id="4", scopes=[]),
            _entry(id="1", scopes=["read:confluence-space.summary"]),
        ]
    )
    assert [site.site_id for site in found] == ["1", "3"]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "x",
        {},
        _entry(id=1),
        _entry(id=""),
        _entry(id="../../x?y"),
        _entry(id="x" * 200),
        _entry(id="\ud800"),
        _entry(scopes=None),
        *(
            _entry(url=url)
            for url in ("javascript:alert(1)", "https://user@host/", "https://host/\n", "https://[")
        ),
    ],
)
def test_entries_that_are_none(entry: Any) -> None:
    assert jira_sites([entry]) == []


def test_what_an_entry_may_lack() -> None:
    (site,) = jira_sites([_entry(name=None, avatarUrl="data:x", url="https://north.example/")])
    assert site.as_json() == {
        "site_id": "1",
        "site_name": "north.example/",
        "site_url": "https://north.example",
        "avatar_url": None,
    }


def test_the_apps_secret_is_fetched_when_it_must_be() -> None:
    clock, fetched = [0.0], []

    def fetch() -> str:
        fetched.append(1)
        return json.dumps({"client_id": "id", "client_secret": f"hush-{len(fetched)}"})

    secret = AppSecret(fetch, lambda: clock[0])
    assert [secret().client_secret, secret().client_secret] == ["hush-1", "hush-1"]
    clock[0] = 300.0
    assert secret().client_secret == "hush-2"
    secret.forget()
    assert secret().client_secret == "hush-3"
    assert "hush" not in repr(secret())


@pytest.mark.parametrize(
    "text",
    [
        '{"client_secret":"hush',
        '{"client_secret":"hush"}',
        '"hush"',
        "[]",
        '{"client_id":"","client_secret":""}',
        "{}",  # what stands for a secret that nobody has filled in yet
    ],
)
def test_an_apps_secret_that_is_none_is_the_operators_fault(text: str) -> None:
    with pytest.raises(AppRefusedError) as caught:
        AppSecret(lambda: text)()
    assert "hush" not in "".join(traceback.format_exception(caught.value))


def test_an_apps_secret_that_another_thread_forgets_meanwhile_is_still_given() -> None:
    def forgotten() -> float:
        secret.forget()
        return 0.0

    secret = AppSecret(lambda: json.dumps({"client_id": "id", "client_secret": "hush"}), forgotten)
    assert secret().client_secret == "hush"
