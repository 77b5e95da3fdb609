"""What a user has begun and not yet finished: states, pending connections, connect tokens.

Each is found by a secret of 256 random bits that somebody holds, and kept under a hash of it and its kind, so
that reading the table gives nobody a working link, and one kind never passes for another.

Deleting a connection ends what was begun for its name. These records are found by their secrets alone, so
they stay: each remembers the **generation** of the name in which it was begun, and a deletion starts
another one. A name that was not deleted for a day has no generation, and everything is good.
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
from jobticket.store.table import Check, ConditionFailedError, Delete, Item, Put, Table

SessionKind = Literal["STATE", "PENDING", "CONNECT"]
SORT_KEY = "SESSION"

#: A connect token that ends during a consent still belongs to it.
KEPT_LONGER = timedelta(days=1)
GENERATION = "GENERATION"
#: Longer than what was begun before a deletion can be good: 60 minutes, 10 minutes and 15 minutes.
GENERATION_KEPT = timedelta(days=1)


def new_secret() -> str:
    """Return 256 random bits, fit for a URL."""
    return secrets.token_urlsafe(32)


def digest(kind: str, secret: str) -> str:
    """Return the name under which a secret's record is kept."""
    return hashlib.sha256(f"{kind}\x00{secret}".encode("utf-8", "surrogatepass")).hexdigest()


class SessionStore:
    """Keeps records by the hash of their secret.

    Parameters
    ----------
    table
        The connections table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(
        self, kind: SessionKind, key: str, record: Mapping[str, Any], *, until: datetime, kept: datetime
    ) -> None:
        """Keep a record under a digest.

        Parameters
        ----------
        until
            When it stops being good.
        kept
            When the table may delete it, which can be later.
        """
        # On no condition: where only the answer is lost, the client writes it a second time.
        self._table.put(
            {
                **{name: value for name, value in record.items() if value is not None},
                "pk": f"{kind}#{key}",
                "sk": SORT_KEY,
                "valid_until": clock.iso_milliseconds(until),
                "expires_at": clock.epoch(kept) + 1,
            }
        )

    def get(self, kind: SessionKind, key: str, now: datetime) -> Item | None:
        """Return a record that is still good. The table deletes late, so the time is looked at here."""
        return _if_good(self._table.get(f"{kind}#{key}", SORT_KEY), now)

    def take(self, kind: SessionKind, key: str, now: datetime) -> Item | None:
        """Return a record that is still good, to one caller and never again."""
        try:
            item = self._table.delete(f"{kind}#{key}", SORT_KEY, Attr("pk").exists())
        except ConditionFailedError:
            return None
        return _if_good(item, now)

    def spending(self, kind: SessionKind, key: str) -> Delete:
        """Return the write that uses a record up, for the transaction that it is good for."""
        return Delete(f"{kind}#{key}", SORT_KEY, Attr("pk").exists())

    def generation(self, name: ConnectionId) -> str | None:
        """Return the generation of a connection's name, for what is begun now."""
        item = self._table.get(_generations(name), GENERATION)
        return None if item is None else str(item["generation"])

    def was_ended(self, record: Item) -> bool:
        """Tell whether the connection was deleted since the record's consent was begun."""
        present = self.generation(ConnectionId(record["provider"], record["external_id"]))
        return present is not None and present != record.get("generation")

    def going_on(self, name: ConnectionId, generation: str | None) -> Check:
        """Return the condition that no deletion has ended what was begun in this generation."""
        undeleted = Attr("pk").not_exists()
        goes_on = undeleted if generation is None else undeleted | Attr("generation").eq(generation)
        return Check(_generations(name), GENERATION, goes_on)

    def ending(self, name: ConnectionId, now: datetime) -> Put:
        """Return the write that ends everything that was begun for a connection's name."""
        return Put(
            {
                "pk": _generations(name),
                "sk": GENERATION,
                "generation": secrets.token_urlsafe(12),
                "expires_at": clock.epoch(now + GENERATION_KEPT),
            }
        )


def _generations(name: ConnectionId) -> str:
    return f"CONSENTS#{name}"


def _if_good(item: Item | None, now: datetime) -> Item | None:
    if item is None or now >= clock.parse_iso(item["valid_until"]):
        return None
    return item
