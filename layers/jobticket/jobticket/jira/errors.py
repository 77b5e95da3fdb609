"""What goes wrong between the product and Jira.

::

    JiraError                           the call did not do what it should
    ├── JiraStatusError                 Jira answered, and refused (status, reason, messages, field_errors)
    │   ├── JiraRefusedCredentialsError 401, also after the credentials were renewed once
    │   ├── JiraForbiddenError          403
    │   ├── JiraNotFoundError           404; Jira says so too when one may not see it
    │   └── JiraRateLimitedError        429, or a limit that is known to last longer than the caller can wait
    ├── JiraMalformedAnswerError        the answer is not Jira's: HTML, broken JSON
    │   └── JiraEndlessAnswerError      far too long, and no shorter the next time
    ├── JiraUnreachableError            no connection, or one that broke
    │   └── JiraAddressRefusedError     the host's name leads to an address that must not be connected to
    └── JiraTimeoutError                no answer within the time left

``str(error)`` is a sentence that may be shown to the caller: it names no token, no header and no query.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from jobticket.http import errors as http

#: Statuses that speak of the moment and not of the request: the same one may be taken later.
PASSING_STATUSES = frozenset({408, 425, 429})


class JiraError(Exception):
    """A call to Jira failed.

    Attributes
    ----------
    outcome_unknown
        Whether Jira may have done the work all the same: the request was sent, its answer was not read. A
        write must then be settled by looking, never by sending it again.
    lasts
        Whether every repeat of the call would fail in the same way.
    """

    lasts: ClassVar[bool] = False

    def __init__(self, message: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown

    @property
    def transient(self) -> bool:
        """Whether the same request may do better later: it was not at fault itself."""
        return not self.lasts


class JiraStatusError(JiraError):
    """Jira answered with a status that is no success.

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
        Whether an earlier try of the same call may have been carried out: a 404 to a repeated DELETE then
        most likely means that the first one worked.
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
        # A gateway's answer says nothing of what became of the request behind it.
        super().__init__(f"Jira API error: {status} {reason}".rstrip(), outcome_unknown=status >= 500)
        self.status = status
        self.reason = reason
        self.messages = messages
        self.field_errors = dict(field_errors or {})
        self.retry_after = retry_after
        self.after_lost_answer = False

    @property
    def transient(self) -> bool:
        """Whether the status speaks of the moment and not of the request."""
        return self.status >= 500 or self.status in PASSING_STATUSES

    @property
    def details(self) -> dict[str, Any]:
        """What Jira said, for the ``details`` of an error body; empty if it said nothing."""
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
    """Jira's limit lasts longer than the caller can wait; nothing was done.

    Attributes
    ----------
    limit
        Jira's ``RateLimit-Reason``, if it gave one.
    """

    def __init__(self, reason: str, *, limit: str | None, **said: Any) -> None:
        super().__init__(429, reason, **said)
        self.limit = limit

    @property
    def seconds(self) -> int:
        """After how many whole seconds another try makes sense, for ``Retry-After``."""
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


_KINDS: dict[type[http.NoAnswerError], type[JiraError]] = {
    http.SlowError: JiraTimeoutError,
    http.UntrustedError: JiraUnreachableError,
    http.ForbiddenAddressError: JiraAddressRefusedError,
    http.UnreachableError: JiraUnreachableError,
    http.EndlessError: JiraEndlessAnswerError,
    http.UnreadableError: JiraMalformedAnswerError,
}


def without_answer(error: http.NoAnswerError) -> JiraError:
    """Return Jira's error for a call of Jira that has no whole answer."""
    return _KINDS[type(error)](str(error), outcome_unknown=error.outcome_unknown)
