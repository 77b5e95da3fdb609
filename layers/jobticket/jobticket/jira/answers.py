"""What Jira's answers mean. Every status, header and body is judged here and nowhere else.

``tests/unit/jira/test_answers.py`` has the table. Callers ask for the class of an error, or a question below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from jobticket import clock, foreign
from jobticket.dataclass import dataclass
from jobticket.http.retry_after import retry_after
from jobticket.http.transport import HttpAnswer
from jobticket.jira import errors, redaction
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.jira.rate_limits import LONGEST_PAUSE_SECONDS, Bucket

#: Where a site says whether the login succeeded: a list if several filters have tried.
LOGIN_HEADER = "X-Seraph-LoginReason"
DENIED_HEADER = "X-Authentication-Denied-Reason"
CAPTCHA = "Jira asks for a CAPTCHA: log in once in a browser with this account, then try again"
NOT_BEARER = "Jira takes no Bearer token at this address: give the API token as email:token"
NOT_BASIC = (
    "Jira has switched off Basic authentication: give a personal access token (or, on Cloud, email:token)"
)

#: Logins that Jira refuses in words, with 401 or 403, and what to do about each.
_LOGINS = (
    (re.compile(r"captcha|reason ?: ?AUTHENTICATION_DENIED", re.IGNORECASE), CAPTCHA),
    (re.compile(r"Connect Session Auth Token|failed to parse.{0,20}token", re.IGNORECASE), NOT_BEARER),
    (
        re.compile(
            r"basic auth\w*( with passwords)? (has been|is) (disabled|deprecated|not (allowed|supported))",
            re.IGNORECASE,
        ),
        NOT_BASIC,
    ),
)
_SCOPE = re.compile(r"scopes? (do|does) not match|insufficient[_ ]scope|required scope", re.IGNORECASE)
_WRONG_LOGIN = re.compile(r"AUTHENTICATED_FAILED")
#: The words of a page that could explain it are near its beginning.
LONGEST_LOOK = 20_000

_KINDS: dict[int, type[JiraStatusError]] = {
    401: errors.JiraRefusedCredentialsError,
    403: errors.JiraForbiddenError,
    404: errors.JiraNotFoundError,
}
_PHRASES = {int(status): status.phrase for status in HTTPStatus}


def evaluated(answer: HttpAnswer, *, reads: bool, host: str = "", secrets: tuple[str, ...] = ()) -> Any:
    """Return the JSON of a successful answer, None if it has no body; or raise ``JiraError``.

    ``reads`` tells whether the call only read, ``host`` who was asked. No error repeats the ``secrets``.
    """
    judged = _Answer.of(answer, host, secrets)
    if (refused := judged.login_refusal(reads=reads)) is not None:
        raise refused
    if judged.is_elsewhere:
        raise judged.elsewhere()
    if judged.succeeded:
        return judged.body
    raise judged.refusal()


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer and what can be read of it; ``text`` is its beginning if it is not JSON."""

    status: int
    headers: Mapping[str, str]
    reason: str
    body: Any
    text: str
    host: str
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, answer: HttpAnswer, host: str, secrets: tuple[str, ...]) -> _Answer:
        text, body = "", None
        if answer.content.strip():
            try:
                body = foreign.decoded(answer.content)
            except ValueError:
                text = answer.content[:LONGEST_LOOK].decode("utf-8", "replace").strip() or "?"
        reason = redaction.redact(answer.reason, secrets)[:80] or _PHRASES.get(answer.status, "")
        return cls(answer.status, answer.headers, reason, body, text, host, secrets)

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def messages(self) -> tuple[str, ...]:
        if self.text and not self.is_page:
            return (redaction.redact(self.text, self.secrets),)
        return redaction.messages(self.body, self.secrets)

    @property
    def is_page(self) -> bool:
        return bool(self.text) and ("html" in self.headers.get("Content-Type", "") or self.text[0] == "<")

    def login_refusal(self, *, reads: bool) -> JiraStatusError | None:
        """Return the error if Jira refused the credentials, whatever the status.

        A site's own host ignores wrong ones and answers anonymously. A write that succeeded has succeeded,
        with whatever rights; a limit or a failure says nothing about the login.
        """
        if self.status == 429 or self.status >= 500 or (self.succeeded and not reads):
            return None
        logins = {each.strip().upper() for each in self.headers.get(LOGIN_HEADER, "").split(",")}
        if "OK" not in logins:
            denied = "AUTHENTICATION_DENIED" in logins
            if "CAPTCHA" in self.headers.get(DENIED_HEADER, "").upper() or (denied and self.status == 403):
                return self._login(CAPTCHA)
            if denied or "AUTHENTICATED_FAILED" in logins:
                return errors.JiraRefusedCredentialsError(401, _PHRASES[401])
        return self._refusal_in_words() if self.status in {401, 403} else None

    def _refusal_in_words(self) -> JiraStatusError | None:
        words = " ".join((self.text, *redaction.messages(self.body, self.secrets)))
        for pattern, advice in _LOGINS:
            if pattern.search(words):
                return self._login(advice)
        if _SCOPE.search(f"{words} {self.headers.get('WWW-Authenticate', '')}"):
            return self._error(errors.JiraMissingScopeError)
        return self._error(errors.JiraRefusedCredentialsError) if _WRONG_LOGIN.search(words) else None

    def _login(self, advice: str) -> JiraStatusError:
        error = self._error(errors.JiraLoginError)
        error.explanation = advice
        return error

    @property
    def is_elsewhere(self) -> bool:
        """Whether this is not Jira's answer: a login page, a proxy, a deleted site."""
        if 300 <= self.status < 400:
            return True
        if self.succeeded:
            return bool(self.text)
        if self.status == 404:
            return self.is_page or (bool(self.messages) and not _is_jiras_own(self.body))
        return self.is_page and 400 <= self.status < 500 and self.status not in {401, 429}

    def elsewhere(self) -> errors.JiraMalformedAnswerError:
        """Return the error that says who answered, and where a redirect leads."""
        told, said = "an answer that is not Jira's", self.messages
        if self.is_page:
            told = "a page instead of JSON"
        elif self.succeeded:
            told, said = "an answer that is not JSON", ()
        elif self.status < 400:
            target = _host_of(self.headers.get("Location", "")) or self.host
            told = f"a redirect to {target} instead of JSON"
        elif self.status == 404:
            told = "404, as if there were no Jira"
        return errors.JiraMalformedAnswerError(
            "Jira's answer is not JSON",
            outcome_unknown=self.succeeded,
            messages=(f"{self.host or 'Jira'} answered with {told}", *said),
        )

    def refusal(self) -> JiraStatusError:
        """Return the error of a status."""
        if self.status == 429:
            limit = redaction.redact(self.headers.get("RateLimit-Reason", ""), self.secrets) or None
            bucket, said = _bucket(self.headers), self._said()
            if said["retry_after"] is None and bucket is not None:
                said["retry_after"] = bucket.interval
            return errors.JiraRateLimitedError(self.reason, limit=limit, bucket=bucket, **said)
        return self._error(_KINDS.get(self.status, JiraStatusError))

    def _error(self, kind: type[JiraStatusError]) -> JiraStatusError:
        return kind(self.status, self.reason, **self._said())

    def _said(self) -> dict[str, Any]:
        return {
            "messages": self.messages,
            "field_errors": redaction.field_errors(self.body, self.secrets),
            "retry_after": retry_after(self.headers, clock.now()),
        }


def _is_jiras_own(body: Any) -> bool:
    """Tell whether a 404 is Jira's: a gateway or a deleted site answers otherwise."""
    own = {"errorMessages", "errors", "status-code"}
    return isinstance(body, Mapping) and not body.keys().isdisjoint(own)


def _host_of(url: str) -> str:
    try:
        return redaction.redact(urlsplit(url).hostname or "")
    except ValueError:
        return ""


def _bucket(headers: Mapping[str, str]) -> Bucket | None:
    """Return the account's bucket of calls; None if Jira names none, or it is never filled."""
    names = ("Interval-Seconds", "FillRate", "Limit")
    interval, fill, size = (_number(headers.get(f"X-RateLimit-{name}", "")) for name in names)
    if not interval or not fill:
        return None
    return Bucket(min(float(interval), LONGEST_PAUSE_SECONDS), fill, size or fill)


def _number(text: str) -> int | None:
    """Return a whole number of a header, at most a million."""
    digits = text.strip()
    return min(int(digits[:7]), 10**6) if digits.isascii() and digits.isdigit() else None


# Questions about an error, where the call matters besides the answer.


def may_repeat(error: JiraError, *, repeatable: bool) -> bool:
    """Tell whether a failed call may be sent again at once.

    Not after an answer that is not Jira's, nor after Jira's own 500: a moment later it is the same.
    """
    if not error.transient or isinstance(error, errors.JiraMalformedAnswerError):
        return False
    if isinstance(error, JiraStatusError):
        return repeatable and error.status in errors.GATEWAY_STATUSES
    return repeatable or not error.outcome_unknown


def may_still_arrive(lost: JiraError) -> bool:
    """Tell whether Jira may still be working: we have stopped waiting, or a gateway has."""
    return isinstance(lost, errors.JiraTimeoutError) or (
        isinstance(lost, JiraStatusError) and lost.status == 504
    )


def is_jiras_own_failure(error: JiraError) -> bool:
    """Tell whether Jira itself has failed at the request: a gateway's trouble is over at some time."""
    return isinstance(error, JiraStatusError) and error.status not in errors.GATEWAY_STATUSES


def has_no_sprints(error: JiraError) -> bool:
    """Tell whether a board has no sprints: a kanban board, or one without mapped columns."""
    return isinstance(error, JiraStatusError) and error.status in {400, 410, 422}


def is_hidden(error: JiraError) -> bool:
    """Tell whether a board may not be read, or was deleted meanwhile."""
    return isinstance(error, errors.JiraForbiddenError | errors.JiraNotFoundError)


def names_no_project(error: JiraError) -> bool:
    """Tell whether a list of boards was refused because there is no such project."""
    return isinstance(error, JiraStatusError) and error.status in {400, 404}


def refuses_field(error: JiraError, name: str) -> bool:
    """Tell whether Jira refuses the request because of a field."""
    return isinstance(error, JiraStatusError) and error.status == 400 and name in error.field_errors


def meant_by_creation(error: JiraError) -> JiraError:
    """Return a 400 as the 403 or 404 that it means: Jira tells a missing project or permission in words."""
    if not isinstance(error, JiraStatusError) or error.status != 400:
        return error
    faulty = error.field_errors.keys()
    forbidden = "permission" in " ".join((*error.messages, *error.field_errors.values())).lower()
    if not faulty <= {"project", "pid", "issuetype"} or not (faulty or forbidden):
        return error
    status = 403 if forbidden else 404
    return _KINDS[status](status, error.reason, messages=error.messages, field_errors=error.field_errors)
