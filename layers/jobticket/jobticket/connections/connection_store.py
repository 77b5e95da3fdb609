"""Reads and writes connections and their cached access tokens (``layout`` draws the table)."""

from __future__ import annotations

import secrets
from datetime import datetime

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket.connections import layout
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.dataclass import replace
from jobticket.history.records import Stamp, record
from jobticket.store.table import Delete, Put, Table
from jobticket.store.unit_of_work import (
    ABSENT,
    PRESENT,
    UnitOfWork,
    attempts,
    commit_if_current,
    discard,
    write_if_current,
)

INDEX = "connections_by_id"


def new_authorization() -> str:
    """Return an identifier for a new authorization."""
    return secrets.token_urlsafe(12)


class ConnectionStore:
    """Connections in their table."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, name: ConnectionId) -> Connection | None:
        """Read a connection."""
        return layout.connection_or_none(self.table.get(layout.partition(name), "CONNECTION"))

    def outline(self, name: ConnectionId) -> Connection | None:
        """Read a connection without its secret."""
        item = self.table.get(layout.partition(name), "CONNECTION", attributes=layout.OUTLINE)
        return layout.connection_or_none(item)

    def get_with_token(self, name: ConnectionId) -> tuple[Connection | None, AccessToken | None]:
        """Read a connection and its cached access token in one call.

        A query is not a snapshot: of a transaction that commits meanwhile it may show one item only. If Jira
        then refuses the token, it is renewed like any other.
        """
        items = {item["sk"]: item for item in self.table.query(Key("pk").eq(layout.partition(name))).items}
        return layout.connection_or_none(items.get("CONNECTION")), layout.token_of(items.get("ACCESS"))

    def get_token(self, name: ConnectionId) -> AccessToken | None:
        """Read the cached access token alone: a transaction that ends a connection deletes it too."""
        return layout.token_of(self.table.get(layout.partition(name), "ACCESS"))

    def page(self, limit: int, after: ConnectionId | None) -> tuple[list[Connection], ConnectionId | None]:
        """Read connections by external id, without secrets; return after which one the next page starts."""
        start = None if after is None else {"sk": "CONNECTION", **layout.list_keys(after)}
        page = self.table.query(Key("list_pk").eq(layout.LIST_KEY), index=INDEX, limit=limit, start=start)
        connections = [layout.connection_of(item) for item in page.items]
        return connections, connections[-1].id if page.next_key and connections else None

    def add_replacement(
        self,
        work: UnitOfWork,
        connection: Connection,
        earlier: Connection | None,
        stamp: Stamp,
        token: AccessToken | None = None,
    ) -> Connection:
        """Add the writes that put a newly authorized connection in an earlier one's place.

        The selected project stays selected if the site is the same. If the earlier connection, as its
        outline was read, changes before the commit, the unit of work is stale.
        """
        unchanged: ConditionBase = ABSENT
        if earlier is not None:
            unchanged = (
                Attr("authorization").eq(earlier.authorization)
                & Attr("status").eq(layout.stored_status(earlier.invalid))
                & layout.same("selected_project_id", earlier.selected_project_id)
            )
            if connection.same_site(earlier):
                connection = replace(connection, selected_project_id=earlier.selected_project_id)
        work.add(Put(layout.item_of(connection), unchanged))
        name = connection.id
        work.add(layout.token_deletion(name) if token is None else layout.token_put(name, token))
        action = "authorized" if earlier is None else "reauthorized"
        subject = layout.history_of(name)
        record(work, stamp, subject, action, kind=connection.kind, site_url=connection.site_url)
        return connection

    def replace(self, connection: Connection, stamp: Stamp, token: AccessToken | None = None) -> Connection:
        """Put a newly authorized connection in an earlier one's place; return it as written."""
        for work in attempts(self.table):
            with work:
                earlier = self.outline(connection.id)
                replaced = self.add_replacement(work, connection, earlier, stamp, token)
        return replaced

    def add_deletion(self, work: UnitOfWork, name: ConnectionId, stamp: Stamp) -> None:
        """Add the writes that delete a connection, if it exists, and its token."""
        exists = self.outline(name) is not None
        work.add(Delete(layout.partition(name), "CONNECTION", PRESENT if exists else ABSENT))
        work.add(layout.token_deletion(name))
        if exists:
            record(work, stamp, layout.history_of(name), "removed")

    def delete(self, name: ConnectionId, stamp: Stamp) -> None:
        """Delete a connection, if it exists, and its token."""
        for work in attempts(self.table):
            with work:
                self.add_deletion(work, name, stamp)

    def drop_token(self, name: ConnectionId, token: AccessToken) -> None:
        """Delete a cached access token, unless it has been replaced."""
        discard(self.table, layout.token_deletion(name, Attr("token").eq(token.sealed)))

    def mark(self, connection: Connection, now: datetime, *, invalid: bool) -> bool:
        """Store whether Jira refuses credentials; False if that is stored already, or they were replaced."""
        status = layout.stored_status(invalid)
        current = Attr("authorization").eq(connection.authorization) & Attr("status").ne(status)
        work = UnitOfWork(self.table)
        work.add(layout.update_of(connection.id, current, set={"status": status}))
        if invalid and connection.has_tokens:
            work.add(layout.token_deletion(connection.id))
        layout.record_status(work, connection.id, Stamp(now, "Jira"), invalid=invalid)
        return commit_if_current(work)

    def note_warning(self, connection: Connection, days: int, stamp: Stamp) -> bool:
        """Store that a warning of a connection's end was given; False if it was stored before."""
        untold = Attr("warned_days").not_exists() | Attr("warned_days").gt(days)
        end = layout.written(connection.expires_at)
        current = layout.same("expires_on", end) & untold
        work = UnitOfWork(self.table)
        work.add(layout.update_of(connection.id, current, set={"warned_days": days}))
        record(work, stamp, layout.history_of(connection.id), "expiring", days=days, expires_on=end)
        return commit_if_current(work)

    def reseal(self, connection: Connection, secret: bytes) -> bool:
        """Replace a secret's ciphertext by another of the same secret; False if it has changed meanwhile."""
        unchanged = Attr("secret").eq(connection.secret)
        update = layout.update_of(connection.id, unchanged, set={"secret": secret})
        return write_if_current(self.table, update) is not None

    def select_project(self, name: ConnectionId, project_id: str | None) -> bool:
        """Select the connection's project; None removes the selection. False if there is no connection."""
        selected = {} if project_id is None else {"selected_project_id": project_id}
        removed = ("selected_project_id",) if project_id is None else ()
        update = layout.update_of(name, PRESENT, set=selected, remove=removed)
        return write_if_current(self.table, update) is not None
