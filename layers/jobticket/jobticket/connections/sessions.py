"""Consents under way: connect tokens, states and pending connections.

Each record is found by a secret of 256 random bits and stored under a hash of its kind and that secret. So
reading the table gives no working link, and a secret of one kind never passes for another.

Deleting a connection also ends the consents under way for its name. Their records cannot be found without
their secrets, so they stay. Each remembers the **generation** of the name in which it began, and a deletion
starts a new generation. A name that was not deleted within a day has no generation: all its records count.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.connections.model import ConnectionId
from jobticket.store.table import Check, Delete, Item, Put, Table
from jobticket.store.unit_of_work import ABSENT, PRESENT, UnitOfWork, discard

SessionKind = Literal["STATE", "PENDING", "CONNECT"]
SORT_KEY = "SESSION"
#: What became of a pending connection, for the browser that chose its site.
OUTCOME = "OUTCOME"

#: A connect token may end during a consent that it began: the consent can still spend it.
KEPT_LONGER = timedelta(days=1)
GENERATION = "GENERATION"
#: Longer than anything begun before the deletion can last: 60 minutes, 10 minutes and 15 minutes.
GENERATION_KEPT = timedelta(days=1)


def new_secret() -> str:
    """Return 256 random bits, fit for a URL."""
    return secrets.token_urlsafe(32)


def digest(kind: str, secret: str) -> str:
    """Return the hash under which a secret's record is stored."""
    return hashlib.sha256(f"{kind}\x00{secret}".encode("utf-8", "surrogatepass")).hexdigest()


class SessionStore:
    """Keeps records in the connections table by the hash of their secret."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, kind: SessionKind, key: str, record: Mapping[str, Any], until: datetime) -> None:
        """Store a record under a digest, until it expires."""
        # Without a condition: botocore sends the write again if its answer is lost.
        self._table.put(_item(kind, key, SORT_KEY, record, until))

    def add_outcome(self, work: UnitOfWork, key: str, record: Mapping[str, Any], until: datetime) -> None:
        """Add the write that notes what became of a pending connection."""
        work.add(Put(_item("PENDING", key, OUTCOME, record, until)))

    def get(self, kind: SessionKind, key: str, now: datetime, sort_key: str = SORT_KEY) -> Item | None:
        """Return a record that has not expired and whose connection was not deleted since it began."""
        item = self._table.get(f"{kind}#{key}", sort_key)
        if item is None or now >= clock.parse_iso(item["valid_until"]):
            return None
        present = self.generation(ConnectionId(item["provider"], item["external_id"]))
        return item if present is None or present == item.get("generation") else None

    def spend(self, kind: SessionKind, key: str) -> bool:
        """Use a record up; False if another caller has done so."""
        return discard(self._table, Delete(f"{kind}#{key}", SORT_KEY, PRESENT)) is None

    def add_spending(self, work: UnitOfWork, kind: SessionKind, key: str, otherwise: Exception) -> None:
        """Add the write that uses a record up."""
        work.add(Delete(f"{kind}#{key}", SORT_KEY, PRESENT), otherwise)

    def generation(self, name: ConnectionId) -> str | None:
        """Return the generation of a connection's name, for a consent that begins now."""
        item = self._table.get(_generations(name), GENERATION)
        return None if item is None else str(item["generation"])

    def require_generation(
        self, work: UnitOfWork, name: ConnectionId, generation: str | None, otherwise: Exception
    ) -> None:
        """Add the condition that the connection was not deleted since this generation."""
        current = ABSENT if generation is None else ABSENT | Attr("generation").eq(generation)
        work.add(Check(_generations(name), GENERATION, current), otherwise)

    def add_new_generation(self, work: UnitOfWork, name: ConnectionId, now: datetime) -> None:
        """Add the write that ends all consents under way for a connection's name."""
        item = {
            "pk": _generations(name),
            "sk": GENERATION,
            "generation": secrets.token_urlsafe(12),
            "expires_at": clock.epoch(now + GENERATION_KEPT),
        }
        work.add(Put(item))


def _item(
    kind: SessionKind, key: str, sort_key: str, record: Mapping[str, Any], until: datetime
) -> dict[str, Any]:
    kept = until + KEPT_LONGER if kind == "CONNECT" else until
    return {
        **{name: value for name, value in record.items() if value is not None},
        "pk": f"{kind}#{key}",
        "sk": sort_key,
        "valid_until": clock.iso_milliseconds(until),
        "expires_at": clock.epoch(kept) + 1,
    }


def _generations(name: ConnectionId) -> str:
    return f"CONSENTS#{name}"
