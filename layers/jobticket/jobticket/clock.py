"""The time, and how the product writes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def iso_milliseconds(moment: datetime) -> str:
    """Write a moment as every answer does: ISO 8601, UTC, milliseconds, ``Z``.

    Examples
    --------
    >>> iso_milliseconds(datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
    '2026-11-22T09:30:00.000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 timestamp with any offset; one without an offset is UTC.

    Raises
    ------
    ValueError
        If the text is no timestamp.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def epoch(moment: datetime) -> int:
    """Return whole seconds since 1970, the unit of DynamoDB's TTL."""
    return int(moment.timestamp())


def epoch_milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970, in which short waits are compared."""
    return int(moment.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which a piece of work must have ended, however many steps it takes.

    Attributes
    ----------
    ends_at
        On the ``monotonic`` clock.
    """

    ends_at: float
    monotonic: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the deadline that is ``seconds`` from now."""
        return cls(monotonic() + seconds, monotonic)

    def left(self) -> float:
        """Return the seconds that are left, 0 at the least."""
        return max(0.0, self.ends_at - self.monotonic())

    def sooner(self, seconds: float) -> Deadline:
        """Return the deadline of a part of the work: at most ``seconds`` from now, never later than this."""
        return Deadline(min(self.ends_at, self.monotonic() + seconds), self.monotonic)
