"""Counts, percentages and bottlenecks, as arithmetic."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobticket.jobs.distribution import (
    COMPLETED,
    SCRAPPED,
    SHARDS,
    Counts,
    distribution,
    job_progress,
    percent,
    place,
    shard_of,
)
from jobticket.jobs.model import Job, Path, ProcessStep

MOMENT = "2026-11-22T09:30:00.000Z"
SOME = st.integers(0, 10_000)


def job(goal: int) -> Job:
    return Job(id="job_000000000000", name="J", goal_quantity=goal, created_at=MOMENT, updated_at=MOMENT)


def path(steps: int, goal: int = 10) -> Path:
    return Path(
        id="path_000000000000",
        job_id="job_000000000000",
        name="Main",
        goal_quantity=goal,
        steps=[ProcessStep(id=f"step_{n}", name=f"S{n}", order=n) for n in range(steps)],
        created_at=MOMENT,
        updated_at=MOMENT,
    )


counts = st.builds(Counts, st.lists(SOME, min_size=1, max_size=12).map(tuple), SOME, SOME)


@given(
    st.integers(1, 10).flatmap(
        lambda steps: st.tuples(st.just(steps), st.lists(st.integers(-2, steps - 1), max_size=300))
    )
)
def test_counts_are_the_sum_over_shards_of_a_count_one_by_one(case: tuple[int, list[int]]) -> None:
    """-1 stands for a completed serial number, -2 for a scrapped one."""
    steps, standing = case
    shards: dict[int, Counter[str]] = {}
    for number, index in enumerate(standing, start=7):
        name = SCRAPPED if index == -2 else place(index)
        shards.setdefault(shard_of(number), Counter())[name] += 1
    summed = Counts.of(path(steps), [dict(shard) for shard in shards.values()])
    assert summed.steps == tuple(standing.count(index) for index in range(steps))
    assert (summed.completed, summed.scrapped) == (standing.count(-1), standing.count(-2))
    assert summed.total == len(standing)


def test_what_is_no_count_in_a_shard_is_not_counted() -> None:
    shard = {"pk": "JOB#x", "sk": "PATH#y#COUNT#00", "path_id": "y", "step_0": 3, COMPLETED: 2}
    assert Counts.of(path(2), [shard]) == Counts((3, 0), 2, 0)


@given(st.integers(1, 10**9))
def test_eight_numbers_in_a_row_go_to_eight_shards(first: int) -> None:
    assert {shard_of(number) for number in range(first, first + SHARDS)} == set(range(SHARDS))


@given(counts)
def test_every_step_at_the_maximum_is_a_bottleneck_and_no_other(given_counts: Counts) -> None:
    shown = distribution(path(len(given_counts.steps)), given_counts)
    assert [step.serial_count for step in shown] == list(given_counts.steps)
    assert [step.step_order for step in shown] == list(range(len(given_counts.steps)))
    for step in shown:
        is_largest = all(step.serial_count >= other for other in given_counts.steps)
        assert step.is_bottleneck == (is_largest and step.serial_count > 0)


def test_an_empty_path_has_no_bottleneck() -> None:
    assert not any(step.is_bottleneck for step in distribution(path(3), Counts((0, 0, 0), 9, 4)))


def test_a_path_without_steps_has_an_empty_distribution() -> None:
    assert distribution(path(0), Counts((), 0, 0)) == []


@pytest.mark.parametrize(
    ("completed", "scrapped", "goal", "expected"),
    [
        (0, 0, 10, 0.0),
        (1, 0, 3, 1 / 3 * 100),
        (10, 0, 10, 100.0),
        (15, 0, 10, 150.0),
        (5, 5, 10, 100.0),
        (1, 9, 10, 100.0),
        (0, 9, 10, 0.0),
        (0, 10, 10, 0.0),
        (1, 10, 10, 100.0),
        (0, 11, 10, 0.0),
        (7, 11, 10, 100.0),
    ],
)
def test_percent(completed: int, scrapped: int, goal: int, expected: float) -> None:
    assert percent(completed, scrapped, goal) == expected


@given(SOME, SOME, st.integers(1, 10_000))
def test_percent_is_the_documented_fraction(completed: int, scrapped: int, goal: int) -> None:
    shown = percent(completed, scrapped, goal)
    if goal > scrapped:
        exact = Fraction(completed, goal - scrapped) * 100
        assert shown == pytest.approx(float(exact), rel=1e-12)
        assert (shown > 100) == (exact > 100)
    else:
        assert shown == (100.0 if completed else 0.0)


@given(st.integers(1, 10_000), st.lists(st.tuples(st.integers(1, 500), counts), max_size=5))
def test_progress_sums_up_the_paths_and_takes_the_goal_of_the_job_alone(
    goal: int, parts: list[tuple[int, Counts]]
) -> None:
    progress = job_progress(job(goal), [(path(len(c.steps), path_goal), c) for path_goal, c in parts])
    completed = sum(c.completed for _, c in parts)
    scrapped = sum(c.scrapped for _, c in parts)
    assert progress.total_serials == sum(sum(c.steps) for _, c in parts) + completed + scrapped
    assert progress.in_progress_serials == sum(sum(c.steps) for _, c in parts)
    assert (progress.completed_serials, progress.scrapped_serials) == (completed, scrapped)
    assert progress.progress_percent == percent(completed, scrapped, goal)
    assert [part.percent_complete for part in progress.path_progress] == [
        percent(c.completed, c.scrapped, path_goal) for path_goal, c in parts
    ]


def test_progress_shows_exactly_the_documented_members() -> None:
    shown = job_progress(job(4), [(path(2, goal=5), Counts((1, 2), 3, 1))]).as_json()
    assert shown == {
        "jobId": "job_000000000000",
        "jobName": "J",
        "goalQuantity": 4,
        "totalSerials": 7,
        "completedSerials": 3,
        "inProgressSerials": 3,
        "scrappedSerials": 1,
        "progressPercent": 100.0,
        "pathProgress": [
            {
                "pathId": "path_000000000000",
                "pathName": "Main",
                "goalQuantity": 5,
                "totalSerials": 7,
                "completedSerials": 3,
                "scrappedSerials": 1,
                "percentComplete": 75.0,
            }
        ],
    }
