"""Whatever happens: one ticket an anomaly, one comment an event, no echo, and both sides agree in the end."""

from __future__ import annotations

import os

import pytest

from tests.unit.ticketing.conftest import Shop
from tests.unit.ticketing.two_way_storm import TwoWayStorm

#: With and without webhooks, shared tickets, one map; ``python -m benchmarks ticket_storm`` runs many.
SEEDS = [int(seed) for seed in os.environ.get("STORM_SEEDS", "0,1,2").split(",")]
STEPS = int(os.environ.get("STORM_STEPS", "40"))


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_agree_in_the_end(shop: Shop, seed: int) -> None:
    with TwoWayStorm(shop, seed) as storm:
        storm.begin()
        storm.happen(STEPS)
        storm.calm_down()
        assert list(storm.problems()) == []
        shop.atlassian.forget()
        before = set(storm.follows)
        storm.calm_down()
        writes = [path for _, path in shop.atlassian.asked("POST", "PUT") if "search" not in path]
        assert [path for path in writes if "bulkfetch" not in path] == []  # at rest nothing echoes
        assert storm.follows == before
