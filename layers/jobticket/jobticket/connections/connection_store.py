"""Reads and writes connections and their cached access tokens (``layout`` draws the table)."""

from __future__ import annotations

import secrets
from dataclasses import replace

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket.connections.layout import (
    LIST_KEY,
    OUTLINE,
    connection_of,
    item_of,
    list_keys,
    partition,
    same,
    stored_status,
    token_of,
    token_put,
    written,
)
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.store.table import Delete, Put, Table, Update
from jobticket.store.unit_of_work import (
    ABSENT,
    PRESENT,
    StaleError,
    UnitOfWork,
    attempts,
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
        item = self.table.get(partition(name), "CONNECTION")
        return None if item is None else connection_of(item)

    def outline(self, name: ConnectionId) -> Connection | None:
        """Read a connection without its secret."""
        item = self.table.get(partition(name), "CONNECTION", attributes=OUTLINE)
        return None if item is None else connection_of(item)

    def get_with_token(self, name: ConnectionId) -> tuple[Connection | None, AccessToken | None]:
        """Read a connection and its cached access token in one call.

        A query is not a snapshot: of a transaction that commits meanwhile it may show one item only. If Jira
        then refuses the token, it is renewed like any other.
        """
        items = {item["sk"]: item for item in self.table.query(Key("pk").eq(partition(name))).items}
        connection, token = items.get("CONNECTION"), items.get("ACCESS")
        return (
            None if connection is None else connection_of(connection),
            None if token is None else token_of(token),
        )

    def get_token(self, name: ConnectionId) -> AccessToken | None:
        """Read the cached access token alone: a transaction that ends a connection deletes it too."""
        item = self.table.get(partition(name), "ACCESS")
        return None if item is None else token_of(item)

    def page(self, limit: int, after: ConnectionId | None) -> tuple[list[Connection], ConnectionId | None]:
        """Read connections by external id, without secrets; return after which one the next page starts."""
        start = None if after is None else {"sk": "CONNECTION", **list_keys(after)}
        page = self.table.query(Key("list_pk").eq(LIST_KEY), index=INDEX, limit=limit, start=start)
        connections = [connection_of(item) for item in page.items]
        return connections, connections[-1].id if page.next_key and connections else None

    def add_replacement(
        self,
        work: UnitOfWork,
        connection: Connection,
        earlier: Connection | None,
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
                & Attr("status").eq(stored_status(earlier.invalid))
                & same("selected_project_id", earlier.selected_project_id)
            )
            if connection.same_site(earlier):
                connection = replace(connection, selected_project_id=earlier.selected_project_id)
        work.add(Put(item_of(connection), unchanged))
        work.add(
            Delete(partition(connection.id), "ACCESS") if token is None else token_put(connection.id, token)
        )
        return connection

    def replace(self, connection: Connection, token: AccessToken | None = None) -> Connection:
        """Put a newly authorized connection in an earlier one's place; return it as written."""
        for work in attempts(self.table):
            with work:
                earlier = self.outline(connection.id)
                replaced = self.add_replacement(work, connection, earlier, token)
        return replaced

    def add_deletion(self, work: UnitOfWork, name: ConnectionId) -> None:
        """Add the writes that delete a connection, if it exists, and its token."""
        work.add(Delete(partition(name), "CONNECTION"))
        work.add(Delete(partition(name), "ACCESS"))

    def delete(self, name: ConnectionId) -> None:
        """Delete a connection, if it exists, and its token."""
        with UnitOfWork(self.table) as work:
            self.add_deletion(work, name)

    def drop_token(self, name: ConnectionId, token: AccessToken) -> None:
        """Delete a cached access token, unless it has been replaced."""
        discard(self.table, Delete(partition(name), "ACCESS", Attr("token").eq(token.sealed)))

    def mark(self, connection: Connection, *, invalid: bool) -> bool:
        """Store whether Jira refuses credentials; False if that is stored already, or they were replaced."""
        status = stored_status(invalid)
        current = Attr("authorization").eq(connection.authorization) & Attr("status").ne(status)
        work = UnitOfWork(self.table)
        work.add(Update(partition(connection.id), "CONNECTION", set={"status": status}, condition=current))
        if invalid and connection.has_tokens:
            work.add(Delete(partition(connection.id), "ACCESS"))
        try:
            work.commit()
        except StaleError:
            return False
        return True

    def note_warning(self, connection: Connection, days: int) -> bool:
        """Store that a person was told of a connection's end so many days ahead; False if that is stored."""
        untold = Attr("warned_days").not_exists() | Attr("warned_days").gt(days)
        current = same("expires_on", written(connection.expires_at)) & untold
        update = Update(partition(connection.id), "CONNECTION", set={"warned_days": days}, condition=current)
        return write_if_current(self.table, update) is not None

    def reseal(self, connection: Connection, secret: bytes) -> bool:
        """Replace a secret's ciphertext by another of the same secret; False if it has changed meanwhile."""
        update = Update(
            partition(connection.id),
            "CONNECTION",
            set={"secret": secret},
            condition=Attr("secret").eq(connection.secret),
        )
        return write_if_current(self.table, update) is not None

    def select_project(self, name: ConnectionId, project_id: str | None) -> bool:
        """Select the connection's project; None removes the selection. False if there is no connection."""
        update = Update(
            partition(name),
            "CONNECTION",
            set={} if project_id is None else {"selected_project_id": project_id},
            remove=() if project_id is not None else ("selected_project_id",),
            condition=PRESENT,
        )
        return write_if_current(self.table, update) is not None
