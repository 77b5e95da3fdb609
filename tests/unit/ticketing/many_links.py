"""Many linked tickets, and what a sweep over them costs: for a test, and for ``benchmarks.ticket_sweep``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from tests.support.gateway import LambdaContext
from tests.unit.conftest import client
from tests.unit.ticketing.conftest import EMAIL, INTEGRATION, TOKEN, Shop

PROJECT = "BIG"
_BATCH = 25


class ManyLinks:
    """Tickets in Jira that are linked and were seen as they are, and as many that are not linked.

    Attributes
    ----------
    reads
        What a sweep asked of DynamoDB, by operation.
    """

    def __init__(self, shop: Shop, count: int) -> None:
        self.shop = shop
        self.reads: Counter[str] = Counter()
        shop.atlassian.control(rate_limits={"issue_writes_per_2s": None})
        assert shop.api.put(INTEGRATION, {"status_in": {"Done": "Resolved"}}).status == 200
        shop.atlassian.create(project=PROJECT, count=2 * count)
        self.tickets = list(self._ids())[:count]
        self._link()
        events = shop.worker.module.dynamodb.meta.events
        events.register("before-call.dynamodb", self._note)
        self.let_time_pass(3600)
        self.sweep()

    def _ids(self) -> Iterator[str]:
        asked: dict[str, Any] = {
            "jql": f"project = {PROJECT} ORDER BY key ASC",
            "fields": "id",
            "maxResults": 5000,
        }
        while True:
            page = self.shop.atlassian.get("search/jql", **asked)
            yield from (issue["id"] for issue in page["issues"])
            if "nextPageToken" not in page:
                return
            asked["nextPageToken"] = page["nextPageToken"]

    def _link(self) -> None:
        serialize = TypeSerializer().serialize
        puts = []
        for number, ticket in enumerate(self.tickets, 1):
            seen = {"status": "To Do", "summary": f"Big item {number}", "key": f"{PROJECT}-{number}"}
            item = {"pk": f"ISSUE#1#{ticket}", "sk": "TICKET", f"anomaly_{number}": number} | seen
            puts.append({"PutRequest": {"Item": {name: serialize(value) for name, value in item.items()}}})
        for start in range(0, len(puts), _BATCH):
            client("dynamodb").batch_write_item(RequestItems={"ticketing": puts[start : start + _BATCH]})

    def _note(self, model: Any, **_more: Any) -> None:
        self.reads[model.name] += 1

    def let_time_pass(self, seconds: float = 300) -> None:
        self.shop.clock.passes(seconds)
        self.shop.atlassian.control(clock_offset_seconds=self.shop.clock.passed.total_seconds())

    def move(self, count: int) -> None:
        """Move as many linked tickets, as a person."""
        for ticket in self.tickets[:count]:
            url = f"{self.shop.atlassian.url}/rest/api/2/issue/{ticket}/transitions"
            body = {"transition": {"id": "21"}}
            assert self.shop.atlassian.session.post(url, json=body, auth=(EMAIL, TOKEN)).ok
        self.let_time_pass()

    def sweep(self) -> tuple[int, int]:
        """Sweep; return how many calls Jira got, and how many tickets are to be looked at."""
        self.shop.atlassian.forget()
        self.reads.clear()
        done = self.shop.worker.module.handler({"sweep": True}, LambdaContext(remaining_ms=60_000))
        return len(self.shop.atlassian.asked()), int(done["changed"])
