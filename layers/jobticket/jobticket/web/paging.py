"""Limits and cursors of lists."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from jobticket.errors import InvalidError

__all__ = ["LARGEST_LIMIT", "decode_cursor", "encode_cursor", "limit_of"]

LARGEST_LIMIT = 500


def limit_of(query: Mapping[str, str], *, largest: int = LARGEST_LIMIT) -> int | None:
    """Return the ``limit`` asked for, None if there is none.

    Raises
    ------
    InvalidError
        If it is no whole number from 1 to ``largest``.
    """
    text = query.get("limit")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= largest):
        raise InvalidError(f"limit must be an integer from 1 to {largest}")
    return int(text)


def encode_cursor(position: Any) -> str:
    """Write a position as an opaque cursor."""
    raw = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(cursor: str) -> Any:
    """Read a cursor back; its caller checks that the position has the right form.

    Raises
    ------
    InvalidError
        If it is none of ours.
    """
    try:
        return json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise InvalidError("Invalid cursor") from None
