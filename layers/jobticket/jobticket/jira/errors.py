"""Errors of calls to Jira.

::

    JiraError                           the call failed
    ├── JiraStatusError                 Jira answered, and refused (status, reason, messages, field_errors)
    │   ├── JiraRefusedCredentialsError 401, also after the credentials were renewed once
    │   ├── JiraForbiddenError          403
    │   ├── JiraNotFoundError           404, also for what the account may not see
    │   └── JiraRateLimitedError        429, or a known limit that outlasts the caller
    ├── JiraMalformedAnswerError        the answer is not Jira's: HTML, broken JSON
    │   └── JiraEndlessAnswerError      longer than any answer of Jira's
    ├── JiraUnreachableError            no connection, or a broken one
    │   └── JiraAddressRefusedError     the host resolves to an address that is not allowed
    └── JiraTimeoutError                no answer within the time left

``str(error)`` may be shown to the caller: it contains no token, header or query.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from jobticket.http import errors as http
from jobticket.jira.rate_limits import Bucket, Limit

#: Refusals of the moment: Jira may accept the same request later. 409 is a conflicting update, 423 a lock.
TRANSIENT_REFUSALS = frozenset({408, 409, 423, 425, 429})


class JiraError(Exception):
    """A call to Jira failed.

    Attributes
    ----------
    outcome_unknown
        Whether Jira may have done the work: the request was sent, and its answer was not read. A write must
        then be settled by looking, never by sending it again.
    lasts
        Whether every repeat of the call would fail in the same way.
    """

    lasts: ClassVar[bool] = False

    def __init__(self, message: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later. Whatever tries again asks this, and nothing else."""
        return not self.lasts


class JiraStatusError(JiraError):
    """Jira answered with an error status.

    Attributes
    ----------
    status
        The HTTP status.
    reason
        The status in words, such as ``Not Found``.
    messages
        Jira's ``errorMessages``.
    field_errors
        Jira's ``errors``: field to message.
    retry_after
        Seconds that Jira asks to wait, if it does.
    after_lost_answer
        Whether an earlier try of the same call may have succeeded. A 404 to a repeated DELETE then most
        likely means that the first one did.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        *,
        messages: tuple[str, ...] = (),
        field_errors: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        # A gateway's answer does not tell what became of the request behind it.
        super().__init__(f"Jira API error: {status} {reason}".rstrip(), outcome_unknown=status >= 500)
        self.status = status
        self.reason = reason
        self.messages = messages
        self.field_errors = dict(field_errors or {})
        self.retry_after = retry_after
        self.after_lost_answer = False

    @property
    def transient(self) -> bool:
        return self.status >= 500 or self.status in TRANSIENT_REFUSALS

    @property
    def details(self) -> dict[str, Any]:
        """Jira's messages, for the ``details`` of an error body; empty if it sent none."""
        said: dict[str, Any] = {}
        if self.messages:
            said["errorMessages"] = list(self.messages)
        if self.field_errors:
            said["errors"] = dict(self.field_errors)
        return said


class JiraRefusedCredentialsError(JiraStatusError):
    pass


class JiraForbiddenError(JiraStatusError):
    pass


class JiraNotFoundError(JiraStatusError):
    pass


class JiraRateLimitedError(JiraStatusError):
    """Jira's limit outlasts the caller; nothing was done.

    Attributes
    ----------
    limit
        Jira's ``RateLimit-Reason``, if it gave one.
    bucket
        The account's own bucket of calls, if Jira tells of it.
    held
        What the limit holds up; None before the client has noted it.
    """

    def __init__(
        self,
        reason: str,
        *,
        limit: str | None,
        bucket: Bucket | None = None,
        held: Limit | None = None,
        **said: Any,
    ) -> None:
        super().__init__(429, reason, **said)
        self.limit = limit
        self.bucket = bucket
        self.held = held

    @property
    def seconds(self) -> int:
        """Whole seconds until the next try, for ``Retry-After``."""
        return max(1, math.ceil(self.retry_after or 0))


class JiraMalformedAnswerError(JiraError):
    pass


class JiraEndlessAnswerError(JiraMalformedAnswerError):
    lasts = True


class JiraUnreachableError(JiraError):
    pass


class JiraAddressRefusedError(JiraUnreachableError):
    lasts = True


class JiraTimeoutError(JiraError):
    pass


def words_of(error: JiraError) -> str:
    """Return what Jira itself said about a failed call, on one line; empty if it said nothing.

    Examples
    --------
    >>> words_of(JiraStatusError(400, "Bad Request", field_errors={"summary": "Too long."}))
    'summary: Too long.'
    """
    if not isinstance(error, JiraStatusError):
        return ""
    return " ".join([*error.messages, *(f"{name}: {text}" for name, text in error.field_errors.items())])


_KINDS: dict[type[http.NoAnswerError], type[JiraError]] = {
    http.SlowError: JiraTimeoutError,
    http.UntrustedError: JiraUnreachableError,
    http.ForbiddenAddressError: JiraAddressRefusedError,
    http.UnreachableError: JiraUnreachableError,
    http.EndlessError: JiraEndlessAnswerError,
    http.UnreadableError: JiraMalformedAnswerError,
}


def without_answer(error: http.NoAnswerError) -> JiraError:
    """Return Jira's error for a call to Jira without a complete answer."""
    return _KINDS[type(error)](str(error), outcome_unknown=error.outcome_unknown)
