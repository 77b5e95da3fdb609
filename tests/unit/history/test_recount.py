"""Many clients at once, lost answers and conflicts: the history and the flow agree with a recount."""

from __future__ import annotations

import pytest

from benchmarks import history


@pytest.mark.parametrize("seed", [1, 2])
def test_history_and_flow_tell_of_each_move_once(seed: int) -> None:
    found = history.recount(quantity=300, number=800, seed=seed)
    assert found["lost"] > 0
    assert found["unknown"] > 0
    assert found["answered"] > 300


def test_a_move_costs_one_writing_call_and_twice_the_units() -> None:
    without, with_history = history.writes()
    assert without[1:] == ["2", "1", "4"]
    assert with_history[1:] == ["2", "1", "8"]


def test_flow_costs_the_same_with_many_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "DAYS", 20)
    few, many = history.flow_costs()
    assert few[1] == many[1]
    assert few[2] == many[2]
