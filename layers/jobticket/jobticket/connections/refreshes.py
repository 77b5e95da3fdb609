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
from datetime import datetime

from boto3.dynamodb.conditions import And, Attr, ConditionBase, Key

from jobticket import clock
from jobticket.connections import layout
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.dataclass import replace
from jobticket.history.records import Stamp
from jobticket.store.lease import LEASE_ATTRIBUTES, OWNER, HeldError, Lease, take
from jobticket.store.table import Table, Update, Write
from jobticket.store.unit_of_work import StaleError, UnitOfWork, commit_if_current, write_if_current

INDEX = "unfinished_refreshes"
UNFINISHED = "UNFINISHED"
#: Attributes that an item loses when its refresh ends.
ENDED = (*LEASE_ATTRIBUTES, "unfinished_pk", "unfinished_since")


class RefreshStore:
    """Stores beginnings and ends of refreshes in the connections table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self, seen: Connection, lease: Lease, now: datetime) -> Connection | None:
        """Take the lease of a connection and store that a refresh has begun.

        Return the connection as it stands under the lease; None if it has changed since it was read.
        """
        # If an earlier refresh was never finished, its beginning counts: the token may be spent since then.
        begun = {
            "unfinished_pk": UNFINISHED,
            "unfinished_since": layout.written(seen.unfinished_since or now),
        }
        owner = None if seen.lease is None else seen.lease.owner
        unchanged = _as_begun(seen) & layout.same(OWNER, owner)
        key = layout.partition(seen.id), "CONNECTION"
        try:
            item = take(self._table, *key, lease, now, also=begun, condition=unchanged)
        except (HeldError, StaleError):
            return None
        return layout.connection_of(item)

    def succeed(
        self, held: Connection, secret: bytes, token: AccessToken, now: datetime, scopes: str | None
    ) -> bool:
        """Store new tokens; False if the connection has other ones by now.

        They are valid even if the lease has expired.
        """
        changed = {"secret": secret, "version": held.version + 1, "last_refreshed_at": layout.written(now)}
        granted = {} if scopes is None or held.kind != "oauth" else {"scopes": scopes}
        end = layout.update_of(
            held.id, _of_version(held), set=changed | granted, remove=(*ENDED, "failed_at", "retry_at")
        )
        return self._commit(held, end, layout.token_put(held.id, token), now, invalid=False)

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

        With ``begun`` the refresh token may be spent, so that the refresh must still be finished. Callers
        that wait for a refresh that ``failed_at`` some time need not try themselves.
        """
        times = {"failed_at": layout.written(failed_at), "retry_at": layout.written(retry_at)}
        given = {name: text for name, text in times.items() if text is not None}
        removed = LEASE_ATTRIBUTES if begun else ENDED
        write_if_current(self._table, layout.update_of(held.id, lease.held(), set=given, remove=removed))

    def declare_dead(self, held: Connection, lease: Lease, now: datetime) -> bool:
        """Mark a connection invalid and delete its token; False if that would be wrong.

        It would be if the refused refresh token is no longer the newest. It would also be if another caller
        has the lease: the same token may be succeeding there right now.
        """
        end = layout.update_of(held.id, _of_version(held) & lease.held(), remove=ENDED)
        return self._commit(held, end, layout.token_deletion(held.id), now, invalid=True)

    def give_up(self, seen: Connection) -> bool:
        """Forget a refresh that has begun; False if it has ended, begun again, or lost its authorization."""
        update = layout.update_of(seen.id, _as_begun(seen), remove=ENDED)
        return write_if_current(self._table, update) is not None

    def unfinished(self, before: datetime) -> Iterator[ConnectionId]:
        """Yield connections with a refresh that began before a moment and is unfinished, oldest first."""
        condition = Key("unfinished_pk").eq(UNFINISHED) & Key("unfinished_since").lt(
            clock.iso_milliseconds(before)
        )
        for item in self._table.query_all(condition, index=INDEX):
            _, provider, external_id = item["pk"].split("#", 2)
            yield ConnectionId(provider, external_id)

    def _commit(self, held: Connection, end: Update, token: Write, now: datetime, *, invalid: bool) -> bool:
        """Commit the end of a refresh, and record if the connection becomes invalid, or valid again."""
        status = {"status": layout.stored_status(invalid)}
        # Its status may have changed since the beginning: that changes the record, not the end.
        for was_invalid in (held.invalid, not held.invalid):
            as_it_was = And(end.condition, Attr("status").eq(layout.stored_status(was_invalid)))
            work = UnitOfWork(self._table)
            work.add(replace(end, set={**end.set, **status}, condition=as_it_was))
            work.add(token)
            if was_invalid != invalid:
                layout.record_status(work, held.id, Stamp(now, "Atlassian"), invalid=invalid)
            if commit_if_current(work):
                return True
        return False


def _as_begun(seen: Connection) -> ConditionBase:
    return _of_version(seen) & layout.same("unfinished_since", layout.written(seen.unfinished_since))


def _of_version(connection: Connection) -> ConditionBase:
    return Attr("authorization").eq(connection.authorization) & Attr("version").eq(connection.version)
