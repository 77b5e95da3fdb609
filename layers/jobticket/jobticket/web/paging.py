"""Which part of a list a query asks for: by limit and cursor, or by page and size."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobticket.errors import InvalidError
from jobticket.shown import Shown

LARGEST_LIMIT = 500
DEFAULT_SIZE = 50
LARGEST_SIZE = 100
LARGEST_PAGE = 1_000_000


def number_of(query: Mapping[str, str], name: str, largest: int) -> int | None:
    """Return a whole number from 1 of the query, None without it."""
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 17 and 1 <= int(text) <= largest):
        raise InvalidError(f"{name} must be an integer from 1 to {largest}")
    return int(text)


def limit_of(query: Mapping[str, str]) -> int | None:
    """Return the query's ``limit``, None without one."""
    return number_of(query, "limit", LARGEST_LIMIT)


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


def encode_cursor(position: Any) -> str:
    """Write a position as an opaque cursor."""
    raw = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(cursor: str) -> Any:
    """Read a cursor, or refuse it if it is not one of ours; the caller checks the form of the position."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = json.loads(raw)
        # JSON can escape half of a surrogate pair, which cannot be a key of a table.
        json.dumps(position, ensure_ascii=False).encode()
    except (ValueError, binascii.Error, RecursionError):
        raise InvalidError("Invalid cursor") from None
    return position


class Part:
    """The part of a list that a request asks for; by default all of it. A cursor belongs to its list.

    ``limit`` is the most entries to return, None for all.
    """

    def __init__(self, query: Mapping[str, str]) -> None:
        self.limit = limit_of(query)
        cursor = query.get("cursor")
        self._given = None if cursor is None else decode_cursor(cursor)
        self.is_continued = cursor is not None
        if self.is_continued and self.limit is None:
            self.limit = LARGEST_LIMIT

    def offset(self, of: str) -> int:
        """Return where the part of the list ``of`` starts, as a number."""
        position = self.position(of)
        if position is None:
            return 0
        if type(position) is not int or not 0 <= position < 10**9:
            raise InvalidError("Invalid cursor")
        return position

    def position(self, of: str) -> int | str | None:
        """Return where the part of the list ``of`` starts, in the list's own terms."""
        match self._given:
            case None if not self.is_continued:
                return None
            case [str(name), int() | str() as position] if name == of:
                return position
            case _:
                raise InvalidError("Invalid cursor")

    def place(self, of: str) -> str | None:
        """Return where the part of the list ``of`` starts, as a text."""
        position = self.position(of)
        if isinstance(position, int):
            raise InvalidError("Invalid cursor")
        return position

    def headers(self, of: str, following: int | str | None) -> dict[str, str]:
        """Return the header that names the next part of the list ``of``, if there is one."""
        return {} if following is None else {"x-next-cursor": encode_cursor([of, following])}


def page_and_size(query: Mapping[str, str]) -> tuple[int, int]:
    """Return the requested page."""
    page = number_of(query, "page", LARGEST_PAGE) or 1
    return page, number_of(query, "size", LARGEST_SIZE) or DEFAULT_SIZE


def envelope(items: Sequence[Shown], total: int, page: int, size: int) -> dict[str, Any]:
    """Return a page as ``{items, total, page, size, pages}``."""
    return {
        "items": [item.as_json() for item in items],
        "total": total,
        "page": page,
        "size": size,
        "pages": -(-total // size),
    }
