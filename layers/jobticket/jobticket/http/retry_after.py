"""How long an answer asks to wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 86_400


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that an answer asks to wait; None if it names no time.

    ``Retry-After`` holds seconds, or from some gateways a date. Atlassian's ``X-RateLimit-Reset`` holds a
    timestamp.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), LONGEST_SECONDS))  # the digits of an absurd number are not all read
    moment = _moment(text) or _moment(headers.get("X-RateLimit-Reset", "").strip())
    if moment is None:
        return None
    return min(max(0.0, (moment - now).total_seconds()), float(LONGEST_SECONDS))


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, OverflowError):
            continue
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return None
