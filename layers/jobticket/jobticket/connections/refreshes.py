"""The written side of a refresh: who may do it, that it was begun, and how it ended.

A refresh spends a token that works once (and for ten more minutes). So it is written down before it begins,
under a lease, and every way in which it can end is one conditional write: on the authorization, because a
new consent must not be overwritten by the end of an old one; on the version, because of two refreshes only
the first to be written counts; and, for the verdict that a grant is dead, on the lease.

Begun refreshes stand in the sparse index ``unfinished_refreshes`` until their end is known.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.connections.store import connection_of, partition, put_token, same, stored_status
from jobticket.store.table import ConditionFailedError, Delete, Table, Update, Write

INDEX = "unfinished_refreshes"
UNFINISHED = "UNFINISHED"
LEASE_ATTRIBUTES = ("lease_owner", "lease_until")
BEGUN_ATTRIBUTES = ("unfinished_pk", "unfinished_since")


class RefreshStore:
    """Writes the beginnings and ends of refreshes.

    Parameters
    ----------
    table
        The connections table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self, seen: Connection, owner: str, now: datetime, until: datetime) -> Connection | None:
        """Take the lease of a connection and note that a refresh has begun.

        Parameters
        ----------
        seen
            The connection as it was read. If it is any other by now, the lease is not given.

        Returns
        -------
        Connection or None
            The connection as it stands under the lease; None if somebody else was quicker.
        """
        write = Update(
            partition(seen.id),
            "CONNECTION",
            set={
                "lease_owner": owner,
                "lease_until": clock.iso_milliseconds(until),
                "unfinished_pk": UNFINISHED,
                # An earlier one that was never ended counts on: its token may be spent since then.
                "unfinished_since": clock.iso_milliseconds(seen.unfinished_since or now),
            },
            condition=_of_version(seen)
            & same("lease_owner", None if seen.lease is None else seen.lease.owner)
            & same("unfinished_since", _text(seen.unfinished_since)),
        )
        try:
            return connection_of(self._table.update(write))
        except ConditionFailedError as failed:
            # A write whose answer was lost is sent again by the client, and meets itself.
            if failed.item is not None and failed.item.get("lease_owner") == owner:
                return connection_of(failed.item)
            return None

    def finish(self, held: Connection, secret: bytes, token: AccessToken, now: datetime) -> bool:
        """Write down new tokens; tell whether they count.

        They do unless the connection has other ones by now. Whether the lease has run out meanwhile does not
        matter: the tokens are good.
        """
        end = Update(
            partition(held.id),
            "CONNECTION",
            set={
                "secret": secret,
                "version": held.version + 1,
                "last_refreshed_at": clock.iso_milliseconds(now),
                "status": stored_status(False),
            },
            remove=(*LEASE_ATTRIBUTES, *BEGUN_ATTRIBUTES, "failed_at", "retry_at"),
            condition=_of_version(held),
        )
        return self._commit([end, put_token(held, token)])

    def release(
        self,
        held: Connection,
        owner: str,
        *,
        begun: bool,
        failed_at: datetime | None = None,
        retry_at: datetime | None = None,
    ) -> None:
        """Give the lease back without new tokens.

        Parameters
        ----------
        begun
            Whether the refresh token may be spent, so that somebody must finish this in time.
        failed_at
            When Atlassian gave none: whoever waits for this refresh need not find out again.
        retry_at
            When Atlassian wants to be asked again.
        """
        write = Update(
            partition(held.id),
            "CONNECTION",
            set={
                name: clock.iso_milliseconds(moment)
                for name, moment in (("failed_at", failed_at), ("retry_at", retry_at))
                if moment is not None
            },
            remove=LEASE_ATTRIBUTES if begun else (*LEASE_ATTRIBUTES, *BEGUN_ATTRIBUTES),
            condition=Attr("lease_owner").eq(owner),
        )
        try:
            self._table.update(write)
        except ConditionFailedError:
            return  # it had run out, and somebody else has it or the connection is gone

    def declare_dead(self, held: Connection, owner: str) -> bool:
        """Mark a connection invalid and drop its token; tell whether that was so.

        It is not if the refresh token that was refused is no longer the newest, or if the lease has passed
        on: then somebody else may be getting a good answer for the same token right now.
        """
        end = Update(
            partition(held.id),
            "CONNECTION",
            set={"status": stored_status(True)},
            remove=(*LEASE_ATTRIBUTES, *BEGUN_ATTRIBUTES),
            condition=_of_version(held) & Attr("lease_owner").eq(owner),
        )
        return self._commit([end, Delete(partition(held.id), "ACCESS")])

    def give_up(self, seen: Connection) -> bool:
        """Note that a refresh that was begun need not be ended any more; tell whether that is so.

        It is not if it was ended meanwhile, begun anew, or the connection authorized again.
        """
        write = Update(
            partition(seen.id),
            "CONNECTION",
            remove=(*LEASE_ATTRIBUTES, *BEGUN_ATTRIBUTES),
            condition=_of_version(seen) & same("unfinished_since", _text(seen.unfinished_since)),
        )
        try:
            self._table.update(write)
        except ConditionFailedError:
            return False
        return True

    def unfinished(self, before: datetime) -> Iterator[ConnectionId]:
        """Yield connections with a refresh that was begun before a moment and has no end, oldest first."""
        condition = Key("unfinished_pk").eq(UNFINISHED) & Key("unfinished_since").lt(
            clock.iso_milliseconds(before)
        )
        for item in self._table.query_all(condition, index=INDEX):
            _, provider, external_id = item["pk"].split("#", 2)
            yield ConnectionId(provider, external_id)

    def _commit(self, writes: list[Write]) -> bool:
        try:
            self._table.transact(writes, token=secrets.token_hex(16))
        except ConditionFailedError:
            return False
        return True


def _of_version(connection: Connection) -> ConditionBase:
    return Attr("authorization").eq(connection.authorization) & Attr("version").eq(connection.version)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else clock.iso_milliseconds(moment)
