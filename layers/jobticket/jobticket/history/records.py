"""Records of changes: written in the unit of work of the change, read by their subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import ConditionBase, Key

from jobticket import clock
from jobticket.dataclass import dataclass, replace
from jobticket.shown import Shown, jsonable
from jobticket.store.table import Item, Put, Table, first_page
from jobticket.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something is done and by whom: the name of a caller's key, and a person if one is named."""

    at: datetime
    by: str
    operator: str | None = None

    @property
    def moment(self) -> str:
        return clock.iso_milliseconds(self.at)

    def after(self, former: str | None) -> Stamp:
        """Return the stamp of a change that follows one of this moment, even if clocks disagree."""
        if former is None:
            return self
        return replace(self, at=max(self.at, clock.parse_iso(former) + timedelta(milliseconds=1)))


def expiry(table: Table, moment: datetime) -> int:
    """Return when the history of a table forgets a moment."""
    return clock.epoch(moment + timedelta(days=table.journal.days))


def record(
    work: UnitOfWork, stamp: Stamp, subject: str, action: str, *, order: str | None = None, **details: Any
) -> None:
    """Add a record to a unit of work; ``order`` is its place if moments do not tell it."""
    item = {
        "pk": subject,
        "sk": order or f"{stamp.moment}#{work.mark}",
        "action": action,
        "at": stamp.moment,
        "by": stamp.by,
        "operator": stamp.operator,
        "expires_at": expiry(work.table, stamp.at),
        **details,
    }
    known = {name: value for name, value in item.items() if value is not None}
    work.add(Put(known, table=work.table.journal.table))


def differences(before: Shown, after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to which a change gives another value, each before and after, as JSON shows them."""
    values = {name: (getattr(before, name), value) for name, value in after.items()}
    return {
        before.shown_name(name): {
            when: jsonable(value)
            for when, value in zip(("before", "after"), pair, strict=True)
            if value is not None
        }
        for name, pair in values.items()
        if pair[0] != pair[1]
    }


def page_of_records(
    table: Table, subject: str, now: datetime, limit: int | None, after: str | None
) -> tuple[list[Item], str | None]:
    """Return the records of a subject after a place, and the place after which the list continues."""
    return first_page(((item["sk"], item) for item in records_of(table, subject, now, limit, after)), limit)


def records_of(
    table: Table, subject: str, now: datetime, limit: int | None, after: str | None
) -> Iterator[Item]:
    """Yield the records of a subject after a place, oldest first, as far as they are still kept."""
    place: ConditionBase = Key("pk").eq(subject)
    if after is not None:
        place &= Key("sk").gt(after)
    # One more than the limit tells whether there is a next page.
    for item in table.history().query_all(place, limit=None if limit is None else limit + 1):
        if item["expires_at"] > clock.epoch(now):
            yield item
