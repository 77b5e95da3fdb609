"""Anomalies and their tickets on the deployed stack: the queue, its worker and the roles are real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from jobticket_client.errors import OutcomeUnknown

from local.emulator import ACCOUNT_KEY, REGION
from tests.support.deployed import ROOT, Stack
from tests.support.documents import read

EMAIL, TOKEN = "demo@example.com", "local-api-token"
PATIENCE = 300.0


def awaited(read: Callable[[], Any], expected: Any) -> None:
    """Wait until something in another process is as expected."""
    deadline = time.monotonic() + PATIENCE
    while (found := read()) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == expected


class Product:
    """The product with an integration, and the Jira that it leads to."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.anomalies, self.integration = stack.api("ticketing").anomalies, stack.api("admin").integration

    def settle(self) -> None:
        """Wait until no wake-up is left, one that is handled or postponed neither: nothing happens later."""
        awaited(lambda: _waiting(self._stack, self._stack.outputs["TicketEventsQueueUrl"]), 0)

    def comments(self, key: str) -> list[str]:
        url = f"{self._stack.atlassian_url}/rest/api/3/issue/{key}/comment"
        found = requests.get(url, auth=(EMAIL, TOKEN), timeout=60).json()
        return [read(comment["body"]) for comment in found["comments"]]

    def control(self, **controls: Any) -> None:
        answer = requests.put(f"{self._stack.atlassian_url}/_control", json=controls, timeout=60)
        assert answer.ok, answer.text

    def connect(self) -> None:
        url, token = self._stack.atlassian_url, f"{EMAIL}:{TOKEN}"
        self.integration.create(type="jira", api_url=url, api_access_token=token, project_key="MISC")

    def anomaly(self) -> int:
        return self.anomalies.create(
            type="record",
            datastore={"id": 7, "name": "CRM"},
            failed_checks=[{"message": "is not unique", "field": "CUSTOMER_ID"}],
        )["id"]

    def anomaly_with_ticket(self) -> tuple[int, str]:
        anomaly = self.anomaly()
        ticket = self.anomalies.create_ticket(anomaly, title="Look at it")["ticket"]
        return anomaly, ticket["ticket_number"]

    def links(self, anomaly: int) -> list[Any]:
        return list(self.anomalies.links(anomaly))


@pytest.fixture
def product(stack: Stack) -> Iterator[Product]:
    product = Product(stack)
    product.connect()
    yield product
    product.control(faults=[])
    product.settle()
    product.integration.delete()


def test_a_ticket_is_told_what_happens_to_its_anomaly(product: Product) -> None:
    anomaly, key = product.anomaly_with_ticket()
    product.anomalies.change(anomaly, status="Acknowledged")
    product.anomalies.comment(anomaly, "looking *at* it")
    product.anomalies.archive(anomaly, "Resolved")
    awaited(
        lambda: [comment.partition("] ")[2] or comment for comment in product.comments(key)],
        [
            "Qualytics Anomaly Status: Acknowledged",
            "Comment from Qualytics: looking *at* it",
            "Qualytics Anomaly Status: Resolved",
        ],
    )
    product.settle()
    assert product.links(anomaly)[0]["last_sync_error"] is None
    assert anomaly in [item["id"] for item in product.anomalies.list(datastore=7, archived=True)]


def test_a_delivery_that_fails_for_a_moment_arrives_later_and_once(product: Product) -> None:
    anomaly, key = product.anomaly_with_ticket()
    product.control(
        faults=[
            {"method": "POST", "path": "/comment$", "status": 503},
            {"method": "POST", "path": "/comment$", "drop": "after"},
        ]
    )
    product.anomalies.change(anomaly, status="Acknowledged")
    awaited(lambda: len(product.comments(key)), 1)
    product.settle()
    assert product.links(anomaly)[0]["last_sync_error"] is None
    assert len(product.comments(key)) == 1


def test_a_webhook_lets_an_anomaly_follow_its_ticket_at_once(product: Product, stack: Stack) -> None:
    anomaly, key = product.anomaly_with_ticket()
    product.integration.change(status_in={"Done": "Resolved"})
    shown = product.integration.make_webhook_secret()
    assert shown["url"] == f"{stack.url}/api/webhooks/jira"
    webhooks = f"{stack.atlassian_url}/_control/webhooks"
    requests.post(webhooks, json=shown, timeout=60).raise_for_status()
    requests.post(f"{stack.atlassian_url}/browse/{key}", data={"status": "10001"}, timeout=60)
    awaited(lambda: product.anomalies.get(anomaly)["status"], "Resolved")
    (sent,) = requests.get(webhooks, timeout=60).json()["deliveries"][:1]
    assert (sent["issue"], sent["statuses"]) == (key, [202])
    requests.delete(webhooks, timeout=60).raise_for_status()
    forged = requests.post(shown["url"], json={"issue": {"id": "1"}}, timeout=60)
    assert forged.status_code == 401


@pytest.fixture
def gives_up_at_once(stack: Stack) -> Iterator[None]:
    """Let a message go to the dead letters after its first failure instead of its twelfth.

    A wake-up of an earlier test that is to be repeated would go there too.
    """
    sqs, url = stack.client("sqs"), stack.outputs["TicketEventsQueueUrl"]
    awaited(lambda: _waiting(stack, url), 0)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(found["Attributes"]["RedrivePolicy"])
    for tries in (1, policy["maxReceiveCount"]):
        text = json.dumps(policy | {"maxReceiveCount": tries})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": text})
        if tries == 1:
            yield


def test_dead_letters_arrive_once_and_in_order_after_a_redrive(
    product: Product, stack: Stack, gives_up_at_once: None
) -> None:
    anomaly, key = product.anomaly_with_ticket()
    product.control(faults=[{"method": "POST", "path": "/comment$", "status": 503, "times": None}])
    product.anomalies.change(anomaly, status="Acknowledged")
    product.anomalies.comment(anomaly, "second")
    dead_letters, queue = (
        stack.outputs[name] for name in ("TicketEventsDeadLettersUrl", "TicketEventsQueueUrl")
    )
    awaited(lambda: _waiting(stack, dead_letters), 2)
    product.control(faults=[])
    assert "2 messages sent again" in _redrive(stack, dead_letters, queue)
    awaited(
        lambda: [comment.partition("] ")[2] or comment for comment in product.comments(key)],
        ["Qualytics Anomaly Status: Acknowledged", "Comment from Qualytics: second"],
    )
    product.settle()
    assert product.links(anomaly)[0]["last_sync_error"] is None
    assert len(product.comments(key)) == 2


def _waiting(stack: Stack, queue: str) -> int:
    """Count a queue's messages: those that can be received, and those that are being handled or postponed."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = stack.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
    return sum(int(found["Attributes"][name]) for name in names)


def _redrive(stack: Stack, dead_letters: str, queue: str) -> str:
    """Send dead letters again as docs/ticketing.md says; return what the command printed."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": stack.description()["aws_endpoint_url"],
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT_KEY,
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "tools.redrive", dead_letters, queue]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=True
    )
    return done.stdout


def test_creating_a_ticket_survives_a_lost_answer(product: Product) -> None:
    anomaly = product.anomaly()
    product.control(faults=[{"method": "POST", "path": "/issue$", "drop": "after"}])
    with pytest.raises(OutcomeUnknown, match="not known yet"):
        product.anomalies.create_ticket(anomaly, title="Only one")
    key = product.anomalies.create_ticket(anomaly, title="Only one")["ticket"]["ticket_number"]
    assert [link["ticket_number"] for link in product.links(anomaly)] == [key]


def _walk_through(stack: Stack) -> str:
    """Return the commands of the chapter's walk-through, for this stack."""
    chapter = (ROOT / "docs" / "ticketing.md").read_text()
    walk_through = chapter.partition("## A first ticket\n")[2].partition("\n## ")[0]
    commands = "\n".join(line[4:] for line in walk_through.splitlines() if line.startswith("    "))
    return commands.replace("http://127.0.0.1:8000", stack.url).replace(
        "http://127.0.0.1:8001", stack.atlassian_url
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="the walk-through is written for curl")
def test_the_walk_through_of_the_documentation_works_as_written(stack: Stack) -> None:
    product = Product(stack)
    refusals_count = 'set -euo pipefail; curl() { command curl -sS --fail --noproxy "*" "$@"; }\n'
    try:
        done = subprocess.run(
            ["bash", "-c", refusals_count + _walk_through(stack)], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"message":"Ticket MISC-' in done.stdout
        awaited(
            lambda: [comment.partition("] ")[2] or comment for comment in product.comments("PI-1")[-3:]],
            [
                "Qualytics Anomaly Status: Acknowledged",
                "Comment from Qualytics: The import ran twice.",
                "Qualytics Anomaly Status: Resolved",
            ],
        )
    finally:
        product.integration.delete()
