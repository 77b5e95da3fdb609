"""The job_sync function, with jobs in its table and the emulated Jira behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import requests

from jobticket import clock
from jobticket.jira.client import Pace
from jobticket.push.tables import Content, find_tables_in_markup
from jobticket.store.lease import hold
from jobticket.store.table import Table, Update
from local.atlassian.testing import running
from tests.support.faults import Faults
from tests.support.gateway import Gateway
from tests.support.shop_floor import new_job, new_path, new_serials
from tests.unit.conftest import client, gateway, load_function

TICKET = "PI-7"
CONNECTION = "plant-north"
USER = ("demo@example.com", "local-api-token")
SERVER_USER = ("demo", "local-password")


def contents(markup: str | None) -> list[Content]:
    """Return what the pushed tables of a text say."""
    return [table.content for table in find_tables_in_markup(markup)]


class Jira:
    """The emulated Jira, as a person and as its operator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self.be(USER)

    def be(self, user: tuple[str, str]) -> None:
        self._session.auth = user

    def close(self) -> None:
        self._session.close()

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self._session.request(method, self.url + path, json=body, params=query, timeout=60)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def description(self, key: str = TICKET) -> str | None:
        found: str | None = self.call("GET", f"/rest/api/2/issue/{key}")["fields"]["description"]
        return found

    def describe(self, text: str | None, key: str = TICKET) -> str | None:
        """Write a description as a person does; return what Jira made of it."""
        self.call("PUT", f"/rest/api/2/issue/{key}", {"fields": {"description": text}})
        return self.description(key)

    def document(self, key: str = TICKET) -> dict[str, Any] | None:
        """Return the description as Cloud stores it."""
        found: dict[str, Any] | None = self.call("GET", f"/rest/api/3/issue/{key}")["fields"]["description"]
        return found

    def write(self, document: dict[str, Any], key: str = TICKET) -> None:
        """Write a document as a person does, in Jira's editor."""
        self.call("PUT", f"/rest/api/3/issue/{key}", {"fields": {"description": document}})

    def tables(self, key: str = TICKET) -> list[Content]:
        """Return what the pushed tables of a description say."""
        return contents(self.description(key))

    def comments(self, key: str = TICKET) -> list[str]:
        found = self.call("GET", f"/rest/api/2/issue/{key}/comment")["comments"]
        return [comment["body"] for comment in found]

    def control(self, **switches: Any) -> None:
        self.call("PUT", "/_control", switches)

    def fail(self, method: str, path: str, **fault: Any) -> None:
        """Let the next call that matches go wrong."""
        self.control(faults=[{"method": method, "path": path, **fault}])

    def issues(self, *specs: dict[str, Any], project: str = "NEW") -> None:
        self.call("POST", "/_control/issues", {"project": project, "issues": list(specs)})

    def asked(self, *paths: str) -> list[str]:
        """What was asked of the REST API so far: methods and paths."""
        calls = self.call("GET", "/_control/requests")
        return [
            f"{call['method']} {call['path']}"
            for call in calls
            if call["path"].startswith("/rest/")
            and (not paths or any(path in call["path"] for path in paths))
        ]

    def forget(self) -> None:
        """Forget what should go wrong, and what was asked."""
        self.control(faults=[])
        self.call("DELETE", "/_control/requests")

    def page(self, key: str = TICKET) -> str:
        """The ticket as people see it."""
        return self._session.get(f"{self.url}/browse/{key}", timeout=60).text


@dataclass
class Shop:
    """Everything that a push needs."""

    jira: Jira
    function: ModuleType
    api: Gateway
    jobs: Gateway
    connections: Gateway

    def connect(self, external_id: str = CONNECTION, credentials: str = ":".join(USER)) -> None:
        url = f"/api/backend/connections/{external_id}/api-token"
        body = {"provider": "jira", "host": self.jira.url, "credentials": credentials}
        answer = self.connections.put(url, body)
        assert answer.status == 200, answer.text

    def settings(self, **changes: Any) -> None:
        answer = self.jobs.put("/api/settings", changes)
        assert answer.status == 200, answer.text

    def job(self, ticket: str | None = TICKET, **members: Any) -> str:
        linked = {"jiraTicketKey": ticket} if ticket else {}
        return str(new_job(self.jobs, **linked, **members)["id"])

    def path(
        self, job_id: str, name: str = "Main Route", steps: Sequence[str] = ("CNC", "Deburr", "QC")
    ) -> str:
        return str(new_path(self.jobs, job_id, steps, name=name)["id"])

    def parts(self, path_id: str, quantity: int, *, completed: int = 0) -> None:
        """Create serial numbers at the first step, and complete some of them."""
        serials = new_serials(self.jobs, path_id, quantity)
        for serial in serials[:completed]:
            answer = self.jobs.post(f"/api/serials/{serial['id']}/force-complete")
            assert answer.status == 200, answer.text

    def on_data_center(self) -> None:
        """Make the site a Data Center, and connect to it by a personal access token."""
        self.jira.control(data_center=True)
        self.jira.be(SERVER_USER)
        self.connect(credentials="local-personal-token")
        self.settings(externalId=CONNECTION)

    def push(self, job_id: str, **options: Any) -> dict[str, Any]:
        answer = self.api.post("/api/jira/push", {"jobId": job_id}, **options)
        assert answer.status == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def comment(self, job_id: str, **options: Any) -> dict[str, Any]:
        answer = self.api.post("/api/jira/comment", {"jobId": job_id}, **options)
        assert answer.status == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result


@contextmanager
def held(table: Table, jira: Jira) -> Iterator[None]:
    """Hold the ticket as another push does."""
    pk = f"PUSH_LEASE#{jira.url}#{TICKET}"
    with hold(table, pk, "PUSH_LEASE", timedelta(seconds=45), now=clock.now):
        yield


def spoil_secret() -> None:
    """Change what is kept of the connection's credentials, as nobody should be able to."""
    connections = Table(client("dynamodb"), "connections")
    row = Update(f"CONNECTION#jira#{CONNECTION}", "CONNECTION", set={"secret": b"\x01\x01x" + bytes(40)})
    connections.update(row)


@pytest.fixture
def jira() -> Iterator[Jira]:
    with running() as url:
        site = Jira(url)
        yield site
        site.close()


@pytest.fixture
def bare_shop(aws: None, jira: Jira, jobs_function: Any, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop floor that knows of no Jira."""
    functions = {name: load_function(name) for name in ("job_sync", "connections")}
    for function in functions.values():
        # A warm container still holds the data keys of the last test's account.
        monkeypatch.setattr(function.access.vault, "_data_keys", {})
        monkeypatch.setattr(function.access, "_pace", Pace(sleep=lambda _seconds: None))
    return Shop(
        jira,
        functions["job_sync"],
        gateway(functions["job_sync"]),
        gateway(jobs_function),
        gateway(functions["connections"]),
    )


@pytest.fixture
def shop(bare_shop: Shop) -> Shop:
    """A shop floor with a connected Jira."""
    bare_shop.connect()
    bare_shop.settings(enabled=True, pushEnabled=True, externalId=CONNECTION, projectKey="PI")
    return bare_shop


@pytest.fixture
def job(shop: Shop) -> str:
    """A linked job with one path: five parts at the first step, one finished."""
    job_id = shop.job()
    shop.parts(shop.path(job_id), 6, completed=1)
    return job_id


@pytest.fixture
def faults(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """The function's way to the table of jobs, for faults to be put into."""
    injected = Faults(shop.function.table._client)
    monkeypatch.setattr(shop.function.table, "_client", injected)
    return injected
