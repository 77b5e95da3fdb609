"""What reading a distribution costs at the table, with 20 serial numbers on a path and with 100,000.

Calls are counted at the client; read units follow from the sizes of the items that come back, by DynamoDB's
own rules: 4 KB of a strongly consistent read are one unit, and a query pays for the sum of its items.
``make bench``, or ``PYTHONPATH=layers/jobticket:. python -m benchmarks distribution_cost``
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from benchmarks.table import print_table
from jobticket.history.records import Stamp
from jobticket.jobs import jobs, moves, paths, serials
from jobticket.jobs.model import Path, StepDraft
from jobticket.store.table import Journal, Table
from jobticket.store.unit_of_work import UnitOfWork

FEW, MANY = 20, 100_000
STAMP = Stamp(datetime(2026, 11, 22, 9, 30, tzinfo=UTC), "benchmark")
UNIT = 4096


@dataclass(frozen=True)
class Cost:
    """What a request cost: calls of the database, read units, bytes that those were for."""

    calls: int
    units: int
    size: int


class Meter:
    """A DynamoDB client that measures what is read through it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls = self.units = self.size = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**parameters: Any) -> Any:
            answer = method(**parameters)
            read = answer.get("Items", [answer["Item"]] if "Item" in answer else [])
            size = sum(map(size_of_item, read))
            self.calls += 1
            self.size += size
            self.units += max(1, math.ceil(size / UNIT))
            return answer

        return call

    @contextmanager
    def measuring(self) -> Iterator[list[Cost]]:
        """Measure what happens meanwhile; the cost stands in the list afterwards."""
        before = Cost(self.calls, self.units, self.size)
        cost: list[Cost] = []
        yield cost
        cost.append(Cost(self.calls - before.calls, self.units - before.units, self.size - before.size))


def size_of_item(item: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return math.ceil(len(value.lstrip("-")) / 2) + 1 + int(value.startswith("-"))
        case "B":
            return len(value)
        case "L":
            return 3 + sum(1 + _size(entry) for entry in value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size(entry) for name, entry in value.items())
        case _:
            return 1


def costs(client: Any, table_name: str, quantity: int) -> dict[str, Cost]:
    """Make a job with two paths and serial numbers on both; return what looking at them costs."""
    meter = Meter(client)
    table = Table(meter, table_name, Journal("history", 730))  # type: ignore[arg-type]
    with UnitOfWork(table) as work:
        job = jobs.create_job(work, STAMP, name="J", goal_quantity=50)
    steps = [StepDraft(name, "Hall 1") for name in ("CNC", "Deburr", "Wash", "QC")]
    route: dict[str, Any] = {"job_id": job.id, "name": "Main Route", "goal_quantity": 50, "steps": steps}
    made = []
    for _ in range(2):
        with UnitOfWork(table) as work:
            made.append(paths.create_path(work, STAMP, **route))
    _fill(table, made[0], quantity)
    _fill(table, made[1], FEW)
    measured: dict[str, Cost] = {}
    with meter.measuring() as cost:
        progress = jobs.job_details(*jobs.load_job(table, job.id)).progress
    measured["GET /api/jobs/{id}"] = cost[0]
    with meter.measuring() as cost:
        shown = paths.load_path(table, made[0].id)
    measured["GET /api/paths/{id}"] = cost[0]
    if (
        progress.total_serials != quantity + FEW
        or sum(s.serial_count for s in shown.distribution) != quantity
    ):
        raise AssertionError("the distribution is wrong")
    return measured


def _fill(table: Table, path: Path, quantity: int) -> None:
    """Create serial numbers, a thousand a call, and move the first twenty one step on."""
    first: list[str] = []
    for start in range(0, quantity, 1000):
        numbers = serials.Numbers(table, min(1000, quantity - start))
        with UnitOfWork(table) as work:
            made = serials.create_serials(work, numbers, STAMP, path_id=path.id)
        first = first or [serial.id for serial in made[:FEW]]
    for result in moves.advance_many(table, first, None, STAMP):
        if result.error is not None:
            raise AssertionError(result.error)


def growth() -> dict[tuple[str, int], Cost]:
    """Return the costs of each request with few serial numbers and with many."""
    from tests.unit.conftest import account, client

    found = {}
    for quantity in (FEW, MANY):
        with account():
            for request, cost in costs(client("dynamodb"), "jobs", quantity).items():
                found[request, quantity] = cost
    return dict(sorted(found.items()))


def run() -> None:
    """Print the figures."""
    rows = [
        [request, f"{quantity:,}", str(cost.calls), str(cost.units), f"{cost.size:,}"]
        for (request, quantity), cost in growth().items()
    ]
    print_table(
        "Reading a distribution", ["request", "serial numbers", "calls", "read units", "bytes read"], rows
    )


if __name__ == "__main__":
    run()
