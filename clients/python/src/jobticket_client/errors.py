"""What can go wrong.

::

    JobticketError                  every error of this package
    ├── Invalid                     400, 422: the request is wrong; the message names the first fault
    ├── Denied                      401, 403: the key or its scopes do not allow it, or Jira denies access
    │   └── NeedsReauthorization    the user must connect again: connect_again() returns the link
    ├── NotFound                    404
    ├── Conflict                    409: somebody was faster, or the request does not fit the present state
    ├── TooLarge                    413: ask for pages
    ├── RateLimited                 429, for longer than the deadline: retry_after says how long
    ├── Failed                      500: Jira refused, or the service has a fault
    └── Unavailable                 502, 503, 504 or no answer: try again later
        └── OutcomeUnknown          the request may have been carried out: look before you repeat it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class JobticketError(Exception):
    """A call failed.

    Attributes
    ----------
    status
        The HTTP status; None without an answer.
    message
        What the service says.
    details
        What else the body holds, such as Jira's own words.
    retry_after
        Seconds after which to try again, if the service names them.
    operation
        The operationId of the call.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            f"{operation}: {message}" if status is None else f"{operation}: {message} ({status})"
        )
        self.message = message
        self.operation = operation
        self.status = status
        self.details = dict(details or {})
        self.retry_after = retry_after


class Invalid(JobticketError):
    """The request is wrong."""


class Denied(JobticketError):
    """The key, its scopes or the connection do not allow the call."""


class NeedsReauthorization(Denied):
    """The user must connect the Jira account again."""

    _connect: Callable[[str | None], str] | None = None

    def connects_by(self, connect: Callable[[str | None], str]) -> None:
        """Set how the user connects again."""
        self._connect = connect

    def connect_again(self, return_url: str | None = None) -> str:
        """Return a link at which the user connects again. It works once, for ten minutes.

        Raises
        ------
        JobticketError
            If the key lacks the scope ``tokens``, for instance.
        """
        if self._connect is None:
            raise TypeError("this error does not belong to one connection")
        return self._connect(return_url)


class NotFound(JobticketError):
    """There is no such thing, or the caller may not see it."""


class Conflict(JobticketError):
    """Somebody was faster, or the request does not fit the present state."""


class TooLarge(JobticketError):
    """The body or the answer is too large."""


class RateLimited(JobticketError):
    """The service or Jira asks for fewer calls, for longer than the deadline allows."""


class Failed(JobticketError):
    """Jira refused, or the service has a fault."""


class Unavailable(JobticketError):
    """No answer, or one that says to try again later."""


class OutcomeUnknown(Unavailable):
    """The request may have been carried out.

    Attributes
    ----------
    idempotency_key
        Repeat the call with this key: the service then does the work once. None if the call takes no key.
    """

    def __init__(self, message: str, *, idempotency_key: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.idempotency_key = idempotency_key


_BY_STATUS: dict[int, type[JobticketError]] = {
    400: Invalid,
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_MESSAGES = ("message", "error", "detail")


def error_of(status: int, body: object, operation: str, retry_after: float | None) -> JobticketError:
    """Return the error that an answer tells of, whichever of the service's three envelopes it has."""
    members = body if isinstance(body, dict) else {}
    message = next(
        (text for name in _MESSAGES if isinstance(text := members.get(name), str)), "no explanation"
    )
    rest = {name: value for name, value in members.items() if name not in (*_MESSAGES, "statusCode")}
    kind = _BY_STATUS.get(status, Failed if status >= 500 else Invalid)
    if members.get("needs_reauthorization") is True:
        kind = NeedsReauthorization
    return kind(message, operation=operation, status=status, details=rest, retry_after=retry_after)
