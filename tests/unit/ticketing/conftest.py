"""Both functions of ticketing, the queue between them, and the emulated Jira that tickets are in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from jobticket.jira.client import JiraClient, Pace
from jobticket.jira.errors import JiraTimeoutError
from jobticket.store.table import Table
from jobticket.ticketing.relay import Relay
from jobticket.ticketing.text import Wording
from jobticket.ticketing.wakeups import Wakeups
from local.atlassian.testing import running
from tests.support.documents import read
from tests.support.gateway import Gateway, HttpAnswer, LambdaContext
from tests.support.tables import recorded
from tests.unit.conftest import client, gateway, load_function

os.environ.setdefault("ATLASSIAN_APP_SECRET", "atlassian-app")

EMAIL, TOKEN = "demo@example.com", "local-api-token"
CREDENTIALS = f"{EMAIL}:{TOKEN}"
WORDING = Wording("Qualytics", "https://quality.example")
INTEGRATION = "/api/integrations/ticketing"
CHECK = {"message": "8 values in CUSTOMER_NAME were resolved to 7 distinct entities"}
ANOMALY = {"type": "shape", "datastore": {"id": 1, "name": "CRM"}, "failed_checks": [CHECK]}

#: A comment of the emulated Jira, as it is kept: its text, and its event's mark.
Posted = tuple[str, str | None]


@dataclass
class Atlassian:
    """The emulated Jira, and what a test may do to it."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    is_data_center: bool = False

    @property
    def _version(self) -> int:
        return 2 if self.is_data_center else 3

    def control(self, **controls: Any) -> None:
        self._control("PUT", "", controls)

    def fault(self, *faults: dict[str, Any]) -> None:
        self.control(faults=list(faults))

    def asked(self, *methods: str) -> list[tuple[str, str]]:
        """What the product asked for, in the order of arrival."""
        calls = self._control("GET", "/requests").json()
        return [(c["method"], c["path"]) for c in calls if not methods or c["method"] in methods]

    def forget(self) -> None:
        self._control("DELETE", "/requests")

    def reset(self) -> None:
        self._control("DELETE", "/data")

    def move(self, key: str, project: str) -> str:
        return str(self._control("POST", "/move", {"issue": key, "project": project}).json()["key"])

    def create(self, **what: Any) -> Any:
        return self._control("POST", "/issues", what).json()

    def get(self, path: str, version: int = 2, **params: Any) -> Any:
        """Read as a user would, past the faults that are meant for the product."""
        url = f"{self.url}/rest/api/{version}/{path}"
        login = ("demo", "local-password") if self.is_data_center else (EMAIL, TOKEN)
        answer = self.session.get(url, params=params, auth=login)
        assert answer.ok, answer.text
        return answer.json()

    def issue(self, key: str) -> Any:
        return self.get(f"issue/{key}")

    def description(self, key: str) -> str:
        """The description of an issue as people read it; a Data Center's is markup."""
        return read(self.get(f"issue/{key}", self._version)["fields"]["description"])

    def posted(self, key: str) -> list[Posted]:
        """The comments of an issue as people read them, oldest first; a Data Center's are markup."""
        comments = self.get(f"issue/{key}/comment", self._version, expand="properties")["comments"]
        return [(read(comment["body"]), _mark(comment)) for comment in comments]

    def comments(self, key: str) -> list[str]:
        return [text for text, _ in self.posted(key)]

    def issues(self) -> int:
        """How many issues the project of the tests has."""
        found = self.get("search/jql", jql="project = MISC", fields="id", maxResults=5000)
        return len(found["issues"])

    def _control(self, method: str, path: str, body: Any = None) -> requests.Response:
        answer = self.session.request(method, f"{self.url}/_control{path}", json=body)
        assert answer.ok, answer.text
        return answer


def _mark(comment: dict[str, Any]) -> str | None:
    values = [entry["value"]["event"] for entry in comment["properties"] if entry["key"] == "jobticket"]
    return values[0] if values else None


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


@pytest.fixture
def queue(aws: None) -> str:
    """The FIFO queue between the two functions."""
    return make_queue()


def make_queue() -> str:
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "360"}
    url = client("sqs").create_queue(QueueName="ticket-events.fifo", Attributes=attributes)["QueueUrl"]
    assert url == os.environ["TICKET_EVENTS_QUEUE"]
    return str(url)


@pytest.fixture
def table(aws: None) -> Table:
    return recorded(client("dynamodb"), "ticketing")


@dataclass
class Time:
    """The real time, and what a test has let pass."""

    passed: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def passes(self, seconds: float) -> None:
        self.passed += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr("jobticket.clock.now", time.now)
    return time


@pytest.fixture
def function(aws: None, queue: str, clock: Time, atlassian_url: str) -> Any:
    """The function behind API Gateway, in a warm container."""
    module = refreshed(load_function("ticketing"), atlassian_url)
    module.recent.forget()
    module.wording = WORDING
    return module


@pytest.fixture
def worker_function(aws: None, queue: str, clock: Time, atlassian_url: str) -> Any:
    """The queue's worker, in a warm container."""
    module = refreshed(load_function("ticket_sync"), atlassian_url)
    module.relay = Relay(module.table, module.access, WORDING, now=clock.now, chance=lambda: 0.5)
    module.wakeups = Wakeups(client("sqs"), queue)
    module.metrics.clear_metrics()
    return module


def refreshed(module: Any, gateway_url: str) -> Any:
    """Forget what a container knew of the last test's account and of Jira's limits; wait for nothing.

    Atlassian's gateway is the emulated one: credentials that a Cloud site refuses are tried there too.
    """
    module.access.app._api_url = gateway_url
    module.access.vault._data_keys.clear()
    module.access._rate_limits._until.clear()
    module.access._pace = Pace(sleep=lambda _seconds: None)
    return module


@pytest.fixture
def api(function: Any) -> Gateway:
    return gateway(function)


@dataclass
class Worker:
    """What Lambda does with the queue: takes batches, deletes what worked, leaves the rest."""

    module: Any
    queue: str
    postponed: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        postpone = self.module.wakeups.postpone

        def noted(receipt_handle: str, seconds: float) -> None:
            self.postponed.append(seconds)
            if receipt_handle != "none":
                postpone(receipt_handle, seconds)

        self.module.wakeups.postpone = noted

    @property
    def relay(self) -> Relay:
        found: Relay = self.module.relay
        return found

    def records(self) -> list[dict[str, Any]]:
        """Take what can be seen of the queue, as Lambda hands it on."""
        taken = client("sqs").receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=["All"]
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
            }
            for message in taken.get("Messages", [])
        ]

    def handle(self, records: list[dict[str, Any]]) -> list[str]:
        """Hand a batch to the worker; return the ids of the messages that shall come again."""
        answer = self.module.handler({"Records": records}, LambdaContext(remaining_ms=60_000))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def run(self) -> list[str]:
        """Work through the queue; return the ids of what failed."""
        failed: list[str] = []
        while records := self.records():
            again = self.handle(records)
            failed += again
            for record in records:
                if record["messageId"] not in again:
                    client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=record["receiptHandle"])
        return failed

    def wake(self, link: dict[str, Any], tries: int = 1) -> bool:
        """Deliver a wake-up of our own making: late, or once more. Tell whether it shall come again."""
        body = {"integration_id": link["integration_id"], "ticket_id": link["ticket_id"]}
        return bool(self.handle([record(json.dumps(body), tries)]))

    def sweep(self) -> int:
        return int(self.module.handler({"sweep": True}, LambdaContext())["woken"])


@dataclass
class AtWork:
    """Calls that timed out while Jira was at work on them."""

    calls: list[Callable[[], Any]] = field(default_factory=list)

    def finish(self) -> None:
        """Let Jira have done what it was asked for, too late for an answer."""
        for call in self.calls:
            call()


@contextmanager
def slow_jira(monkeypatch: pytest.MonkeyPatch, path: str) -> Iterator[AtWork]:
    """Let what is posted to a path time out, with an outcome that nobody knows."""
    post, at_work = JiraClient.post, AtWork()

    def posted(jira: JiraClient, template: str, **options: Any) -> Any:
        if not template.endswith(path):
            return post(jira, template, **options)
        at_work.calls.append(lambda: post(jira, template, **options))
        raise JiraTimeoutError("Jira did not answer in time", outcome_unknown=True)

    with monkeypatch.context() as patch:
        patch.setattr(JiraClient, "post", posted)
        yield at_work


def record(body: str, tries: int = 1, number: int = 0) -> dict[str, Any]:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "none",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(tries)},
        "eventSource": "aws:sqs",
    }


@pytest.fixture
def worker(worker_function: Any, queue: str) -> Worker:
    return Worker(worker_function, queue)


@dataclass
class Shop:
    """The product with an integration, in the words of the tests."""

    api: Gateway
    worker: Worker
    atlassian: Atlassian
    table: Table
    clock: Time

    def integrate(self) -> None:
        """Let the product use the emulated Jira."""
        body = {
            "type": "jira",
            "api_url": self.atlassian.url,
            "api_access_token": CREDENTIALS,
            "project_key": "MISC",
        }
        answer = self.api.post(INTEGRATION, body)
        assert answer.status == 201, answer.text
        self.atlassian.forget()

    def be_data_center(self) -> None:
        """Let the site be a Data Center, and connect to it anew."""
        self.atlassian.control(data_center=True)
        self.atlassian.is_data_center = True
        assert self.api.put(INTEGRATION, {"api_access_token": "demo:local-password"}).status == 200
        self.atlassian.forget()

    def anomaly(self, **more: Any) -> dict[str, Any]:
        answer = self.api.post("/api/anomalies", ANOMALY | more)
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def create_ticket(self, anomaly_id: int, **more: Any) -> HttpAnswer:
        body = {"title": "summary of ticket", "description": "description of the ticket"} | more
        return self.api.post(f"{INTEGRATION}/anomalies/{anomaly_id}/tickets", body)

    def ticket(self, anomaly_id: int, **more: Any) -> dict[str, Any]:
        answer = self.create_ticket(anomaly_id, **more)
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json()["ticket"]
        return made

    def link(self, anomaly_id: int, ticket: str) -> dict[str, Any]:
        answer = self.api.post(f"/api/anomalies/{anomaly_id}/ticket-links", {"ticket_id": ticket})
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def links(self, anomaly_id: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get(f"/api/anomalies/{anomaly_id}/ticket-links").json()[
            "items"
        ]
        return found

    def set_status(self, anomaly_id: int, status: str) -> None:
        assert self.api.put(f"/api/anomalies/{anomaly_id}", {"status": status}).status == 200

    def comment(self, anomaly_id: int, message: str) -> None:
        answer = self.api.post(f"/api/anomalies/{anomaly_id}/comments", {"message": message})
        assert answer.status == 201, answer.text

    def lead_elsewhere(self, site: str) -> None:
        """Authorize the integration's connection again, for another site."""
        (name,) = connections()
        client("dynamodb").update_item(
            TableName="connections",
            Key={"pk": {"S": name}, "sk": {"S": "CONNECTION"}},
            UpdateExpression="SET site_url = :other",
            ExpressionAttributeValues={":other": {"S": site}},
        )

    def undelivered(self) -> int:
        scanned = client("dynamodb").scan(TableName="ticketing", IndexName="undelivered")
        return int(scanned["Count"])


def connections() -> list[str]:
    """The keys of the connections that there are."""
    items = client("dynamodb").scan(TableName="connections")["Items"]
    return [item["pk"]["S"] for item in items if item["sk"]["S"] == "CONNECTION"]


@pytest.fixture
def shop(api: Gateway, worker: Worker, atlassian: Atlassian, table: Table, clock: Time) -> Shop:
    """The product with an integration that leads to the emulated Jira."""
    shop = Shop(api, worker, atlassian, table, clock)
    shop.integrate()
    return shop
