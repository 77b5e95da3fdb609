"""Advances by 16 clients on one path, with and without history: ``python -m benchmarks move_throughput``.

Both kinds run on the emulator's DynamoDB, in turns, so that what else the machine does meets both alike.
The figures are medians of ``ROUNDS`` rounds; the ratio must be at least 0.8.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.history import CLIENTS, STEPS, prepare, stamp
from benchmarks.table import print_table
from jobticket.jobs import moves
from jobticket.store.table import Journal, Table, Write
from tests.support.deployed import running

ROUNDS = int(os.environ.get("ROUNDS", 7))
PARTS_OF_A_CLIENT = 10


class WithoutHistory(Table):
    """Leaves out what goes into the history's table."""

    def transact(self, writes: Sequence[Write], *, token: str) -> None:
        super().transact([write for write in writes if not write.table], token=token)


def moves_a_second(table: Table) -> float:
    """Move serial numbers to the end of a path, each client its own, and return how many moves a second."""
    _, ids = prepare(table, CLIENTS * PARTS_OF_A_CLIENT)

    def work(client: int) -> None:
        for _ in range(STEPS):
            for serial in ids[client::CLIENTS]:
                moves.advance(table, serial, None, stamp())

    with ThreadPoolExecutor(CLIENTS) as pool:
        begun = time.perf_counter()
        list(pool.map(work, range(CLIENTS)))
        return len(ids) * STEPS / (time.perf_counter() - begun)


def measure(client: Any, jobs: str, history: str) -> list[tuple[float, float]]:
    """Return the moves a second without and with history, round by round."""
    journal = Journal(history, 730)
    without, with_it = WithoutHistory(client, jobs, journal), Table(client, jobs, journal)
    moves_a_second(with_it)  # connections are made
    return [(moves_a_second(without), moves_a_second(with_it)) for _ in range(ROUNDS)]


def run() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as stack:
        names = stack.outputs["JobsTableName"], stack.outputs["HistoryTableName"]
        rounds = measure(stack.client("dynamodb"), *names)
    before, after = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(after / before for before, after in rounds)
    print_table(
        f"Advances by {CLIENTS} clients on one path, median of {ROUNDS} rounds",
        ["without history, a second", "with history, a second", "ratio", "at least"],
        [[f"{before:.0f}", f"{after:.0f}", f"{ratio:.2f}", "0.80"]],
    )


if __name__ == "__main__":
    run()
