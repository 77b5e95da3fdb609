"""Statuses both ways under anything: for the tests with a few seeds, for ``benchmarks.ticket_storm`` with many."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

import requests

from tests.support.gateway import LambdaContext
from tests.unit.ticketing.conftest import EMAIL, INTEGRATION, TOKEN, Shop, record

OUT = {"Active": "To Do", "Acknowledged": "In Progress", "Resolved": "Done"}
IN = {status: name for name, status in OUT.items()}
FAULTS: list[dict[str, Any]] = [
    {"method": "POST", "path": path} | fault
    for path in ("/comment$", "/transitions$", "/issue$")
    for fault in ({"status": 503}, {"drop": "before"}, {"drop": "after"})
]


class TwoWayStorm:
    """Anomalies with tickets by rule; both sides move, messages are lost, doubled and late."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.chance = random.Random(seed)
        self.numbers: list[int] = []
        self.changes = 0
        self.moves = 0
        self.late: list[dict[str, Any]] = []

    def begin(self) -> None:
        self.shop.atlassian.control(rate_limits={"issue_writes_per_2s": None})
        assert self.shop.api.put(INTEGRATION, {"status_out": OUT, "status_in": IN}).status == 200
        rule = {"name": "all", "on_recurrence": "comment", "daily_limit": 4}
        assert self.shop.api.post(f"{INTEGRATION}/rules", rule).status == 201

    def report(self) -> None:
        body = {"type": "shape", "datastore": {"id": 1, "name": "CRM"}, "failed_checks": [{"message": "m"}]}
        answer = self.shop.api.post("/api/anomalies", body | {"fingerprint": self.chance.randrange(4)})
        if answer.status == 201:
            self.numbers.append(answer.json()["id"])

    def change_status(self) -> None:
        if not self.numbers:
            return
        path = f"/api/anomalies/{self.chance.choice(self.numbers)}"
        if self.chance.random() < 0.3:
            answer = self.shop.api.delete(f"{path}?archive=true&status=Resolved")
        else:
            answer = self.shop.api.put(path, {"status": self.chance.choice(["Active", "Acknowledged"])})
        self.changes += answer.status in (200, 204)

    def move_a_ticket(self) -> None:
        links = self.links()
        if links:
            key = self.chance.choice(links)["ticket_id"]
            url = f"{self.shop.atlassian.url}/rest/api/2/issue/{key}/transitions"
            body = {"transition": {"id": self.chance.choice(["11", "21", "31"])}}
            # A fault that was meant for the product may meet a person.
            with contextlib.suppress(requests.ConnectionError):
                self.moves += self.shop.atlassian.session.post(url, json=body, auth=(EMAIL, TOKEN)).ok

    def links(self) -> list[dict[str, Any]]:
        return [link for number in self.numbers for link in self.shop.links(number)]

    def disturb(self) -> None:
        self.shop.atlassian.fault(*(fault | {"times": 1} for fault in self.chance.sample(FAULTS, 2)))

    def delay_messages(self) -> None:
        """A worker dies with what it has taken: the queue gives it out again, later."""
        self.late += self.shop.worker.records()

    def deliver_late(self) -> None:
        late, self.late = self.late, []
        self.shop.worker.handle(late)

    def work(self) -> None:
        self.shop.worker.run()

    def call(self) -> None:
        """Jira's webhook arrives: once more, or late."""
        links = self.links()
        if links:
            self.look(self.chance.choice(links))

    def look(self, link: dict[str, Any]) -> None:
        body = {"integration_id": link["integration_id"], "ticket_id": link["ticket_id"], "look": True}
        self.shop.worker.handle([record(json.dumps(body))])

    def sweep(self) -> None:
        self.shop.worker.module.handler({"sweep": True}, LambdaContext(remaining_ms=60_000))

    def let_time_pass(self, seconds: float | None = None) -> None:
        self.shop.clock.passes(seconds or self.chance.choice([1, 80, 240]))
        self.shop.atlassian.control(clock_offset_seconds=self.shop.clock.passed.total_seconds())

    def happen(self, steps: int) -> None:
        happenings: dict[Callable[[], None], int] = {
            self.report: 4,
            self.change_status: 5,
            self.move_a_ticket: 5,
            self.disturb: 2,
            self.delay_messages: 2,
            self.deliver_late: 1,
            self.work: 5,
            self.call: 4,
            self.sweep: 2,
            self.let_time_pass: 4,
        }
        for happens in self.chance.choices(list(happenings), list(happenings.values()), k=steps):
            happens()

    def calm_down(self) -> None:
        self.shop.atlassian.fault()
        for _ in range(4):
            self.let_time_pass(1000)
            self.deliver_late()
            self.sweep()
            self.shop.worker.run()
            for number in self.numbers:
                self.shop.worker.wake({"integration_id": 1, "ticket_id": f"NEW-{number}"})
            for link in self.links():
                self.shop.worker.wake(link)
                self.look(link)  # the queue holds messages behind a failed one back, by the real time

    def problems(self) -> list[str]:
        """What does not hold at rest."""
        found = []
        made = self.shop.atlassian.issues()
        if made != len({link["ticket_id"] for link in self.links()}) or made > 4:
            found.append(f"{made} issues for {len(self.links())} links")
        for number in self.numbers:
            status = self.shop.api.get(f"/api/anomalies/{number}").json()["status"]
            for link in self.shop.links(number):
                issue = self.shop.atlassian.issue(link["ticket_id"])["fields"]["status"]["name"]
                said = link["last_sync_error"] or ""
                if link["status"] != issue:
                    found.append(f"link {link['id']} shows {link['status']}, not {issue}")
                if IN[issue] != status and not said.startswith(("conflict", "Another open")):
                    found.append(f"anomaly {number} is {status}, its ticket {issue}: {said}")
                marks = [mark for _, mark in self.shop.atlassian.posted(link["ticket_id"])]
                if len(marks) != len(set(marks)):
                    found.append(f"ticket of {number} was told twice")
        if self.shop.undelivered():
            found.append(f"{self.shop.undelivered()} events are left")
        return found
