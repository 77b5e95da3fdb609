"""A small night in virtual time; ``python -m benchmarks push_simulation`` is the large one."""

from __future__ import annotations

import pytest

from benchmarks.push_simulation import Night, Plan
from benchmarks.simulation.memory_jira import Quirks


@pytest.mark.parametrize("seed", [1, 2])
def test_every_job_has_one_table_and_no_text_is_lost(seed: int) -> None:
    plan = Plan(jobs=250, seed=seed, quirks=Quirks(edits=0.1), killing=0.002, twice=0.05)
    figures = Night(plan).run()
    assert figures.outcomes == {"pushed": 250}
    assert figures.tables == {1: 250}
    assert figures.lost_edits == []
    assert figures.altered_descriptions == 0
    assert figures.dead_letters == 0
    assert figures.kills > 10
    assert figures.edits > 10


def test_a_spent_quota_of_the_app_delays_and_fails_nothing() -> None:
    figures = Night(Plan(jobs=300, outage=None, points_an_hour=300, killing=0)).run()
    assert figures.outcomes == {"pushed": 300}
    assert figures.tables == {1: 300}
    # The sites of API tokens, which share nothing with it, are done long before.
    by_consent, by_token = figures.finished["s0"], figures.finished["s4"]
    assert by_token < 1800 < 3600 < by_consent


@pytest.mark.parametrize("seed", [1])
def test_a_night_takes_hardly_longer_than_the_limits_allow(seed: int) -> None:
    """The large night on a tenth of its scale: a fifth of all calls fails, and one site has no quota for an hour."""
    figures = Night(Plan(jobs=1000, workers=3, places=2, seed=seed)).run()
    assert figures.outcomes == {"pushed": 1000}
    assert figures.tables == {1: 1000}
    assert figures.lost_edits == []
    assert figures.altered_descriptions == 0
    assert figures.kills > 10
    # Of virtual time, which is the same for a seed however busy this machine is.
    assert 0.95 * figures.allowed_seconds < figures.seconds <= 1.15 * figures.allowed_seconds
