"""How often Jira is called for an anomaly and its tickets, while a caller waits and later by the worker.

Both functions of ticketing and the queue between them, under moto, in front of the emulated Jira, which
counts. ``python -m benchmarks ticket_calls``
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.emulated import emulated
from benchmarks.table import print_table
from tests.support.tables import recorded
from tests.unit.conftest import client, gateway, load_function
from tests.unit.ticketing.conftest import INTEGRATION, Atlassian, Shop, Time, Worker, make_queue, refreshed

TICKETS = ("PI-1", "PI-2", "PI-42")


@contextmanager
def open_shop() -> Iterator[Shop]:
    """Start the product on an emulated account, with an emulated Jira."""
    with emulated() as url:
        worker = Worker(refreshed(load_function("ticket_sync"), url), make_queue())
        api = gateway(refreshed(load_function("ticketing"), url))
        shop = Shop(api, worker, Atlassian(url), recorded(client("dynamodb"), "ticketing"), Time())
        shop.integrate()
        yield shop


def run() -> None:
    """Print the table."""
    with open_shop() as shop:
        head = ["what happens", "waited for", "calls", "later", "calls"]
        print_table("Calls of Jira: those that a caller waits for, and the worker's", head, list(_rows(shop)))


def _rows(shop: Shop) -> Iterator[list[str]]:
    first, second, third = (shop.anomaly()["id"] for _ in range(3))
    yield _row(shop, "a ticket is created", lambda: shop.ticket(first))
    shop.atlassian.fault({"method": "POST", "path": "/issue$", "drop": "after"})
    yield _row(shop, "a ticket is created, Jira's answer is lost", lambda: shop.create_ticket(second))
    yield _row(shop, "the same request again", lambda: shop.ticket(second))
    yield _row(shop, "an existing ticket is linked", lambda: shop.link(third, TICKETS[0]))
    for key in TICKETS[1:]:
        shop.link(third, key)
    shop.worker.run()
    yield _row(shop, "acknowledged, with 3 links", lambda: shop.set_status(third, "Acknowledged"))
    yield _row(shop, "acknowledged again", lambda: shop.set_status(third, "Acknowledged"))
    yield _row(shop, "a comment, with 3 links", lambda: shop.comment(third, "Found the cause."))
    shop.atlassian.fault({"method": "POST", "path": "/comment$", "drop": "after"})
    yield _row(shop, "a comment whose answer is lost, with 1 link", lambda: shop.comment(first, "On it."))
    wake_up = shop.links(first)[0]
    yield _row(shop, "the worker's next try", lambda: shop.worker.wake(wake_up, tries=2))
    refresh = f"/api/anomalies/{third}/ticket-links/{shop.links(third)[0]['id']}/refresh"
    yield _row(shop, "a link is refreshed", lambda: shop.api.post(refresh))
    yield _row(shop, "a search", lambda: shop.api.get(f"{INTEGRATION}/tickets/search?query=housing"))
    yield _row(shop, "the form", lambda: shop.api.get(f"{INTEGRATION}/form-specification"))


def _row(shop: Shop, what: str, happens: Callable[[], object]) -> list[str]:
    shop.atlassian.forget()
    happens()
    waited_for = shop.atlassian.asked()
    shop.atlassian.forget()
    shop.worker.run()
    return [what, *_told(waited_for), *_told(shop.atlassian.asked())]


def _told(calls: list[tuple[str, str]]) -> tuple[str, str]:
    what = Counter(f"{method} {_without_ids(path)}" for method, path in calls)
    return str(len(calls)), ", ".join(what)


def _without_ids(path: str) -> str:
    return re.sub(r"([A-Z]+-)?\d+", "…", re.sub(r"^/rest/api/\d/", "", path))


if __name__ == "__main__":
    run()
