"""A DynamoDB client that fails where a test says so: before its work, or after it, when only the answer is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from jobticket.aws import ConflictTimeoutError, NoTimeLeftError

#: The client's methods that change something.
WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")

#: What a client sees whose connection was cut while it waited for the answer.
LOST = ReadTimeoutError(endpoint_url="http://dynamodb")


class Crash(BaseException):
    """The function's process ends here: nothing after this runs, no handler of errors either."""


CRASH = Crash()


def refused(code: str, status: int = 400, operation: str = "TransactWriteItems") -> ClientError:
    """Return an error answer of DynamoDB's."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": code},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )


def cancelled(*codes: str) -> ClientError:
    """Return a cancelled transaction with these reasons, one a write."""
    error = refused("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": code} for code in codes]
    return error


#: What a call of any service may meet while AWS is busy or failing.
PASSING_CALLS: tuple[Exception, ...] = (
    refused("ThrottlingException"),
    refused("ProvisionedThroughputExceededException"),
    refused("RequestLimitExceeded"),
    refused("TransactionInProgressException"),
    refused("TransactionConflictException"),
    refused("InternalServerError", 500),
    refused("ServiceUnavailable", 503),
    refused("KMSInternalException", 500),
    refused("DependencyTimeoutException", 503),
    refused("KeyUnavailableException", 500),
    refused("InternalServiceError", 500),
    refused("RequestThrottled", 403),
    refused("TooManyRequestsException", 429),
    refused("502", 502),
    ReadTimeoutError(endpoint_url="http://x"),
    ConnectTimeoutError(endpoint_url="http://x"),
    ConnectionClosedError(endpoint_url="http://x"),
    EndpointConnectionError(endpoint_url="http://x"),
    ResponseParserError("half an answer"),
    NoTimeLeftError(),
)
PASSING = (
    *PASSING_CALLS,
    cancelled("TransactionConflict"),
    cancelled("None", "ThrottlingError"),
    cancelled("ProvisionedThroughputExceeded", "TransactionConflict"),
    ConflictTimeoutError(),
)
#: What a retry would not mend.
LASTING: tuple[Exception, ...] = (
    cancelled("ValidationError"),
    cancelled("TransactionConflict", "ItemCollectionSizeLimitExceeded"),
    refused("AccessDeniedException"),
    refused("ResourceNotFoundException"),
    refused("ValidationException"),
    refused("IdempotentParameterMismatchException"),
    ParamValidationError(report="a mistake of ours"),
)


@dataclass
class Fault:
    operation: str
    when: Literal["before", "after"]
    error: BaseException
    skip: int
    times: int


@dataclass
class Faults:
    """Stands in front of a client.

    Attributes
    ----------
    calls
        Every call that came this far: its method and parameters.
    """

    client: Any
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)

    def fail(
        self,
        operation: str,
        when: Literal["before", "after"],
        error: BaseException = LOST,
        *,
        skip: int = 0,
        times: int = 1,
    ) -> None:
        """Let calls of a method fail, ``times`` of them after the first ``skip``."""
        self._faults.append(Fault(operation, when, error, skip, times))

    def clear(self) -> None:
        """Let nothing fail any more."""
        self._faults.clear()

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        real = getattr(self.client, operation)

        def call(**parameters: Any) -> Any:
            self.calls.append((operation, parameters))
            fault = self._next(operation)
            if fault and fault.when == "before":
                raise fault.error
            try:
                return real(**parameters)
            finally:
                if fault:
                    raise fault.error  # in place of the answer, be it good or bad

        return call

    def _next(self, operation: str) -> Fault | None:
        for fault in self._faults:
            if fault.operation != operation or fault.times == 0:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
        return None


class Trouble:
    """Stands between all clients of AWS and AWS.

    Attributes
    ----------
    calls
        The operations that were called since it was last told from which call on to be there.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.first: int | None = None
        self.fault: Exception = PASSING_CALLS[0]

    def from_call(self, number: int | None, fault: Exception = PASSING_CALLS[0]) -> None:
        """Let this call fail, counted from 0, and all after it; None for none."""
        self.calls, self.first, self.fault = [], number, fault

    def meets(self, operation: str) -> None:
        self.calls.append(operation)
        if self.first is not None and len(self.calls) > self.first:
            raise self.fault
