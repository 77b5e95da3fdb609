"""200 callers at once on a token that has expired, in 8 processes, against the deployed stack's tables."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from jobticket.connections.layout import partition
from jobticket.connections.model import ConnectionId
from local.emulator import ACCOUNT_KEY, REGION
from tests.support.callers import PROCESSES, SECONDS, THREADS, Callers, running
from tests.support.consent_flow import Atlassian, Browser, Walk, over_http
from tests.support.deployed import Stack

ALL = PROCESSES * THREADS
BUSY = "503 Failed to refresh access token"
DEAD = "403 Connection is invalid or expired. Please reauthorize the connection."
_numbers = itertools.count(1)
pytestmark = pytest.mark.long


class Scene:
    """One connection on the stack, and everybody who wants its token."""

    def __init__(self, stack: Stack, callers: Callers, atlassian: Atlassian) -> None:
        self.stack = stack
        self.callers = callers
        self.atlassian = atlassian
        self.external_id = f"race-{next(_numbers)}"
        self._table = stack.outputs["ConnectionsTableName"]
        self._dynamodb = stack.client("dynamodb")
        self._grant_type = "refresh_token"
        self._key = {"pk": {"S": partition(ConnectionId("jira", self.external_id))}}
        self.authorize()
        self._asked_before = 0

    def authorize(self) -> None:
        """Walk through a consent for this connection, in place of any earlier one."""
        assert self.consent().create().status == 200

    def connect_a_service_account(self) -> None:
        """Connect with client credentials, in place of the consent."""
        told = self.stack.api().connections.put_credentials(
            self.external_id,
            provider="jira",
            host=self.stack.atlassian_url,
            client_id="local-service-client",
            client_secret="local-service-secret",
        )
        assert told["kind"] == "client_credentials"
        self._grant_type = "client_credentials"

    def consent(self) -> Walk:
        """Walk as far as the choice of a site, which comes next."""
        minted = self.stack.api().connect_sessions.create(self.external_id)
        walk = Walk(Browser(over_http(self.stack)), self.atlassian)
        walk.to_choice(self.external_id, headers={"x_connect_token": minted["connect_token"]})
        return walk

    def expire(self) -> None:
        """Let the cached token have expired, without its row having been deleted."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key=self._key | {"sk": {"S": "ACCESS"}},
            UpdateExpression="SET usable_until = :past",
            ExpressionAttributeValues={":past": {"S": "2020-01-01T00:00:00.000Z"}},
        )
        self._asked_before = self.atlassian.token_calls(self._grant_type)

    def row(self) -> dict[str, Any]:
        key = self._key | {"sk": {"S": "CONNECTION"}}
        row: dict[str, Any] = self._dynamodb.get_item(TableName=self._table, Key=key)["Item"]
        return row

    @property
    def token_calls(self) -> int:
        """How often the token endpoint was asked for a token since the last one expired."""
        return self.atlassian.token_calls(self._grant_type) - self._asked_before

    def disturb(self, **fault: Any) -> None:
        self.atlassian.control(faults=[{"method": "POST", "path": "/oauth/token", **fault}])

    def ask_during(self, **fault: Any) -> Counter[str]:
        """Let one ask the token endpoint, and have its answer when all the others wait for it."""
        self.begin_to_ask(**fault)
        return self.end()

    def begin_to_ask(self, **fault: Any) -> None:
        self.disturb(held=True, **fault)
        self.callers.start(self.external_id)
        until(lambda: self.callers.all_but_one_wait() and self.token_calls == 1)

    def end(self) -> Counter[str]:
        self.atlassian.control(faults=[])
        return self.callers.results()

    def token(self) -> requests.Response:
        return self.stack.request(
            "GET",
            "/api/backend/connection-info/get-access-token",
            params={"provider": "jira", "external_id": self.external_id},
            timeout=300,  # 200 at once queue up in front of the stack's few workers
        )


@pytest.fixture(scope="module")
def callers(stack: Stack) -> Iterator[Callers]:
    outputs = stack.outputs
    settings = {
        "AWS_ENDPOINT_URL": stack.description()["aws_endpoint_url"],
        "AWS_ACCESS_KEY_ID": ACCOUNT_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "ENVIRONMENT": "local",
        "CONNECTIONS_TABLE": outputs["ConnectionsTableName"],
        "HISTORY_TABLE": outputs["HistoryTableName"],
        "HISTORY_RETENTION_DAYS": "730",
        "ENCRYPTION_KEY": outputs["EncryptionKeyArn"],
        "ATLASSIAN_APP_SECRET": outputs["AtlassianAppSecretArn"],
        "ATLASSIAN_AUTH_URL": stack.atlassian_url,
        "ATLASSIAN_API_URL": stack.atlassian_url,
        "POWERTOOLS_LOG_LEVEL": "ERROR",
        "POWERTOOLS_METRICS_NAMESPACE": "Jobticket",
        "POWERTOOLS_METRICS_DISABLED": "true",
    }
    with running(settings) as started:
        yield started


@pytest.fixture
def scene(stack: Stack, callers: Callers) -> Iterator[Scene]:
    atlassian = Atlassian(stack.atlassian_url)
    atlassian.reset()
    yield Scene(stack, callers, atlassian)
    atlassian.reset()
    atlassian.close()


def until(condition: Callable[[], bool]) -> None:
    tick, end = threading.Event(), time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not come"
        tick.wait(0.02)


def only(results: Counter[str]) -> str:
    """Return the one answer that all callers got."""
    assert results.total() == ALL
    assert len(results) == 1, results
    return next(iter(results))


def is_token(answer: str) -> bool:
    """Tell a token from a refusal."""
    return " " not in answer


def test_one_call_serves_all(scene: Scene) -> None:
    scene.expire()
    token = only(scene.callers.ask(scene.external_id))
    assert scene.token_calls == 1
    assert scene.token().json()["access_token"] == token


def test_one_call_serves_all_callers_of_a_service_account(scene: Scene) -> None:
    scene.connect_a_service_account()
    scene.expire()
    token = only(scene.callers.ask(scene.external_id))
    assert is_token(token)
    assert scene.token_calls == 1
    assert scene.token().json()["access_token"] == token


def test_one_call_serves_all_over_http(scene: Scene) -> None:
    scene.expire()
    with ThreadPoolExecutor(ALL) as threads:
        answers = list(threads.map(lambda _: scene.token(), range(ALL)))
    assert Counter(answer.status_code for answer in answers) == {200: ALL}
    assert len({answer.text for answer in answers}) == 1
    assert scene.token_calls == 1


def test_one_slow_call_serves_all(scene: Scene) -> None:
    scene.expire()
    assert is_token(only(scene.ask_during()))
    assert scene.token_calls == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "5"}},
        {"drop": "after"},
    ],
    ids=["500", "429", "answer lost"],
)
def test_trouble_is_found_out_once_and_forgotten(scene: Scene, fault: dict[str, Any]) -> None:
    scene.expire()
    assert only(scene.ask_during(**fault)) == BUSY
    assert scene.token_calls == 1
    assert scene.row()["status"]["S"] == "valid"
    _forget_what_atlassian_wants(scene)
    assert scene.token().status_code == 200
    assert "unfinished_since" not in scene.row()


def _forget_what_atlassian_wants(scene: Scene) -> None:
    """Let the time have passed that a 429 asked for."""
    scene._dynamodb.update_item(
        TableName=scene._table,
        Key=scene._key | {"sk": {"S": "CONNECTION"}},
        UpdateExpression="REMOVE retry_at",
    )


def test_a_dead_grant_is_found_out_once_and_told_to_all(scene: Scene) -> None:
    scene.expire()
    scene.atlassian.revoke()
    assert only(scene.callers.ask(scene.external_id)) == DEAD
    assert scene.token_calls == 1
    assert scene.row()["status"]["S"] == "invalid"
    assert only(scene.callers.ask(scene.external_id)) == DEAD
    assert scene.token_calls == 1


def test_a_winner_that_dies_before_it_writes_costs_one_call_more(scene: Scene) -> None:
    scene.expire()
    scene.callers.one_that_dies(scene.external_id)
    assert scene.token_calls == 1
    token = only(scene.callers.ask(scene.external_id))
    assert is_token(token)
    assert scene.token_calls == 2
    row = scene.row()
    assert row["status"]["S"] == "valid"
    assert not {"lease_owner", "unfinished_since"} & set(row)
    assert scene.token().json()["access_token"] == token


def test_an_authorization_that_lands_meanwhile_counts(scene: Scene) -> None:
    walk = scene.consent()
    scene.expire()
    scene.begin_to_ask()
    assert walk.create().status == 200
    renewed = scene.row()["authorization"]["S"]
    token = only(scene.end())
    assert scene.token().json()["access_token"] == token
    row = scene.row()
    assert (row["authorization"]["S"], row["version"]["N"], row["status"]["S"]) == (renewed, "1", "valid")
