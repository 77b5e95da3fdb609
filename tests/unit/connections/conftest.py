from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import botocore.client
import pytest

from jobticket.jira.client import Pace
from jobticket.observability import logger
from jobticket.store.table import Table
from local.atlassian.testing import running
from tests.support.consent_flow import Atlassian, Browser, Walk
from tests.support.gateway import Gateway
from tests.support.tables import recorded
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
    monkeypatch.setattr(module.access.vault, "_sealing", None)
    return module


@pytest.fixture
def api(function: ModuleType) -> Gateway:
    return gateway(function)


@pytest.fixture
def table(aws: None) -> Table:
    return recorded(client("dynamodb"), "connections")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, as it goes to CloudWatch."""
    handler: Any = logger.registered_handler
    written = io.StringIO()
    usual = handler.setStream(written)
    yield written
    handler.setStream(usual)


@contextlib.contextmanager
def sent_twice(operation: str) -> Iterator[list[str]]:
    """Send the next call of an operation a second time, as botocore does where only the answer is lost."""
    call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    repeated: list[str] = []

    def again(target: Any, asked: str, parameters: Any) -> Any:
        answer = call(target, asked, parameters)
        if asked != operation or repeated:
            return answer
        repeated.append(asked)
        return call(target, asked, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", again)
        yield repeated


def raw_items() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client("dynamodb").scan(TableName="connections")["Items"]
    return items


# --- consents: the product's functions in front of the emulated Atlassian -------------------------------------


@pytest.fixture(scope="session")
def atlassian_url() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def atlassian(atlassian_url: str) -> Iterator[Atlassian]:
    """The emulated Atlassian, as it is after a reset."""
    emulated = Atlassian(atlassian_url)
    emulated.reset()
    emulated.revoke()
    yield emulated
    emulated.close()


@dataclass
class Product:
    """The functions that a consent goes through, in warm containers that share one clock."""

    oauth: ModuleType
    connections: ModuleType
    keeper: ModuleType
    atlassian: Atlassian
    monkeypatch: pytest.MonkeyPatch
    elapsed: timedelta = timedelta(0)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.elapsed += timedelta(seconds=seconds)

    def walk(self) -> Walk:
        """Return a user with a browser of their own."""
        gate = gateway(self.oauth, None)
        return Walk(Browser(gate.call), self.atlassian)

    @property
    def backend(self) -> Gateway:
        """The connections function, called with a key for everything."""
        return gateway(self.connections)

    def configure(self, **settings: Any) -> None:
        """Change the oauth function's settings."""
        changed = dataclasses.replace(self.oauth.config, **settings)
        self.monkeypatch.setattr(self.oauth, "config", changed)

    def access_token(self, external_id: str = "team-1") -> Any:
        return self.backend.get(
            f"/api/backend/connection-info/get-access-token?provider=jira&external_id={external_id}"
        )

    def validity(self, external_id: str = "team-1") -> Any:
        url = (
            f"/api/backend/connection-info/check-connection-validity?provider=jira&external_id={external_id}"
        )
        return self.backend.get(url).json()


_containers: dict[str, ModuleType] = {}


def _container(name: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return this package's own container of a function; other tests have theirs."""
    if name not in _containers:
        module = f"functions.{name}.app"
        with monkeypatch.context() as patch:
            for variable, value in environment.items():
                patch.setenv(variable, value)
            patch.delitem(sys.modules, module, raising=False)
            _containers[name] = importlib.import_module(module)
    return _containers[name]


@pytest.fixture
def product(aws: None, atlassian: Atlassian, monkeypatch: pytest.MonkeyPatch) -> Product:
    environment = {
        "ATLASSIAN_AUTH_URL": atlassian.url,
        "ATLASSIAN_API_URL": atlassian.url,
        "RETURN_ORIGINS": "http://localhost:3000, https://App.example:443",
        "CONNECT_MODE": "open",
    }
    oauth, connections, keeper = (
        _container(name, environment, monkeypatch) for name in ("oauth", "connections", "connection_keeper")
    )
    made = Product(oauth, connections, keeper, atlassian, monkeypatch)
    for module in (oauth, connections, keeper):
        access = module.access
        monkeypatch.setattr(access.tokens, "_pace", Pace(made.sleep, lambda: 0.5))
        for timed in (access, access.tokens):
            monkeypatch.setattr(timed, "_now", made.now)
    for sealer in (
        oauth.vault,
        oauth.sealer,
        *(module.access.vault for module in (oauth, connections, keeper)),
    ):
        monkeypatch.setattr(sealer, "_data_keys", {})
        monkeypatch.setattr(sealer, "_sealing", None)
        monkeypatch.setattr(sealer, "_now", made.now)
    timed = (made.oauth.consent, made.oauth.connect_tokens, made.connections.minter, made.keeper.keeper)
    for each in timed:
        monkeypatch.setattr(each, "now", made.now)
    monkeypatch.setattr(made.connections.clock, "now", made.now)
    return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call to AWS, in order."""
    made: list[str] = []
    call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def counted(target: Any, operation: str, parameters: Any) -> Any:
        made.append(f"{target.meta.service_model.service_name}:{operation}")
        return call(target, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", counted)
    return made
