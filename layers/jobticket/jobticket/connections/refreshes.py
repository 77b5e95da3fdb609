"""The stored side of a refresh: its lease, its beginning and its end.

A refresh spends a refresh token, which works once (and for ten more minutes). So its beginning is stored
before the call, under the connection's lease. Each end is one conditional write:

* on the authorization: a new consent must not be overwritten by the end of an old one;
* on the version: of two refreshes the first to be written counts;
* and on the lease, for the verdict that the grant is dead.

Refreshes that have begun stand in the sparse index ``unfinished_refreshes`` until their end is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.connections.layout import (
    connection_of,
    partition,
    record_status,
    same,
    stored_status,
    token_put,
    written,
)
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.history.records import Stamp
from jobticket.store.lease import LEASE_ATTRIBUTES, OWNER, HeldError, Lease, take
from jobticket.store.table import Delete, Table, Update, Write
from jobticket.store.unit_of_work import StaleError, UnitOfWork, commit_if_current, write_if_current

INDEX = "unfinished_refreshes"
UNFINISHED = "UNFINISHED"
BEGUN_ATTRIBUTES = ("unfinished_pk", "unfinished_since")


class RefreshStore:
    """Stores beginnings and ends of refreshes in the connections table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self, seen: Connection, lease: Lease, now: datetime) -> Connection | None:
        """Take the lease of a connection and store that a refresh has begun.

        Return the connection as it stands under the lease; None if it has changed since it was read.
        """
        # If an earlier refresh was never finished, its beginning counts: the token may be spent since then.
        begun = {"unfinished_pk": UNFINISHED, "unfinished_since": written(seen.unfinished_since or now)}
        unchanged = (
            _of_version(seen)
            & same(OWNER, None if seen.lease is None else seen.lease.owner)
            & same("unfinished_since", written(seen.unfinished_since))
        )
        try:
            item = take(
                self._table, partition(seen.id), "CONNECTION", lease, now, also=begun, condition=unchanged
            )
        except (HeldError, StaleError):
            return None
        return connection_of(item)

    def succeed(
        self, held: Connection, secret: bytes, token: AccessToken, now: datetime, scopes: str | None
    ) -> bool:
        """Store new tokens; False if the connection has other ones by now.

        They are valid even if the lease has expired.
        """
        end = Update(
            partition(held.id),
            "CONNECTION",
            set={
                "secret": secret,
                "version": held.version + 1,
                "last_refreshed_at": written(now),
                "status": stored_status(False),
                **({} if scopes is None or held.kind != "oauth" else {"scopes": scopes}),
            },
            remove=(*LEASE_ATTRIBUTES, *BEGUN_ATTRIBUTES, "failed_at", "retry_at"),
        )
        cached = token_put(held.id, token)
        return self._commit(held, end, _of_version(held), cached, now, invalid=False)

    def release(
        self,
        held: Connection,
        lease: Lease,
        *,
        begun: bool,
        failed_at: datetime | None = None,
        retry_at: datetime | None = None,
    ) -> None:
        """Give the lease back without new tokens, if it is still ours.

        Parameters
        ----------
        begun
            Whether the refresh token may be spent, so that the refresh must still be finished.
        failed_at
            When the refresh failed: callers that wait for it need not try themselves.
        """
        times = {"failed_at": written(failed_at), "retry_at": written(retry_at)}
        update = Update(
            partition(held.id),
            "CONNECTION",
            set={name: text for name, text in times.items() if text is not None},
            remove=LEASE_ATTRIBUTES if begun else (*LEASE_ATTRIBUTES, *BEGUN_ATTRIBUTES),
            condition=lease.held(),
        )
        write_if_current(self._table, update)

    def declare_dead(self, held: Connection, lease: Lease, now: datetime) -> bool:
        """Mark a connection invalid and delete its token; False if that would be wrong.

        It would be if the refused refresh token is no longer the newest. It would also be if another caller
        has the lease: the same token may be succeeding there right now.
        """
        end = Update(
            partition(held.id),
            "CONNECTION",
            set={"status": stored_status(True)},
            remove=(*LEASE_ATTRIBUTES, *BEGUN_ATTRIBUTES),
        )
        condition = _of_version(held) & lease.held()
        return self._commit(held, end, condition, Delete(partition(held.id), "ACCESS"), now, invalid=True)

    def give_up(self, seen: Connection) -> bool:
        """Forget a refresh that has begun; False if it has ended, begun again, or lost its authorization."""
        update = Update(
            partition(seen.id),
            "CONNECTION",
            remove=(*LEASE_ATTRIBUTES, *BEGUN_ATTRIBUTES),
            condition=_of_version(seen) & same("unfinished_since", written(seen.unfinished_since)),
        )
        return write_if_current(self._table, update) is not None

    def unfinished(self, before: datetime) -> Iterator[ConnectionId]:
        """Yield connections with a refresh that began before a moment and is unfinished, oldest first."""
        condition = Key("unfinished_pk").eq(UNFINISHED) & Key("unfinished_since").lt(
            clock.iso_milliseconds(before)
        )
        for item in self._table.query_all(condition, index=INDEX):
            _, provider, external_id = item["pk"].split("#", 2)
            yield ConnectionId(provider, external_id)

    def _commit(
        self,
        held: Connection,
        end: Update,
        condition: ConditionBase,
        token: Write,
        now: datetime,
        *,
        invalid: bool,
    ) -> bool:
        """Commit the end of a refresh, and record if the connection becomes invalid, or valid again."""
        # Its status may have changed since the beginning: that changes the record, not the end.
        for was_invalid in (held.invalid, not held.invalid):
            as_it_was = Attr("status").eq(stored_status(was_invalid))
            work = UnitOfWork(self._table)
            work.add(replace(end, condition=condition & as_it_was))
            work.add(token)
            if was_invalid != invalid:
                record_status(work, held.id, Stamp(now, "Atlassian"), invalid=invalid)
            if commit_if_current(work):
                return True
        return False


def _of_version(connection: Connection) -> ConditionBase:
    return Attr("authorization").eq(connection.authorization) & Attr("version").eq(connection.version)
