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

from collections.abc import Callable
from functools import partial
from typing import Any


class JobticketError(Exception):
    """A call failed.

    Attributes
    ----------
    operation
        The operationId of the call.
    status
        The HTTP status; None without an answer.
    message
        What the service says.
    details
        What else the body holds, such as Jira's own words.
    retry_after
        Seconds after which to try again, if the service names them.
    idempotency_key
        Repeat the call with this key, and its effect happens once; None if the call takes no key.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int | None = None,
        details: dict[str, Any] | None = None,
        retry_after: float | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        super().__init__(f"{operation}: {message}" + (f" ({status})" if status else ""))
        self.message = message
        self.operation = operation
        self.status = status
        self.details = details or {}
        self.retry_after = retry_after
        self.idempotency_key = idempotency_key

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed in a moment."""
        under_way = isinstance(self, Conflict) and self.retry_after is not None
        busy = isinstance(self, RateLimited | Unavailable) and "certificate" not in self.details
        return under_way or busy

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are made anew from their args alone. The link to connect again stays in its process.
        here = ("connect", "__notes__")
        return partial(
            type(self), **{name: fact for name, fact in vars(self).items() if name not in here}
        ), ()


class Invalid(JobticketError): ...


class Denied(JobticketError): ...


class NeedsReauthorization(Denied):
    #: Set where the call names one connection.
    connect: Callable[[str | None], str] | None = None

    def connect_again(self, return_url: str | None = None) -> str:
        """Return a link at which the user connects again. It works once, for ten minutes."""
        if self.connect is None:
            raise TypeError("this error does not belong to one connection")
        return self.connect(return_url)


class NotFound(JobticketError): ...


class Conflict(JobticketError): ...


class TooLarge(JobticketError): ...


class RateLimited(JobticketError): ...


class Failed(JobticketError): ...


class Unavailable(JobticketError): ...


class OutcomeUnknown(Unavailable): ...


_BY_STATUS: dict[int, type[JobticketError]] = {
    **{400: Invalid, 401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 413: TooLarge, 422: Invalid},
    429: RateLimited,
}
_MESSAGES = ("message", "error", "detail")


def error_of(status: int, body: object, lost: type[JobticketError], **facts: Any) -> JobticketError:
    """Return the error that an answer in any of the three envelopes tells of; 502 to 504 are ``lost``."""
    members = body if isinstance(body, dict) else {}
    if status < 400:
        members = {"message": "the answer is a redirect, which is not followed: is base_url right?"}
    texts = [members[name] for name in _MESSAGES if isinstance(members.get(name), str)]
    details = {name: value for name, value in members.items() if name not in (*_MESSAGES, "statusCode")}
    other = lost if status in (502, 503, 504) else Failed if status >= 500 else Invalid
    kind = _BY_STATUS.get(status, other)
    if members.get("needs_reauthorization") is True:
        kind = NeedsReauthorization
    return kind((*texts, "no explanation")[0], status=status, details=details, **facts)


def outcome_of(error: JobticketError) -> JobticketError:
    """Return what the last try of a call tells, if an earlier one may have been carried out."""
    # With a key the service repeats its first answer. Without one, an earlier try may be the reason.
    settled = error.idempotency_key and not isinstance(error, Unavailable | RateLimited | Conflict)
    return error if settled or isinstance(error, OutcomeUnknown) else OutcomeUnknown(**vars(error))
