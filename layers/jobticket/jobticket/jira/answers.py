"""Jira's answers: the JSON of a good one, the error of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from jobticket import clock, foreign
from jobticket.http.retry_after import retry_after
from jobticket.http.transport import HttpAnswer
from jobticket.jira import redaction
from jobticket.jira.errors import (
    JiraForbiddenError,
    JiraMalformedAnswerError,
    JiraNotFoundError,
    JiraRateLimitedError,
    JiraRefusedCredentialsError,
    JiraStatusError,
)
from jobticket.jira.rate_limits import LONGEST_PAUSE_SECONDS, Bucket

#: Where a site says whether the login succeeded: a list if several filters have tried.
LOGIN_HEADER = "X-Seraph-LoginReason"
#: Wrong credentials.
LOGIN_FAILED = "AUTHENTICATED_FAILED"
#: Refused before the credentials were looked at, after too many failures. Its own 403 says more.
LOGIN_DENIED = "AUTHENTICATION_DENIED"

_KINDS: dict[int, type[JiraStatusError]] = {
    401: JiraRefusedCredentialsError,
    403: JiraForbiddenError,
    404: JiraNotFoundError,
}
_PHRASES = {int(status): status.phrase for status in HTTPStatus}


def evaluated(answer: HttpAnswer, *, reads: bool, secrets: tuple[str, ...]) -> Any:
    """Return the JSON of a good answer; None if it has no body.

    Parameters
    ----------
    reads
        Whether the call only read.
    secrets
        What no error may repeat.

    Raises
    ------
    JiraError
        If Jira refuses, or the answer is not Jira's.
    """
    if _is_anonymous(answer, reads=reads):
        answer = replace(answer, status=401, reason="", content=b"")
    if not 200 <= answer.status < 300:
        raise _status_error(answer, _json_or_none(answer.content), secrets)
    if not answer.content.strip():
        return None
    try:
        return foreign.decoded(answer.content)
    except ValueError:
        # An HTML page with status 200 comes from a login page or a proxy, not from Jira.
        raise JiraMalformedAnswerError("Jira's answer is not JSON", outcome_unknown=True) from None


def _is_anonymous(answer: HttpAnswer, *, reads: bool) -> bool:
    """Tell whether Jira ignored wrong credentials and served the call anonymously: that is a 401.

    A write that succeeded has succeeded, with whatever rights.
    """
    reasons = {reason.strip() for reason in answer.headers.get(LOGIN_HEADER, "").split(",")}
    if not reasons & {LOGIN_FAILED, LOGIN_DENIED}:
        return False
    telling = {429} if LOGIN_FAILED in reasons else {403, 429}
    refused = 400 <= answer.status < 500 and answer.status not in telling
    return refused or (reads and 200 <= answer.status < 300)


def _json_or_none(content: bytes) -> Any:
    try:
        return foreign.decoded(content)
    except ValueError:
        return None


def _status_error(answer: HttpAnswer, body: Any, secrets: tuple[str, ...]) -> JiraStatusError:
    reason = redaction.redact(answer.reason, secrets)[:80] or _PHRASES.get(answer.status, "")
    said: dict[str, Any] = {
        "messages": redaction.messages(body, secrets),
        "field_errors": redaction.field_errors(body, secrets),
        "retry_after": retry_after(answer.headers, clock.now()),
    }
    if answer.status == 429:
        limit = redaction.redact(answer.headers.get("RateLimit-Reason", ""), secrets) or None
        bucket = _bucket(answer.headers)
        if said["retry_after"] is None and bucket is not None:
            said["retry_after"] = bucket.interval
        return JiraRateLimitedError(reason, limit=limit, bucket=bucket, **said)
    return _KINDS.get(answer.status, JiraStatusError)(answer.status, reason, **said)


def _bucket(headers: Mapping[str, str]) -> Bucket | None:
    """Return the account's bucket of calls; None if Jira tells of none, or it is never filled."""
    names = ("Interval-Seconds", "FillRate", "Limit")
    interval, fill, size = (_number(headers.get(f"X-RateLimit-{name}", "")) for name in names)
    if not interval or not fill:
        return None
    return Bucket(min(float(interval), LONGEST_PAUSE_SECONDS), fill, size or fill)


def _number(text: str) -> int | None:
    """Return a whole number of a header, at most a million."""
    digits = text.strip()
    return min(int(digits[:7]), 10**6) if digits.isascii() and digits.isdigit() else None
