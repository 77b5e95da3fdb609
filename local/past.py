"""Three weeks of made-up work: a job whose moves are put back in time, so that charts show something.

The API takes no time from its callers. So the moves are made through it, and then their records and the days'
counts are dated back in the tables. The present counts are as the API made them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

WEEKS = 3
STEPS = ("CNC", "Deburr", "QC")
#: How many serial numbers each week begins with, and how many of all come to each place.
A_WEEK = 16
REACHED = (40, 31, 24)
SCRAPPED = 2
PEOPLE = ("Anna Nowak", "Jan Kowalski", "Marek Lis")


def date_back(client: Any, outputs: Mapping[str, str], path_id: str, serials: list[str]) -> None:
    """Spread the moves of a path's serial numbers over the last weeks."""
    history, jobs = outputs["HistoryTableName"], outputs["JobsTableName"]
    now = datetime.now(UTC)
    flow: dict[tuple[str, int], Counter[str]] = {}
    for number, serial in enumerate(serials):
        week, place = divmod(number, A_WEEK)
        at = now - timedelta(days=7 * (WEEKS - week), minutes=37 * (place + 1))
        shard = int(serial.removeprefix("SN-")) % 8
        _count(flow, at, shard, "step_0")
        for record in _items(client, history, f"SERIAL#{serial}"):
            at = min(at + timedelta(hours=5 + 3 * place), now)
            key = {name: record[name] for name in ("pk", "sk")}
            _set(client, history, key, "at", _moment(at))
            left = f"step_{record['from_index']['N']}"
            _count(flow, at, shard, _reached(record), left)
    expires_at = max(item["expires_at"]["N"] for item in _items(client, history, f"FLOW#{path_id}"))
    for item in _items(client, history, f"FLOW#{path_id}"):
        client.delete_item(TableName=history, Key={name: item[name] for name in ("pk", "sk")})
    for (day, shard), counts in flow.items():
        item = {name: {"N": str(count)} for name, count in counts.items()}
        item |= {"pk": {"S": f"FLOW#{path_id}"}, "sk": {"S": f"{day}#{shard:02d}"}}
        client.put_item(TableName=history, Item=item | {"expires_at": {"N": expires_at}})
    for week, batch in enumerate(_items(client, jobs, f"PATH#{path_id}", "BATCH#")):
        created = _moment(now - timedelta(days=7 * (WEEKS - week), hours=1))
        by_number = {"pk": {"S": "BATCHES"}, "sk": {"S": batch["sk"]["S"].removeprefix("BATCH#")}}
        for key in ({name: batch[name] for name in ("pk", "sk")}, by_number):
            _set(client, jobs, key, "created_at", created)


def _reached(record: Mapping[str, Any]) -> str:
    if "to_index" in record:
        return f"step_{record['to_index']['N']}"
    return "scrapped" if record["action"]["S"] == "scrapped" else "completed"


def _count(
    flow: dict[tuple[str, int], Counter[str]], at: datetime, shard: int, come: str, gone: str | None = None
) -> None:
    counts = flow.setdefault((str(at.date()), shard), Counter())
    counts[f"in_{come}"] += 1
    if gone is not None:
        counts[f"out_{gone}"] += 1


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _items(client: Any, table: str, pk: str, prefix: str = "") -> list[dict[str, Any]]:
    condition, values = "pk = :pk", {":pk": {"S": pk}}
    if prefix:
        condition, values = f"{condition} AND begins_with(sk, :sk)", {**values, ":sk": {"S": prefix}}
    found: list[dict[str, Any]] = client.query(
        TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values
    )["Items"]
    return found


def _set(client: Any, table: str, key: Mapping[str, Any], name: str, value: str) -> None:
    client.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": {"S": value}},
    )
