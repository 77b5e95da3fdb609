"""Counts: where the serial numbers of a path stand, and how far a job has come. Pure arithmetic.

A path's counts are spread over shards, so that many moves can be counted at once. A serial number belongs to
one shard for good, and a move changes both in one transaction. So each serial number is counted exactly once,
even if the shards are read at different moments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jobticket.dataclass import dataclass
from jobticket.jobs.model import Job, JobProgress, Path, PathProgress, StepCount

#: How many shards hold a path's counts. All shards that exist are summed up, so the number can be raised.
SHARDS = 8

COMPLETED = "completed"
SCRAPPED = "scrapped"


def shard_of(number: int) -> int:
    return number % SHARDS


def place(step_index: int) -> str:
    """Return the name of the count for a step index; -1 is completion."""
    return COMPLETED if step_index < 0 else f"step_{step_index}"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many serial numbers of a path stand at each step; scrapped ones stand at no step."""

    steps: tuple[int, ...]
    completed: int
    scrapped: int

    @property
    def total(self) -> int:
        return sum(self.steps) + self.completed + self.scrapped

    @classmethod
    def of(cls, path: Path, shards: Iterable[Mapping[str, Any]]) -> Counts:
        """Sum up a path's shards."""
        stored = list(shards)
        names = [*(place(index) for index in range(len(path.steps))), COMPLETED, SCRAPPED]
        *steps, completed, scrapped = (sum(int(shard.get(name, 0)) for shard in stored) for name in names)
        return cls(tuple(steps), completed, scrapped)


def distribution(path: Path, counts: Counts) -> list[StepCount]:
    """Return each step with its count; the steps with the highest count above 0 are bottlenecks."""
    highest = max(counts.steps, default=0)
    return [
        StepCount(
            step_id=step.id,
            step_name=step.name,
            step_order=step.order,
            location=step.location,
            serial_count=count,
            is_bottleneck=count == highest > 0,
        )
        for step, count in zip(path.steps, counts.steps, strict=True)
    ]


def percent(completed: int, scrapped: int, goal: int) -> float:
    """Return the completed ones in percent of the goal without the scrapped ones."""
    divisor = goal - scrapped
    if divisor > 0:
        return completed / divisor * 100
    return 100.0 if completed else 0.0


def job_progress(job: Job, paths: Iterable[tuple[Path, Counts]]) -> JobProgress:
    """Return how far a job has come over all its paths; only the job's own goal counts."""
    parts = list(paths)
    total = sum(counts.total for _, counts in parts)
    completed = sum(counts.completed for _, counts in parts)
    scrapped = sum(counts.scrapped for _, counts in parts)
    return JobProgress(
        job_id=job.id,
        job_name=job.name,
        goal_quantity=job.goal_quantity,
        total_serials=total,
        completed_serials=completed,
        in_progress_serials=total - completed - scrapped,
        scrapped_serials=scrapped,
        progress_percent=percent(completed, scrapped, job.goal_quantity),
        path_progress=[
            PathProgress(
                path_id=path.id,
                path_name=path.name,
                goal_quantity=path.goal_quantity,
                total_serials=counts.total,
                completed_serials=counts.completed,
                scrapped_serials=counts.scrapped,
                percent_complete=percent(counts.completed, counts.scrapped, path.goal_quantity),
            )
            for path, counts in parts
        ],
    )
