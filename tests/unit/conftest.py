"""The AWS that unit tests see: moto, with the tables of template.yaml and a ring of keys."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import socket
import sys
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import boto3
import pytest
import requests
from moto import mock_aws
from requests.adapters import HTTPAdapter

from jobticket.jira.client import Pace
from tests.gateway import Gateway
from tests.infrastructure import create_table
from tests.unit import emulation
from tests.unit.samples import seed

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_METRICS_NAMESPACE": "Jobticket",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "JOBS_TABLE": "jobs",
    "CONNECTIONS_TABLE": "connections",
    "TICKETING_TABLE": "ticketing",
    "TICKET_EVENTS_QUEUE": "https://sqs.eu-west-1.amazonaws.com/123456789012/ticket-events.fifo",
    "KEY_RING_SECRET": "key-ring",
    "ENCRYPTION_KEY": "alias/jobticket",
    "ATLASSIAN_APP_SECRET": "atlassian-app",
    "ATLASSIAN_SCOPES": "read:jira-work write:jira-work read:jira-user",
    "ENVIRONMENT": "local",
    "ALLOW_PRIVATE_HOSTS": "false",
    "PUBLIC_URL": "http://127.0.0.1:8000",
}
os.environ.pop("AWS_ENDPOINT_URL", None)
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
    with mock_aws():
        dynamodb = client("dynamodb")
        for resource, name in {
            "JobsTable": "jobs",
            "ConnectionsTable": "connections",
            "TicketingTable": "ticketing",
        }.items():
            create_table(dynamodb, resource, name)
        secrets = client("secretsmanager")
        secrets.create_secret(Name="key-ring", SecretString=key_ring(KEYS))
        app = {"client_id": "local-client-id", "client_secret": "local-client-secret"}
        secrets.create_secret(Name="atlassian-app", SecretString=json.dumps(app))
        kms = client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/jobticket", TargetKeyId=key)
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
def jobs_function(aws: None) -> Any:
    return load_function("jobs")


@pytest.fixture
def jobs_api(jobs_function: Any) -> Gateway:
    """The jobs function behind API Gateway, called with a key that has every scope."""
    return gateway(jobs_function)


@pytest.fixture
def sampled_function(
    aws: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """A cold container of a function, which knows the key of the sample events.

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

    monkeypatch.setattr(HTTPAdapter, "send", jira)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket, "create_connection", no_network)
    keys = KEYS | {"local-key": ["*"]}
    client("secretsmanager").put_secret_value(SecretId="key-ring", SecretString=key_ring(keys))
    seed(client("dynamodb"), client("kms"))
    module = f"functions.{request.param}.app"
    warm = sys.modules.get(module)
    cold = load_function(request.param, cold=True)
    if warm is None:
        del sys.modules[module]
    else:
        sys.modules[module] = warm
    if hasattr(cold, "access"):
        monkeypatch.setattr(cold.access, "_pace", Pace(lambda _seconds: None, lambda: 0.0))
    return cold
