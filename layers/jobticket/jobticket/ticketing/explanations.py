"""The texts for callers and links when Jira does not do what was asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.errors import RefusalError, TimedOutError, UnavailableError, UpstreamError
from jobticket.jira.errors import (
    JiraError,
    JiraRateLimitedError,
    JiraTimeoutError,
    JiraUnreachableError,
    words_of,
)


def sentence(error: JiraError) -> str:
    """Say what went wrong, with Jira's own words."""
    if isinstance(error, JiraTimeoutError):
        return f"Network timeout: {error}"
    if isinstance(error, JiraUnreachableError):
        return f"Connection failed: {error}"
    text = f"{error}: {error.explanation}" if error.explanation else str(error)
    said = words_of(error)
    return f"{text} ({said})" if said else text


def refused_by_jira(error: JiraError) -> RefusalError:
    """Return a caller's error for a call that Jira refused or did not answer."""
    text = sentence(error)
    if isinstance(error, JiraRateLimitedError):
        return UnavailableError(text, retry_after=max(1, math.ceil(error.retry_after or 1)))
    if isinstance(error, JiraTimeoutError):
        return TimedOutError(text)
    return UpstreamError(text)


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of Jira and of connections into refusals."""
    try:
        yield
    except JiraError as error:
        raise refused_by_jira(error) from error
    # A connection's own 401 and 403 are about its grant. A caller would read them as the API key's.
    except ConnectionUnavailableError as error:
        raise UnavailableError(error.explanation, retry_after=error.retry_after) from None
    except (ConnectionNotFoundError, ReauthorizationNeededError) as error:
        raise UpstreamError(error.explanation, details=error.details) from None
