"""What a sweep costs with 10,000 linked tickets: ``LINKS=10000 python -m benchmarks ticket_sweep``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest.mock import MagicMock

from benchmarks.table import print_table
from benchmarks.ticket_calls import open_shop
from jobticket import clock
from tests.unit.ticketing.many_links import ManyLinks

LINKS = int(os.environ.get("LINKS", "10000"))
CHANGED = (0, 1, 100, 1000)


def run() -> None:
    """Print a row for each number of tickets that have changed."""
    head = ["tickets changed", "calls to Jira", "looked at", "calls to DynamoDB"]
    real = clock.now
    with open_shop() as shop:
        clock.now, shop.worker.module.metrics = shop.clock.now, MagicMock()
        try:
            rows = list(_rows(ManyLinks(shop, LINKS)))
        finally:
            clock.now = real
    print_table(f"A sweep over {LINKS} linked tickets", head, rows)


def _rows(many: ManyLinks) -> Iterator[list[str]]:
    many.let_time_pass()
    for changed in CHANGED:
        many.move(min(changed, LINKS))
        calls, found = many.sweep()
        reads = ", ".join(f"{count} {name}" for name, count in sorted(many.reads.items()))
        yield [str(changed), str(calls), str(found), reads]
        many.let_time_pass(3600)
        many.sweep()
