"""How the product shows what Jira shows: people, dates, names. Absent values are null."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from jobticket import clock

__all__ = ["account_id", "date", "named", "names", "part"]


@functools.lru_cache(maxsize=2048)
def _utc(text: str) -> str | None:
    try:
        return clock.iso_milliseconds(clock.parse_iso(text))
    except (ValueError, OverflowError):
        return None


def date(value: Any) -> str | None:
    """Return a date of Jira's in UTC, whatever offset it came with."""
    return _utc(value) if isinstance(value, str) else None


def part(value: Any, *keys: str) -> dict[str, Any] | None:
    """Return these members of an object, None where there is no object."""
    return {key: value.get(key) for key in keys} if isinstance(value, Mapping) else None


def named(value: Any, key: str = "name") -> str | None:
    """Return an object's name."""
    name = value.get(key) if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else None


def names(values: Any) -> list[str]:
    """Return the names of a list of objects."""
    found = [named(value) for value in values] if isinstance(values, list) else []
    return [name for name in found if name is not None]


def account_id(person: Mapping[str, Any]) -> str | None:
    """Return what a person is assigned by: the account id on Cloud, the user's name on Data Center."""
    return person.get("accountId") or person.get("name")
