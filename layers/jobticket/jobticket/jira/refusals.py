"""Jira's errors as refusals of an operation."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jobticket.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    LimitedError,
    NotFoundError,
    RefusalError,
    TimedOutError,
)
from jobticket.jira.errors import (
    JiraError,
    JiraLoginError,
    JiraMissingScopeError,
    JiraRateLimitedError,
    JiraRefusedCredentialsError,
    JiraStatusError,
    JiraTimeoutError,
)
from jobticket.observability import logger

MISSING_SCOPE = "The connection lacks a scope that this operation needs"
LIMITED = "Jira's rate limit is reached. Try again later."
REAUTHORIZE = "Connection is invalid or expired. Please reauthorize the connection."
TIMED_OUT = "Jira did not answer in time"

_KINDS: dict[int, type[RefusalError]] = {
    400: InvalidError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
}


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one operation. A status without a text gets that of a failure.

    Attributes
    ----------
    failed
        For everything without a text of its own.
    """

    failed: str
    invalid: str | None = None
    forbidden: str | None = None
    missing: str | None = None
    changed: str | None = None

    def of(self, status: int) -> str | None:
        return {400: self.invalid, 403: self.forbidden, 404: self.missing, 409: self.changed}.get(status)


def refusal_of(error: JiraError, texts: Texts, *, write: bool = False) -> RefusalError:
    """Return the refusal for an error.

    Parameters
    ----------
    write
        Whether the call would have changed something. Then the refusal tells if it may have.
    """
    details: dict[str, Any] = {"details": error.details} if error.details else {}
    if write and error.outcome_unknown:
        details["outcome_unknown"] = True
    return _refusal(error, texts, details)


def _refusal(error: JiraError, texts: Texts, details: dict[str, Any]) -> RefusalError:
    if isinstance(error, JiraTimeoutError):
        return TimedOutError(TIMED_OUT, details=details)
    if isinstance(error, JiraRefusedCredentialsError):
        lacks = {"missing_scopes": list(error.missing_scopes)} if error.missing_scopes else {}
        return ForbiddenError(REAUTHORIZE, details={"needs_reauthorization": True, **lacks, **details})
    if isinstance(error, JiraMissingScopeError):
        return ForbiddenError(MISSING_SCOPE, details={"missing_scope": True})
    if isinstance(error, JiraLoginError):
        return ForbiddenError(error.explanation, details=details)
    if not isinstance(error, JiraStatusError):
        return RefusalError(texts.failed, details=details)
    if isinstance(error, JiraRateLimitedError):
        return LimitedError(LIMITED, details=details, retry_after=error.seconds)
    if error.status == 503 and error.retry_after is not None:
        return LimitedError(LIMITED, details=details, retry_after=max(1, math.ceil(error.retry_after)))
    text = texts.of(error.status)
    if text is None:
        return RefusalError(texts.failed, details=details)
    return _KINDS[error.status](text, details=details)


@contextlib.contextmanager
def refusing(texts: Texts, *, write: bool = False) -> Iterator[None]:
    """Turn Jira's errors into the operation's refusals."""
    try:
        yield
    except JiraError as error:
        logger.warning("a call to Jira failed", operation=texts.failed, cause=str(error))
        raise refusal_of(error, texts, write=write) from error
