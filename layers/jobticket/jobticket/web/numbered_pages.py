"""Lists by page and size: ``{items, total, page, size, pages}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobticket.errors import InvalidError
from jobticket.shown import Shown
from jobticket.web.paging import number_of

DEFAULT_SIZE = 50
LARGEST_SIZE = 100
LARGEST_PAGE = 1_000_000


def word(query: Mapping[str, str], name: str, choices: Sequence[str]) -> str | None:
    """Return the query's word, one of several; raise ``InvalidError`` for another."""
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
    """Return the requested page."""
    page = number_of(query, "page", LARGEST_PAGE) or 1
    return page, number_of(query, "size", LARGEST_SIZE) or DEFAULT_SIZE


def envelope(items: Sequence[Shown], total: int, page: int, size: int) -> dict[str, Any]:
    """Return a list's body."""
    return {
        "items": [item.as_json() for item in items],
        "total": total,
        "page": page,
        "size": size,
        "pages": -(-total // size),
    }
