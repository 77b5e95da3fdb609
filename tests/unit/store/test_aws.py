"""How long clients of AWS try: within the time of a request, whatever AWS does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from jobticket.aws import NoTimeLeftError, is_transient, time_limit
from jobticket.clock import Deadline
from jobticket.connections.vault import kms_client
from jobticket.push.runs.queue import sqs_client as push_queue_client
from jobticket.push.runs.run import lambda_client
from jobticket.secret_store import secrets_client
from jobticket.store.table import dynamodb_client
from jobticket.ticketing.wakeups import sqs_client as wakeups_client
from tests.support.faults import LASTING, PASSING

CALLS: dict[Callable[[], Any], Callable[[Any], Any]] = {
    dynamodb_client: lambda client: client.list_tables(),
    kms_client: lambda client: client.list_keys(),
    secrets_client: lambda client: client.list_secrets(),
    lambda_client: lambda client: client.list_functions(),
    push_queue_client: lambda client: client.list_queues(),
    wakeups_client: lambda client: client.list_queues(),
}


class Answer(AWSResponse):
    def __init__(self, status: int) -> None:
        super().__init__("https://aws", status, HTTPHeaders(), None)

    @property
    def content(self) -> bytes:
        return b"{}"


def attempts_of(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, left: float | None) -> int:
    """Return how often a client tries a call that AWS answers with 503, and check what it says in the end."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    client = make()
    tried = []

    def answer(**_: Any) -> AWSResponse:
        tried.append(1)
        return Answer(503)

    client.meta.events.register("before-send", answer)
    limit = contextlib.nullcontext() if left is None else time_limit.until(Deadline(left, lambda: 0.0))
    with limit, pytest.raises((ClientError, NoTimeLeftError)) as failed:
        CALLS[make](client)
    assert is_transient(failed.value)
    assert isinstance(failed.value, NoTimeLeftError) == (left is not None and left <= 6)
    return len(tried)


@pytest.mark.parametrize("make", CALLS, ids=lambda make: f"{make.__module__}.{make.__name__}")
def test_a_call_is_repeated_while_there_is_time_and_never_in_the_last_seconds(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = attempts_of(make, monkeypatch, None)
    assert alone in (2, 3)
    assert attempts_of(make, monkeypatch, 27.0) == alone
    for left in (6.0, 0.0):
        assert attempts_of(make, monkeypatch, left) == 1
    assert attempts_of(make, monkeypatch, None) == alone, "the limit ends with its request"


@pytest.mark.parametrize("make", CALLS, ids=lambda make: f"{make.__module__}.{make.__name__}")
def test_a_service_that_never_answers_leaves_time_for_an_answer(make: Callable[[], Any]) -> None:
    config = make().meta.config
    attempts = config.retries["total_max_attempts"]
    pauses = sum(2**number for number in range(attempts - 1))  # the longest of botocore's standard mode
    assert attempts * (config.connect_timeout + config.read_timeout) + pauses <= 20


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_busy_and_ailing_services_pass(fault: Exception) -> None:
    assert is_transient(fault)


@pytest.mark.parametrize("fault", [*LASTING, ValueError(), KeyError("x")], ids=repr)
def test_mistakes_of_ours_do_not(fault: Exception) -> None:
    assert not is_transient(fault)
