"""Lists by page and size: ``{items, total, page, size, pages}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobticket.errors import InvalidError
from jobticket.shown import Shown

DEFAULT_SIZE = 50
LARGEST_SIZE = 100
LARGEST_PAGE = 1_000_000


def number(query: Mapping[str, str], name: str, *, default: int, largest: int) -> int:
    """Return a whole number from 1 of the query.

    Raises
    ------
    InvalidError
        If it is not such a number.
    """
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 17 and 1 <= int(text) <= largest):
        raise InvalidError(f"{name} must be an integer from 1 to {largest}")
    return int(text)


def word(query: Mapping[str, str], name: str, choices: Sequence[str]) -> str | None:
    """Return one of several words of the query; raise ``InvalidError`` for another."""
    text = query.get(name)
    if text is not None and text not in choices:
        raise InvalidError(f"{name} must be one of: {', '.join(choices)}")
    return text


def flag(query: Mapping[str, str], name: str) -> bool | None:
    """Return a flag of the query; raise ``InvalidError`` if it is neither true nor false."""
    text = query.get(name)
    if text is not None and text not in ("true", "false"):
        raise InvalidError(f"{name} must be true or false")
    return None if text is None else text == "true"


def page_and_size(query: Mapping[str, str]) -> tuple[int, int]:
    """Return which page is asked for.

    Raises
    ------
    InvalidError
        If ``page`` or ``size`` is invalid.
    """
    page = number(query, "page", default=1, largest=LARGEST_PAGE)
    return page, number(query, "size", default=DEFAULT_SIZE, largest=LARGEST_SIZE)


def envelope(items: Sequence[Shown], total: int, page: int, size: int) -> dict[str, Any]:
    """Return a list's body."""
    return {
        "items": [item.as_json() for item in items],
        "total": total,
        "page": page,
        "size": size,
        "pages": -(-total // size),
    }
