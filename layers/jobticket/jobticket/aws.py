"""AWS: how long its clients try, and which of its faults are transient."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from jobticket.clock import Deadline

CONNECT_SECONDS = 1
ANSWER_SECONDS = 4
ATTEMPTS = 3
#: A call is retried only while this much of a request is left: one more attempt must fit into it.
SECONDS_FOR_A_REPEAT = 6.0

#: With these codes the same request may succeed a moment later. So it may after any 5xx or 429.
# fmt: off
PASSING_CODES = frozenset((
    "DependencyTimeoutException", "InternalFailure", "InternalServerError", "InternalServiceError",
    "KMSInternalException", "KeyUnavailableException", "KmsThrottled",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "RequestTimeout", "RequestTimeoutException", "ServiceException",
    "ServiceUnavailable", "ServiceUnavailableException", "Throttling", "ThrottledException",
    "ThrottlingError", "ThrottlingException", "TooManyRequestsException", "TransactionConflictException",
    "TransactionInProgressException",
))
# fmt: on
#: The same, of one write of a cancelled transaction; "None" marks the writes that were not the reason.
PASSING_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None", ""}
)

#: The message to a caller whose request such a fault has prevented.
UNAVAILABLE = "Temporarily unavailable. Please try again."

_ATTEMPT = re.compile(r"attempt=(\d+)")

Client = TypeVar("Client", bound=BaseClient)


class NoTimeLeftError(BotoCoreError):
    """A call failed so late in a request that it was not retried."""

    fmt = "no time is left to retry a call that failed"


class ConflictTimeoutError(Exception):
    """A table stayed contended or throttled for as long as the caller could wait."""


#: Everything that a call of AWS can raise, for callers that work without its answer.
AWS_FAULTS = (BotoCoreError, ClientError, ConflictTimeoutError)
#: Whether the request has arrived is unknown: its answer may be lost.
LOST = (HTTPClientError, NoConnectionError, ResponseParserError, NoTimeLeftError)


def is_transient(fault: BaseException) -> bool:
    """Tell whether a fault is transient: AWS is failing or busy, and the same call may succeed later."""
    if isinstance(fault, (ConflictTimeoutError, *LOST)):
        return True
    if not isinstance(fault, ClientError):
        return False
    code = reason(fault)
    if code == "TransactionCanceledException":
        reasons = fault.response.get("CancellationReasons", [])
        return all(each.get("Code") in PASSING_REASONS for each in reasons)
    status = fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code in PASSING_CODES or status >= 500 or status == 429


def reason(fault: BaseException) -> str:
    """Return a word for a fault that is safe to log: AWS's code, or the exception's class."""
    if isinstance(fault, ClientError):
        return str(fault.response.get("Error", {}).get("Code"))
    return type(fault).__name__


def configuration(*, attempts: int = ATTEMPTS, **options: Any) -> Config:
    """Return a client's configuration: short timeouts, so that a retry fits into a request."""
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        **options,
    )


class TimeLimit:
    """When the current request must end, for calls deep inside; without a request there is no limit.

    One per process is enough: Lambda gives a container one request at a time.
    """

    def __init__(self) -> None:
        self._deadline: Deadline | None = None

    @contextlib.contextmanager
    def until(self, deadline: Deadline) -> Iterator[None]:
        self._deadline = deadline
        try:
            yield
        finally:
            self._deadline = None

    def seconds_for_repeats(self) -> float:
        """Return for how many seconds failed calls may still be retried."""
        if self._deadline is None:
            return float("inf")
        return max(0.0, self._deadline.left() - SECONDS_FOR_A_REPEAT)

    def refuse_late_repeats(self, request: Any, **_: Any) -> None:
        """Stop a client that retries too late (a handler of botocore's event ``before-send``)."""
        header = request.headers.get("amz-sdk-request", b"")
        text = header.decode() if isinstance(header, bytes) else str(header)
        attempt = _ATTEMPT.search(text)
        if attempt and int(attempt[1]) > 1 and self.seconds_for_repeats() == 0:
            raise NoTimeLeftError


time_limit = TimeLimit()


def limited(client: Client) -> Client:
    """Make a client observe the request's time limit, and return it."""
    client.meta.events.register_first("before-send", time_limit.refuse_late_repeats)
    return client
