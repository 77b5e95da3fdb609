"""What callers are told when Jira does not do what they asked for (seed 004, Troubleshooting)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.errors import (
    NotFoundError,
    RefusalError,
    TimedOutError,
    UnavailableError,
    UpstreamError,
)
from jobticket.jira.errors import (
    JiraError,
    JiraForbiddenError,
    JiraNotFoundError,
    JiraRateLimitedError,
    JiraRefusedCredentialsError,
    JiraStatusError,
    JiraTimeoutError,
    JiraUnreachableError,
)


def sentence(error: JiraError) -> str:
    """Say what went wrong, and what Jira said about it."""
    if isinstance(error, JiraRefusedCredentialsError):
        return f"{error}: the credentials are not correct, or the token has expired"
    if isinstance(error, JiraForbiddenError):
        return _with_words(f"{error}: the account lacks a permission", error)
    if isinstance(error, JiraTimeoutError):
        return f"Network timeout: {error}"
    if isinstance(error, JiraUnreachableError):
        return f"Connection failed: {error}"
    return _with_words(str(error), error)


def _with_words(text: str, error: JiraError) -> str:
    if not isinstance(error, JiraStatusError):
        return text
    said = [*error.messages, *(f"{name}: {message}" for name, message in error.field_errors.items())]
    return f"{text} ({' '.join(said)})" if said else text


def refused_by_jira(error: JiraError) -> RefusalError:
    """Return what a caller is told of a call that Jira refused or did not answer."""
    text = sentence(error)
    if isinstance(error, JiraRateLimitedError):
        return UnavailableError(text, retry_after=max(1, math.ceil(error.retry_after or 1)))
    if isinstance(error, JiraTimeoutError):
        return TimedOutError(text)
    return UpstreamError(text)


@contextmanager
def translated(*, missing: str | None = None) -> Iterator[None]:
    """Turn errors of Jira and of connections into refusals.

    Parameters
    ----------
    missing
        What a 404 of Jira means here.
    """
    try:
        yield
    except JiraNotFoundError as error:
        if missing is None:
            raise refused_by_jira(error) from None
        raise NotFoundError(missing) from None
    except JiraError as error:
        raise refused_by_jira(error) from None
    # A connection's own 401 and 403 speak of its grant. Here they would seem to speak of the caller's key.
    except ConnectionUnavailableError as error:
        raise UnavailableError(error.explanation, retry_after=error.retry_after) from None
    except (ConnectionNotFoundError, ReauthorizationNeededError) as error:
        raise UpstreamError(error.explanation, details=error.details) from None
