from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from jobticket.dynamo import Table
from tests.gateway import Gateway
from tests.unit.conftest import client, gateway, load_function
from tests.unit.jira.wire import WireJira, serving

MYSELF = {"accountId": "5b10a2844c20165700ede21g", "displayName": "Mia Krystof", "self": "…"}
SERVER_MYSELF = {"name": "mkrystof", "key": "JIRAUSER10100", "displayName": "Mia Krystof"}


@pytest.fixture
def jira() -> Iterator[WireJira]:
    with serving() as jira:
        yield jira


@pytest.fixture
def function(aws: None, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A warm container without the data keys of the last test's account."""
    module = load_function("connections")
    monkeypatch.setattr(module.access.vault, "_data_keys", {})
    return module


@pytest.fixture
def api(function: ModuleType) -> Gateway:
    return gateway(function)


@pytest.fixture
def table(aws: None) -> Table:
    return Table(client("dynamodb"), "connections")


def raw_items() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client("dynamodb").scan(TableName="connections")["Items"]
    return items
