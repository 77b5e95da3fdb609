"""Statuses both ways under anything, over many seeds: ``SEEDS=100 python -m benchmarks ticket_storm``."""

from __future__ import annotations

import os
import time
from unittest.mock import MagicMock

from benchmarks.table import print_table
from benchmarks.ticket_calls import open_shop
from jobticket import clock
from jobticket.ticketing.relay import Relay
from tests.unit.ticketing.conftest import WORDING
from tests.unit.ticketing.two_way_storm import TwoWayStorm

FIRST = int(os.environ.get("FIRST_SEED", "0"))
SEEDS = int(os.environ.get("SEEDS", "20"))
STEPS = int(os.environ.get("STEPS", "60"))


def run() -> None:
    """Print what each seed did, and what did not hold at rest."""
    head = ["seed", "anomalies", "changes here", "moves in Jira", "followed", "deaths", "seconds", "problems"]
    rows = [_row(seed) for seed in range(FIRST, FIRST + SEEDS)]
    print_table("Storms of tickets that follow anomalies, and the reverse", head, rows)


def _row(seed: int) -> list[str]:
    began, real = time.monotonic(), clock.now
    with open_shop() as shop:
        module = shop.worker.module
        clock.now, module.metrics = shop.clock.now, MagicMock()
        module.relay = Relay(module.table, module.access, WORDING, now=shop.clock.now, chance=lambda: 0.5)
        try:
            with TwoWayStorm(shop, seed) as storm:
                storm.begin()
                storm.happen(STEPS)
                storm.calm_down()
                problems = list(storm.problems())
        finally:
            clock.now = real
    figures = [seed, len(storm.numbers), storm.changes, storm.moves, len(storm.follows), storm.deaths]
    return [*map(str, figures), str(round(time.monotonic() - began)), "; ".join(problems) or "-"]
