"""Jira's errors as refusals of an operation."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

from jobticket import errors as refused
from jobticket.dataclass import dataclass
from jobticket.jira import errors as jira
from jobticket.jira.errors import JiraError
from jobticket.observability import logger

MISSING_SCOPE = "The connection lacks a scope that this operation needs"
DENIED = "Jira accepts the credentials, but refuses this call"
LIMITED = "Jira's rate limit is reached. Try again later."
TIMED_OUT = "Jira did not answer in time"

_KINDS: dict[int, type[refused.RefusalError]] = {
    400: refused.InvalidError,
    403: refused.ForbiddenError,
    404: refused.NotFoundError,
    409: refused.ConflictError,
}


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one operation. A status without a text gets that of a failure."""

    #: For everything without a text of its own.
    failed: str
    invalid: str | None = None
    forbidden: str | None = None
    missing: str | None = None
    changed: str | None = None

    def of(self, status: int) -> str | None:
        return {400: self.invalid, 403: self.forbidden, 404: self.missing, 409: self.changed}.get(status)


def refusal_of(error: JiraError, texts: Texts, *, write: bool = False) -> refused.RefusalError:
    """Return the refusal for an error; for a write it tells if something may have changed."""
    details: dict[str, Any] = {"details": error.details} if error.details else {}
    if write and error.outcome_unknown:
        details["outcome_unknown"] = True
    match error:
        case jira.JiraTimeoutError():
            return refused.TimedOutError(TIMED_OUT, details=details)
        case jira.JiraRefusedCredentialsError(accepted_elsewhere=True):
            return refused.ForbiddenError(texts.forbidden or DENIED, details=details)
        case jira.JiraRefusedCredentialsError():
            lacks = {"missing_scopes": list(error.missing_scopes)} if error.missing_scopes else {}
            details = {"needs_reauthorization": True, **lacks, **details}
            return refused.ForbiddenError(refused.REAUTHORIZE, details=details)
        case jira.JiraMissingScopeError():
            return refused.ForbiddenError(MISSING_SCOPE, details={"missing_scope": True})
        case jira.JiraLoginError():
            return refused.ForbiddenError(error.explanation, details=details)
        case jira.JiraRateLimitedError():
            return refused.LimitedError(LIMITED, details=details, retry_after=error.seconds)
        case jira.JiraStatusError(status=503) if error.retry_after is not None:
            seconds = max(1, math.ceil(error.retry_after))
            return refused.LimitedError(LIMITED, details=details, retry_after=seconds)
        case jira.JiraStatusError(status=status) if text := texts.of(status):
            return _KINDS[status](text, details=details)
    return refused.RefusalError(texts.failed, details=details)


@contextlib.contextmanager
def refusing(texts: Texts, *, write: bool = False) -> Iterator[None]:
    """Turn Jira's errors into the operation's refusals."""
    try:
        yield
    except JiraError as error:
        logger.warning("a call to Jira failed", operation=texts.failed, cause=str(error))
        raise refusal_of(error, texts, write=write) from error
