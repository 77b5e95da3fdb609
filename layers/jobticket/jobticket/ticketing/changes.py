"""The one way to change an anomaly: read it with its links, decide, commit all or nothing, begin again."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.errors import NotFoundError, UnavailableError
from jobticket.store.table import ConditionFailedError, Item, Table, Update, Write
from jobticket.ticketing import integrations, outbox
from jobticket.ticketing.layout import (
    ANOMALY,
    anomaly_from,
    anomaly_pk,
    link_from,
)
from jobticket.ticketing.model import Anomaly, Link
from jobticket.ticketing.outbox import Event, LiveLink, Message

#: Enough for many people at once on one anomaly; each try lets at least one of them through.
MOST_TRIES = 20


def anomaly_not_found(anomaly_id: object) -> NotFoundError:
    return NotFoundError(f"Anomaly not found: {anomaly_id}")


@dataclass(frozen=True, slots=True)
class Loaded:
    """An anomaly as it stands, with its links."""

    anomaly: Anomaly
    stamp: int
    links: list[Link]
    live: list[LiveLink]


@dataclass(slots=True)
class Change:
    """What shall become of an anomaly.

    Attributes
    ----------
    set, add, remove
        Attributes of the anomaly.
    messages
        What its live tickets are told, in this order.
    writes
        What commits with it; their conditions must hold.
    links
        The links that are told, if not the live ones.
    """

    set: dict[str, Any] = field(default_factory=dict)
    add: dict[str, int] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    links: list[LiveLink] | None = None


def load(table: Table, anomaly_id: int) -> Loaded:
    """Read an anomaly and its links, in one query.

    Raises
    ------
    NotFoundError
        If there is no such anomaly.
    """
    found = table.query_all(Key("pk").eq(anomaly_pk(anomaly_id)) & Key("sk").begins_with(ANOMALY))
    anomaly: Item | None = None
    links: list[Item] = []
    for item in found:
        if item["sk"] == ANOMALY:
            anomaly = item
        else:
            links.append(item)
    if anomaly is None:
        raise anomaly_not_found(anomaly_id)
    return Loaded(anomaly_from(anomaly), anomaly["stamp"], _in_order(links), _live(table, links))


def _in_order(links: Iterable[Item]) -> list[Link]:
    return sorted((link_from(item) for item in links), key=lambda link: link.id)


def _live(table: Table, links: Sequence[Item]) -> list[LiveLink]:
    if not links:
        return []
    stored = integrations.find(table)
    if stored is None:
        return []
    pairs = [(link_from(item), str(item["site"])) for item in links]
    return outbox.live_links(pairs, stored.integration, stored.site)


def stamp_after(stamp: int, now: datetime) -> int:
    """Return an anomaly's next stamp: the time, but always above the last one."""
    return max(clock.epoch_milliseconds(now), stamp + 1)


def commit(
    table: Table,
    anomaly_id: int,
    now: datetime,
    decide: Callable[[Loaded], Change | None],
    alongside: Sequence[Write] = (),
) -> list[Event]:
    """Commit a change of an anomaly together with the events that tell its tickets.

    Parameters
    ----------
    decide
        Takes the anomaly as it stands and returns the change, None for none. It is called again if somebody
        else was quicker; what it raises goes through.
    alongside
        Writes that commit with the change, whatever was decided.

    Returns
    -------
    list
        The events, for a wake-up.

    Raises
    ------
    ConditionFailedError
        If the condition of one of the change's own writes does not hold; its position counts from
        the change's first write. Of ``alongside``, the position is behind those.
    UnavailableError
        If others were quicker all the time.
    """
    for _ in range(MOST_TRIES):
        loaded = load(table, anomaly_id)
        change = decide(loaded)
        if change is None:
            _commit_alone(table, alongside)
            return []
        mark = secrets.token_urlsafe(12)
        first = stamp_after(loaded.stamp, now)
        links = loaded.live if change.links is None else change.links
        events = list(outbox.events_for(links, anomaly_id, change.messages, first, now))
        writes = [
            _update(loaded, change, first, mark, now),
            *change.writes,
            *alongside,
            *outbox.puts(events),
        ]
        try:
            table.transact(writes, token=secrets.token_urlsafe(24))
        except ConditionFailedError as failed:
            if not _was_committed(failed, mark):
                if failed.position > 0:
                    raise ConditionFailedError({failed.position - 1: failed.item}) from failed
                continue
        return events
    raise UnavailableError("The anomaly is being changed by others. Please try again.", retry_after=1)


def _commit_alone(table: Table, writes: Sequence[Write]) -> None:
    if writes:
        table.transact(writes, token=secrets.token_urlsafe(24))


def _update(loaded: Loaded, change: Change, first: int, mark: str, now: datetime) -> Update:
    last = first + max(0, len(change.messages) - 1)
    return Update(
        anomaly_pk(loaded.anomaly.id),
        ANOMALY,
        set={**change.set, "stamp": last, "changed_by": mark, "updated": clock.iso_milliseconds(now)},
        add=change.add,
        remove=change.remove,
        condition=Attr("stamp").eq(loaded.stamp),
    )


def _was_committed(failed: ConditionFailedError, mark: str) -> bool:
    """Tell whether this very transaction had committed and only its answer was lost.

    The first write of the transaction carries the mark, so it is looked for where that one failed.
    """
    return failed.position == 0 and failed.item is not None and failed.item.get("changed_by") == mark
