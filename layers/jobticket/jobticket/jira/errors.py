"""Errors of calls to Jira. What an answer means is decided in ``jobticket.jira.answers``.

::

    JiraError                           the call failed
    ├── JiraStatusError                 Jira answered, and refused (status, reason, messages, field_errors)
    │   ├── JiraRefusedCredentialsError 401, also after the credentials were renewed once
    │   ├── JiraLoginError              right or wrong, the credentials cannot log in this way (advice)
    │   ├── JiraMissingScopeError       the token is valid, and lacks a scope for this call
    │   ├── JiraForbiddenError          403
    │   ├── JiraNotFoundError           404, also for what the account may not see
    │   └── JiraRateLimitedError        429, or a known limit that outlasts the caller
    ├── JiraMalformedAnswerError        the answer is not Jira's: a page, a redirect, broken JSON
    │   └── JiraEndlessAnswerError      longer than any answer of Jira's
    ├── JiraUnreachableError            no connection, or a broken one
    │   ├── JiraUntrustedError          the certificate is not trusted
    │   └── JiraAddressRefusedError     the host resolves to an address that is not allowed
    └── JiraTimeoutError                no answer within the time left

``str(error)`` may be shown to the caller: it contains no token, header or query.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from jobticket.http import errors as http
from jobticket.http.retry_after import LONGEST_SECONDS
from jobticket.jira.rate_limits import Bucket, Limit

#: Refusals of the moment: Jira may accept the same request later. 409 is a conflicting update, 423 a lock.
TRANSIENT_REFUSALS = frozenset({408, 409, 423, 425, 429})
#: Failures that are often over at once.
GATEWAY_STATUSES = frozenset({502, 503, 504})


class JiraError(Exception):
    """A call to Jira failed; ``messages`` and ``field_errors`` are Jira's own words.

    With ``outcome_unknown`` Jira may have done the work: the request was sent, and its answer was not read.
    A write must then be settled by looking, never by sending it again.
    """

    #: Whether every repeat of the call would fail in the same way.
    lasts: ClassVar[bool] = False
    #: Whether the fault is the connection's, not the request's: its owner can correct it.
    of_connection: ClassVar[bool] = False
    #: What a person should know in addition to Jira's words.
    explanation: str = ""

    def __init__(
        self,
        message: str,
        *,
        outcome_unknown: bool = False,
        messages: tuple[str, ...] = (),
        field_errors: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown
        self.messages = messages
        self.field_errors = dict(field_errors or {})

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later. Whatever tries again asks this, and nothing else."""
        return not self.lasts

    @property
    def details(self) -> dict[str, Any]:
        """Jira's words, for the ``details`` of an error body; empty if it sent none."""
        said = {"errorMessages": list(self.messages), "errors": dict(self.field_errors)}
        return {name: words for name, words in said.items() if words}


class JiraStatusError(JiraError):
    """Jira answered with an error status; ``retry_after`` are the seconds that it asks to wait."""

    #: What the consent lacks of the scopes that the deployment asks for; told if the login is refused.
    missing_scopes: tuple[str, ...] = ()
    #: Whether Jira's ``/myself`` accepts the credentials: a new authorization would change nothing.
    accepted_elsewhere = False
    #: Whether an earlier try of the same call may have succeeded. A 404 to a repeated DELETE then most likely
    #: means that the first one did.
    after_lost_answer = False

    def __init__(self, status: int, reason: str, *, retry_after: float | None = None, **said: Any) -> None:
        # A gateway's answer does not tell what became of the request behind it.
        super().__init__(f"Jira API error: {status} {reason}".rstrip(), outcome_unknown=status >= 500, **said)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def transient(self) -> bool:
        return self.status >= 500 or self.status in TRANSIENT_REFUSALS


class JiraRefusedCredentialsError(JiraStatusError):
    of_connection = True
    explanation = "the credentials are not correct, or the token has expired"


class JiraLoginError(JiraStatusError):
    """Jira looks at no credentials of this kind, or not now; ``explanation`` says what to do."""

    of_connection = True


class JiraMissingScopeError(JiraStatusError):
    of_connection = True
    explanation = "the connection lacks a scope that this operation needs"


class JiraForbiddenError(JiraStatusError):
    explanation = "the account lacks a permission"


class JiraNotFoundError(JiraStatusError):
    pass


class JiraRateLimitedError(JiraStatusError):
    """Jira's limit outlasts the caller; nothing was done.

    ``limit`` is Jira's ``RateLimit-Reason``, ``bucket`` the account's own bucket of calls, each if Jira tells
    it. ``held`` is what the limit holds up; None before the client has noted it.
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
        return min(max(1, math.ceil(self.retry_after or 0)), LONGEST_SECONDS)


class JiraMalformedAnswerError(JiraError):
    pass


class JiraEndlessAnswerError(JiraMalformedAnswerError):
    lasts = True


class JiraUnreachableError(JiraError):
    pass


class JiraUntrustedError(JiraUnreachableError):
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
    return " ".join([*error.messages, *(f"{name}: {text}" for name, text in error.field_errors.items())])


_KINDS: dict[type[http.NoAnswerError], type[JiraError]] = {
    http.SlowError: JiraTimeoutError,
    http.UntrustedError: JiraUntrustedError,
    http.ForbiddenAddressError: JiraAddressRefusedError,
    http.UnreachableError: JiraUnreachableError,
    http.EndlessError: JiraEndlessAnswerError,
    http.UnreadableError: JiraMalformedAnswerError,
}


def without_answer(error: http.NoAnswerError) -> JiraError:
    """Return Jira's error for a call to Jira without a complete answer."""
    return _KINDS[type(error)](str(error), outcome_unknown=error.outcome_unknown)
