"""How many anomalies there are of each status and type, counted as they change.

A list shows a total with every page and must not count the table for it. Each change adds to one shard of two
counts, of all anomalies and of its datastore, in its own transaction. So the counts are exact. Shards keep
apart anomalies that change at the same time.
"""

from __future__ import annotations

from collections import Counter

from boto3.dynamodb.conditions import Key

from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import UnitOfWork
from jobticket.ticketing.model import STATUSES, TYPES, Anomaly

#: A status and a type.
Cell = tuple[str, str]

SHARDS = 8

_ATTRIBUTES = {f"n_{status}_{kind}": (status, kind) for status in STATUSES for kind in TYPES}


def _scope(datastore_id: int | None) -> str:
    return f"COUNTS#{'all' if datastore_id is None else datastore_id}"


def count(work: UnitOfWork, anomaly: Anomaly, changes: dict[str, int]) -> None:
    """Add to a unit of work how many more, or fewer, anomalies of a type there are by status."""
    added = {f"n_{status}_{anomaly.type}": number for status, number in changes.items()}
    for scope in (_scope(None), _scope(anomaly.datastore.id)):
        work.add(Update(scope, str(anomaly.id % SHARDS), add=added))


def totals(table: Table, datastore_id: int | None) -> Counter[Cell]:
    """Return the counts of all anomalies, or of one datastore, in one small query."""
    found: Counter[Cell] = Counter()
    for shard in table.query_all(Key("pk").eq(_scope(datastore_id))):
        for name, cell in _ATTRIBUTES.items():
            found[cell] += shard.get(name, 0)
    return found
