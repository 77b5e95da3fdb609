"""Whatever happens: one ticket an anomaly, one comment an event, no echo, and both sides agree in the end."""

from __future__ import annotations

import os

import pytest

from tests.unit.ticketing.conftest import Shop
from tests.unit.ticketing.two_way_storm import TwoWayStorm

SEEDS = int(os.environ.get("STORM_SEEDS", "2"))
STEPS = int(os.environ.get("STORM_STEPS", "40"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_sides_agree_in_the_end(shop: Shop, seed: int) -> None:
    storm = TwoWayStorm(shop, seed)
    storm.begin()
    storm.happen(STEPS)
    storm.calm_down()
    assert storm.problems() == []
    shop.atlassian.forget()
    storm.calm_down()
    writes = [path for _, path in shop.atlassian.asked("POST", "PUT") if "search" not in path]
    assert writes == []  # at rest nothing echoes
