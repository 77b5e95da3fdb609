"""The Jira function behind API Gateway, in front of the emulated Atlassian."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic as real_monotonic
from types import ModuleType
from typing import Any

import pytest
import requests
from moto import mock_aws

from jobticket import clock
from jobticket.connections.model import Connection, ConnectionId, Kind, secret_field
from jobticket.jira.client import Deployment, Pace
from jobticket.jira.rate_limits import RateLimits
from local.atlassian.testing import running
from tests.support.gateway import Gateway, HttpAnswer
from tests.support.infrastructure import create_table
from tests.support.tables import stamp
from tests.unit.conftest import KEYS, client, gateway, key_ring, load_function

AUTH = ("demo@example.com", "local-api-token")
CREDENTIALS = ":".join(AUTH)
PASSWORD = "demo:local-password"
PERSONAL_TOKEN = "local-personal-token"
DANA = "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d01"
ROBIN = "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d02"


@dataclass
class Atlassian:
    """The emulated Atlassian, and what a test may do to it."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def control(self, **controls: Any) -> None:
        self._ask("PUT", "", controls)

    def fault(self, *faults: dict[str, Any]) -> None:
        self.control(faults=list(faults))

    def create(self, **what: Any) -> Any:
        return self._ask("POST", "/issues", what).json()

    def asked(self) -> list[dict[str, Any]]:
        """Every call of the product, in the order of arrival."""
        asked: list[dict[str, Any]] = self._ask("GET", "/requests").json()
        return asked

    def count(self, method: str, path: str) -> int:
        return sum(call["method"] == method and call["path"] == path for call in self.asked())

    def forget(self) -> None:
        self._ask("DELETE", "/requests")

    def reset(self) -> None:
        self._ask("DELETE", "/data")

    def issue(self, key: str) -> Any:
        return self.session.get(f"{self.url}/rest/api/2/issue/{key}", auth=AUTH).json()

    def labelled(self, label_prefix: str = "jobticket-") -> list[str]:
        """The keys of all issues with such a label."""
        found = self.session.get(
            f"{self.url}/rest/api/2/search/jql",
            params={"jql": "created >= -1d", "fields": "labels", "maxResults": "100"},
            auth=AUTH,
        ).json()
        return [
            issue["key"]
            for issue in found["issues"]
            if any(label.startswith(label_prefix) for label in issue["fields"]["labels"])
        ]

    def _ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        answer = self.session.request(method, f"{self.url}/_control{path}", json=body)
        assert answer.ok, answer.text
        return answer


@pytest.fixture(scope="package")
def atlassian_url() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def atlassian(atlassian_url: str) -> Iterator[Atlassian]:
    with requests.Session() as session:
        atlassian = Atlassian(atlassian_url, session)
        atlassian.reset()
        yield atlassian


@dataclass
class Jira:
    """The product's Jira operations, over one connection."""

    api: Gateway
    external_id: str = "team-1"
    prefix: str = "/api/backend/jira"

    def get(self, name: str, *, headers: dict[str, str] | None = None, **query: Any) -> HttpAnswer:
        request = requests.Request("GET", f"http://x{self.prefix}/{name}", params=self._named(query))
        url = request.prepare().url or ""
        return self.api.get(url.removeprefix("http://x"), headers=headers)

    def send(
        self, method: str, name: str, *, headers: dict[str, str] | None = None, **body: Any
    ) -> HttpAnswer:
        return self.api.call(method, f"{self.prefix}/{name}", self._named(body), headers)

    def _named(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"external_id": self.external_id} | given


@dataclass
class Time:
    """Time that passes in sleeps, and when a test says so."""

    passed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return real_monotonic() + self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds


# Not for the whole folder: its end would come after that of later folders' beginnings, and their tables would meet.
@pytest.fixture(scope="module")
def account() -> Iterator[None]:
    """An account for all tests of a module: they are many, and need little of it."""
    with mock_aws():
        create_table(client("dynamodb"), "ConnectionsTable", "connections")
        create_table(client("dynamodb"), "HistoryTable", "history")
        app = {"client_id": "local-client-id", "client_secret": "local-client-secret"}
        for name, secret in {"key-ring": key_ring(KEYS), "atlassian-app": json.dumps(app)}.items():
            client("secretsmanager").create_secret(Name=name, SecretString=secret)
        key = client("kms").create_key()["KeyMetadata"]["KeyId"]
        client("kms").create_alias(AliasName="alias/jobticket", TargetKeyId=key)
        yield


@pytest.fixture
def aws(account: None) -> None:
    """The account without what the last test left."""
    dynamodb = client("dynamodb")
    for item in dynamodb.scan(TableName="connections")["Items"]:
        dynamodb.delete_item(TableName="connections", Key={name: item[name] for name in ("pk", "sk")})


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr("jobticket.clock.now", time.now)
    return time


@pytest.fixture
def function(aws: None, passing: Time, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A container that knows nothing of the last test's limits, and whose pauses take no time."""
    module = load_function("jira")
    monkeypatch.setattr(module.access, "_rate_limits", RateLimits(passing.monotonic))
    monkeypatch.setattr(module.access, "_pace", Pace(passing.sleep, lambda: 0.0))
    monkeypatch.setattr(module.time, "sleep", passing.sleep)
    return module


def connect(
    function: ModuleType,
    url: str,
    *,
    external_id: str = "team-1",
    kind: Kind = "api_token",
    credentials: str = CREDENTIALS,
    deployment: Deployment = "cloud",
    **more: Any,
) -> Connection:
    """Store a connection as connecting it would."""
    name = ConnectionId("jira", external_id)
    values: dict[str, Any] = {
        "authorization": "first",
        "site_id": None,
        "site_name": "Plant North",
        "site_url": url,
        "api_url": url,
        "authorized_at": clock.now(),
    }
    connection = Connection(
        id=name,
        kind=kind,
        deployment=deployment,
        secret=function.access.vault.seal(name, secret_field(url), credentials),
        **(values | more),
    )
    stored: Connection = function.access.store.replace(connection, stamp())
    return stored


@pytest.fixture
def jira(function: ModuleType, atlassian: Atlassian) -> Jira:
    """A Cloud site."""
    connect(function, atlassian.url)
    return Jira(gateway(function))


@pytest.fixture
def server(function: ModuleType, atlassian: Atlassian) -> Jira:
    """A Data Center."""
    atlassian.control(data_center=True)
    connect(
        function,
        atlassian.url,
        external_id="server",
        kind="personal_access_token",
        credentials=PERSONAL_TOKEN,
        deployment="data_center",
    )
    return Jira(gateway(function), "server")


@pytest.fixture(params=["cloud", "data_center"])
def either(request: pytest.FixtureRequest) -> Jira:
    """Each of the two, one after the other."""
    fixture: Jira = request.getfixturevalue("jira" if request.param == "cloud" else "server")
    return fixture
