"""AWS: how long its clients try, and which of its faults pass by themselves."""

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
#: A call is repeated only while so much of a request is left: one more attempt must fit into it.
SECONDS_FOR_A_REPEAT = 6.0

#: A refusal of these says nothing about the request: the same one may succeed a moment later. So does any
#: answer with a status of 5xx or 429.
PASSING_CODES = frozenset(
    {
        "DependencyTimeoutException",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "KMSInternalException",
        "KeyUnavailableException",
        "KmsThrottled",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Throttling",
        "ThrottledException",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
#: The same, of one write of a cancelled transaction; "None" stands for the writes that were not the reason.
PASSING_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None", ""}
)

#: What a caller is told whom this has kept from what it wanted.
UNAVAILABLE = "Temporarily unavailable. Please try again."

_ATTEMPT = re.compile(r"attempt=(\d+)")

Client = TypeVar("Client", bound=BaseClient)


class NoTimeLeftError(BotoCoreError):
    """A call failed so late in a request that it was not repeated."""

    fmt = "no time is left to repeat a call that failed"


class ConflictTimeoutError(Exception):
    """A table was contended or throttled for as long as this caller was willing to wait."""


#: Whatever a call of AWS can fail with. What works without the call catches this.
AWS_FAULTS = (BotoCoreError, ClientError, ConflictTimeoutError)
#: The request may have arrived and its answer be lost, or it may never have got there.
LOST = (HTTPClientError, NoConnectionError, ResponseParserError, NoTimeLeftError)


def is_passing(fault: BaseException) -> bool:
    """Tell whether AWS is in trouble or busy, so that the same call may succeed a moment later."""
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
    """Return a word for a fault that may be logged: AWS's code, or the kind of exception."""
    if isinstance(fault, ClientError):
        return str(fault.response.get("Error", {}).get("Code"))
    return type(fault).__name__


def configuration(*, attempts: int = ATTEMPTS, **options: Any) -> Config:
    """Return a client's configuration: short timeouts, so that a repeat fits into a request."""
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        **options,
    )


class TimeLimit:
    """The end of the request that is being answered, for calls deep inside.

    One for a process: Lambda gives a container one request at a time. Without a request there is no limit.
    """

    def __init__(self) -> None:
        self._deadline: Deadline | None = None

    @contextlib.contextmanager
    def until(self, deadline: Deadline) -> Iterator[None]:
        """Limit calls for the length of a request."""
        self._deadline = deadline
        try:
            yield
        finally:
            self._deadline = None

    def seconds_for_repeats(self) -> float:
        """Return for how long calls that fail may still be repeated."""
        if self._deadline is None:
            return float("inf")
        return max(0.0, self._deadline.left() - SECONDS_FOR_A_REPEAT)

    def refuse_late_repeats(self, request: Any, **_: Any) -> None:
        """Stop a client that repeats a call too late (botocore's event ``before-send``)."""
        header = request.headers.get("amz-sdk-request", b"")
        text = header.decode() if isinstance(header, bytes) else str(header)
        attempt = _ATTEMPT.search(text)
        if attempt and int(attempt[1]) > 1 and self.seconds_for_repeats() == 0:
            raise NoTimeLeftError


time_limit = TimeLimit()


def limited(client: Client) -> Client:
    """Return the client, made to keep to the time limit of the request."""
    client.meta.events.register_first("before-send", time_limit.refuse_late_repeats)
    return client
