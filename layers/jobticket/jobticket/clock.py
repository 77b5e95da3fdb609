"""The time, its formats, and deadlines."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from jobticket.dataclass import dataclass


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def iso_milliseconds(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds and ``Z``: the format of every answer.

    Examples
    --------
    >>> iso_milliseconds(datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
    '2026-11-22T09:30:00.000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 timestamp with any offset; without one it is UTC. Other text is a ``ValueError``."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def epoch(moment: datetime) -> int:
    """Return whole seconds since 1970, the unit of DynamoDB's TTL."""
    return int(moment.timestamp())


def epoch_milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970, the unit of leases."""
    return int(moment.timestamp() * 1000)


def from_milliseconds(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, on a monotonic clock, by which a piece of work must end, with all its steps."""

    ends_at: float
    monotonic: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the deadline ``seconds`` from now."""
        return cls(monotonic() + seconds, monotonic)

    def left(self) -> float:
        """Return the seconds that are left, at least 0."""
        return max(0.0, self.ends_at - self.monotonic())

    def sooner(self, seconds: float) -> Deadline:
        """Return the deadline of a part of the work: ``seconds`` from now, but not later than this one."""
        return Deadline(min(self.ends_at, self.monotonic() + seconds), self.monotonic)
