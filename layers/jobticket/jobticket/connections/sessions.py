"""What a user has begun and not yet finished: states, pending connections, connect tokens.

Each is found by a secret of 256 random bits that somebody holds, and kept under a hash of it and its kind, so
that reading the table gives nobody a working link, and one kind never passes for another.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.dynamo import ConditionFailedError, Delete, Item, Table

__all__ = ["KEPT_LONGER", "SessionKind", "SessionStore", "digest", "new_secret"]

SessionKind = Literal["STATE", "PENDING", "CONNECT"]
SORT_KEY = "SESSION"

#: A connect token that ends during a consent still belongs to it.
KEPT_LONGER = timedelta(days=1)


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


def _if_good(item: Item | None, now: datetime) -> Item | None:
    if item is None or now >= clock.parse_iso(item["valid_until"]):
        return None
    return item
