"""What all groups of methods share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jobticket_client.transport import Transport

#: Entries of a page, where a caller names no other number.
PAGE_SIZE = 100


class Resource:
    """A group of methods for one kind of thing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _call(self, operation: str, body: Any = None, *, humps: bool = False, **request: Any) -> Any:
        if body is not None and "idempotency_key" in body:
            request["idempotency_key"] = body["idempotency_key"]
            body = {name: value for name, value in body.items() if name != "idempotency_key"}
        return self._transport.call(operation, body=_camel_members(body) if humps else body, **request).body

    def _call_in_camel(self, operation: str, body: Mapping[str, Any], **request: Any) -> Any:
        """Call an operation of the jobs family, whose members' names have humps."""
        return self._call(operation, body, humps=True, **request)

    def _by_cursor(
        self, operation: str, members: str | None, limit: int, query: Any = None, **in_path: Any
    ) -> Iterator[Any]:
        """Yield the entries of all pages, each page read when its turn comes.

        ``members`` is where the body holds them; None if it is the list, and a header tells the next cursor.
        """
        cursor = None
        while True:
            asked = {**(query or {}), "limit": limit, "cursor": cursor}
            page = self._transport.call(operation, query=asked, **in_path)
            yield from page.body[members] if members else page.body
            cursor = page.body["next_cursor"] if members else page.headers.get("x-next-cursor")
            if not cursor:
                return

    def _by_number(self, operation: str, size: int, query: Any = None, **in_path: Any) -> Iterator[Any]:
        """Yield the items of all pages of a list of the ticketing family."""
        number, pages = 1, 1
        while number <= pages:
            page = {**(query or {}), "page": number, "size": size}
            body = self._call(operation, query=page, **in_path)
            yield from body["items"]
            number, pages = number + 1, body["pages"]


def _camel_members(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_camel(name): _camel_members(member) for name, member in value.items()}
    return [_camel_members(entry) for entry in value] if isinstance(value, list | tuple) else value


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)
