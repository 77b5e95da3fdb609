"""Flow: how many serial numbers entered each step of a path on each day, finished, or were scrapped.

A path's flow is spread over the shards of its counts, for the same reason. How many stood at a step at the
end of a day follows from the present counts, going back day by day. Reading costs as many items as days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from boto3.dynamodb.conditions import Key

from jobticket.history.records import Stamp, expiry
from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import UnitOfWork

#: Counts by day, as ``in_<place>`` and ``out_<place>``.
Days = Mapping[date, Counter[str]]


def flow_pk(path_id: str) -> str:
    return f"FLOW#{path_id}"


def day_of(moment: datetime) -> date:
    """Return the day of a moment, in UTC."""
    return moment.astimezone(UTC).date()


def count_flow(
    work: UnitOfWork, stamp: Stamp, path_id: str, shard: int, *, come: str, gone: str | None, number: int = 1
) -> None:
    """Add to a unit of work that serial numbers have moved to one place of a path, from another."""
    changes = {f"in_{come}": number} | ({f"out_{gone}": number} if gone else {})
    key = flow_pk(path_id), f"{day_of(stamp.at)}#{shard:02d}"
    kept = {"expires_at": expiry(work.table, stamp.at)}
    work.add(Update(*key, set=kept, add=changes, table=work.table.journal.table))


def read_flow(table: Table, path_id: str, first: date) -> dict[int, dict[date, Counter[str]]]:
    """Return what each shard of a path counted on the days from ``first`` on."""
    shards: dict[int, dict[date, Counter[str]]] = {}
    condition = Key("pk").eq(flow_pk(path_id)) & Key("sk").gte(str(first))
    for item in table.history().query_all(condition):
        day, _, shard = item["sk"].partition("#")
        counts = {name: value for name, value in item.items() if name.startswith(("in_", "out_"))}
        shards.setdefault(int(shard), {})[date.fromisoformat(day)] = Counter(counts)
    return shards


def backwards(
    standing: Mapping[str, int], days: Days, today: date, number: int
) -> Iterator[tuple[date, Counter[str], dict[str, int]]]:
    """Yield the last days, today first: what was counted on each, and the counts of each place at its end."""
    # A clock that is ahead may have counted for tomorrow already.
    level = Counter(standing)
    for day in sorted(days, reverse=True):
        if day > today:
            level = _before(level, days[day])
    for back in range(number):
        day = today - timedelta(days=back)
        flow = days.get(day, Counter())
        yield day, flow, dict(level)
        level = _before(level, flow)


def _before(level: Counter[str], flow: Counter[str]) -> Counter[str]:
    return Counter(
        {place: count - flow[f"in_{place}"] + flow[f"out_{place}"] for place, count in level.items()}
    )
