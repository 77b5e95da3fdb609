"""The table of meanings: each status, header and body of Jira's that is known, and what it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from jobticket.http.transport import HttpAnswer
from jobticket.jira.answers import (
    CAPTCHA,
    NOT_BASIC,
    NOT_BEARER,
    evaluated,
    has_no_sprints,
    is_hidden,
    may_repeat,
    may_still_arrive,
    meant_by_creation,
    names_no_project,
)
from jobticket.jira.errors import (
    JiraError,
    JiraForbiddenError,
    JiraLoginError,
    JiraMalformedAnswerError,
    JiraMissingScopeError,
    JiraNotFoundError,
    JiraRateLimitedError,
    JiraRefusedCredentialsError,
    JiraStatusError,
    JiraTimeoutError,
)

HOST = "jira.example"
PAGE = "<!DOCTYPE html><html><title>Log in</title></html>"
LOGIN = "X-Seraph-LoginReason"
DENIED = "X-Authentication-Denied-Reason"
CHALLENGE = {DENIED: "CAPTCHA_CHALLENGE; login-url=https://jira.example/login.jsp"}
EMPTY = {"values": [], "total": 0}


def judged(
    status: int, body: Any = None, headers: Mapping[str, str] | None = None, *, reads: bool = True
) -> JiraError | None:
    content = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    given: Mapping[str, str] = CaseInsensitiveDict(headers or {})
    try:
        evaluated(HttpAnswer(status, "", given, content), reads=reads, host=HOST, secrets=("hush",))
    except JiraError as error:
        return error
    return None


GOOD = [
    (200, {"total": 0}, {}),
    (201, {"id": "1", "key": "A-1"}, {}),
    (204, None, {}),
    # An OK among them: the credentials were taken.
    (200, EMPTY, {LOGIN: "OK"}),
    (200, EMPTY, {LOGIN: "OUT, OK"}),
    (200, EMPTY, {LOGIN: "AUTHENTICATED_FAILED, OK"}),
    (200, EMPTY, {LOGIN: "ok,authenticated_failed"}),
    (200, EMPTY, {LOGIN: "OUT"}),
]

WRONG_CREDENTIALS = [
    (401, None, {}),
    (401, {"message": "Client must be authenticated to access this resource.", "status-code": 401}, {}),
    (401, {"code": 401, "message": "Unauthorized"}, {}),
    (401, "<html>Basic Authentication Failure - Reason : AUTHENTICATED_FAILED</html>", {}),
    (401, PAGE, {"Content-Type": "text/html"}),
    (403, "<html>Basic Authentication Failure - Reason : AUTHENTICATED_FAILED</html>", {}),
    (200, EMPTY, {LOGIN: "AUTHENTICATED_FAILED"}),
    (200, EMPTY, {LOGIN: "authenticated_failed"}),
    (200, EMPTY, {LOGIN: "AUTHENTICATED_FAILED, AUTHENTICATED_FAILED"}),
    (404, {"errorMessages": ["Issue does not exist."]}, {LOGIN: "OUT,AUTHENTICATED_FAILED"}),
    (403, {}, {LOGIN: "OUT, AUTHENTICATED_FAILED"}),
    (400, {}, {LOGIN: "AUTHENTICATED_FAILED"}),
    (200, EMPTY, {LOGIN: "AUTHENTICATION_DENIED"}),
    (200, EMPTY, {LOGIN: "OUT, AUTHENTICATION_DENIED"}),
    (404, {}, {LOGIN: "AUTHENTICATION_DENIED"}),
]

REFUSED_LOGINS = [
    (403, {"errorMessages": ["Login failed"]}, CHALLENGE, CAPTCHA),
    (403, PAGE, CHALLENGE | {LOGIN: "AUTHENTICATION_DENIED"}, CAPTCHA),
    (403, None, {LOGIN: "OUT, AUTHENTICATION_DENIED"}, CAPTCHA),
    (401, None, CHALLENGE, CAPTCHA),
    (200, EMPTY, CHALLENGE, CAPTCHA),
    (403, "<p>Basic Authentication Failure - Reason : AUTHENTICATION_DENIED</p>", {}, CAPTCHA),
    (403, {"error": "Failed to parse Connect Session Auth Token"}, {}, NOT_BEARER),
    (401, {"error": "Failed to parse Connect Session Auth Token"}, {}, NOT_BEARER),
    (403, {"errorMessages": "Failed to parse token"}, {}, NOT_BEARER),
    (403, {"message": "Basic Authentication has been disabled on this instance."}, {}, NOT_BASIC),
    (401, "Basic authentication with passwords is deprecated.", {}, NOT_BASIC),
    (403, "<h1>Basic Authentication has been disabled on this instance.</h1>", {}, NOT_BASIC),
]

MISSING_SCOPES = [
    (401, {"code": 401, "message": "Unauthorized; scope does not match"}, {}),
    (401, {"message": "unauthorized; SCOPES do not match"}, {}),
    (403, {"error": "insufficient_scope"}, {}),
    (401, None, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}),
]

NOT_FROM_JIRA = [
    (200, PAGE, {"Content-Type": "text/html"}, f"{HOST} answered with a page instead of JSON"),
    (200, PAGE, {}, f"{HOST} answered with a page instead of JSON"),
    (200, '{"key": ', {}, f"{HOST} answered with an answer that is not JSON"),
    (
        302,
        None,
        {"Location": "https://sso.example/login?t=hush"},
        "a redirect to sso.example instead of JSON",
    ),
    (303, PAGE, {"Location": "/login.jsp"}, f"{HOST} answered with a"),
    (301, None, {}, f"a redirect to {HOST} instead of JSON"),
    (307, None, {"Location": "https://[bad"}, f"a redirect to {HOST} instead of JSON"),
    (403, PAGE, {"Content-Type": "text/html"}, f"{HOST} answered with a page instead of JSON"),
    (400, PAGE, {}, f"{HOST} answered with a page instead of JSON"),
    # A site that is gone.
    (404, "<title>Atlassian Cloud Notifications - Page Unavailable</title>", {}, "a page instead of JSON"),
    (404, {"errorMessage": "Site temporarily unavailable", "errorCode": "OTHER"}, {}, "there were no Jira"),
    (404, {"status": 404, "error": "Not Found", "message": "No message available"}, {}, "were no Jira"),
    (404, {"code": 404, "message": "Not Found"}, {}, "were no Jira"),
    (404, "404 page not found", {}, "were no Jira"),
]

REFUSALS: list[tuple[int, Any, type[JiraStatusError]]] = [
    (400, {"errorMessages": ["No."]}, JiraStatusError),
    (403, {"errorMessages": ["No permission."]}, JiraForbiddenError),
    (403, {"error": "This feature is only accessible from the UI."}, JiraForbiddenError),
    (403, "XSRF check failed", JiraForbiddenError),
    (404, {"errorMessages": ["Issue does not exist."], "errors": {}}, JiraNotFoundError),
    (404, {"message": "null for uri: /rest/agile/1.0/board", "status-code": 404}, JiraNotFoundError),
    (404, None, JiraNotFoundError),
    (409, {}, JiraStatusError),
    (410, {"errorMessages": ["The requested API has been removed."]}, JiraStatusError),
    (413, {}, JiraStatusError),
    (422, {"errorMessages": ["The board has no mapped columns."]}, JiraStatusError),
    (429, {"message": "Rate limit exceeded."}, JiraRateLimitedError),
    (429, PAGE, JiraRateLimitedError),
    (500, {"errorMessages": ["Internal server error"]}, JiraStatusError),
    (502, PAGE, JiraStatusError),
    (503, PAGE, JiraStatusError),
    (504, None, JiraStatusError),
]


@pytest.mark.parametrize(("status", "body", "headers"), GOOD)
def test_good(status: int, body: Any, headers: dict[str, str]) -> None:
    assert judged(status, body, headers) is None


@pytest.mark.parametrize(("status", "body", "headers"), WRONG_CREDENTIALS)
def test_wrong_credentials(status: int, body: Any, headers: dict[str, str]) -> None:
    error = judged(status, body, headers)
    assert type(error) is JiraRefusedCredentialsError
    assert (error.status, error.of_connection) == (status if status == 403 and not headers else 401, True)


@pytest.mark.parametrize(("status", "body", "headers", "advice"), REFUSED_LOGINS)
def test_logins_that_are_not_looked_at(status: int, body: Any, headers: dict[str, str], advice: str) -> None:
    error = judged(status, body, headers)
    assert type(error) is JiraLoginError
    assert (error.explanation, error.of_connection, error.transient) == (advice, True, False)


@pytest.mark.parametrize(("status", "body", "headers"), MISSING_SCOPES)
def test_missing_scopes(status: int, body: Any, headers: dict[str, str]) -> None:
    error = judged(status, body, headers)
    assert type(error) is JiraMissingScopeError
    assert (error.of_connection, error.transient) == (True, False)


@pytest.mark.parametrize(("status", "body", "headers", "told"), NOT_FROM_JIRA)
def test_answers_that_are_not_jiras(status: int, body: Any, headers: dict[str, str], told: str) -> None:
    error = judged(status, body, headers)
    assert type(error) is JiraMalformedAnswerError
    assert told in error.messages[0]
    assert (error.transient, may_repeat(error, repeatable=True)) == (True, False)
    assert error.outcome_unknown is (status == 200)
    assert "hush" not in str(error.details)


@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS)
def test_refusals(status: int, body: Any, kind: type[JiraStatusError]) -> None:
    error = judged(status, body)
    assert type(error) is kind
    assert error.status == status
    assert error.transient is (status in {409, 429} or status >= 500)
    assert may_repeat(error, repeatable=True) is (status in {502, 503, 504})
    assert not may_repeat(error, repeatable=False)
    assert may_still_arrive(error) is (status == 504)
    assert error.outcome_unknown is (status >= 500)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("headers", [{LOGIN: "AUTHENTICATED_FAILED"}, CHALLENGE])
def test_trouble_says_nothing_about_the_login(status: int, headers: dict[str, str]) -> None:
    error = judged(status, {}, headers)
    assert isinstance(error, JiraStatusError)
    assert (error.status, error.of_connection) == (status, False)


@pytest.mark.parametrize("headers", [{LOGIN: "AUTHENTICATED_FAILED"}, {LOGIN: "AUTHENTICATION_DENIED"}])
@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_write_that_was_done_anonymously_is_done(status: int, headers: dict[str, str]) -> None:
    assert judged(status, None, headers, reads=False) is None


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"errorMessages": ["A.", "B."]}, {"errorMessages": ["A.", "B."]}),
        ({"errorMessages": "A."}, {"errorMessages": ["A."]}),
        ({"errorMessages": {"message": "A."}}, {"errorMessages": ["A."]}),
        ({"errorMessages": [{"message": "A."}]}, {"errorMessages": ["A."]}),
        ({"errorMessage": "A."}, {"errorMessages": ["A."]}),
        ({"message": "A."}, {"errorMessages": ["A."]}),
        ({"error": "A."}, {"errorMessages": ["A."]}),
        ({"error": {"message": "A."}}, {"errorMessages": ["A."]}),
        ({"error": "invalid", "error_description": "A."}, {"errorMessages": ["invalid", "A."]}),
        ({"errors": ["A.", {"message": "B."}]}, {"errorMessages": ["A.", "B."]}),
        ({"errors": "A."}, {"errorMessages": ["A."]}),
        ({"errors": {"summary": "A."}}, {"errors": {"summary": "A."}}),
        ({"errors": {"summary": ["A.", "B."]}}, {"errors": {"summary": "A. B."}}),
        ({"errorMessages": ["A."], "errors": {"x": "B."}}, {"errorMessages": ["A."], "errors": {"x": "B."}}),
        ({"message": "A.", "error": "A."}, {"errorMessages": ["A."]}),
        ({"message": "hush!"}, {"errorMessages": ["[hidden]!"]}),
        ({"errorMessages": [[["A."]]], "message": 7, "error": None}, {}),
        ("A.", {"errorMessages": ["A."]}),
        ([], {}),
    ],
)
def test_words(body: Any, details: dict[str, Any]) -> None:
    error = judged(400, body)
    assert error is not None
    assert error.details == details


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": "9223372036854775807"}, 86_400),
        ({"X-RateLimit-Reset": "9999-12-31T00:00:00Z"}, 86_400),
        ({"X-RateLimit-Reset": "2001-01-01T00:00:00Z"}, 0),
        ({"X-RateLimit-Interval-Seconds": "5", "X-RateLimit-FillRate": "10"}, 5),
        ({"X-RateLimit-Interval-Seconds": "5", "X-RateLimit-FillRate": "10", "Retry-After": "7"}, 7),
        ({"X-RateLimit-Interval-Seconds": "9223372036854775807", "X-RateLimit-FillRate": "1"}, 3600),
        ({"X-RateLimit-Interval-Seconds": "5", "X-RateLimit-FillRate": "0"}, None),
        ({"X-RateLimit-Interval-Seconds": "-5", "X-RateLimit-FillRate": "ten"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_pauses(headers: dict[str, str], seconds: float | None) -> None:
    error = judged(429, {}, headers)
    assert isinstance(error, JiraRateLimitedError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "no_sprints", "hidden", "no_project"),
    [
        (400, True, False, True),
        (403, False, True, False),
        (404, False, True, True),
        (410, True, False, False),
        (422, True, False, False),
        (500, False, False, False),
    ],
)
def test_boards(status: int, no_sprints: bool, hidden: bool, no_project: bool) -> None:
    error = judged(status, {"errorMessages": ["No."]})
    assert error is not None
    assert (has_no_sprints(error), is_hidden(error), names_no_project(error)) == (
        no_sprints,
        hidden,
        no_project,
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"errors": {"project": "valid project is required"}}, 404),
        ({"errors": {"issuetype": "The issue type selected is invalid."}}, 404),
        ({"errors": {"project": "You do not have permission to create issues."}}, 403),
        ({"errorMessages": ["You do not have permission to create issues."]}, 403),
        ({"errors": {"summary": "Too long."}}, 400),
        ({"errors": {"summary": "Too long.", "project": "is required"}}, 400),
        ({"errorMessages": ["No."]}, 400),
    ],
)
def test_creations(body: Any, status: int) -> None:
    error = judged(400, body)
    assert error is not None
    meant = meant_by_creation(error)
    assert isinstance(meant, JiraStatusError)
    assert (meant.status, meant.details) == (status, error.details)


def test_no_answer_in_time() -> None:
    assert may_still_arrive(JiraTimeoutError("Jira did not answer in time"))
