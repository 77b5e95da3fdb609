"""The AWS that unit tests see: moto, with the tables of template.yaml and a ring of keys."""

from __future__ import annotations

import copy
import hashlib
import importlib
import io
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import boto3
import pytest
import requests
from botocore.client import BaseClient
from moto import mock_aws
from requests.adapters import HTTPAdapter

import tests.support.environment  # noqa: F401  (before anything of the product)
from jobticket.store import table as dynamo
from tests.support import emulation
from tests.support.faults import Trouble
from tests.support.gateway import Gateway
from tests.support.infrastructure import create_table
from tests.support.samples import seed, seed_operations

emulation.install()

#: Keys that the tests call with. They open nothing outside of them.
KEYS = {
    "every-scope": ["*"],
    "only-jobs": ["jobs"],
    "only-jira": ["jira"],
    "only-tokens": ["tokens"],
    "only-ticketing": ["ticketing"],
    "only-admin": ["admin"],
}
#: The KMS key before the present one.
FORMER_KEY = "alias/jobticket-former"
#: The key of the sample events.
SAMPLE_KEY = "local-key"


def key_ring(keys: dict[str, list[str]]) -> str:
    return json.dumps(
        {
            "keys": [
                {"name": key, "sha256": hashlib.sha256(key.encode()).hexdigest(), "scopes": scopes}
                for key, scopes in keys.items()
            ]
        }
    )


@cache
def client(service: Any) -> Any:
    """Return the tests' own client of a service; making one takes longer than most tests."""
    return boto3.client(service)


@pytest.fixture
def aws() -> Iterator[None]:
    """An empty account with the product's tables, key and secrets."""
    with account():
        yield


def _make_account() -> None:
    dynamodb = client("dynamodb")
    for resource, name in {
        "JobsTable": "jobs",
        "ConnectionsTable": "connections",
        "TicketingTable": "ticketing",
        "HistoryTable": "history",
    }.items():
        create_table(dynamodb, resource, name)
    client("events").create_event_bus(Name=os.environ["EVENT_BUS"])
    secrets = client("secretsmanager")
    secrets.create_secret(Name="key-ring", SecretString=key_ring(KEYS | {SAMPLE_KEY: ["*"]}))
    app = {"client_id": "local-client-id", "client_secret": "local-client-secret"}
    secrets.create_secret(Name="atlassian-app", SecretString=json.dumps(app))
    secrets.create_secret(Name="private-ca", SecretString="no certificate")
    kms = client("kms")
    for alias in ("alias/jobticket", FORMER_KEY):
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=alias, TargetKeyId=key)


_template = emulation.AccountTemplate(_make_account)


@contextmanager
def account() -> Iterator[None]:
    with mock_aws():
        _template.fill()
        yield


def load_function(name: str, *, cold: bool = False) -> ModuleType:
    """Return a function's module: a warm container, or a cold one with the environment of this test."""
    module = f"functions.{name}.app"
    if cold:
        sys.modules.pop(module, None)
    return importlib.import_module(module)


def gateway(module: ModuleType, key: str | None = "every-scope") -> Gateway:
    return Gateway(module.api, module.handler, key)


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Trouble:
    """What all calls of AWS go through; nobody is patient with it."""
    trouble = Trouble()
    real: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, parameters: Any) -> Any:
        trouble.meets(operation)
        return real(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    monkeypatch.setattr(dynamo, "CONFLICT_PATIENCE_SECONDS", 0.0)
    return trouble


@pytest.fixture
def jobs_function(aws: None) -> Any:
    return load_function("jobs")


@pytest.fixture
def jobs_api(jobs_function: Any) -> Gateway:
    """The jobs function behind API Gateway, called with a key that has every scope."""
    return gateway(jobs_function)


@contextmanager
def sampled(name: str) -> Iterator[ModuleType]:
    """A function in an account of its own, where it finds what the sample events name.

    It reaches nothing outside, and its Jira knows nothing of what it is asked for.
    """

    def jira(_adapter: Any, prepared: requests.PreparedRequest, **_: Any) -> requests.Response:
        answer = requests.Response()
        answer.request, answer.url, answer.status_code = prepared, prepared.url or "", 404
        answer.headers["Content-Type"] = "application/json"
        answer.raw = io.BytesIO(b'{"errorMessages":["There is nothing of this name"],"errors":{}}')
        return answer

    def no_network(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("there is no network here")

    with account(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", jira)
        patch.setattr(socket, "getaddrinfo", no_network)
        patch.setattr(socket, "create_connection", no_network)
        seed(client("dynamodb"), client("kms"))
        if name == "operations":
            seed_operations(client("dynamodb"), client("sqs"))
        module = f"functions.{name}.app"
        warm = sys.modules.get(module)
        cold = load_function(name, cold=True)
        if warm is None:
            del sys.modules[module]
        else:
            sys.modules[module] = warm
        yield cold


class Sampled:
    """Keeps the account of one function until another one is asked for: making one takes longer than a test."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._stack = ExitStack()
        self._function: ModuleType | None = None

    def function(self, name: str) -> ModuleType:
        if self._function is None or name != self._name:
            self.leave()
            self._function, self._name = self._stack.enter_context(sampled(name)), name
        return self._function

    def leave(self) -> None:
        self._stack.close()
        self._function = None


@pytest.fixture(scope="module")
def sampled_functions() -> Iterator[Sampled]:
    functions = Sampled()
    yield functions
    functions.leave()


@pytest.fixture
def sampled_function(sampled_functions: Sampled, request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """A function that finds what the sample events name; the tables are put back afterwards."""
    function = sampled_functions.function(request.param)
    before = {name: copy.deepcopy(table.items) for name, table in emulation.tables().items()}
    yield function
    for name, table in emulation.tables().items():
        table.items = before[name]
