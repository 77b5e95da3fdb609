"""What the history costs, and whether it agrees with a recount: ``python -m benchmarks history``.

The first table is of calls and write units of a move: DynamoDB takes 1 unit for each KB of an item, and twice
as many in a transaction. The second is of read units of 400 days of flow, with 10 and 10,000 moves a day.
The third is of many clients that move serial numbers on a table that conflicts and loses answers; then every
move that was answered, or that is found done, must stand in the history and the flow once.
``MOVES`` and ``SERIALS`` say how many (50,000 and 100,000; the table is in memory, with DynamoDB's rules).
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.distribution_cost import Meter, size_of_item
from benchmarks.simulation.memory_table import MemoryTable
from benchmarks.table import print_table
from jobticket.aws import ConflictTimeoutError
from jobticket.errors import RefusalError
from jobticket.history.flow import count_flow
from jobticket.history.records import Stamp
from jobticket.jobs import jobs, moves, paths, serials, timeline
from jobticket.jobs.distribution import COMPLETED, SCRAPPED, place
from jobticket.jobs.model import SerialNumber, StepDraft
from jobticket.store.table import ConditionFailedError, Item, Journal, Table, Write
from jobticket.store.unit_of_work import UnitOfWork, attempts

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
DAYS = 400
CLIENTS = 16
STEPS = 4
WRITE_UNIT = 1024


def stamp(day: int = 0) -> Stamp:
    return Stamp(NOW - timedelta(days=day), "benchmark", "Anna Nowak")


def prepare(table: Table, quantity: int, day: int = 0) -> tuple[str, list[str]]:
    """Make a path with serial numbers, a thousand a call."""
    with UnitOfWork(table) as work:
        job = jobs.create_job(work, stamp(day), name="Bearing housing", goal_quantity=quantity)
    steps = [StepDraft(f"Step {number}", "Hall 1") for number in range(STEPS)]
    with UnitOfWork(table) as work:
        path = paths.create_path(work, stamp(day), job_id=job.id, name="Route", goal_quantity=1, steps=steps)
    made: list[str] = []
    for start in range(0, quantity, 1000):
        numbers = serials.Numbers(table, min(1000, quantity - start))
        for work in attempts(table):
            with work:
                new = serials.create_serials(work, numbers, stamp(day), path_id=path.id)
        made += [serial.id for serial in new]
    return path.id, made


class Written:
    """A client that measures the items of transactions as they are afterwards."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls: list[str] = []
        self.units: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def call(**parameters: Any) -> Any:
            answer = method(**parameters)
            self.calls.append(name)
            for entry in parameters.get("TransactItems", ()):
                ((_, write),) = entry.items()
                key = write.get("Key") or {part: write["Item"][part] for part in ("pk", "sk")}
                item = self.client.get_item(TableName=write["TableName"], Key=key)["Item"]
                kind = f"{write['TableName']} {key['pk']['S'].partition('#')[0]} {key['sk']['S'][:3]}"
                self.units[kind] = 2 * math.ceil(size_of_item(item) / WRITE_UNIT)
            return answer

        return call


def writes() -> list[list[str]]:
    """Return the rows of a move's calls and write units."""
    from tests.unit.conftest import account, client

    with account():
        written = Written(client("dynamodb"))
        table = Table(written, "jobs", Journal("history", 730))  # type: ignore[arg-type]
        _, (serial, *_) = prepare(table, 20)
        moves.advance(table, serial, 0, stamp())
        written.calls, written.units = [], {}
        moves.advance(table, serial, 1, stamp())
        changed = Counter(written.calls)["transact_write_items"]
        before = sum(units for kind, units in written.units.items() if kind.startswith("jobs"))
        after = sum(written.units.values())
    reads = str(len(written.calls) - changed)
    return [
        ["without history", reads, str(changed), str(before)],
        ["with history", reads, str(changed), str(after)],
    ]


def flow_costs() -> list[list[str]]:
    """Return rows with the costs of 400 days of flow, with few moves a day and with many."""
    from tests.unit.conftest import account, client

    rows = []
    for a_day in (10, 10_000):
        with account():
            meter = Meter(client("dynamodb"))
            table = Table(meter, "jobs", Journal("history", 730))  # type: ignore[arg-type]
            path_id, _ = prepare(table, 8, DAYS)
            for day in range(DAYS):
                for shard in range(8):
                    # As so many moves would have left it.
                    with UnitOfWork(table) as work:
                        number = a_day // 8 or 1
                        count_flow(
                            work, stamp(day), path_id, shard, come="step_1", gone="step_0", number=number
                        )
            with meter.measuring() as cost:
                timeline.path_flow(table, path_id, NOW, DAYS)
            figures = cost[0]
            rows.append([f"{a_day:,}", str(figures.calls), str(figures.units), f"{figures.size:,}"])
    return rows


class LossyTable(MemoryTable):
    """Both tables in memory. Transactions conflict; when their answer is lost, they may be sent again."""

    def __init__(self, seed: int) -> None:
        super().__init__({"jobs_by_age": ("list_pk", "list_sk")})
        self.kept = MemoryTable({})
        self.lost = 0
        self._chance, self._lock = random.Random(seed), threading.RLock()

    def history(self) -> MemoryTable:
        return self.kept

    def _request(self, work: Callable[[], Any]) -> Any:
        with self._lock:
            return super()._request(work)

    def _commit(self, given: Sequence[Write]) -> None:
        super()._commit(given)
        self.kept._commit([replace(write, table=None) for write in given if write.table])

    def transact(self, writes: Sequence[Write], *, token: str) -> None:
        sent_again = False
        while True:
            fate = self._chance.random()
            if fate < 0.02:
                raise ConflictTimeoutError
            try:
                super().transact(writes, token=token)
            except ConditionFailedError as failed:
                raise ConditionFailedError(failed.items, after_lost_answer=sent_again) from None
            if fate < 0.06:
                self.lost += 1
                if fate < 0.03:
                    raise ConflictTimeoutError  # the caller never learns that it has committed
                sent_again = True
                continue
            return


def recount(quantity: int, number: int, seed: int = 7) -> dict[str, int]:
    """Move serial numbers by many clients; raise ``AssertionError`` if the history differs from a recount."""
    memory = LossyTable(seed)
    table: Any = memory
    path_id, ids = retried(lambda: prepare(table, quantity))
    answered: Counter[str] = Counter()

    def work(client: int) -> None:
        chance = random.Random(seed * 100 + client)
        for _ in range(number // CLIENTS):
            serial = ids[int(chance.triangular(0, len(ids) - 1, 0))]
            try:
                _move(table, serial, chance)
            except RefusalError:
                answered["refused"] += 1
            except ConflictTimeoutError:
                answered["unknown"] += 1
            else:
                answered["answered"] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
    moved = _compare(memory, path_id, quantity)
    if not 0 <= moved - answered["answered"] <= answered["unknown"]:
        raise AssertionError(f"{moved} moves are found, {answered} were answered")
    return {**answered, "lost": memory.lost, "found": moved}


def retried(make: Callable[[], Any]) -> Any:
    """Make something that may meet a conflict."""
    while True:
        with contextlib.suppress(ConflictTimeoutError):
            return make()


def _move(table: Table, serial: str, chance: random.Random) -> None:
    kind = chance.random()
    if kind < 0.9:
        moves.advance(table, serial, None, stamp())
    elif kind < 0.95:
        moves.scrap(table, serial, "damaged", None, stamp())
    else:
        moves.force_complete(table, serial, None, stamp())


def _compare(memory: LossyTable, path_id: str, quantity: int) -> int:
    """Compare the history and the flow with the serial numbers; return how many moves were made."""
    table: Any = memory
    listed, _ = serials.list_serials(table, path_id, None, None, 0)
    _require(len(listed), quantity)
    entered = _replayed(memory, listed)
    day = timeline.path_flow(table, path_id, NOW, 1).days[0]
    counted = [entered[place(index)] for index in range(1, STEPS)]
    _require([*day.entered.values()], [quantity, *counted])
    _require([day.completed, day.scrapped], [entered[COMPLETED], entered[SCRAPPED]])
    standing = Counter(serial.current_step_index for serial in listed if serial.status == "in_progress")
    _require([*day.standing.values()], [standing[index] for index in range(STEPS)])
    return sum(entered.values())


def _replayed(memory: LossyTable, listed: Sequence[SerialNumber]) -> Counter[str]:
    """Follow the records of each serial number to where it stands; return how many came to each place."""
    told: dict[str, list[Item]] = {}
    for item in memory.kept.items():
        if item["pk"].startswith("SERIAL#"):
            told.setdefault(item["pk"].removeprefix("SERIAL#"), []).append(item)
    entered: Counter[str] = Counter()
    for serial in listed:
        stands, status = 0, "in_progress"
        for item in sorted(told.pop(serial.id, []), key=lambda item: str(item["sk"])):
            _require(item["from_index"], stands)
            if item["action"] == "scrapped":
                status = SCRAPPED
            else:
                stands = item.get("to_index", -1)
                status = "in_progress" if stands >= 0 else COMPLETED
            entered[SCRAPPED if status == SCRAPPED else place(stands)] += 1
        _require((stands, status), (serial.current_step_index, serial.status))
    _require(told, {})
    return entered


def _require(found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"the history has {found}, the recount {expected}")


def run() -> None:
    """Print the figures."""
    print_table("A move", ["", "reads", "writing calls", "write units"], writes())
    print_table(f"Flow of {DAYS} days", ["moves a day", "calls", "read units", "bytes read"], flow_costs())
    quantity, number = int(os.environ.get("SERIALS", 100_000)), int(os.environ.get("MOVES", 50_000))
    found = recount(quantity, number)
    print_table(
        f"{CLIENTS} clients, {quantity:,} serial numbers, {number:,} tries; all agrees with a recount",
        [*found],
        [[f"{figure:,}" for figure in found.values()]],
    )


if __name__ == "__main__":
    run()
