"""Refusals: what the product answers when it does not do what a request asks.

::

    RefusalError                the request is refused; nothing has changed
    ├── InvalidError            400  the request itself is wrong
    ├── UnauthenticatedError    401  the caller is not known
    ├── ForbiddenError          403  the caller may not do this
    ├── NotFoundError           404  what it names does not exist
    ├── ConflictError           409  it does not fit the current state
    ├── TooLargeError           413  the answer is too large
    ├── UnprocessableError      422  it contradicts an earlier request
    ├── LimitedError            429  Jira's rate limit lasts longer than the call can wait
    ├── UpstreamError           502  Jira refused, or could not be reached
    ├── UnavailableError        503  not now; try again
    └── TimedOutError           504  Jira did not answer in time

The caller reads the message: it never contains a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

REAUTHORIZE = "Connection is invalid or expired. Please reauthorize the connection."


class RefusalError(Exception):
    """The request is refused: a message for the caller, and further members of the error body.

    Another try may succeed after ``retry_after`` seconds, which are sent as ``Retry-After``.
    """

    status: ClassVar[int] = 500

    def __init__(
        self, message: str, *, details: Mapping[str, Any] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.retry_after = retry_after


class InvalidError(RefusalError):
    status = 400


class UnauthenticatedError(RefusalError):
    status = 401


class ForbiddenError(RefusalError):
    status = 403


class NotFoundError(RefusalError):
    status = 404


class ConflictError(RefusalError):
    status = 409


class TooLargeError(RefusalError):
    status = 413


class UnprocessableError(RefusalError):
    status = 422


class LimitedError(RefusalError):
    status = 429


class UpstreamError(RefusalError):
    status = 502


class UnavailableError(RefusalError):
    status = 503


class TimedOutError(RefusalError):
    status = 504
